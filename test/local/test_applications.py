"""The cases of test/apps on a laptop: `taxiway start` on a fresh copy, the same requests and answers as in containers, Ctrl-C."""

import json
import os
import signal
from pathlib import Path

import harness
import lab
import pytest

from taxiway.launch_plan import PROGRAMS
from taxiway.local import servers_here

# What only a container can be expected to do.
CONTAINER_ONLY = {"s2i-python-django": "its .s2i/bin scripts call those of the image"}
# SIGINT is for programs to handle: Python's own way is to be ended by it.
ENDED_BY_INTERRUPT = {0, 1, 128 + signal.SIGINT, -signal.SIGINT}
HERE = servers_here.defaults(os.environ).get("WSGI", ("mod_wsgi", ""))[0]  # in the images it is mod_wsgi
CASES = [case for case in sorted(path.parent.name for path in harness.APPS.glob("*/expect.toml")) if case not in CONTAINER_ONLY]
GOOD = [case for case in CASES if harness.read_expectation(case)["build"]["status"] == "ok"]
BAD = [case for case in CASES if case not in GOOD]


@pytest.mark.parametrize("case", GOOD)
def test_starts_and_answers(case: str, tmp_path: Path) -> None:
    expected = harness.read_expectation(case)
    data = tmp_path / "data"
    data.mkdir()
    source = lab.copy_case(case, tmp_path / case, data)
    before = lab.files(source)
    env = lab.environ(data, **expected["build"].get("env", {}))
    run_env = {name: value.replace("/tmp/", f"{data}/") for name, value in expected.get("run", {}).get("env", {}).items()}
    log = lab.run("build", source=source, env=env).text if run_env else ""  # which hasn't these variables
    with lab.start(source=source, env={**env, **run_env}) as running:
        running.wait(expected["request"][-1]["path"])
        log += running.logs()
        (stored,) = data.glob("taxiway/environments/*/.taxiway/launch.json")
        plan = json.loads(stored.read_text())
        wanted = {name: HERE if value == "mod_wsgi" else value for name, value in expected["plan"].items()}
        assert {name: plan[name] for name in wanted} == wanted, log
        here = {'"PORT": "8080"': f'"PORT": "{running.port}"', "mod_wsgi": HERE, "/tmp/": f"{data}/"}
        harness.check_requests(running, expected["request"], here)
        for socket in expected.get("websocket", []):
            assert running.exchange(socket["path"], socket["send"]) == socket["answer"], running.logs()
        assert running.interrupt() in (ENDED_BY_INTERRUPT if plan["interface"] in PROGRAMS else {0}), running.logs()[-3000:]
        for text in expected["build"].get("log", []):
            assert text in log, log
        for text in expected.get("run", {}).get("log", []):
            assert text in running.logs()
    # Hooks write what they like; and a program reads Django's settings by itself, so their STATIC_ROOT counts.
    if not list(source.glob(".*/*hooks")) and not (plan["interface"] in PROGRAMS and plan["framework"]):
        assert lab.files(source) == before


@pytest.mark.parametrize("case", BAD)
def test_fails_with_the_stated_error(case: str, tmp_path: Path) -> None:
    expected = harness.read_expectation(case)["build"]
    data = tmp_path / "data"
    data.mkdir()
    source = lab.copy_case(case, tmp_path / case, data)
    result = lab.run("start", source=source, env=lab.environ(data, **expected.get("env", {})), check=False)
    assert result.status != 0
    assert f"[{expected['error']}]" in result.text, result.text
    for text in expected.get("log", []):
        assert text in result.text, result.text
