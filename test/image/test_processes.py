"""Process types: one in a container, several in one, and the end of a container whose types don't stay up."""

import re
from collections.abc import Iterator

import harness
import pytest
from harness import Container

FILES = {
    "wsgi.py": """\
import time
def application(environ, start_response):
    seconds = environ["QUERY_STRING"].removeprefix("seconds=")
    if seconds:
        print(f"slow: begin {seconds}", flush=True)
        time.sleep(float(seconds))
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"slept {seconds} s\\n".encode()]
""",
    "worker.py": """\
import os, signal, subprocess, sys, time
def end(*_):
    time.sleep(1)
    print("worker finished", flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
subprocess.run(["bash", "-c", "sleep 0.1 &"])  # leaves an orphan
print("worker of", os.environ["TAXIWAY_PROCESS"], "in", os.getcwd(), "as", os.getppid(), file=sys.stderr, flush=True)
while True:
    time.sleep(0.1)
""",
    "Procfile": """\
worker: echo "port $PORT; it's 100% ready" && exec python worker.py
crash: echo not yet && exit 3
release: echo released
""",
    "pyproject.toml": '[tool.taxiway.processes]\ncrash = "echo about to crash; exit 3"\n',
}


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One image with all process types, on the runtime image."""
    source = tmp_path_factory.mktemp("processes") / "source"
    source.mkdir()
    for name, text in FILES.items():
        (source / name).write_text(text)
    name = f"{harness.TEST_IMAGES}/processes"
    log = harness.podman_build(
        f"FROM {harness.BUILDER} AS build\n"
        "COPY --chown=1001:0 . /tmp/src\n"
        "RUN /usr/libexec/s2i/assemble\n"
        f"FROM {harness.RUNTIME}\n"
        "COPY --from=build --chown=1001:0 /opt/app-root /opt/app-root\n",
        name,
        source,
    ).text
    assert "process types web, worker, crash, release; a container runs web, or what TAXIWAY_PROCESS names" in log
    assert "release isn't run by itself" in log
    yield name
    harness.podman("rmi", "--force", name, check=False)


def start(image: str, process: str) -> Iterator[Container]:
    with harness.container(image, *harness.ARBITRARY_USER, *harness.HARDENED, env={"TAXIWAY_PROCESS": process}) as running:
        yield running


@pytest.fixture
def worker(image: str) -> Iterator[Container]:
    yield from start(image, "worker")


@pytest.fixture
def both(image: str) -> Iterator[Container]:
    yield from start(image, "web,worker")


@pytest.fixture
def crashing(image: str) -> Iterator[Container]:
    yield from start(image, "web,crash,worker")


def wait_for_log(running: Container, text: str) -> None:
    harness.wait_for(lambda: text in running.logs() or None, 30)


def ended(running: Container) -> int:
    harness.wait_for(lambda: None if running.is_running() else True, 60)
    return running.exit_status()


def test_one_type(worker: Container) -> None:
    """Bash becomes the program, which gets SIGTERM."""
    wait_for_log(worker, "worker of")
    assert "port 8080; it's 100% ready\nworker of worker in /opt/app-root/src as " in worker.logs()
    assert worker.execute("taxiway", "alive") == "alive: no server to ask in this container\n"
    assert worker.stop() == 0
    assert worker.logs().endswith("worker finished\n")


def test_a_type_that_ends(image: str) -> None:
    """Its exit status is the container's."""
    for process, text, status in (("release", "released\n", 0), ("crash", "about to crash\n", 3)):
        for running in start(image, process):
            assert ended(running) == status
            assert running.logs().endswith(text)


def test_several_types_stop_gracefully(both: Container) -> None:
    both.wait()
    wait_for_log(both, "taxiway | worker is up")
    log = both.logs()
    assert "worker  | port 8080; it's 100% ready\nworker  | worker of worker in /opt/app-root/src as" in log
    assert re.search(r"web     \| .*resuming normal operations", log)
    assert log.index("taxiway | web is up") < log.index("worker  | port")  # the next starts when the one before is up
    zombies = "grep -c '^State:.*zombie' /proc/[0-9]*/status | grep -c ':1$' || true"
    assert harness.wait_for(lambda: both.execute("bash", "-c", zombies).strip() == "0" or None, 10)
    harness.assert_request_in_flight_finishes(both, "/?seconds=4")
    assert "worker  | worker finished\n" in both.logs()


def test_the_container_ends_when_one_gives_up(crashing: Container) -> None:
    """It is tried again before; the others are stopped gracefully."""
    crashing.wait()
    assert ended(crashing) == 1
    log = crashing.logs()
    assert log.count("crash   | about to crash\n") == 4
    assert len(re.findall(r"^taxiway \| crash ended after \d+ s$", log, re.MULTILINE)) == 4
    assert "taxiway | crash gave up; all others are stopped, and the container ends\n" in log
    assert "shutting down gracefully" in log
