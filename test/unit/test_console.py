"""Printing: where it goes, and quoting for a shell."""

import re
import shlex

import pytest

from taxiway import console

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
