"""Putting the source in place: moved, merged with what is there."""

import errno
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from test_launch_plan import EMPTY
from trees import Tree

from taxiway.build import runtime, source
from taxiway.errors import NoSourceError, NotRootError, UnreadableSourceError
from taxiway.layout import Layout


@pytest.fixture(params=["same file system", "another file system"])
def _file_system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every rename fail as it does between file systems, and for directories of a lower image layer."""
    if request.param == "another file system":

        def rename(self: Path, target: Path) -> Path:
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), str(self), None, str(target))

        monkeypatch.setattr(Path, "rename", rename)


def shown(top: Path) -> dict[str, str]:
    """List what is below a directory: the text of files, the target of links, nothing for empty directories."""
    found = {}
    for path in sorted(top.rglob("*")):
        name = path.relative_to(top).as_posix()
        if path.is_symlink():
            found[name] = f"-> {path.readlink()}"
        elif path.is_file():
            found[name] = path.read_text()
        elif not any(path.iterdir()):
            found[name] = "empty"
    return found


def install(top: Path, *, keep_git: bool = False) -> int:
    return source.install(top / "upload", top / "app/src", keep_git=keep_git)


pytestmark = pytest.mark.usefixtures("_file_system")


def test_into_a_new_place(tree: Tree) -> None:
    top = tree({"upload/app.py": "1", "upload/a/b/c.py": "2", "upload/.s2i/environment": "3", "upload/empty/": ""})
    assert install(top) == 3
    assert shown(top / "app/src") == {"app.py": "1", "a/b/c.py": "2", ".s2i/environment": "3", "empty": "empty"}
    assert not (top / "upload").exists()


@pytest.mark.parametrize(
    ("there", "uploaded", "merged"),
    [
        # A chained build: the image that is built upon has a source already.
        ({"a.py": "old", "b.py": "old"}, {"a.py": "new"}, {"a.py": "new", "b.py": "old"}),
        ({"d/a": "old", "d/b": "old"}, {"d/b": "new", "d/c": "new"}, {"d/a": "old", "d/b": "new", "d/c": "new"}),
        ({"d/e/a": "old"}, {"d/e/b": "new", "d/f/c": "new"}, {"d/e/a": "old", "d/e/b": "new", "d/f/c": "new"}),
        # A directory over a file, and a file over a directory.
        ({"x": "file"}, {"x/y": "new"}, {"x/y": "new"}),
        ({"x/y": "old"}, {"x": "file"}, {"x": "file"}),
        ({"x/y": "old"}, {"x/": ""}, {"x/y": "old"}),
    ],
)
def test_merge(tree: Tree, there: dict[str, str], uploaded: dict[str, str], merged: dict[str, str]) -> None:
    files = {f"app/src/{name}": text for name, text in there.items()}
    top = tree(files | {f"upload/{name}": text for name, text in uploaded.items()})
    install(top)
    assert shown(top / "app/src") == merged
    assert not (top / "upload").exists()


def test_links(tree: Tree) -> None:
    """A link is moved as such; one that is in the way is replaced, and what it refers to stays."""
    top = tree({"upload/a.py": "new", "upload/dir/b.py": "new", "app/src/elsewhere/b.py": "old", "app/src/c.py": "old"})
    for name, target in (("to-file", "a.py"), ("to-dir", "dir"), ("broken", "nowhere"), ("c.py", "a.py")):
        (top / "upload" / name).symlink_to(target)
    for name, target in (("dir", "elsewhere"), ("a.py", "c.py"), ("broken", "elsewhere/b.py")):
        (top / "app/src" / name).symlink_to(target)
    install(top)
    assert shown(top / "app/src") == {
        "a.py": "new",
        "dir/b.py": "new",
        "to-file": "-> a.py",
        "to-dir": "-> dir",
        "broken": "-> nowhere",
        "c.py": "-> a.py",
        "elsewhere/b.py": "old",
    }


def test_modes_and_times_come_along(tree: Tree) -> None:
    top = tree({"upload/run.sh": "#!/bin/sh", "upload/d/run.sh": "#!/bin/sh"})
    for name in ("upload/run.sh", "upload/d/run.sh"):
        (top / name).chmod(0o755)
        os.utime(top / name, (1_000_000, 1_000_000))
    install(top)
    for name in ("run.sh", "d/run.sh"):
        status = (top / "app/src" / name).stat()
        assert (status.st_mode & 0o777, int(status.st_mtime)) == (0o755, 1_000_000)


@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize("git", [".git", ".git/HEAD"])
def test_git(tree: Tree, git: str, *, keep: bool) -> None:
    """The history stays out of the image; in a worktree or submodule .git is a file."""
    top = tree({"upload/app.py": "1", f"upload/{git}": "history", "upload/.gitignore": "x", "upload/sub/.git": "y"})
    assert install(top, keep_git=keep) == 3 + keep
    assert (git in shown(top / "app/src")) is keep
    assert {".gitignore", "sub/.git"} <= set(shown(top / "app/src"))
    assert not (top / "upload").exists()


@pytest.mark.parametrize("files", [{}, {"upload/": ""}, {"upload/.git/HEAD": "x"}, {"upload": "a file"}])
def test_no_source(tree: Tree, files: dict[str, str]) -> None:
    top = tree(files)
    with pytest.raises(NoSourceError) as caught:
        install(top)
    assert str(caught.value).splitlines()[0] == f"There is no application source in {top}/upload."
    assert not (top / "app").exists()


def test_other_errors_are_not_hidden(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    def rename(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "rename", rename)
    with pytest.raises(OSError, match="No space left"):
        install(tree({"upload/app.py": "1"}))


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (PermissionError(errno.EACCES, "Permission denied", "a"), "[Errno 13] Permission denied: 'a'"),
        (shutil.Error([("a", "b", "denied: 'a'"), ("c", "d", "denied: 'c'")]), "denied: 'a', and 1 more"),
        (shutil.Error("the same file"), "the same file"),
    ],
)
def test_what_cannot_be_read(tree: Tree, monkeypatch: pytest.MonkeyPatch, error: OSError, reason: str) -> None:
    def rename(*_: Any) -> None:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    def copy(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(Path, "rename", rename)
    monkeypatch.setattr(shutil, "copy2", copy)
    with pytest.raises(UnreadableSourceError) as caught:
        install(tree({"upload/app.py": "1"}))
    assert str(caught.value).startswith(f"Couldn't put the source in place: {reason}.\n\nThe build runs as user ")


def test_assemble_runtime(tree: Tree, capsys: pytest.CaptureFixture[str]) -> None:
    """The runtime image has a virtual environment already; the copied one goes over it, and nothing stays behind."""
    top = tree(
        {
            "copied/.taxiway/launch.json": EMPTY.to_json(),
            "copied/bin/gunicorn": "new",
            "copied/lib/python3.13/site-packages/x.py": "new",
            "copied/src/app.py": "new",
            "app/bin/python": "old",
            "app/lib/python3.13/site-packages/_virtualenv.py": "old",
            "app/src/": "",
        }
    )
    runtime.assemble_runtime(top / "copied", Layout(str(top / "app"), str(top / "app/src")))
    assert shown(top) == {
        "app/.taxiway/launch.json": EMPTY.to_json(),
        "app/bin/gunicorn": "new",
        "app/bin/python": "old",
        "app/lib/python3.13/site-packages/_virtualenv.py": "old",
        "app/lib/python3.13/site-packages/x.py": "new",
        "app/src/app.py": "new",
    }
    assert f"Moving the application from {top}/copied to {top}/app" in capsys.readouterr().out


def test_assemble_runtime_without_a_copy(tree: Tree) -> None:
    top = tree({})
    with pytest.raises(NoSourceError):
        runtime.assemble_runtime(top / "copied", Layout(str(top / "app"), str(top / "app/src")))


def test_immutable_application_needs_root(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only root can give its files away."""
    top = tree({"app/.taxiway/launch.json": EMPTY._replace(immutable=True).to_json(), "app/src/media/": ""})
    layout = Layout(str(top / "app"), str(top / "app/src"))
    monkeypatch.setattr(os, "geteuid", lambda: 1001)
    with pytest.raises(NotRootError) as caught:
        runtime.settle_in_place(layout)
    assert str(caught.value) == (
        "Only root can give the application's files to another user than the running one; this is user 1001.\n\n"
        "In a Dockerfile: USER 0 before the line, and USER 1001 after it."
    )
