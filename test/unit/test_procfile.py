"""Process types: Procfile and [tool.taxiway.processes]."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from trees import Tree

from taxiway.detect.procfile import find, look, parse, parse_table
from taxiway.errors import BadProcessesError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("web: gunicorn shop:app\n", [("web", "gunicorn shop:app", "Procfile line 1")]),
        ("# types\n\nworker:python worker.py --every 5  \r\n", [("worker", "python worker.py --every 5", "Procfile line 3")]),
        ("clock_2: A=b:c exec ./clock $PORT", [("clock_2", "A=b:c exec ./clock $PORT", "Procfile line 1")]),
        ("b: 2\na: 1", [("b", "2", "Procfile line 1"), ("a", "1", "Procfile line 2")]),
    ],
)
def test_procfile(text: str, expected: list[tuple[str, str, str]]) -> None:
    assert [(p.name, p.command, p.origin) for p in parse(text)] == expected


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("gunicorn shop", ["Procfile line 1: 'gunicorn shop' isn't name: command"]),
        ("web:", ["Procfile line 1: 'web:' isn't name: command"]),
        (
            "web: a\nall: b\nweb: c",
            ["Procfile line 2: 'all' can't be a name", "Procfile line 3: web is there already, in Procfile line 1"],
        ),
        ("wörk: a", ["Procfile line 1: 'wörk' can't be a name"]),
        ("web: a\0b", ["Procfile line 1: the command of web isn't one line of text"]),
    ],
)
def test_what_is_no_procfile(text: str, problems: list[str]) -> None:
    with pytest.raises(BadProcessesError) as caught:
        parse(text)
    listed = "".join(f"\n  {problem}" for problem in problems)
    assert str(caught.value) == (
        f"Couldn't read the process types:{listed}\n\n"
        "Expected, in a Procfile, a line for each:\n"
        "  worker: python worker.py\n"
        "or, in pyproject.toml, below [tool.taxiway.processes]:\n"
        '  worker = "python worker.py"\n'
        'A name has letters, digits, - and _ only; "all" stands for all of them.'
    )


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ("worker", "processes of taxiway.toml: it is no table"),
        ({"worker": 1}, "processes of taxiway.toml: the command of worker isn't one line of text"),
        ({"worker": " "}, "processes of taxiway.toml: the command of worker isn't one line of text"),
        ({"a b": "x"}, "processes of taxiway.toml: 'a b' can't be a name"),
    ],
)
def test_what_is_no_table(table: object, problem: str) -> None:
    with pytest.raises(BadProcessesError, match=problem):
        parse_table(table, "taxiway.toml")


@pytest.mark.parametrize(
    ("files", "project", "expected"),
    [
        ({}, {}, {}),
        ({"Procfile/": ""}, {}, {}),
        ({}, {"processes": 3}, {}),  # the setting of that name
        ({"Procfile": "web: a\nworker: b"}, {}, {"web": "a", "worker": "b"}),
        (
            {"Procfile": "web: a\nworker: b"},
            {"processes": {"worker": "c", "clock": "d"}},
            {"web": "a", "worker": "c", "clock": "d"},
        ),
    ],
)
def test_look(files: Mapping[str, str], project: Mapping[str, object], expected: Mapping[str, str], tree: Tree) -> None:
    """In the Procfile's order; the table has the last word on a name."""
    found = look(tree(files), project)
    assert [(p.name, p.command) for p in found] == list(expected.items())
    assert (find(found, "worker") is not None) == ("worker" in expected)


def test_unreadable_procfile(tmp_path: Path) -> None:
    (tmp_path / "Procfile").write_bytes(b"web: \xff")
    with pytest.raises(BadProcessesError, match="Procfile: 'utf-8' codec"):
        look(tmp_path, {})
