"""Some cases of test/apps: built by the real s2i, started in three ways, asked for what its expect.toml says."""

import json
from collections.abc import Callable
from pathlib import Path

import harness
import pytest

CASES = harness.BY_S2I
GOOD = [case for case in CASES if harness.read_expectation(case)["build"]["status"] == "ok"]
BAD = [case for case in CASES if case not in GOOD]

WAYS: dict[str, tuple[tuple[str, ...], int]] = {
    "uid-1001": ((), 8080),
    "arbitrary-uid": (harness.ARBITRARY_USER, 9123),
    "hardened": ((*harness.ARBITRARY_USER, *harness.HARDENED), 8080),
}
# What a running container may write, besides a tmpfs on /tmp.
DECLARED = ("/tmp", "/run", "/etc", "/opt/app-root/src/.local")  # /run, /etc: the engine's own mounts


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("case", GOOD)
def test_answers(case: str, way: str, build_case: Callable[[str], str]) -> None:
    expected = harness.read_expectation(case)
    image = build_case(case)
    options, port = WAYS[way]
    env = {**expected.get("run", {}).get("env", {}), **({} if port == 8080 else {"PORT": str(port)})}
    with harness.container(image, *options, port=port, env=env) as running:
        running.wait(expected["request"][0]["path"])
        if case == "hooks":  # its page counts starts, and waiting asked it before
            running.wait("/")
        harness.check_requests(running, expected["request"], {'"PORT": "8080"': f'"PORT": "{port}"'})
        outside = [path for path in running.changed_files() if not path.startswith(DECLARED) and path not in ("/", "/opt")]
        assert outside == []
        assert running.stop() == 0, running.logs()[-3000:]


@pytest.mark.parametrize("case", GOOD)
def test_launch_plan_names_the_server(case: str, build_case: Callable[[str], str]) -> None:
    stored = harness.podman("run", "--rm", build_case(case), "cat", "/opt/app-root/.taxiway/launch.json").text
    assert json.loads(stored)["server"] == harness.read_expectation(case)["plan"]["server"]


@pytest.mark.parametrize("case", BAD)
def test_fails_with_the_stated_error(case: str, app_source: Callable[[str], Path], image_name: str) -> None:
    expected = harness.read_expectation(case)["build"]
    result = harness.s2i_build(app_source(case), image_name, check=False)
    assert result.status != 0
    assert f"[{expected['error']}]" in result.text, result.text
    for text in expected.get("log", []):
        assert text in result.text, result.text
    assert harness.podman("image", "exists", image_name, check=False).status == 1
