"""taxiway system-packages."""

from pathlib import Path

import click

from taxiway import console
from taxiway.dependencies import system


@click.command("system-packages", short_help="Set aside what an image lacks of installed Debian packages.")
@click.argument("status", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.argument("target", type=click.Path(path_type=Path))
@click.argument("packages", nargs=-1, required=True)
def command(status: Path, target: Path, packages: tuple[str, ...]) -> None:
    """Copy the files of PACKAGES and of what they depend on below TARGET, for an image that has no apt.

    STATUS is that image's /var/lib/dpkg/status: what it has already isn't copied. taxiway image writes this into its Dockerfile.
    """
    names = system.set_aside(packages, status, target)
    target.mkdir(parents=True, exist_ok=True)
    console.step(f"For the runtime image: {', '.join(names) or 'nothing that it lacks'}")
