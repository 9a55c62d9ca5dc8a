"""The command line: a module for each command."""

import importlib
import os
from pathlib import Path

import click

from taxiway import __version__
from taxiway.image.dockerfile import parse_s2i_environment

# Command: its module. They are imported when needed, because each imports what it works with.
_COMMANDS = {
    "plan": "plan",
    "settings": "settings",
    "lock": "lock",
    "assemble": "assemble",
    "save-artifacts": "save_artifacts",
    "assemble-runtime": "assemble_runtime",
    "start": "start",
    "setup": "actions",
    "migrate": "actions",
    "verify": "verify",
    "alive": "actions",
    "ready": "actions",
    "image": "image",
    "wheels": "wheels",
    "system-packages": "system_packages",
    "proxy": "proxy",
    "completion": "completion",
}


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"taxiway.cli.{_COMMANDS[cmd_name]}")
        command: click.Command = module.COMMANDS[cmd_name] if hasattr(module, "COMMANDS") else module.command
        return command


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, message="%(prog)s %(version)s")
def taxiway() -> None:
    """Turn a Python web application into a production image, and run it.

    \b
    What will be built and started, and why:    taxiway plan
    An image without the s2i tool:              taxiway image NAME
    All settings, with value and origin:        taxiway settings
    The front end's configuration:              taxiway proxy nginx --host NAME ...
    """


def build_environment(source: Path) -> dict[str, str]:
    """Return the environment that an S2I build of a source has: .s2i/environment, and over it what is set here."""
    file = source / ".s2i" / "environment"
    return (parse_s2i_environment(file.read_text(encoding="utf-8")) if file.is_file() else {}) | os.environ
