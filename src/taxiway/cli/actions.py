"""taxiway setup, migrate, alive and ready: the command line's form, with help. `__main__` runs them without it."""

import click

from taxiway import console
from taxiway.actions import act
from taxiway.cli import json_option
from taxiway.cli.local import environ, project_option

_HELP = {
    "setup": (
        "Run the hook setup, as for a first time.",
        "Run the hook setup in the environment of the server: what an application needs once, such as a first user.",
    ),
    "migrate": (
        "Run the hook migrate, or Django's migrations.",
        "Run the hook migrate in the environment of the server. Without one: Django's migrations, under a lock in the database.",
    ),
    "alive": (
        "Tell whether the server is alive (liveness probe).",
        "Run the hook alive. Without one, ask the running server for health-path: it is alive if it answers at all.",
    ),
    "ready": (
        "Tell whether the server is ready (readiness probe).",
        "Run the hook ready. Without one, ask the running server for health-path: it is ready unless that is a server error.",
    ),
}


_PROBES = ("alive", "ready")


def _command(name: str) -> click.Command:
    summary, text = _HELP[name]

    @project_option
    def run(project: str | None) -> None:
        answer = act(name, environ(project))
        if console.is_json():
            console.data_as_json({name: True, "answer": answer})

    command = click.command(name, short_help=summary, help=text)(run)
    return json_option(command) if name in _PROBES else command


COMMANDS = {name: _command(name) for name in _HELP}
