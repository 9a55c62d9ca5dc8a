"""taxiway settings."""

import json
from pathlib import Path

import click

from taxiway.assemble import resolve_settings
from taxiway.cli import build_environment
from taxiway.settings import SETTINGS, Setting


def _variables(setting: Setting) -> str:
    return ", ".join((setting.variable, *setting.platform, *(name.lstrip("!") for name in setting.peers)))


class _WithSettings(click.Command):
    """Adds the settings to the help: where one is wrong, that is all that can still be shown."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Settings"):
            formatter.write_dl([(s.name, f"{s.help} Variables: {_variables(s)}.") for s in SETTINGS])


@click.command("settings", cls=_WithSettings, short_help="List every setting with its value and where that comes from.")
@click.argument("source", type=click.Path(path_type=Path, exists=True, file_okay=False), default=".")
@click.option("--json", "as_json", is_flag=True, help="Write the settings as JSON.")
@click.option("--verbose", "-v", is_flag=True, help="Add what each setting means and its variables.")
def command(source: Path, *, as_json: bool, verbose: bool) -> None:
    """List every setting with its value and where that comes from, for the application in SOURCE.

    The strongest source first: command line; TAXIWAY_* variables, PORT and WEB_CONCURRENCY; [tool.taxiway] in
    pyproject.toml, or taxiway.toml; variables of other builders, such as APP_MODULE; the default.
    """
    settings = resolve_settings(build_environment(source), source)
    values = {s.name: getattr(settings, s.name.replace("-", "_")) for s in SETTINGS}
    if as_json:
        rows = {name: {"value": value, "origin": settings.origins[name]} for name, value in values.items()}
        click.echo(json.dumps(rows, indent=2))
        return
    width = max(map(len, values))
    for setting in SETTINGS:
        value = values[setting.name]
        shown = "" if value is None else " ".join(value) if isinstance(value, tuple) else str(value)
        click.echo(f"{setting.name:<{width}}  {shown or '-':<24}  {settings.origins[setting.name]}")
        if verbose:
            click.echo(f"{'':<{width}}    {setting.help}\n{'':<{width}}    Variables: {_variables(setting)}\n")
