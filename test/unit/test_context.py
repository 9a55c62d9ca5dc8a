"""What of a source is built: .dockerignore and .s2iignore."""

import os
import socket
from pathlib import Path

import pytest
from trees import Tree

from taxiway.image import context


@pytest.mark.parametrize(
    ("lines", "path", "expected"),
    [
        ("*.log", "a.log", True),
        ("*.log", "logs/a.log", False),
        ("**/*.log", "logs/deep/a.log", True),
        ("**/*.log", "a.log", True),
        ("logs", "logs/deep/a", True),
        ("/logs/", "logs/a", True),
        ("log", "logs/a", False),
        ("logs/**", "logs/a/b", True),
        ("l?gs", "logs", True),
        ("[a-c]x", "bx", True),
        ("[^a-c]x", "bx", False),
        (r"\*x", "*x", True),
        (r"\*x", "ax", False),
        ("a.b", "aXb", False),
        ("*\n!keep", "keep", False),
        ("*\n!keep", "other", True),
        ("*\n!keep/this", "keep/this/a", False),
        ("!keep\n*", "keep", True),
        ("# *\n\n!\n/", "a", False),
        ("./a//b", "a/b", True),
    ],
)
def test_patterns(lines: str, path: str, *, expected: bool) -> None:
    assert context.is_ignored(path, context.parse(lines)) == expected


def files(directory: Path) -> list[str]:
    return sorted(str(path.relative_to(directory)) for path in directory.rglob("*") if not path.is_dir())


def test_copy(tree: Tree, tmp_path: Path) -> None:
    source = tree(
        {
            "wsgi.py": "",
            "web/settings.py": "",
            "web/__pycache__/settings.cpython-313.pyc": "",
            "node_modules/left/index.js": "",
            "env/pyvenv.cfg": "",
            ".git/HEAD": "",
            "notes.txt": "",
            "secret.key": "",
            "dumps/a.sql": "",
            "dumps/schema.sql": "",
            ".dockerignore": "*.txt\ndumps\n!dumps/schema.sql\n",
            ".s2iignore": "secret.*\n",
        }
    )
    (source / "run.sh").write_text("")
    (source / "run.sh").chmod(0o700)
    (source / "wsgi.py").chmod(0o600)
    os.utime(source / "wsgi.py", (1, 1))
    (source / "link").symlink_to("nowhere")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(source / "socket"))
    target = tmp_path / "copy"
    target.mkdir()
    count, left_out = context.copy(source, target, keep_git=False)
    expected = [".dockerignore", ".s2iignore", "dumps/schema.sql", "link", "run.sh", "web/settings.py", "wsgi.py"]
    assert files(target) == expected
    assert count == len(expected)
    assert left_out == ["env", "node_modules"]
    assert {oct((target / name).stat().st_mode & 0o777) for name in ("wsgi.py", "dumps/schema.sql")} == {"0o664"}
    assert {oct((target / name).stat().st_mode & 0o777) for name in ("run.sh", "web", ".")} == {"0o775"}
    assert (target / "wsgi.py").stat().st_mtime == 1, "Last-Modified is made of it"


def test_what_an_exception_brings_back(tree: Tree, tmp_path: Path) -> None:
    source = tree({"node_modules/left/index.js": "", ".git/HEAD": "", ".s2iignore": "!node_modules\n!.git\n"})
    for keep_git, expected in ((False, []), (True, [".git/HEAD"])):
        target = tmp_path / str(keep_git)
        target.mkdir()
        assert context.copy(source, target, keep_git=keep_git)[1] == []
        assert files(target) == [*expected, ".s2iignore", "node_modules/left/index.js"]
