"""Sizing: Django in small containers answers under load for a minute and is never killed for its memory, or refuses to start."""

import http.client
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import harness
import pytest
from harness import Container

SERVERS = {"mod_wsgi": "mysite.wsgi:application", "uvicorn": "mysite.asgi:application"}  # the defaults for WSGI and ASGI
CPUS = (0.25, 1, 2)
MEMORY_MIB = (64, 128, 256, 512)
MINUTE_S = 60
CLIENTS = 2  # for each container: all of them share the machine
PAGES = ("/", "/admin/login/", "/static/admin/css/base.css")
ASGI = """\
import os
from django.core.asgi import get_asgi_application
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mysite.settings")
application = get_asgi_application()
"""
# Of the container's memory control group, version 1 or 2: how often something was killed in it.
OOM_KILLS = "cat /sys/fs/cgroup/memory.events /sys/fs/cgroup/memory/memory.oom_control 2>/dev/null | awk '/^oom_kill /{print $2}'"


@pytest.fixture
def images(tmp_path: Path) -> Iterator[dict[str, str]]:
    """The sample for each server."""
    source = harness.copy_app(harness.ROOT / "examples" / "django-polls", tmp_path / "polls")
    Path(source, "mysite", "asgi.py").write_text(ASGI)
    names = {server: f"{harness.TEST_IMAGES}/sizing-{server}".replace("_", "-") for server in SERVERS}
    for server, name in names.items():
        harness.podman_build(
            f"FROM {harness.BUILDER}\n"
            f"ENV TAXIWAY_SERVER={server} TAXIWAY_APP={SERVERS[server]}\n"
            "COPY --chown=1001:0 . /tmp/src\n"
            "RUN /usr/libexec/s2i/assemble\n"
            'CMD ["/usr/libexec/s2i/run"]\n',
            name,
            source,
        )
    yield names
    for name in names.values():
        harness.podman("rmi", "--force", name, check=False)


def ask_for_a_minute(running: Container, counts: Counter[str]) -> None:
    """One client: a page after the other, without haste."""
    until = time.monotonic() + MINUTE_S
    while time.monotonic() < until:
        for page in PAGES:
            try:
                counts[str(running.get(page, timeout=MINUTE_S).status)] += 1
            except (OSError, http.client.HTTPException) as error:
                counts[type(error).__name__] += 1
            time.sleep(0.5)


def load(cells: Sequence[Container]) -> list[Counter[str]]:
    """Ask all of them at the same time."""
    counts = [Counter[str]() for _ in cells]
    clients = [
        threading.Thread(target=ask_for_a_minute, args=(cell, count))
        for cell, count in zip(cells, counts, strict=True)
        for _ in range(CLIENTS)
    ]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    return counts


def test_grid(images: dict[str, str]) -> None:
    """All at the same time, so that a minute is enough for all."""
    with ExitStack() as stack:
        grid = {
            (server, cpus, memory): stack.enter_context(
                harness.container(
                    image,
                    *harness.ARBITRARY_USER,
                    *harness.HARDENED,
                    f"--cpus={cpus}",
                    f"--memory={memory}m",
                    f"--memory-swap={memory}m",
                    env={"SECRET_KEY": "only for this test", "ALLOWED_HOSTS": "*"},
                )
            )
            for server, image in images.items()
            for cpus in CPUS
            for memory in MEMORY_MIB
        }
        serving = {key: cell for key, cell in grid.items() if key[2] > min(MEMORY_MIB)}
        for key in grid.keys() - serving.keys():
            assert_refused(grid[key], key[2])
        for cell in serving.values():
            assert cell.wait().status == 200
        for key, count in zip(serving, load(list(serving.values())), strict=True):
            assert_unharmed(serving[key], count, *key[1:])


def assert_refused(cell: Container, memory_mib: int) -> None:
    """It ended by itself, and says what it needs."""
    harness.wait_for(lambda: None if cell.is_running() else True, 60)
    log = cell.logs()
    assert cell.exit_status() == 7, log
    needed = re.search(r"it needs (\d+) MiB", log)
    assert needed, log
    assert memory_mib < int(needed[1]) <= 128


def assert_unharmed(cell: Container, answers: Counter[str], cpus: float, memory_mib: int) -> None:
    """Every request was answered, nothing was killed, and the log tells the limits."""
    log = cell.logs()
    shown = (cpus, memory_mib, answers, log[-3000:])
    assert set(answers) == {"200"}, shown
    assert cell.is_running(), shown
    assert cell.execute("sh", "-c", OOM_KILLS).split() == ["0"], shown
    size = re.search(r"(\d+) process(?:es)?(?: x \d+ threads)? \(([\d.]+) CPU, memory (\d+) MiB", log)
    assert size, shown
    processes = 2 if cpus > 1 and memory_mib > 128 else 1
    assert (int(size[1]), float(size[2]), int(size[3])) == (processes, cpus, memory_mib), shown
