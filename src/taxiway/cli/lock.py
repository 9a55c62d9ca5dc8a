"""taxiway lock."""

import os
from pathlib import Path

import click

from taxiway import console, environment
from taxiway.assemble import read_credentials, resolve_settings
from taxiway.cli import build_environment, json_option
from taxiway.dependencies import lock


@click.command("lock", short_help="Pin all dependencies with hashes, for the Python of the image.")
@click.argument("source", type=click.Path(path_type=Path, exists=True, file_okay=False), default=".")
@click.option("--python", metavar="X.Y", default=lock.OWN_PYTHON, show_default=True, help="The Python of the image.")
@click.option("--upgrade", is_flag=True, help="Take the newest versions; otherwise those in the lock stay as far as they fit.")
@click.option("--check", is_flag=True, help="Change nothing; end with 4 if the lock would change, and say what.")
@click.option(
    "--format", "form", type=click.Choice(list(lock.FILES)), default="requirements", show_default=True, help="What to write."
)
@json_option
def command(source: Path, *, python: str, upgrade: bool, check: bool, form: str) -> None:
    """Pin all that SOURCE needs, with hashes, from requirements.in, or else from [project] in pyproject.toml.

    Written is requirements.txt or, with --format pylock, pylock.toml (PEP 751); never the URL of an index, nor credentials.
    pip-tools does the work. The builder image has it, with its own Python:

    \b
      podman run --rm --user 0 -v .:/opt/app-root/src localhost/taxiway-builder taxiway lock
    """
    wanted = lock.Wanted(source=source, form=form, python=python, upgrade=upgrade)
    settings = resolve_settings(build_environment(source), source)
    env = environment.load_files(os.environ, str(source), environment.BUILD)
    given = read_credentials(settings.credentials, source, os.environ, of_image=False)
    if check:
        lock.check(wanted, settings, env, given)
        console.step(f"{wanted.path.name} is what taxiway lock would write")
        changes = []
    else:
        with console.step(f"Locking for Python {python}"):
            changes = lock.lock(wanted, settings, env, given)
        for line in changes:
            console.detail(line)
        console.step(f"{wanted.path.name}: {len(changes) or 'nothing'} changed")
    if console.is_json():
        console.data_as_json({"file": wanted.path.name, "changes": changes})
