"""The table in docs/servers.md and README.md is that of the image tests."""

import importlib.util
import os
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]


@pytest.mark.parametrize("page", ["docs/servers.md", "README.md"])
def test_table(page: str) -> None:
    """UPDATE_TABLE=1 writes it again."""
    spec = importlib.util.spec_from_file_location("server_matrix", TOP / "test/image/server_matrix.py")
    assert spec
    assert spec.loader
    matrix = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(matrix)
    text = (TOP / page).read_text(encoding="utf-8")
    before, table, after = text.partition("| server | ")
    rest = after[after.index("\n\n") + 1 :]
    if os.environ.get("UPDATE_TABLE"):
        (TOP / page).write_text(before + matrix.table() + rest, encoding="utf-8")
        text = (TOP / page).read_text(encoding="utf-8")
    assert table
    assert matrix.table() + "\n" in text
