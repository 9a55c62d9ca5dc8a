"""What an incremental build takes over from the previous image: the installed dependencies, with their bytecode.

`save-artifacts` streams a tar archive (S2I's protocol), `assemble` finds it unpacked. The installed files are an archive in that
archive, because s2i unpacks and packs again what passes through it, file by file. They are used if what is wanted now can be made
of them by exchanging single distributions; an absent or foreign set is ignored.
"""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from taxiway import console
from taxiway.dependencies import install, state
from taxiway.dependencies.state import State
from taxiway.errors import CommandFailedError
from taxiway.layout import Layout
from taxiway.process import run

ARCHIVE = "environment.tar"


def save_commands(layout: Layout, directory: Path) -> tuple[list[str], list[str]] | None:
    """Return two commands: one packs the installed files into a directory, one writes that to stdout; None: nothing to save."""
    if not os.path.isfile(layout.dependencies):
        return None
    names = [name for name in ("bin", "lib", "include", "share", "etc") if os.path.isdir(f"{layout.app_root}/{name}")]
    names += [os.path.relpath(layout.sbom, layout.app_root)] * os.path.isfile(layout.sbom)  # it is about just these files
    excluded = [f"--exclude=bin/{pattern}" for pattern in ("python*", "activate*", "Activate*")]
    # Unanchored, as is tar's default, the patterns would take files away from packages that have a bin directory.
    pack = ["tar", "--create", f"--file={directory / ARCHIVE}", f"--directory={layout.app_root}", "--anchored", *excluded, *names]
    state = os.path.relpath(layout.dependencies, layout.app_root)
    write = ["tar", "--create", "--file=-", f"--directory={directory}", ARCHIVE, f"--directory={layout.app_root}", state]
    return pack, write


def restore(artifacts: Path, wanted: State, layout: Layout, environ: Mapping[str, str]) -> bool:
    """Put saved dependencies back if what is wanted can be made of them; tell whether that was done.

    Raises:
        CommandFailedError: The archive can't be unpacked.
    """
    saved = Layout(app_root=str(artifacts), source="")
    archive = artifacts / ARCHIVE
    installed = state.read(saved)
    if installed is None or not archive.is_file():
        return False
    changes = state.compare(installed, wanted)
    if changes.from_scratch:
        console.detail(f"the previous image's dependencies aren't used: {changes}")
    else:
        if os.path.exists(layout.dependencies):
            install.clear(layout)  # an image that is built upon may have others
        state.begin(layout)
        argv = ["tar", "--extract", f"--file={archive}", f"--directory={layout.app_root}", "--no-overwrite-dir"]
        result = run(argv, env=environ, cwd=layout.app_root, echo=False)
        if result.status:
            raise CommandFailedError(console.join(argv), result.reason, result.output)
        state.write(installed, layout)
    shutil.rmtree(artifacts, ignore_errors=True)  # the image needn't carry it twice
    return not changes.from_scratch
