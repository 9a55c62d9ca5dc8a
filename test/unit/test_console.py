"""Printing: where it goes, and quoting for a shell."""

import io
import os
import re
import shlex
import subprocess
import sys
import time
from pathlib import Path

import pytest

from taxiway import console

APP = Path(__file__).parents[1] / "apps" / "plain-wsgi"

CHARACTERS = [chr(n) for n in range(1, 256)] + ["€", "é", "\u2028", "漢"]


@pytest.mark.parametrize("pattern", ["{}", "a{}", "{}b", "{}{}", "a {} b", "'{}"])
def test_quote_is_that_of_shlex(pattern: str) -> None:
    for character in CHARACTERS:
        word = pattern.replace("{}", character)
        assert console.quote(word) == shlex.quote(word)
    assert console.quote("") == shlex.quote("")


@pytest.mark.parametrize("argv", [["a"], ["a", "b c", ""], ["it's", '"', "$HOME", "`x`", "\n", "*"]])
def test_join_can_be_pasted(argv: list[str]) -> None:
    assert console.join(argv) == shlex.join(argv)
    assert shlex.split(console.join(argv)) == argv


def test_progress_goes_to_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    console.say("a")
    console.step("b")
    console.detail("c")
    console.command(["d", "e f"])
    assert capsys.readouterr() == ("a\n---> b\n     c\n     $ d 'e f'\n", "")


def test_warnings_and_errors_go_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    console.warn("a")
    console.error("b\n\nc", "some-code")
    assert capsys.readouterr() == ("", "warning: a\nerror: b\n\nc\n\n[some-code]\n")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Because starlett was not found in the package registry", "Because starlett was missing in the package registry"),
        ("tar: command not found", "tar: command missing"),
        ("a\nx.tar.gz not found, not found\nb", "a\nx.tar.gz missing, missing\nb"),
        ("not found: the tar", "not found: the tar"),
        ("start\nnot found", "start\nnot found"),
        ("404 Not Found: flask not found", "404 Not Found: flask not found"),
    ],
)
def test_stderr_never_looks_like_an_image_without_tar(text: str, shown: str, capsys: pytest.CaptureFixture[str]) -> None:
    """S2I starts such a build again in layers; another program's output is part of an error's text."""
    console.error(text, "x")
    console.warn(text)
    written = capsys.readouterr().err
    assert written == f"error: {shown}\n\n[x]\nwarning: {shown}\n"
    assert not re.search("tar.*not found", written)


@pytest.mark.parametrize(
    ("environ", "terminal", "elsewhere"),
    [
        ({}, True, False),
        ({"TERM": "xterm"}, True, False),
        ({"TERM": "dumb"}, False, False),
        ({"NO_COLOR": "1"}, False, False),
        ({"NO_COLOR": ""}, True, False),
        ({"FORCE_COLOR": "1"}, True, True),
        ({"FORCE_COLOR": ""}, True, False),
        ({"FORCE_COLOR": "1", "TERM": "dumb"}, True, True),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False, False),
        ({"CI": "true"}, True, False),
    ],
)
def test_color(environ: dict[str, str], *, terminal: bool, elsewhere: bool) -> None:
    assert console.wants_color(environ, is_terminal=True) is terminal
    assert console.wants_color(environ, is_terminal=False) is elsewhere


@pytest.mark.parametrize(
    ("environ", "expected"), [({}, True), ({"TERM": "dumb"}, False), ({"CI": "true"}, False), ({"FORCE_COLOR": "1"}, True)]
)
def test_a_line_that_changes(environ: dict[str, str], *, expected: bool) -> None:
    assert console.wants_status(environ, is_terminal=True) is expected
    assert not console.wants_status(environ, is_terminal=False)


class Terminal(io.StringIO):
    """A terminal that keeps what is written to it."""

    def isatty(self) -> bool:
        return True

    @property
    def shown(self) -> list[str]:
        """The lines that stay, without colors: what an erased line had is gone."""
        lines = [re.sub(r".*\r\x1b\[2K", "", line) for line in self.getvalue().split("\n")]
        return [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in lines]


def terminal_of(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Make stdout and stderr the same terminal; in a test itself, because pytest sets them after its fixtures."""
    both = Terminal()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stdout", both)
    monkeypatch.setattr(sys, "stderr", both)
    return both


def test_a_step(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no terminal is, nothing but lines: what it does meanwhile isn't told."""
    times = iter([10.0, 12.34])
    monkeypatch.setattr(time, "monotonic", lambda: next(times))
    with console.step("Installing") as step:
        console.status("one of many")
        step.result = "3 packages"
    assert capsys.readouterr() == ("---> Installing\n     3 packages, 2.3 s\n", "")


def test_a_step_that_fails(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="x"), console.step("Installing"):
        raise ValueError("x")
    assert re.fullmatch(r"---> Installing\n     failed after 0.0 s\n", capsys.readouterr().out)


def test_a_step_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it does is there while it does it, and only its lines stay."""
    terminal = terminal_of(monkeypatch)
    console.hide(["hush"])
    with console.step("Installing hush") as step:
        assert re.search(r"\x1b\[2m     0 s  Installing \*\*\*\*\x1b\[0m$", wait_for(terminal, " s  Installing"))
        console.status("Downloading numpy from hush")
        assert "     0 s  Downloading numpy from ****" in terminal.getvalue()
        console.detail("a line")
        step.result = "done"
    console.hide([])
    assert terminal.shown == ["---> Installing ****", "     a line", "     done, 0.0 s", ""]
    assert "hush" not in terminal.getvalue()


def wait_for(terminal: Terminal, text: str) -> str:
    deadline = time.monotonic() + 10
    while text not in terminal.getvalue():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return terminal.getvalue()


def test_a_line_that_changes_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = terminal_of(monkeypatch)
    with console.step("x"):
        console.status("y" * 500)
    longest = max(re.findall("y+", terminal.getvalue()), key=len)
    assert 20 < len(longest) < 80


def test_an_error_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = terminal_of(monkeypatch)
    console.warn("so so")
    console.error("No.\n\nDo it.", "no-way")
    assert terminal.shown == ["warning: so so", "error: No.", "", "Do it.", "", "[no-way]  More: taxiway explain no-way", ""]
    assert "\x1b[1;31merror:\x1b[0m" in terminal.getvalue()


@pytest.mark.parametrize(
    ("level", "out"),
    [
        (console.QUIET, "data\n"),
        (console.NORMAL, "---> a\n     b\ndata\n"),
        (console.VERBOSE, "---> a\n     b\n     c\ndata\n"),
    ],
)
def test_how_much_is_told(level: int, out: str, capsys: pytest.CaptureFixture[str]) -> None:
    console.configure(level=level)
    console.step("a")
    console.detail("b")
    console.debug("c")
    console.data("data")
    console.warn("w")
    assert capsys.readouterr() == (out, "warning: w\n")


def test_stdout_is_for_data(capsys: pytest.CaptureFixture[str]) -> None:
    console.configure(as_json=True)
    console.step("a")
    console.data_as_json({"a": 1})
    assert capsys.readouterr() == ('{\n  "a": 1\n}\n', "---> a\n")


COMMAND = (sys.executable, "-m", "taxiway", "plan", str(APP), "--verbose")


@pytest.mark.programs
@pytest.mark.parametrize(
    "arguments", [COMMAND, (*COMMAND[:4], "/nowhere"), (*COMMAND[:3], "plan", str(APP.parent / "must-fail-no-app"))]
)
def test_no_control_characters_where_no_terminal_is(arguments: tuple[str, ...]) -> None:
    ran = subprocess.run(arguments, capture_output=True, check=False, env={"TERM": "xterm", "PATH": os.defpath})
    assert ran.stdout + ran.stderr
    assert not re.search(rb"[\x00-\x08\x0b-\x1f\x7f]", ran.stdout + ran.stderr)


@pytest.mark.programs
@pytest.mark.parametrize(("term", "changes"), [("xterm", True), ("dumb", False)])
def test_a_real_terminal(term: str, *, changes: bool) -> None:
    """Stderr alone is one: what goes on is shown there, and stdout, a pipe, has plain lines."""
    program = "from taxiway import console\nwith console.step('x'):\n    console.status('halfway')\n"
    mine, its = os.openpty()
    ran = subprocess.run(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=its, check=True, env={"TERM": term, "PATH": os.defpath}
    )
    os.close(its)
    try:
        shown = os.read(mine, 4096)
    except OSError:  # EIO: nothing was written
        shown = b""
    os.close(mine)
    assert re.fullmatch(rb"---> x\n     0\.\d s\n", ran.stdout)
    assert (b"halfway" in shown) is changes
    assert shown.endswith(b"\r\x1b[2K") is changes
