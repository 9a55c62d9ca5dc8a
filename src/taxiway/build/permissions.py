"""Making the application usable for any UID in group 0, as OpenShift runs it.

Source: OpenShift's image guidelines, "Support arbitrary user ids": what the group may do must equal what the owner may.
Only what is wrong is touched: a changed mode copies a file into the image's new layer.
"""

import os
import stat
from collections.abc import Callable, Collection
from pathlib import Path

from taxiway.errors import NotRootError

GROUP = 0


def open_to_group(root: Path, *without: str) -> int:
    """Give group 0 the owner's rights below a directory; directories hand their group on. Returns how many entries changed.

    Entries of another owner are left alone, as they can't be changed; when built as root there are none. Directories
    `without` are known to be right.
    """
    return _settle(root, without, lambda _: wanted_mode, owner=-1)


def close(root: Path, writable: Collection[str], *without: str) -> int:
    """Take from the group the right to write; root also gives everything to itself, so that no other user can take it back.

    What is `writable`, below the directory and by absolute paths, stays open to group 0. Returns how many entries changed.
    """

    def mode_of(path: str) -> Callable[[int], int]:
        is_open = any(path == place or path.startswith(f"{place}/") for place in writable)
        return wanted_mode if is_open else closed_mode

    return _settle(root, without, mode_of, owner=0 if os.geteuid() == 0 else -1)


def require_root() -> None:
    """Refuse to go on as another user than root.

    Raises:
        NotRootError: This is another one.
    """
    if os.geteuid() != 0:
        raise NotRootError(os.geteuid())


def _settle(root: Path, without: Collection[str], mode_of: Callable[[str], Callable[[int], int]], *, owner: int) -> int:
    changed = 0
    for directory, names, files in os.walk(root):
        names[:] = [name for name in names if os.path.join(directory, name) not in without]
        for path in (directory, *(os.path.join(directory, name) for name in (*files, *names))):
            if path == directory and directory != str(root):
                continue  # it came up as an entry of its parent
            changed += _settle_entry(path, mode_of(path), owner)
    return changed


def wanted_mode(mode: int) -> int:
    """Return the mode that an entry should have: the group's bits as the owner's, setgid on directories only; pure."""
    permissions = stat.S_IMODE(mode)
    wanted = (permissions & ~0o070) | ((permissions & 0o700) >> 3)
    if stat.S_ISDIR(mode):
        return wanted | stat.S_ISGID
    return wanted & ~(stat.S_ISUID | stat.S_ISGID)


def closed_mode(mode: int) -> int:
    """Return the mode of an entry that group 0 may use, and not change; pure."""
    return wanted_mode(mode) & ~0o022


def _settle_entry(path: str, mode_of: Callable[[int], int], owner: int) -> int:
    status = os.lstat(path)
    if status.st_uid != os.geteuid() and os.geteuid() != 0:
        return 0
    changed = 0
    is_foreign = status.st_gid != GROUP and (os.geteuid() == 0 or GROUP in {os.getegid(), *os.getgroups()})
    if is_foreign or owner not in {-1, status.st_uid}:
        os.chown(path, owner, GROUP, follow_symlinks=False)
        changed = 1
    if not stat.S_ISLNK(status.st_mode) and (wanted := mode_of(status.st_mode)) != stat.S_IMODE(status.st_mode):
        os.chmod(path, wanted)
        changed = 1
    return changed
