"""taxiway save-artifacts."""

import os
import subprocess
import tempfile
from pathlib import Path

import click

from taxiway import console
from taxiway.build.artifacts import save_commands
from taxiway.errors import CommandFailedError
from taxiway.layout import Layout


@click.command("save-artifacts", short_help="Stream what an incremental build reuses (S2I's save-artifacts).")
def command() -> None:
    """Write the installed dependencies to stdout, as a tar archive, for an incremental S2I build.

    Nothing is written where nothing is worth saving.
    """
    with tempfile.TemporaryDirectory() as directory:
        for argv in save_commands(Layout.from_environ(os.environ), Path(directory)) or ():
            status = subprocess.run(argv, check=False).returncode  # the second one's stdout is the archive
            if status:
                raise CommandFailedError(console.join(argv), f"exit status {status}")
