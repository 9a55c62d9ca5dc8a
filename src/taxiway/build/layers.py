"""What a build adds to what was there before it, so that an image gets it as a layer of its own.

What changed is told by the time at which an inode changed, as in `touched`: nobody can set it back, and what a lower layer has
was there before the build began.
"""

import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from taxiway.layout import STATE

REMOVED = f"{STATE}/removed"
"""In the layer: what it takes away from those below, with a NUL after each name."""


@dataclass(frozen=True, kw_only=True)
class Before:
    """What was there when a build began."""

    since_ns: int
    entries: frozenset[str]
    """Relative to the directory."""


def look(root: str) -> Before:
    """Note what is there now; what is written from here on is new."""
    with tempfile.NamedTemporaryFile(dir=root) as file:
        since_ns = os.stat(file.name).st_ctime_ns
    return Before(since_ns=since_ns, entries=frozenset(_entries(root)))


def separate(before: Before, root: str, target: str) -> list[str]:
    """Move what is new or changed below a directory to another one; returns what isn't there any more, by its top.

    Directories get the mode that they have in the first one.
    """
    gone = before.entries - frozenset(_entries(root))
    os.makedirs(target, exist_ok=True)
    _move(before, root, target, "")
    return sorted(path for path in gone if os.path.dirname(path) not in gone)


def write_removed(removed: list[str], target: str) -> None:
    """Leave a list in the layer, as `xargs --null` reads it."""
    path = Path(target, REMOVED)
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(f"{name}\0" for name in removed), encoding="utf-8", errors="surrogateescape")


def _entries(root: str, relative: str = "") -> list[str]:
    """Walk all entries below a directory."""
    found = []
    with os.scandir(os.path.join(root, relative)) as entries:
        for entry in entries:
            path = os.path.join(relative, entry.name)
            found.append(path)
            if entry.is_dir(follow_symlinks=False):
                found += _entries(root, path)
    return found


def _move(before: Before, root: str, target: str, relative: str) -> None:
    with os.scandir(os.path.join(root, relative)) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    for entry in entries:
        path = os.path.join(relative, entry.name)
        if entry.is_dir(follow_symlinks=False) and path in before.entries:
            _move(before, root, target, path)
        elif path not in before.entries or entry.stat(follow_symlinks=False).st_ctime_ns >= before.since_ns:
            place = os.path.join(target, path)
            os.makedirs(os.path.dirname(place), exist_ok=True)
            shutil.move(entry.path, place)
    if os.path.isdir(os.path.join(target, relative)):
        shutil.copystat(os.path.join(root, relative), os.path.join(target, relative))
