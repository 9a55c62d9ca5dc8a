"""The command line: a module for each command."""

import importlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click

from taxiway import __version__, console
from taxiway.image.dockerfile import parse_s2i_environment

# Command: its module. They are imported when needed, because each imports what it works with.
GROUPS = {
    "Look": {"plan": "plan", "settings": "settings"},
    "Project": {
        "init": "init",
        "build": "build",
        "project": "project",
        "activate": "project",
        "deactivate": "project",
        "destroy": "project",
        "lock": "lock",
        "wheels": "wheels",
    },
    "Run": {
        "start": "start",
        "setup": "actions",
        "migrate": "actions",
        "verify": "verify",
        "alive": "actions",
        "ready": "actions",
        "exec": "inside",
        "shell": "inside",
        "env": "inside",
    },
    "Images": {
        "image": "image",
        "audit": "audit",
        "diff": "diff",
        "sbom": "sbom",
        "assemble": "assemble",
        "save-artifacts": "save_artifacts",
        "assemble-runtime": "assemble_runtime",
        "system-packages": "system_packages",
    },
    "Around it": {"compose": "compose", "proxy": "proxy"},
    "Help": {"doctor": "doctor", "explain": "explain", "completion": "completion"},
}
INTERRUPTED_STATUS = 130  # 128 and the number of SIGINT, as shells have it
_Decorated = TypeVar("_Decorated", bound=click.Command | Callable[..., object])
_COMMANDS = {name: module for group in GROUPS.values() for name, module in group.items()}


def _set_level(level: int) -> Callable[[click.Context, click.Parameter, bool], None]:
    def callback(ctx: click.Context, param: click.Parameter, value: bool) -> None:  # noqa: ARG001, FBT001
        if value:
            console.configure(level=level, as_json=console.is_json())

    return callback


def _set_json(ctx: click.Context, param: click.Parameter, value: bool) -> None:  # noqa: ARG001, FBT001
    if value:
        console.configure(level=console.level(), as_json=True)


def _option(*names: str, callback: Callable[..., None], text: str) -> click.Option:
    return click.Option(names, is_flag=True, expose_value=False, callback=callback, help=text)


def _everywhere() -> list[click.Option]:
    """Make the options that stand before and after the name of each command."""
    return [
        _option("--quiet", "-q", callback=_set_level(console.QUIET), text="Print warnings, errors and data only."),
        _option("--verbose", "-v", callback=_set_level(console.VERBOSE), text="Print all details."),
    ]


def json_option(function: _Decorated) -> _Decorated:
    """Give a command the option --json; it asks `console.is_json()` then."""
    text = "Write data as JSON; progress goes to stderr."
    return click.option("--json", is_flag=True, expose_value=False, callback=_set_json, help=text)(function)


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"taxiway.cli.{_COMMANDS[cmd_name]}")
        command: click.Command = module.COMMANDS[cmd_name] if hasattr(module, "COMMANDS") else module.command
        taken = {name for parameter in command.params for name in parameter.opts}
        command.params += [option for option in _everywhere() if taken.isdisjoint(option.opts)]
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        console.configure()
        return super().parse_args(ctx, args)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        name, command, rest = super().resolve_command(ctx, args)
        if command and console.is_json() and not any("--json" in parameter.opts for parameter in command.params):
            ctx.fail(f"taxiway {name} has no data to write as JSON.")
        return name, command, rest

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            sys.exit(INTERRUPTED_STATUS)  # click would say 1

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        width = max(map(len, _COMMANDS))
        for group, names in GROUPS.items():
            commands = ((name, self.get_command(ctx, name)) for name in names)
            rows = [(f"{name:<{width}}", command.get_short_help_str(100)) for name, command in commands if command]
            with formatter.section(group):
                formatter.write_dl(rows)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, message="%(prog)s %(version)s", help="Show the version.")
@json_option
def taxiway() -> None:
    """Turn a Python web application into a production image, and run it.

    \b
    Here and now, without a container:          taxiway start
    What will be built and started, and why:    taxiway plan
    An image, with or without s2i:              taxiway image NAME
    With its databases, for development:        taxiway compose
    All settings, with value and origin:        taxiway settings
    What this machine lacks for what:           taxiway doctor

    The options stand before or after the name of a command. Colors: NO_COLOR=1 takes them away, FORCE_COLOR=1 writes them
    where no terminal is.
    """


taxiway.params += _everywhere()


def build_environment(source: Path) -> dict[str, str]:
    """Return the environment that an S2I build of a source has: .s2i/environment, and over it what is set here."""
    file = source / ".s2i" / "environment"
    return (parse_s2i_environment(file.read_text(encoding="utf-8")) if file.is_file() else {}) | os.environ
