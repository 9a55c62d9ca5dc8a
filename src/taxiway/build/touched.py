"""Telling whether anything below a directory changed since an earlier build, so that what was right then needs no look.

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
    """Tell whether an entry below a directory changed after a time, in ns since the epoch."""
    if not 0 < changed_ns(root) <= since_ns:
        return True
    directories = [root]
    while directories:
        with os.scandir(directories.pop()) as entries:
            for entry in entries:
                if entry.stat(follow_symlinks=False).st_ctime_ns > since_ns:
                    return True
                if entry.is_dir(follow_symlinks=False) and entry.name != "__pycache__":  # bytecode is replaced, never changed
                    directories.append(entry.path)
    return False
