"""Reading Python source without importing it."""

import ast
from pathlib import Path

import pytest
from trees import Tree

from taxiway.detect import syntax

RUNS = """\
a = 1
if True:
    b = 1
elif x:
    c = 1
else:
    d = 1
try:
    e = 1
except ValueError:
    f = 1
else:
    g = 1
finally:
    h = 1
with open("x") as file:
    i = 1
if __name__ != "__main__":
    j = 1
if __name__ == "__main__":
    no = 1
elif x:
    k = 1
else:
    l = 1
if "__main__" == __name__:
    no = 1
def function():
    no = 1
class Class:
    no = 1
# no = 1
'''
no = 1
'''
m: int = 1
n: int
o = p = 1
q.no = 1
(no, no) = 1, 2
"""


def test_assignments_that_run_on_import() -> None:
    found = [name for name, _, _ in syntax.assignments(ast.parse(RUNS))]
    assert found == ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "o", "p"]


def test_assignment_lines() -> None:
    tree = ast.parse("a = 1\n\nif x:\n    b = (\n        2\n    )\n")
    assert [(name, line) for name, _, line in syntax.assignments(tree)] == [("a", 1), ("b", 4)]


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ('x = "a"', "a"),
        ("x: str = 'a'", "a"),
        ("x = 'a' 'b'", "ab"),
        ("x = 'a'\nx = 'b'", "b"),
        ("if debug:\n    x = 'a'", "a"),
        ("x = 1", None),
        ("x = b'a'", None),
        ("x = f'{a}'", None),
        ("x = None", None),
        ("x = 'a' + b", None),
        ("# x = 'a'", None),
        ("def f():\n    x = 'a'", None),
        ("y = 'a'", None),
        ("", None),
    ],
)
def test_string_value(source: str, value: str | None) -> None:
    assert syntax.string_value(ast.parse(source), "x") == value


@pytest.mark.parametrize(
    ("content", "parsed"),
    [
        (b"x = 1\n", True),
        (b"", True),
        (b"\xef\xbb\xbfx = 1\n", True),  # a byte order mark
        (b"# -*- coding: latin-1 -*-\nx = '\xe9'\n", True),
        (b"x = '\xe9'\n", False),
        (b"x = (\n", False),
        (b"print 'x'\n", False),
        (b"x = '\x00'\n", False),
        (b"# coding: nonsense\n", False),
        (b"\tx = 1\n", False),
    ],
)
def test_parse(tmp_path: Path, content: bytes, *, parsed: bool) -> None:
    path = tmp_path / "x.py"
    path.write_bytes(content)
    assert (syntax.parse(path) is not None) is parsed


def test_parse_what_is_no_file(tree: Tree) -> None:
    top = tree({"x.py/": ""})
    assert syntax.parse(top / "x.py") is None
    assert syntax.parse(top / "y.py") is None
