"""taxiway init."""

from pathlib import Path

import click

from taxiway import console, scaffold
from taxiway.assemble import resolve_settings, tell
from taxiway.cli import build_environment
from taxiway.configuration import read_project
from taxiway.detect import look
from taxiway.hooks import DIRECTORIES
from taxiway.plan import decide


@click.command("init", short_help="Write commented settings for what was found, and hooks to fill in.")
@click.argument("source", type=click.Path(path_type=Path, exists=True, file_okay=False), default=".")
@click.option("--dry-run", is_flag=True, help="Print what would be written; write nothing.")
@click.option("--force", is_flag=True, help="Replace the table that is there; what is set stays set, and hooks stay.")
def command(source: Path, *, dry_run: bool, force: bool) -> None:
    """Write a commented table [tool.taxiway] into SOURCE's pyproject.toml, or taxiway.toml where there is none, and hooks.

    All that it sets is commented out, so that the plan stays what it was; taxiway plan before and after is the same.
    """
    files = _files(source, force=force or dry_run)
    for name, text in files.items():
        if dry_run:
            console.data(f"# {name}\n{text}")
            continue
        path = source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        if name.startswith(scaffold.HOOKS):
            path.chmod(path.stat().st_mode | 0o111)
        console.step(f"Wrote {name}")
    if not dry_run:
        console.detail("See what would be built: taxiway plan. What a setting comes from: taxiway explain app")


def _files(source: Path, *, force: bool) -> dict[str, str]:
    """Return what is to be written, by path."""
    settings = resolve_settings(build_environment(source), source)
    facts = look(source, settings)
    plan = decide(facts, settings)
    tell(plan, console.debug)
    name = "taxiway.toml" if (source / "taxiway.toml").is_file() else scaffold.PYPROJECT
    if not (source / name).is_file():
        name = "taxiway.toml"
    header = scaffold.HEADER if name == scaffold.PYPROJECT else ""
    tables = read_project(source)[0]
    table = scaffold.render(plan, settings, scaffold.read_variables(source / plan.home), header, tables)
    text = table
    if (source / name).is_file():
        with (source / name).open(encoding="utf-8", newline="") as file:  # its ends of lines stay as they are
            text = scaffold.place(file.read(), table, name, force=force)
    files = {name: text}
    hooks = scaffold.hooks(plan, {name: facts.requires(name) for name in ("alembic", "flask-migrate")})
    missing = {name: text for name, text in hooks.items() if not _has_hook(source, name)}  # one is never replaced
    return files | {f"{scaffold.HOOKS}/{name}": text for name, text in missing.items()}


def _has_hook(source: Path, name: str) -> bool:
    return any((source / directory / name).exists() for directory in DIRECTORIES)
