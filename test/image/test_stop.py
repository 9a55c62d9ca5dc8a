"""Stopping: a request in flight finishes, the exit status is 0, orphans are reaped, a container can be started again."""

import json
from collections.abc import Callable

import harness
import pytest

IN_FLIGHT = ["plain-wsgi", "django-gunicorn"]  # one for each server


@pytest.mark.parametrize("form", ["exec-form", "shell-form"])
@pytest.mark.parametrize("case", IN_FLIGHT)
def test_request_in_flight_finishes(case: str, form: str, build_case: Callable[[str], str]) -> None:
    """The shell form is what `s2i build --as-dockerfile` and OpenShift 4 write as CMD."""
    command = ("/usr/libexec/s2i/run",) if form == "exec-form" else ("/bin/sh", "-c", "/usr/libexec/s2i/run")
    with harness.container(build_case(case), *harness.ARBITRARY_USER, *harness.HARDENED, command=command) as running:
        running.wait()
        harness.assert_request_in_flight_finishes(running)


def test_orphans_are_reaped(build_case: Callable[[str], str]) -> None:
    with harness.container(build_case("plain-wsgi")) as running:
        running.wait()
        pid = json.loads(running.get("/orphan?seconds=0.5").body)["pid"]

        def gone() -> bool | None:
            return all(p["pid"] != pid for p in json.loads(running.get("/processes").body)) or None

        assert harness.wait_for(gone, 10)


@pytest.mark.parametrize("case", IN_FLIGHT)
def test_same_container_starts_again(case: str, build_case: Callable[[str], str]) -> None:
    """Its /tmp still holds the process IDs of the first start."""
    with harness.container(build_case(case)) as running:
        running.wait()
        assert running.stop() == 0
        harness.podman("start", running.name)
        assert running.wait().status == 200
        harness.podman("kill", "--signal=KILL", running.name)
        harness.podman("start", running.name)
        assert running.wait().status == 200
