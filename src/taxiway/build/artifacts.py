"""What an incremental build takes over from the previous image: the installed dependencies, with their bytecode.

`save-artifacts` streams them as a tar archive (S2I's protocol), `assemble` finds them unpacked. They are used only if nothing
that decides the installed set has changed; an absent or foreign set is ignored.
"""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from taxiway import console
from taxiway.build.source import merge
from taxiway.dependencies import install
from taxiway.layout import Layout


def save_command(layout: Layout) -> list[str] | None:
    """Return the command that writes the archive to stdout; None where there is nothing worth saving."""
    if not os.path.isfile(layout.dependencies):
        return None
    names = [name for name in ("bin", "lib", "include", "share", "etc") if os.path.isdir(f"{layout.app_root}/{name}")]
    state = os.path.relpath(layout.dependencies, layout.app_root)
    excluded = [f"--exclude=bin/{pattern}" for pattern in ("python*", "activate*", "Activate*")]
    # Unanchored, as is tar's default, the patterns would take files away from packages that have a bin directory.
    return ["tar", "--create", "--file=-", f"--directory={layout.app_root}", "--anchored", *excluded, state, *names]


def restore(artifacts: Path, layout: Layout, key: Mapping[str, str]) -> bool:
    """Put saved dependencies back if they are those that `key` describes; tell whether that was done."""
    saved = Layout(app_root=str(artifacts), source="")
    if not os.path.isfile(saved.dependencies):
        return False
    different = install.changes(saved, key)
    if different:
        console.detail(f"the previous image's dependencies aren't used: {', '.join(different)}")
        shutil.rmtree(artifacts, ignore_errors=True)
        return False
    install.clear(layout)  # an image that is built upon may have others
    merge(artifacts, Path(layout.app_root))
    shutil.rmtree(artifacts, ignore_errors=True)  # what couldn't be moved; the image needn't carry it twice
    return True
