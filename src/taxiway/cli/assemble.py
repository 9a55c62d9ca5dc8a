"""taxiway assemble."""

import os
from pathlib import Path

import click

from taxiway.assemble import assemble
from taxiway.layout import ARTIFACTS, UPLOAD, Layout


@click.command("assemble", short_help="Build the application in an image (S2I's assemble).")
@click.option(
    "--source",
    type=click.Path(path_type=Path),
    default=Path(UPLOAD),
    show_default=True,
    help="Where the uploaded source is.",
)
@click.option(
    "--artifacts",
    type=click.Path(path_type=Path),
    default=Path(ARTIFACTS),
    show_default=True,
    help="Where an incremental build put what save-artifacts wrote; may be absent.",
)
def command(source: Path, artifacts: Path) -> None:
    """Build the application in an image: what S2I's assemble script runs.

    The source is moved to /opt/app-root/src, its requirements are installed into /opt/app-root, the hooks pre-build and
    build run, Django's static files are collected, everything is compiled to bytecode and opened to group 0,
    and the launch plan is written.
    """
    assemble(source, artifacts, Layout.from_environ(os.environ), os.environ)
