"""taxiway project, activate, deactivate, destroy: the environments of a laptop."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import click

from taxiway import console
from taxiway.cli import json_option
from taxiway.errors import BuildInImageError, CannotExecError
from taxiway.layout import is_image, local_source
from taxiway.local import build, environments, shells
from taxiway.local.environments import Environment

_name = click.argument("name", required=False)


def _activating(function: Callable[..., None]) -> Callable[..., None]:
    function = click.option(
        "--print", "as_code", is_flag=True, help='Print shell code for eval "$(...)" instead of a new shell.'
    )(function)
    text = "The shell to write for, or to start. Default: yours."
    return click.option("--shell", type=click.Choice(shells.NAMES), help=text)(function)


@click.command("project", short_help="Make this directory's environment, or one by name, and enter it.")
@_name
@_activating
@click.option("--list", "listed", is_flag=True, help="List the environments instead.")
@click.option("--python", metavar="VERSION|PATH", help="The Python of a new one.")
@json_option
def project(*, name: str | None, as_code: bool, shell: str | None, listed: bool, python: str | None) -> None:
    """Make an environment for the application in this directory, and start a shell in which it is active.

    Without NAME it is the directory's own, which is also what build, start and all others use by themselves; with one, another,
    such as for a second Python. The prompt shows which is active. `exit`, or `taxiway deactivate`, leaves it.

    \b
    In the shell that is there, bash or zsh:    eval "$(taxiway project NAME --print)"
    In fish:                                    taxiway project NAME --print | source
    """
    if is_image(os.environ):
        raise BuildInImageError
    if listed:
        _list()
        return
    if as_code:
        console.configure(as_json=True)  # stdout is the shell's
    environment = environments.choose({**os.environ, "APP_ROOT": ""}, Path.cwd(), name)
    if not environment.exists:
        build.create(environment, environments.activated(environment, os.environ), python)
    _activate(environment, shell, as_code=as_code)


def _list() -> None:
    found = environments.listing(os.environ)
    active = os.environ.get("APP_ROOT", "")
    rows = [
        {"name": one.name, "source": str(one.source), "path": str(one.path), "active": str(one.path) == active} for one in found
    ]
    if console.is_json():
        console.data_as_json(rows)
        return
    width = max((len(one.name) for one in found), default=0)
    for row in rows:
        gone = "" if Path(str(row["source"])).is_dir() else "  (its source is gone)"
        console.data(f"{'*' if row['active'] else ' '} {row['name']:<{width}}  {row['source']}{gone}")


@click.command("activate", short_help="Enter an environment that was made before.")
@_name
@_activating
def activate(*, name: str | None, as_code: bool, shell: str | None) -> None:
    """Start a shell in which an environment is active: this directory's own, or that of NAME.

    \b
    In the shell that is there, bash or zsh:    eval "$(taxiway activate --print)"
    In fish:                                    taxiway activate --print | source
    """
    _activate(environments.existing({**os.environ, "APP_ROOT": ""}, Path.cwd(), name), shell, as_code=as_code)


@click.command("deactivate", short_help="Leave the active environment.")
def deactivate() -> None:
    """Leave the active environment.

    Where one is active, the shell itself answers this command. It does in every shell that `project` or `activate` started, or
    changed by `eval`.
    """
    active = local_source(os.environ.get("APP_ROOT", "")) is not None
    hint = "Type deactivate, or exit, in the shell that has it." if active else "Nothing to leave: no environment is active."
    console.step(hint)


@click.command("destroy", short_help="Remove an environment; the source stays.")
@_name
@click.option("--yes", "-y", is_flag=True, help="Don't ask.")
def destroy(*, name: str | None, yes: bool) -> None:
    """Remove this directory's environment, or that of NAME, with all that was installed into it. The source stays as it is."""
    environment = environments.existing(os.environ, Path.cwd(), name)
    console.step(f"The environment {environment.name} of {environment.source}, in {environment.path}")
    if not yes:
        click.confirm("Remove it?", abort=True)
    environments.destroy(environment)
    console.step("Removed")
    if os.environ.get("APP_ROOT") == str(environment.path):
        console.detail("It was active; leave this shell, or type deactivate")


def _activate(environment: Environment, told: str | None, *, as_code: bool) -> None:
    name = shells.which(told, os.environ.get("SHELL", ""))
    if as_code:
        console.data(shells.code(environment, name))
        return
    shell = shells.inside(environment, name, str(Path.home()), os.environ.get("ZDOTDIR", ""))
    for path, text in shell.files:
        Path(path).parent.mkdir(exist_ok=True)
        Path(path).write_text(text, encoding="utf-8")
    console.step(f"{environment.name} is active in this shell; exit leaves it")
    sys.stdout.flush()
    environ = {**environments.activated(environment, os.environ), **dict(shell.variables)}
    try:
        os.execvpe(shell.argv[0], shell.argv, environ)  # noqa: S606  # it is the user's from here on
    except OSError as error:
        raise CannotExecError(console.join(shell.argv), f"{shell.argv[0]}: {error.strerror}") from error


COMMANDS = {"project": project, "activate": activate, "deactivate": deactivate, "destroy": destroy}
