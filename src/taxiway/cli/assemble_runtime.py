"""taxiway assemble-runtime."""

import os
from pathlib import Path

import click

from taxiway.build.runtime import assemble_runtime, settle_in_place
from taxiway.layout import Layout


@click.command("assemble-runtime", short_help="Put a built application in place (S2I's assemble-runtime).")
@click.option(
    "--source",
    type=click.Path(path_type=Path),
    default=Path("app-root"),
    show_default=True,
    help="Where S2I put the files that the label assemble-input-files names.",
)
@click.option("--in-place", is_flag=True, help="The application is there already; set its rights alone, as root.")
def command(source: Path, in_place: bool) -> None:  # noqa: FBT001
    """Put a built application in place on the runtime image: what S2I's assemble-runtime script runs."""
    layout = Layout.from_environ(os.environ)
    if in_place:
        settle_in_place(layout)
    else:
        assemble_runtime(source.absolute(), layout)
