"""taxiway settings."""

from collections.abc import Mapping
from pathlib import Path

import click

from taxiway import console, environment, variables
from taxiway.assemble import resolve_settings
from taxiway.cli import build_environment, json_option
from taxiway.configuration import read_project
from taxiway.settings import SETTINGS, Setting, variable


def _variables(setting: Setting) -> str:
    return ", ".join((setting.variable, *setting.platform, *(name.lstrip("!").partition("=")[0] for name in setting.peers)))


class _WithSettings(click.Command):
    """Adds the settings to the help: where one is wrong, that is all that can still be shown."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Settings"):
            formatter.write_dl([(s.name, f"{s.help} Variables: {_variables(s)}.") for s in SETTINGS])


@click.command("settings", cls=_WithSettings, short_help="List every setting with its value and where that comes from.")
@click.argument("source", type=click.Path(path_type=Path, exists=True, file_okay=False), default=".")
@json_option
@click.option("--env", "of_application", is_flag=True, help="List the variables that the application declares, instead.")
def command(source: Path, *, of_application: bool) -> None:
    """List every setting with its value and where that comes from, for the application in SOURCE.

    The strongest source first: command line; TAXIWAY_* variables, PORT and WEB_CONCURRENCY; [tool.taxiway] in
    pyproject.toml, or taxiway.toml; variables of other builders, such as APP_MODULE; the default. --verbose adds what each
    setting means and its variables.
    """
    if of_application:
        _show_variables(source)
        return
    settings = resolve_settings(build_environment(source), source)
    values = {s.name: getattr(settings, s.name.replace("-", "_")) for s in SETTINGS}
    if console.is_json():
        rows = {name: {"value": value, "origin": settings.origins[name]} for name, value in values.items()}
        console.data_as_json(rows)
        return
    width = max(map(len, values))
    for setting in SETTINGS:
        value = values[setting.name]
        shown = "" if value is None else " ".join(value) if isinstance(value, tuple) else str(value)
        console.data(f"{setting.name:<{width}}  {shown or '-':<24}  {settings.origins[setting.name]}")
        if console.is_verbose():
            console.data(f"{'':<{width}}    {setting.help}\n{'':<{width}}    Variables: {_variables(setting)}\n")


def _show_variables(source: Path) -> None:
    """Document the table `env`; values aren't shown, only whether there are some here."""
    declared = variables.declared(*read_project(source))
    environ = environment.load_files(build_environment(source), str(source), environment.DEPLOY)
    if console.is_json():
        rows = {row.name: {**row._asdict(), "here": _origin(row, environ)} for row in declared}
        console.data_as_json(rows)
        return
    if not declared:
        console.data("The application declares no variables: [tool.taxiway.env] is empty.")
        return
    lines = [(row.name, _kind(row), _origin(row, environ), row.description) for row in declared]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        console.data("  ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)).rstrip())


def _kind(row: variables.Variable) -> str:
    words = [word for word, applies in (("required", row.required), ("secret", row.secret)) if applies]
    words += [f"default {row.default}"] if row.default else []
    return ", ".join(words) or "optional"


def _origin(row: variables.Variable, environ: Mapping[str, str]) -> str:
    if environ.get(row.name):
        return "set here"
    if variable(environ, f"{row.name}_FILE"):
        return "from a file"
    return "default" if row.default else "missing" if row.required else "unset"
