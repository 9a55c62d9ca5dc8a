"""Time from starting a container to its first HTTP 200: what `run` costs, and what bytecode brings."""

import http.client
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import harness
import measure
from harness import podman

ROUNDS = 15
PATH = "/admin/login/"  # needs no database
LIMIT_S = 60
COMPILED_BY_TIME = """\
FROM {image}
USER 0
RUN find /opt/app-root -name __pycache__ -prune -exec rm -r {{}} + \\
 && python3 -m compileall -q --invalidation-mode timestamp /opt/app-root \\
 && find /opt/app-root -name '*.py' -exec touch --date=@0 {{}} +
USER 1001
"""
NOT_COMPILED = """\
FROM {image}
USER 0
RUN find /opt/app-root -name __pycache__ -prune -exec rm -r {{}} +
USER 1001
"""


def time_to_answer(image: str, options: Sequence[str] = (), command: Sequence[str] = ()) -> float:
    """Start a container, ask until it answers with 200; seconds from before the engine's command."""
    port = harness.free_port()
    started = time.perf_counter()
    name = podman("run", "--detach", f"--publish=127.0.0.1:{port}:8080", *options, image, *command).text.strip().splitlines()[-1]
    try:
        while not answers(port):
            if time.perf_counter() - started > LIMIT_S:
                raise TimeoutError(podman("logs", name).text)
            time.sleep(0.005)
        return time.perf_counter() - started
    finally:
        podman("rm", "--force", "--time=0", name)


def answers(port: int) -> bool:
    """Ask once."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", PATH)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def by_hand(image: str) -> list[str]:
    """The command that `run` prints, and the variables that it sets, to be started without it."""
    printed = podman("run", "--rm", image, "taxiway", "start", "--dry-run").text
    command = next(line.strip() for line in printed.splitlines() if line.strip().startswith("$ "))[2:]
    command = re.sub(r"^sh \S+graceful.sh \S+ \S+ ", "", command)  # the server alone, which binds its address itself
    command = re.sub(r" --bind fd://\d", " --bind 0.0.0.0:8080", command)
    variables = {
        "TAXIWAY_APP": "mysite.wsgi:application",
        "TAXIWAY_PLAN": "/opt/app-root/.taxiway/launch.json",
        "PYTHONPATH": "/opt/app-root/src:$(echo /opt/taxiway/lib/python3*/site-packages/taxiway/_runtime)",
        "DJANGO_SETTINGS_MODULE": "mysite.settings",
    }
    exports = " ".join(f'{name}="{value}"' for name, value in variables.items())
    return ["/bin/sh", "-c", f"export {exports}; exec {command}"]


def compare(title: str, ways: dict[str, Callable[[], float]], base: str) -> None:
    """Measure ways of starting and print each as a ratio to one of them."""
    medians = measure.alternately(ways, ROUNDS)
    rows = [(name, f"{seconds:.3f}", f"{seconds / medians[base]:.2f}") for name, seconds in medians.items()]
    measure.table(f"{title} (medians of {ROUNDS})", ("", "s", f"ratio to: {base}"), rows)


def main() -> None:
    """Print both comparisons."""
    hardened = (*harness.ARBITRARY_USER, *harness.HARDENED)
    env = {"TAXIWAY_SERVER": "gunicorn"}
    with measure.sample_image("localhost/taxiway-bench/starts", bare=True, env=env) as image, TemporaryDirectory() as empty:
        manual = by_hand(image)
        compare(
            "Django sample under gunicorn, to the first 200",
            {
                "by hand": lambda: time_to_answer(image, hardened, manual),
                "through run": lambda: time_to_answer(image, hardened),
            },
            "by hand",
        )
        context = Path(empty) / "context"
        context.mkdir()
        variants = {"absent": NOT_COMPILED, "stale": COMPILED_BY_TIME}
        names = {name: f"{image}-{name}" for name in variants}
        for name, text in variants.items():
            harness.podman_build(text.format(image=image), names[name], context)
        try:
            ways: dict[str, Callable[[], float]] = {"as built": lambda: time_to_answer(image, hardened)}
            for name in variants:
                ways[name] = lambda name=name: time_to_answer(names[name], hardened)  # type: ignore[misc]
            compare("Bytecode of dependencies and application, read-only root and foreign UID", ways, "as built")
        finally:
            for name in names.values():
                podman("rmi", "--force", name, check=False)
