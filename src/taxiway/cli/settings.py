"""taxiway settings."""

import json
import os
from pathlib import Path

import click

from taxiway.assemble import resolve_settings
from taxiway.settings import SETTINGS


@click.command("settings", short_help="List every setting with its value and where that comes from.")
@click.argument("source", type=click.Path(path_type=Path, exists=True, file_okay=False), default=".")
@click.option("--json", "as_json", is_flag=True, help="Write the settings as JSON.")
@click.option("--verbose", "-v", is_flag=True, help="Add what each setting means and its variables.")
def command(source: Path, *, as_json: bool, verbose: bool) -> None:
    """List every setting with its value and where that comes from, for the application in SOURCE.

    The strongest source first: command line; TAXIWAY_* variables, PORT and WEB_CONCURRENCY; [tool.taxiway] in
    pyproject.toml, or taxiway.toml; variables of other builders, such as APP_MODULE; the default.
    """
    settings = resolve_settings(os.environ, source)
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
            names = ", ".join((setting.variable, *setting.platform, *(p.lstrip("!") for p in setting.peers)))
            click.echo(f"{'':<{width}}    {setting.help}\n{'':<{width}}    Variables: {names}\n")
