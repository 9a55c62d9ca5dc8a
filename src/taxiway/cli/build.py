"""taxiway build."""

import os
from pathlib import Path

import click

from taxiway import console
from taxiway.cli.local import project_option
from taxiway.errors import BuildInImageError
from taxiway.layout import is_image
from taxiway.local import build, environments


@click.command("build", short_help="Build the environment of this directory's application, without a container.")
@click.option("--clean", is_flag=True, help="Start from scratch.")
@click.option("--python", metavar="VERSION|PATH", help="The Python. Default: .python-version, requires-python, taxiway's own.")
@project_option
def command(*, clean: bool, python: str | None, project: str | None) -> None:
    """Build the environment of this directory's application: the steps of an image build, on this machine.

    Dependencies are installed from the lock as in an image, hooks run, the application is imported once, and Django's static
    files are collected. The source is used where it is, and nothing is written into it. Only what changed is done again, and
    if the build fails, the environment of the build before stays.
    """
    if is_image(os.environ):
        raise BuildInImageError
    environment = environments.choose(os.environ, Path.cwd(), project)
    environ = environments.activated(environment, os.environ)
    why = build.reasons(environment, environ)
    console.step(f"Building {environment.name} for {environment.source} ({'; '.join(why) or 'nothing changed'})")
    build.build(environment, environ, python=python, clean=clean)
