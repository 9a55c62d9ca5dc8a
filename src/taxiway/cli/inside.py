"""taxiway exec, shell, env: in the environment that hooks and the server have, on a laptop and in a container."""

import os
import re
from urllib.parse import urlsplit

import click

from taxiway import console, launch_plan, start, variables
from taxiway.cli import json_option
from taxiway.cli.local import environ, project_option
from taxiway.errors import CannotExecError
from taxiway.layout import Layout
from taxiway.servers import Launch

_SECRET = re.compile(
    r"SECRET|PASSW(OR)?D|PASSPHRASE|(^|_)PASS(_|$)|TOKEN|CREDENTIAL|PRIVATE|(API|ACCESS|SIGNING|ENCRYPTION)_?KEY|DSN$|_AUTH$",
    re.IGNORECASE,
)
_MASK = "****"


def _launch(project: str | None, *, complete: bool = True) -> Launch:
    env = environ(project)
    layout = Layout.from_environ(env)
    return start.look(launch_plan.read(layout.launch_plan), {}, env, layout, complete=complete)


def _become(argv: list[str] | tuple[str, ...], env: dict[str, str]) -> None:
    try:
        os.execvpe(argv[0], argv, env)  # noqa: S606  # it gets the terminal and the signals, and its exit status is the answer
    except OSError as error:
        raise CannotExecError(console.join(argv), f"{argv[0]}: {error.strerror}") from error


@click.command(
    "exec",
    short_help="Run a command in the application's environment.",
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
@project_option
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def execute(project: str | None, command: tuple[str, ...]) -> None:
    """Run COMMAND in this directory with the environment that hooks and the server have.

    \b
    taxiway exec python manage.py createsuperuser
    """
    _become(command, dict(_launch(project).environ))


@click.command("shell", short_help="Start a shell, or Python, in the application's environment.")
@click.option("--python", "as_python", is_flag=True, help="Python instead; of a Django project, `manage.py shell`.")
@project_option
def shell(project: str | None, *, as_python: bool) -> None:
    """Start your shell in the environment that hooks and the server have: environment files, settings, PATH, PYTHONPATH.

    With --python: an interactive Python there. Of a Django project it is Django's own shell, which knows the models.
    """
    launch = _launch(project)
    if not as_python:
        _become([os.environ.get("SHELL") or "sh"], {**launch.environ, "TAXIWAY_PHASE": "shell"})
    os.chdir(launch.home)
    python = launch.layout.python
    is_django = launch.plan.framework == "django"
    _become([python, *(["-m", "django", "shell"] if is_django else [])], {**launch.environ, "TAXIWAY_PHASE": "shell"})


@click.command("env", short_help="Print the environment of hooks and server.")
@json_option
@click.option("--secrets", is_flag=True, help="Show what looks like a secret too; ****  stands for it otherwise.")
@project_option
def env(project: str | None, *, secrets: bool) -> None:
    """Print the environment as hooks and the server get it, sorted: what is set here, environment files, defaults, taxiway's own.

    Values that look like secrets are masked: by their name, because the application declares them so, or passwords in URLs.
    """
    launch = _launch(project, complete=False)
    declared = variables.declared(launch.plan.project, launch.plan.project_origin)
    hidden = {row.name for row in declared if row.secret}
    shown = {name: value if secrets else masked(name, value, hidden) for name, value in sorted(launch.environ.items())}
    if console.is_json():
        console.data_as_json(shown)
        return
    for name, value in shown.items():
        console.data(f"{name}={console.quote(value) if value != _MASK else value}")
    for row in variables.missing(declared, launch.environ):
        console.warn(f"{row.name} is required, and isn't set{row.description and f': {row.description}'}")


def masked(name: str, value: str, secret: set[str]) -> str:
    """Return a variable's value, or what stands for it; pure."""
    if value and (name in secret or _SECRET.search(name)):
        return _MASK
    try:
        password = urlsplit(value).password if "://" in value else None
    except ValueError:
        password = None
    return value.replace(f":{password}@", f":{_MASK}@") if password else value


COMMANDS = {"exec": execute, "shell": shell, "env": env}
