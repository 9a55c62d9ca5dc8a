"""Putting a built application in place on the runtime image, after S2I copied it there file by file.

S2I's copy belongs to root, so the script runs as root (label `io.openshift.s2i.assemble-runtime-user`): as another user it could
only copy the files once more and leave a second application behind. The image's own user is unchanged.
"""

import os
import shutil
from pathlib import Path

from taxiway import console
from taxiway.build import permissions
from taxiway.build.source import merge
from taxiway.errors import NoSourceError
from taxiway.layout import Layout


def assemble_runtime(copied: Path, layout: Layout) -> None:
    """Move the copied application's files to their places.

    Args:
        copied: Where S2I put the application's root; S2I gives files mode 0644 and directories 0755.
        layout: The application's places in this image.

    Raises:
        NoSourceError: Nothing was copied.
    """
    os.umask(0o002)
    if not copied.is_dir():
        raise NoSourceError(str(copied))
    console.step(f"Moving the application from {copied} to {layout.app_root}")
    owner = Path(layout.app_root).stat().st_uid
    merge(copied, Path(layout.app_root))
    shutil.rmtree(copied, ignore_errors=True)  # emptied directories, and what could only be copied
    if os.geteuid() == 0:
        _give_to(owner, layout.app_root)
    changed = permissions.open_to_group(Path(layout.app_root))
    console.detail(f"opened to group 0: {changed} changed")


def _give_to(owner: int, root: str) -> None:
    for directory, names, files in os.walk(root):
        for name in ("", *names, *files):
            os.chown(Path(directory, name), owner, permissions.GROUP, follow_symlinks=False)
