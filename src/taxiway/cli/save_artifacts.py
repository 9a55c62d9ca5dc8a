"""taxiway save-artifacts."""

import os

import click

from taxiway.build.artifacts import save_command
from taxiway.layout import Layout


@click.command("save-artifacts", short_help="Stream what an incremental build reuses (S2I's save-artifacts).")
def command() -> None:
    """Write the installed dependencies to stdout, as a tar archive, for an incremental S2I build.

    Nothing is written where nothing is worth saving.
    """
    argv = save_command(Layout.from_environ(os.environ))
    if argv:
        os.execvp(argv[0], argv)  # noqa: S606  # its stdout is the archive
