"""Telling whether anything was added or replaced below a directory since an earlier build: if not, all is right there.

Only the time at which an inode changed counts, which nobody can set back. In a container of an image that time is new: a build
upon an image looks at all files again.
"""

import os
from pathlib import Path


def changed_ns(path: str) -> int:
    """Return when a file changed, in ns since the epoch; 0: it isn't there."""
    try:
        return Path(path).stat().st_ctime_ns
    except OSError:
        return 0


def since(root: str, since_ns: int) -> bool:
    """Tell whether a directory below one got or lost an entry, or other rights, after a time, in ns since the epoch.

    Files themselves aren't looked at, as there are ten thousands: installers and editors replace them.
    """
    directories = [root]
    while directories:
        directory = directories.pop()
        if not 0 < changed_ns(directory) <= since_ns:
            return True
        with os.scandir(directory) as entries:
            directories += [e.path for e in entries if e.is_dir(follow_symlinks=False) and e.name != "__pycache__"]
    return False
