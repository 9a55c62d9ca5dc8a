"""taxiway assemble-runtime."""

import os
from pathlib import Path

import click

from taxiway.build.runtime import assemble_runtime
from taxiway.layout import Layout


@click.command("assemble-runtime", short_help="Put a built application in place (S2I's assemble-runtime).")
@click.option(
    "--source",
    type=click.Path(path_type=Path),
    default=Path("app-root"),
    show_default=True,
    help="Where S2I put the files that the label assemble-input-files names.",
)
def command(source: Path) -> None:
    """Put a built application in place on the runtime image: what S2I's assemble-runtime script runs."""
    assemble_runtime(source.absolute(), Layout.from_environ(os.environ))
