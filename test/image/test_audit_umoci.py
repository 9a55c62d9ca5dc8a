"""What `taxiway audit` takes for the merged layers is what umoci unpacks: random stacks of layers.

AUDIT_STACKS sets how many. Names are few, so that layers meet: files over directories, whiteouts of links, links to links.
"""

import os
import random
import stat
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import harness
import pytest
from saved_images import Row, directory, file, hard_link, layer_tar, link, oci_files, read, tar, write_layout

from taxiway.audit import tar as kinds
from taxiway.errors import TaxiwayError

STACKS = int(os.environ.get("AUDIT_STACKS", "150"))
KINDS = {stat.S_IFREG: kinds.FILE, stat.S_IFDIR: kinds.DIRECTORY, stat.S_IFLNK: kinds.SYMLINK, stat.S_IFIFO: kinds.FIFO}
IS_ROOT = os.getuid() == 0  # others can't give files away

Seen = dict[str, tuple[object, ...]]


@pytest.fixture(scope="session")
def umoci() -> str:
    return harness.run(str(harness.ROOT / "scripts" / "debian-tool.sh"), "umoci").text.splitlines()[-1]


def unpacked(umoci: str, layout: Path, rootfs: Path) -> Seen | None:
    """Return what umoci makes of a layout; None: it refuses it."""
    rootless = [] if IS_ROOT else ["--rootless"]
    if harness.run(umoci, "raw", "unpack", *rootless, "--image", f"{layout}:latest", str(rootfs), check=False).status:
        return None
    return dict(walked(rootfs))


def walked(top: Path) -> Iterator[tuple[str, tuple[object, ...]]]:
    for path in sorted(top.rglob("*")):
        found = path.lstat()
        kind = KINDS[stat.S_IFMT(found.st_mode)]
        if kind == kinds.SYMLINK:
            details: tuple[object, ...] = (str(path.readlink()),)
        else:
            details = (stat.S_IMODE(found.st_mode), kind == kinds.FILE and (found.st_size, int(found.st_mtime), attributes(path)))
        yield f"/{path.relative_to(top)}", (kind, *details, *((found.st_uid, found.st_gid) if IS_ROOT else ()))


def attributes(path: Path) -> tuple[tuple[str, bytes], ...]:
    names = (name for name in os.listxattr(path) if name.startswith("user."))
    return tuple(sorted((name, os.getxattr(path, name)) for name in names if not name.startswith("user.rootlesscontainers")))


def merged(files: dict[str, bytes]) -> Seen | None:
    """Return what taxiway makes of the same; None: it refuses it."""
    try:
        tree = read(tar(files)).tree
    except TaxiwayError:
        return None
    found: Seen = {}
    for path, entry in tree.items():
        if entry.kind == kinds.SYMLINK:
            details: tuple[object, ...] = (entry.link,)
        else:
            details = (entry.mode, entry.kind == kinds.FILE and (entry.size, entry.mtime, entry.xattrs))
        found[path] = (entry.kind, *details, *((entry.uid, entry.gid) if IS_ROOT else ()))
    del found["/"]
    return found


def random_path(randomly: random.Random) -> str:
    """Most directories are called a or b, and most files f or g, so that few stacks have a file in a file."""
    *parents, name = randomly.choices("ab", k=randomly.randint(0, 2)) + randomly.choices("fgab", weights=(5, 5, 1, 1))
    return "/".join([*parents, name])


def random_layer(randomly: random.Random, files: list[str]) -> list[Row]:
    """Make a layer as tools write it, or nearly: no path twice, directories before what they hold in most cases.

    Args:
        randomly: Decides.
        files: The files of lower layers, of which some may be gone; those of this one are added.
    """
    rows: dict[str, Row] = {}
    own: list[str] = []
    for _ in range(randomly.randint(1, 9)):
        path = random_path(randomly)
        parent, _, name = path.rpartition("/")
        other = randomly.choice((random_path(randomly), parent or "a"))
        if any(f"{path}/".startswith(f"{there}/") or f"{there}/".startswith(f"{path}/") for there in own):
            continue
        fields: dict[str, Any] = {"uid": randomly.randrange(3), "gid": randomly.randrange(3), "mtime": randomly.randrange(10**9)}
        mode = randomly.choice((0o644, 0o755, 0o700, 0o4755, 0o1777))
        kind = randomly.randrange(12)
        if kind < 4:
            rows[path] = file(path, "x" * randomly.randrange(9), mode=mode, pax_headers=attribute(randomly), **fields)
            files.append(path)
            own.append(path)
        elif kind < 7:
            rows[other] = directory(other, mode=mode, **fields)
        elif kind == 7:
            rows[path] = link(path, randomly.choice((other, f"/{other}", f"../{other}", "..", ".", "missing")), **fields)
        elif kind == 8:
            rows[f"{path}-link"] = hard_link(
                f"{path}-link", randomly.choice((randomly.random() < 0.9 and own) or files or [other]), mode=mode, **fields
            )
        elif kind == 9:
            rows[path] = file(path, type=tarfile.FIFOTYPE, mode=mode, **fields)
        elif kind == 10:
            rows[f"{parent}/.wh.{name}"] = file(f"{parent}/.wh.{name}".lstrip("/"))
        else:
            rows[f"{parent}/.wh..wh..opq"] = file(f"{parent}/.wh..wh..opq".lstrip("/"))
    order = sorted(rows) if randomly.random() < 0.8 else randomly.sample(sorted(rows), len(rows))
    return [rows[path] for path in order]


def attribute(randomly: random.Random) -> dict[str, str]:
    return {"SCHILY.xattr.user.note": "value"} if randomly.random() < 0.2 else {}


def test_merged_layers(umoci: str, tmp_path: Path) -> None:
    """Both refuse a stack, or both see the same files."""
    both = 0
    for number in range(STACKS):
        randomly = random.Random(number)  # noqa: S311
        names: list[str] = []
        layers = [layer_tar(random_layer(randomly, names)) for _ in range(randomly.randint(1, 4))]
        files = oci_files(layers)
        write_layout(tmp_path / f"layout-{number}", files)
        expected = unpacked(umoci, tmp_path / f"layout-{number}", tmp_path / f"rootfs-{number}")
        assert merged(files) == expected, f"stack {number}"
        both += expected is not None
    assert both > STACKS / 3
