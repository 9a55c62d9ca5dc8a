"""The cases of test/apps that test_cases.py doesn't build: each in one container, which builds and then starts it.

Several of them at once, because most of the time goes into waiting: for a package index, for a server to come up.
"""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import harness
import pytest

AT_ONCE = 2
CASES = [case for case in sorted(path.parent.name for path in harness.APPS.glob("*/expect.toml")) if case not in harness.BY_S2I]
GOOD = [case for case in CASES if harness.read_expectation(case)["build"]["status"] == "ok"]
BAD = [case for case in CASES if case not in GOOD]
_PARTS = {"BUILD_ENV": "build", "RUN_ENV": "run"}
SCRIPT = """
cp -r /case /tmp/src && rm -f /tmp/src/expect.toml
{ env $BUILD_ENV /usr/libexec/s2i/assemble; } || exit
echo BUILT
exec env $RUN_ENV /usr/libexec/s2i/run
"""


@pytest.fixture(scope="session")
def outcome(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], None]]:
    """Run all cases that are asked for, some at once; gives what waits for a case and raises what it found wrong."""
    asked = dict.fromkeys(
        item.callspec.params["case"]
        for item in request.session.items
        if item.path == Path(__file__) and hasattr(item, "callspec")
    )
    cache = tmp_path_factory.mktemp("uv-cache")
    cache.chmod(0o777)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        futures: dict[str, Future[None]] = {case: pool.submit(_run, case, cache) for case in asked}
        yield lambda case: futures[case].result()


def _run(case: str, cache: Path) -> None:
    expected = harness.read_expectation(case)
    env = {
        name: " ".join(f"{k}={v}" for k, v in (expected.get(part, {}).get("env", {})).items()) for name, part in _PARTS.items()
    }
    env |= _s2i_environment(harness.APPS / case / ".s2i/environment")
    mounts = (f"--volume={harness.APPS / case}:/case:ro", f"--volume={cache}:/cache", *harness.certificates())
    env |= {"UV_CACHE_DIR": "/cache", "UV_LINK_MODE": "copy"}
    with harness.container(harness.BUILDER, *mounts, command=("bash", "-c", SCRIPT), env=env) as running:
        if expected["build"]["status"] == "error":
            harness.wait_for(lambda: True if not running.is_running() else None, 120)
            log = running.logs()
            assert running.exit_status() != 0, log
            assert f"[{expected['build']['error']}]" in log, log
        else:
            harness.wait_for(lambda: True if "BUILT" in running.logs() or not running.is_running() else None, 120)
            running.wait(expected["request"][-1]["path"])  # the first one may count
            log = running.logs()
            plan = json.loads(running.execute("cat", "/opt/app-root/.taxiway/launch.json"))
            assert {name: plan[name] for name in expected["plan"]} == expected["plan"], log
            harness.check_requests(running, expected["request"])
            for socket in expected.get("websocket", []):
                assert running.exchange(socket["path"], socket["send"]) == socket["answer"], running.logs()
            assert running.stop() == 0, running.logs()[-3000:]
            ran = running.logs()
            for text in expected.get("run", {}).get("log", []):
                assert text in ran, ran
        for text in expected["build"].get("log", []):
            assert text in log, log


def _s2i_environment(path: Path) -> dict[str, str]:
    """Read what s2i would set, for the build and for each start."""
    lines = path.read_text().splitlines() if path.is_file() else []
    return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))


@pytest.mark.parametrize("case", GOOD)
def test_builds_and_answers(case: str, outcome: Callable[[str], None]) -> None:
    outcome(case)


@pytest.mark.parametrize("case", BAD)
def test_fails_with_the_stated_error(case: str, outcome: Callable[[str], None]) -> None:
    outcome(case)
