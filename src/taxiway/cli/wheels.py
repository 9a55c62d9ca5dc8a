"""taxiway wheels."""

import os
import tempfile
from importlib.util import find_spec
from pathlib import Path

import click

from taxiway import console, environment
from taxiway.assemble import read_credentials, resolve_settings
from taxiway.cli import build_environment
from taxiway.dependencies import installer, wheelhouse
from taxiway.detect import look
from taxiway.errors import NoPipError


@click.command("wheels", short_help="Fill .taxiway/wheelhouse from the lock, for builds without a network.")
@click.argument("source", type=click.Path(path_type=Path, exists=True, file_okay=False), default=".")
def command(source: Path) -> None:
    """Put wheels of all that SOURCE pins into its .taxiway/wheelhouse; a build that finds them there asks no index.

    They are for the Python that runs this command, so run it in the builder image. What has no wheel is built.
    """
    if find_spec("pip") is None:
        raise NoPipError
    source = source.absolute()
    settings = resolve_settings(build_environment(source), source)
    requirements = look(source, settings).requirements
    if requirements is None or not requirements.pins:
        console.step("The application asks for no packages; there is nothing to fetch")
        return
    env = environment.load_files(os.environ, str(source), environment.BUILD)
    with tempfile.TemporaryDirectory() as private:
        given = read_credentials(settings.credentials, source, os.environ, of_image=False)
        compiled = wheelhouse.fill(requirements, source, installer.environment(env, given, private))
    for name in compiled:
        console.detail(f"built from source: {name}")
    count = len(list((source / wheelhouse.PLACES[0]).glob("*.whl")))
    console.step(f"{count} wheels for {requirements.file} are in {source / wheelhouse.PLACES[0]}")
