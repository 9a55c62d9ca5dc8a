"""Putting a built application in place on the runtime image, after S2I copied it there file by file."""

import os
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
    merge(copied, Path(layout.app_root))
    copied.rmdir()
    changed = permissions.open_to_group(Path(layout.app_root))
    console.detail(f"opened to group 0: {changed} changed")
