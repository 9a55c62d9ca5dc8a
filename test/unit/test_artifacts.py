"""What an incremental build takes over."""

import io
import os
import subprocess
import tarfile
from pathlib import Path

import pytest
from trees import Tree

from taxiway.build import artifacts
from taxiway.dependencies import state
from taxiway.dependencies.state import State
from taxiway.errors import CommandFailedError
from taxiway.layout import Layout

STATE = State(basis={"the Python": "3.13"}, pins={"flask": ("3", "x")})
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


def save(top: Path, directory: Path) -> None:
    """Do what save-artifacts does, and what s2i does with its output."""
    directory.mkdir()
    commands = artifacts.save_commands(layout(top), directory)
    assert commands is not None
    pack, write = commands
    subprocess.run(pack, check=True)
    archive = subprocess.run(write, stdout=subprocess.PIPE, check=True).stdout
    (directory / artifacts.ARCHIVE).unlink()
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        assert tar.getnames() == [artifacts.ARCHIVE, ".taxiway/dependencies.json"]
        tar.extractall(directory, filter="data")


def built(tree: Tree, files: dict[str, str] = BUILT) -> Path:
    top = tree({f"built/{name}": text for name, text in files.items()})
    state.write(STATE, layout(top / "built"))
    save(top / "built", top / "saved")
    return top


@pytest.mark.parametrize("files", [{}, {"lib/x": ""}, {".taxiway/launch.json": "{}"}])
def test_nothing_to_save(tree: Tree, files: dict[str, str]) -> None:
    top = tree(files)
    assert artifacts.save_commands(layout(top), top) is None


@pytest.mark.programs
def test_restore(tree: Tree, capsys: pytest.CaptureFixture[str]) -> None:
    """The environment's own programs stay out of it, those of packages don't."""
    top = built(tree)
    (top / "app/bin").mkdir(parents=True)
    (top / "app/bin/python").touch()
    assert artifacts.restore(top / "saved", STATE, layout(top / "app"), os.environ)
    assert names(top / "app") == {
        ".taxiway/dependencies.json",
        "bin/flask",
        "bin/python",
        "lib/python3.13/site-packages/flask.py",
        "lib/python3.13/site-packages/tool/bin/python-wrapper",
        "lib/python3.13/site-packages/tool/bin/activate.sh",
        "share/man/flask.1",
    }
    assert state.read(layout(top / "app")) == STATE
    assert not (top / "saved").exists()
    assert capsys.readouterr().out == ""


@pytest.mark.programs
def test_restore_over_the_dependencies_of_an_image_that_is_built_upon(tree: Tree) -> None:
    top = built(tree)
    older = top / "app/lib/python3.13/site-packages/older.py"
    older.parent.mkdir(parents=True)
    older.touch()
    (top / "app/bin").mkdir()
    state.write(State(basis={}), layout(top / "app"))
    assert artifacts.restore(top / "saved", STATE, layout(top / "app"), os.environ)
    assert not older.exists()


@pytest.mark.programs
def test_damaged_archive(tree: Tree) -> None:
    top = built(tree)
    (top / "app/bin").mkdir(parents=True)
    (top / "saved" / artifacts.ARCHIVE).write_bytes(b"no archive" * 100)
    with pytest.raises(CommandFailedError, match=r"A command failed with exit status 2: tar --extract"):
        artifacts.restore(top / "saved", STATE, layout(top / "app"), os.environ)


@pytest.mark.programs
def test_dependencies_that_can_be_changed_into_the_wanted_ones_are_restored(tree: Tree) -> None:
    top = built(tree)
    (top / "app/bin").mkdir(parents=True)
    wanted = State(basis=STATE.basis, pins={"flask": ("4", "y")})
    assert artifacts.restore(top / "saved", wanted, layout(top / "app"), os.environ)
    assert state.read(layout(top / "app")) == STATE, "the change itself comes afterwards"


@pytest.mark.programs
def test_other_dependencies_are_not_restored(tree: Tree, capsys: pytest.CaptureFixture[str]) -> None:
    top = built(tree)
    (top / "app").mkdir()
    changed = State(basis={"the Python": "3.14"})
    assert not artifacts.restore(top / "saved", changed, layout(top / "app"), os.environ)
    assert names(top / "app") == set()
    assert not (top / "saved").exists(), "the image needn't carry them"
    assert capsys.readouterr().out == "     the previous image's dependencies aren't used: the Python changed\n"


@pytest.mark.parametrize("files", [{"saved/": ""}, {"saved/bin/flask": ""}, {"saved/pip/wheel.whl": ""}])
def test_foreign_artifacts_are_ignored(tree: Tree, files: dict[str, str]) -> None:
    top = tree(files | {"app/": ""})
    assert not artifacts.restore(top / "saved", STATE, layout(top / "app"), {})
    assert names(top / "app") == set()
