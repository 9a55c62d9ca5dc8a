"""Opening files to group 0."""

import os
import stat
from pathlib import Path

import pytest
from trees import Tree

from taxiway.build import permissions
from taxiway.build.permissions import closed_mode, open_to_group, wanted_mode


@pytest.mark.parametrize(
    ("mode", "wanted"),
    [
        (0o100644, 0o664),
        (0o100600, 0o660),
        (0o100755, 0o775),
        (0o100700, 0o770),
        (0o100400, 0o440),
        (0o100444, 0o444),
        (0o100000, 0o000),
        (0o100664, 0o664),
        (0o100640, 0o660),
        (0o100674, 0o664),  # more than the owner's: taken back
        (0o104755, 0o775),  # setuid
        (0o102755, 0o775),  # setgid
        (0o040755, 0o2775),
        (0o040700, 0o2770),
        (0o042775, 0o2775),
        (0o041777, 0o3777),  # sticky
        (0o040555, 0o2555),
    ],
)
def test_wanted_mode(mode: int, wanted: int) -> None:
    assert wanted_mode(mode) == wanted
    assert wanted_mode(stat.S_IFMT(mode) | wanted) == wanted, "nothing to do the second time"


@pytest.mark.parametrize(
    ("mode", "wanted"),
    [(0o100664, 0o644), (0o100775, 0o755), (0o100600, 0o640), (0o100666, 0o644), (0o042775, 0o2755), (0o040700, 0o2750)],
)
def test_closed_mode(mode: int, wanted: int) -> None:
    assert closed_mode(mode) == wanted


@pytest.fixture
def group(monkeypatch: pytest.MonkeyPatch) -> int:
    """Take this process's own group for group 0, so that any user may run the test."""
    monkeypatch.setattr(permissions, "GROUP", os.getegid())
    return os.getegid()


def modes(top: Path) -> dict[str, int]:
    return {p.relative_to(top).as_posix(): stat.S_IMODE(p.lstat().st_mode) for p in (top, *top.rglob("*")) if not p.is_symlink()}


def test_open_to_group(tree: Tree, group: int) -> None:
    top = tree({"a.py": "", "run": "", "d/b.py": "", "d/e/": ""})
    outside = top.parent / "outside"
    outside.write_text("")
    for path, mode in ((outside, 0o600), (top / "run", 0o700), (top / "d/b.py", 0o600), (top / "d", 0o700)):
        path.chmod(mode)
    (top / "link").symlink_to(outside)
    (top / "broken").symlink_to("nowhere")
    (top / "link-to-dir").symlink_to("d")
    assert open_to_group(top) == 6
    assert modes(top) == {".": 0o2775, "a.py": 0o664, "run": 0o770, "d": 0o2770, "d/b.py": 0o660, "d/e": 0o2775}
    assert stat.S_IMODE(outside.stat().st_mode) == 0o600, "links aren't followed"
    assert {p.lstat().st_gid for p in top.rglob("*")} == {group}


@pytest.mark.usefixtures("group")
def test_a_directory_that_is_known_to_be_right(tree: Tree) -> None:
    top = tree({"lib/a.py": "", "src/lib/b.py": ""})
    assert open_to_group(top, f"{top}/lib") == 4
    assert modes(top)["lib/a.py"] == 0o644
    assert modes(top)["src/lib/b.py"] == 0o664


@pytest.mark.usefixtures("group")
def test_only_what_is_wrong_is_touched(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """A changed mode copies a file into the image's new layer."""
    top = tree({"a.py": "", "d/b.py": ""})
    assert open_to_group(top) == 4
    touched: list[str] = []
    monkeypatch.setattr(os, "chmod", lambda path, _: touched.append(path))
    monkeypatch.setattr(os, "chown", lambda path, *_, **__: touched.append(path))
    assert open_to_group(top) == 0
    (top / "d/b.py").touch()
    assert open_to_group(top) == 0
    assert touched == []


@pytest.mark.usefixtures("group")
def test_entries_of_others_are_left_alone(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    top = tree({"a.py": ""})
    before = modes(top)
    owner = top.stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1 or 1)
    assert open_to_group(top) == 0
    assert modes(top) == before


@pytest.mark.usefixtures("group")
def test_close(tree: Tree) -> None:
    """All but what is writable, and what is in that."""
    top = tree({"a.py": "", "media/b.png": "", "media2/c.png": ""})
    permissions.open_to_group(top)
    assert permissions.close(top, [f"{top}/media"]) > 0
    assert modes(top) == {
        ".": 0o2755,
        "a.py": 0o644,
        "media": 0o2775,
        "media/b.png": 0o664,
        "media2": 0o2755,
        "media2/c.png": 0o644,
    }
    assert permissions.close(top, [f"{top}/media"]) == 0


def test_root_takes_what_is_closed(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also what it was open to group 0 in the image below, such as the directory itself."""
    top = tree({"a.py": ""})
    changed: list[tuple[str, int, int]] = []
    monkeypatch.setattr(os, "chown", lambda path, uid, gid, **__: changed.append((str(path), uid, gid)))
    monkeypatch.setattr(os, "chmod", lambda *_: None)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "lstat", lambda path: _with_owner(Path(path).lstat(), 1001))
    permissions.close(top, [])
    assert changed == [(str(top), 0, 0), (f"{top}/a.py", 0, 0)]


def test_group(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """Group 0 is given where it may be: by root, or by a member."""
    top = tree({"a.py": ""})
    changed: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "chown", lambda _, uid, gid, **__: changed.append((uid, gid)))
    monkeypatch.setattr(permissions, "GROUP", 12345)
    monkeypatch.setattr(os, "geteuid", lambda: top.stat().st_uid or 1)
    owner = top.stat().st_uid
    monkeypatch.setattr(os, "lstat", lambda path: _with_owner(Path(path).lstat(), owner or 1))
    monkeypatch.setattr(os, "getgroups", lambda: [1, 2])
    open_to_group(top)
    assert changed == []
    monkeypatch.setattr(os, "getgroups", lambda: [1, 12345])
    open_to_group(top)
    assert changed == [(-1, 12345)] * 2


def _with_owner(status: os.stat_result, owner: int) -> os.stat_result:
    values = list(status)
    values[stat.ST_UID] = owner
    return os.stat_result(values)
