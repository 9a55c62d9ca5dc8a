"""Making the application usable for any UID in group 0, as OpenShift runs it.

Source: OpenShift's image guidelines, "Support arbitrary user ids": what the group may do must equal what the owner may.
Only what is wrong is touched: a changed mode copies a file into the image's new layer.
"""

import os
import stat
from pathlib import Path

GROUP = 0


def open_to_group(root: Path, *without: str) -> int:
    """Give group 0 the owner's rights below a directory; directories hand their group on. Returns how many entries changed.

    Entries of another owner are left alone, as they can't be changed; when built as root there are none. Directories
    `without` are known to be right.
    """
    changed = 0
    for directory, names, files in os.walk(root):
        names[:] = [name for name in names if os.path.join(directory, name) not in without]
        for path in (directory, *(os.path.join(directory, name) for name in (*files, *names))):
            if path == directory and directory != str(root):
                continue  # it came up as an entry of its parent
            changed += _open_entry(path)
    return changed


def wanted_mode(mode: int) -> int:
    """Return the mode that an entry should have: the group's bits as the owner's, setgid on directories only; pure."""
    permissions = stat.S_IMODE(mode)
    wanted = (permissions & ~0o070) | ((permissions & 0o700) >> 3)
    if stat.S_ISDIR(mode):
        return wanted | stat.S_ISGID
    return wanted & ~(stat.S_ISUID | stat.S_ISGID)


def _open_entry(path: str) -> int:
    status = os.lstat(path)
    if status.st_uid != os.geteuid() and os.geteuid() != 0:
        return 0
    changed = 0
    if status.st_gid != GROUP and (os.geteuid() == 0 or GROUP in {os.getegid(), *os.getgroups()}):
        os.chown(path, -1, GROUP, follow_symlinks=False)
        changed = 1
    if not stat.S_ISLNK(status.st_mode) and (wanted := wanted_mode(status.st_mode)) != stat.S_IMODE(status.st_mode):
        os.chmod(path, wanted)
        changed = 1
    return changed
