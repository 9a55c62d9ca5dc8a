"""Reading the project's own settings."""

import pytest
from trees import Tree

from taxiway.configuration import read_project
from taxiway.errors import BadConfigFileError

TABLE = '[tool.taxiway]\napp = "a:b"\nport = 81\n'


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, ({}, "[tool.taxiway]")),
        ({"pyproject.toml": TABLE}, ({"app": "a:b", "port": 81}, "[tool.taxiway] in pyproject.toml")),
        ({"taxiway.toml": 'app = "c:d"\n'}, ({"app": "c:d"}, "taxiway.toml")),
        (
            {"pyproject.toml": TABLE, "taxiway.toml": 'app = "c:d"\n'},
            ({"app": "a:b", "port": 81}, "[tool.taxiway] in pyproject.toml"),
        ),
        ({"pyproject.toml": "[tool.ruff]\n", "taxiway.toml": 'app = "c:d"\n'}, ({"app": "c:d"}, "taxiway.toml")),
        ({"pyproject.toml": "[project]\nname = 'x'\n"}, ({}, "[tool.taxiway]")),
        ({"pyproject.toml": "tool = 1\n"}, ({}, "[tool.taxiway]")),
        ({"pyproject.toml": "[tool.taxiway]\n"}, ({}, "[tool.taxiway] in pyproject.toml")),
        ({"pyproject.toml/": ""}, ({}, "[tool.taxiway]")),
    ],
)
def test_read_project(tree: Tree, files: dict[str, str], expected: tuple[dict[str, object], str]) -> None:
    assert read_project(tree(files)) == expected


@pytest.mark.parametrize(
    ("name", "text", "start"),
    [
        ("pyproject.toml", "[tool.taxiway\n", "Couldn't read pyproject.toml: Expected ']'"),
        ("taxiway.toml", "app = \n", "Couldn't read taxiway.toml: Invalid value"),
        ("pyproject.toml", "[tool]\ntaxiway = 1\n", "Couldn't read pyproject.toml: tool.taxiway is no table."),
    ],
)
def test_bad_files(tree: Tree, name: str, text: str, start: str) -> None:
    with pytest.raises(BadConfigFileError) as caught:
        read_project(tree({name: text}))
    assert str(caught.value).startswith(start)
    assert str(caught.value).endswith("\n\nCorrect the file; it has to be valid TOML.")


def test_not_utf_8(tree: Tree) -> None:
    top = tree({})
    (top / "taxiway.toml").write_bytes(b'app = "\xe9"\n')
    with pytest.raises(BadConfigFileError, match=r"Couldn't read taxiway\.toml: 'utf-8' codec can't decode byte 0xe9"):
        read_project(top)
