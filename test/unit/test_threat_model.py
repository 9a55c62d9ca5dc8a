"""The threat model names a test for what it claims, and each of them exists."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "threat-model.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`(test_\w+\.py)::(\w+)`", PAGE)))
# Lines that are no defence: what somebody may do, and no test has to show.
WITHOUT_TEST = {"may run any code in build and container, as the application's user", "may reach the port unless"}


@cache
def functions(file: str) -> set[str]:
    """The functions of a file of tests."""
    places = [place / file for place in (ROOT / "test" / "unit", ROOT / "test" / "image") if (place / file).is_file()]
    found = [node for path in places for node in ast.parse(path.read_text(encoding="utf-8")).body]
    return {node.name for node in found if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


@pytest.mark.parametrize(("file", "function"), NAMED)
def test_named_tests_exist(file: str, function: str) -> None:
    assert function in functions(file)


def test_every_line_names_a_test() -> None:
    rows = [line.strip("| ").split(" | ") for line in PAGE.splitlines() if line.startswith(("| may", "| can", "| has", "| sees"))]
    rows += [
        line.strip("| ").split(" | ")
        for line in PAGE.splitlines()
        if line.startswith(("| reads", "| forges", "| gains", "| is ", "| pub"))
    ]
    rows = [row for row in rows if row[0] != "may, or may not"]
    assert len(rows) > 40
    lacking = [row[0] for row in rows if "::" not in row[-1] and not row[0].startswith(tuple(WITHOUT_TEST))]
    assert lacking == []
