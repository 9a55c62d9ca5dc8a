"""Putting a built application in place on the runtime image, after S2I copied it there file by file.

S2I's copy belongs to root, so the script runs as root (label `io.openshift.s2i.assemble-runtime-user`): as another user it could
only copy the files once more and leave a second application behind. The image's own user is unchanged.
"""

import os
import shutil
from pathlib import Path

from taxiway import console, launch_plan
from taxiway.build import permissions
from taxiway.build.source import merge
from taxiway.errors import NoSourceError
from taxiway.image import labels
from taxiway.layout import Layout
from taxiway.sbom import provenance


def settle_in_place(layout: Layout) -> None:
    """Give an application that a Dockerfile copied to its place the rights that it is to have: an immutable one to root.

    Raises:
        NoLaunchPlanError: There is no application.
        NotRootError: It is immutable, and this isn't root.
    """
    plan = launch_plan.read(layout.launch_plan)
    root = Path(layout.app_root)
    if not plan.immutable:
        console.detail(f"opened to group 0: {permissions.open_to_group(root)} changed")
        return
    permissions.require_root()
    writable = [str(Path(layout.source, name)) for name in plan.writable]
    console.detail(f"given to root, and closed to group 0: {permissions.close(root, writable)} changed")


def assemble_runtime(copied: Path, layout: Layout) -> None:
    """Move the copied application's files to their places.

    Args:
        copied: Where S2I put the application's root; S2I gives files mode 0644 and directories 0755.
        layout: The application's places in this image.

    Raises:
        NoSourceError: Nothing was copied.
        NoLaunchPlanError: It is no application.
        NotRootError: The application is immutable, and this isn't root.
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
    settle_in_place(layout)
    plan = launch_plan.read(layout.launch_plan)
    came_from = provenance.stored_source(layout.provenance)
    found = labels.labels(Path(layout.source), came_from, immutable=plan.immutable, writable=plan.writable, on_builder=False)
    labels.write_for_s2i(found)


def _give_to(owner: int, root: str) -> None:
    for directory, names, files in os.walk(root):
        for name in ("", *names, *files):
            os.chown(Path(directory, name), owner, permissions.GROUP, follow_symlinks=False)
