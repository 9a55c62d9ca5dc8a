"""What an incremental build takes over."""

import io
import subprocess
import tarfile
from pathlib import Path

import pytest
from trees import Tree

from taxiway.build import artifacts
from taxiway.dependencies import install
from taxiway.layout import Layout

KEY = {"the requirements": "1", "the Python": "3.13"}
BUILT = {
    ".taxiway/dependencies.json": "{}",
    ".taxiway/launch.json": "{}",
    "pyvenv.cfg": "",
    "bin/python3": "",
    "bin/activate": "",
    "bin/Activate.ps1": "",
    "bin/flask": "",
    "lib/python3.13/site-packages/flask.py": "",
    "lib/python3.13/site-packages/tool/bin/python-wrapper": "",
    "lib/python3.13/site-packages/tool/bin/activate.sh": "",
    "share/man/flask.1": "",
    "src/app.py": "",
}


def layout(top: Path) -> Layout:
    return Layout(str(top), str(top / "src"))


def names(top: Path) -> set[str]:
    return {p.relative_to(top).as_posix() for p in top.rglob("*") if not p.is_dir()}


def test_save_command(tree: Tree) -> None:
    top = tree(BUILT)
    assert artifacts.save_command(layout(top)) == [
        "tar",
        "--create",
        "--file=-",
        f"--directory={top}",
        "--anchored",
        "--exclude=bin/python*",
        "--exclude=bin/activate*",
        "--exclude=bin/Activate*",
        ".taxiway/dependencies.json",
        "bin",
        "lib",
        "share",
    ]


@pytest.mark.parametrize("files", [{}, {"lib/x": ""}, {".taxiway/launch.json": "{}"}])
def test_nothing_to_save(tree: Tree, files: dict[str, str]) -> None:
    assert artifacts.save_command(layout(tree(files))) is None


@pytest.mark.programs
def test_saved_archive(tree: Tree) -> None:
    """The environment's own programs stay out of it, those of packages don't."""
    command = artifacts.save_command(layout(tree(BUILT)))
    assert command is not None
    archive = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        assert {m.name for m in tar if m.isfile()} == {
            ".taxiway/dependencies.json",
            "bin/flask",
            "lib/python3.13/site-packages/flask.py",
            "lib/python3.13/site-packages/tool/bin/python-wrapper",
            "lib/python3.13/site-packages/tool/bin/activate.sh",
            "share/man/flask.1",
        }


def test_restore(tree: Tree, capsys: pytest.CaptureFixture[str]) -> None:
    top = tree({"saved/bin/flask": "", "saved/lib/python3.13/site-packages/flask.py": "", "app/bin/python": ""})
    install.remember(layout(_made(top / "saved/.taxiway").parent), KEY)
    assert artifacts.restore(top / "saved", layout(_made(top / "app")), KEY)
    assert names(top / "app") == {
        ".taxiway/dependencies.json",
        "bin/flask",
        "bin/python",
        "lib/python3.13/site-packages/flask.py",
    }
    assert install.changes(layout(top / "app"), KEY) == []
    assert not (top / "saved").exists()
    assert capsys.readouterr().out == ""


def test_restore_over_the_dependencies_of_an_image_that_is_built_upon(tree: Tree) -> None:
    top = tree(
        {
            "saved/lib/python3.13/site-packages/flask.py": "",
            "app/bin/python": "",
            "app/lib/python3.13/site-packages/older.py": "",
        }
    )
    install.remember(layout(_made(top / "saved/.taxiway").parent), KEY)
    install.remember(layout(_made(top / "app/.taxiway").parent), {"the requirements": "0"})
    assert artifacts.restore(top / "saved", layout(top / "app"), KEY)
    assert "lib/python3.13/site-packages/older.py" not in names(top / "app")


def test_other_dependencies_are_not_restored(tree: Tree, capsys: pytest.CaptureFixture[str]) -> None:
    top = tree({"saved/bin/flask": "", "app/bin/python": ""})
    install.remember(layout(_made(top / "saved/.taxiway").parent), KEY)
    changed = KEY | {"the Python": "3.14"}
    assert not artifacts.restore(top / "saved", layout(top / "app"), changed)
    assert names(top / "app") == {"bin/python"}
    assert not (top / "saved").exists(), "the image needn't carry them"
    assert capsys.readouterr().out == "     the previous image's dependencies aren't used: the Python changed\n"


@pytest.mark.parametrize("files", [{"saved/": ""}, {"saved/bin/flask": ""}, {"saved/pip/wheel.whl": ""}])
def test_foreign_artifacts_are_ignored(tree: Tree, files: dict[str, str]) -> None:
    top = tree(files | {"app/": ""})
    assert not artifacts.restore(top / "saved", layout(top / "app"), KEY)
    assert names(top / "app") == set()


def _made(path: Path) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    return path
