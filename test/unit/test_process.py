"""Running other programs."""

import os
import subprocess
import time
from pathlib import Path

import pytest

from taxiway import console, process
from taxiway.errors import CommandFailedError
from taxiway.process import Result

ENV = {"PATH": os.defpath, "A": "é"}


@pytest.mark.programs
@pytest.mark.parametrize(
    ("script", "result", "reason"),
    [
        ("true", Result(0, ""), "exit status 0"),
        ("echo one; echo two >&2; exit 3", Result(3, "one\ntwo"), "exit status 3"),
        ('printf "$A"', Result(0, "é"), "exit status 0"),
        (r"printf 'a\377b\n'", Result(0, "a\ufffdb"), "exit status 0"),
        ("pwd", Result(0, "/"), "exit status 0"),
        ("cat; echo end", Result(0, "end"), "exit status 0"),  # nothing to read
        ("kill -9 $$", Result(-9, ""), "signal 9"),
    ],
)
def test_run(script: str, result: Result, reason: str) -> None:
    found = process.run(["sh", "-c", script], env=ENV, cwd="/")
    assert (found, found.reason) == (result, reason)


@pytest.mark.programs
def test_output_is_shown(capfd: pytest.CaptureFixture[str]) -> None:
    """All on stdout: S2I keeps little of stderr."""
    argv = ["sh", "-c", "echo one; echo two >&2"]
    process.run(argv, env=ENV, cwd="/")
    assert capfd.readouterr() == ("     $ sh -c 'echo one; echo two >&2'\n       one\n       two\n", "")
    process.run(argv, env=ENV, cwd="/", echo=False, show=lambda line: line == "two")
    assert capfd.readouterr() == ("       two\n", "")


@pytest.mark.programs
@pytest.mark.parametrize("capture", [True, False])
def test_a_background_process_is_not_waited_for(monkeypatch: pytest.MonkeyPatch, *, capture: bool) -> None:
    monkeypatch.setattr(process, "_REST_S", 0.2)
    started = time.monotonic()
    found = process.run(["sh", "-c", "sleep 20 & echo one"], env=ENV, cwd="/", capture=capture)
    assert found == Result(0, "one" if capture else "")
    assert time.monotonic() - started < 10


@pytest.mark.programs
def test_output_of_its_own(capfd: pytest.CaptureFixture[str]) -> None:
    process.run(["sh", "-c", "echo one; echo two >&2"], env=ENV, cwd="/", echo=False, capture=False)
    assert capfd.readouterr() == ("one\n", "two\n")


@pytest.mark.programs
def test_the_end_of_a_long_output_is_kept() -> None:
    found = process.run(["sh", "-c", "seq 1000"], env=ENV, cwd="/", show=lambda _: False)
    assert found.output.splitlines() == [str(n) for n in range(801, 1001)]


@pytest.mark.programs
def test_program_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CommandFailedError, match=r"A command failed with \[Errno 2\] No such file or directory: '/x/y': /x/y a$"):
        process.run(["/x/y", "a"], env=ENV, cwd=tmp_path)


def test_other_unit_tests_run_no_programs() -> None:
    """Only those that are marked with `programs` do."""
    for attempt in (lambda: subprocess.run(["true"], check=False), os.fork):
        with pytest.raises(pytest.fail.Exception, match="a unit test started a real program"):
            attempt()


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("one\n", "one"),
        ("\x1b[1;32mgreen\x1b[0m\x1b[K\r\n", "green"),
        (" 10 %\r 50 %\r100 %\n", "100 %"),
        ("\x1b]8;;https://example.com\x1b\\link\x1b]8;;\x07", "link"),
        ("caf\u00e9 \u2713", "caf\u00e9 \u2713"),
    ],
)
def test_lines_of_programs_have_no_control_characters(line: str, shown: str) -> None:
    assert process.plain(line) == shown


@pytest.mark.programs
@pytest.mark.parametrize(("live", "out", "told"), [(True, "", ["one", "two"]), (False, "       one\n       two\n", [])])
def test_brief_output(
    *, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], live: bool, out: str, told: list[str]
) -> None:
    """On a terminal the last line only; all of it is kept for the message of a failure."""
    said: list[str] = []
    monkeypatch.setattr(console, "is_live", lambda: live)
    monkeypatch.setattr(console, "status", said.append)
    found = process.run(["sh", "-c", "echo one; echo two"], env=ENV, cwd="/", echo=False, brief=True)
    assert found.output == "one\ntwo"
    assert (said, capfd.readouterr().out) == (told, out)
