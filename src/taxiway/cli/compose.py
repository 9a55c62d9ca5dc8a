"""taxiway compose."""

import secrets
from collections.abc import Mapping
from pathlib import Path

import click

from taxiway import compose, console, variables
from taxiway.assemble import resolve_settings
from taxiway.cli import build_environment
from taxiway.configuration import read_project
from taxiway.detect import look
from taxiway.errors import AlreadyThereError
from taxiway.plan import decide

FILE, OVERLAY = "compose.yaml", "compose.dev.yaml"
_NAMES = [kind.name for kind in compose.KINDS]


@click.command("compose", short_help="Write compose files: the application, its databases, and an overlay for development.")
@click.argument("source", type=click.Path(path_type=Path, exists=True, file_okay=False), default=".")
@click.option("--image", default="", metavar="NAME", help="The application's image. Default: localhost/DIRECTORY:latest.")
@click.option(
    *("--database", "told"),
    multiple=True,
    type=click.Choice(_NAMES),
    help="A database server; repeatable. Default: what is found.",
)
@click.option("--database-image", metavar="NAME", help="The image of the relational database's server.")
@click.option("--redis-image", metavar="NAME", help="The image of the Redis server.")
@click.option("--dry-run", is_flag=True, help="Print what would be written, without secrets; write nothing.")
@click.option("--force", is_flag=True, help="Replace the files that are there; values in .compose stay.")
def command(  # noqa: PLR0917
    source: Path,
    image: str,
    told: tuple[str, ...],
    database_image: str | None,
    redis_image: str | None,
    dry_run: bool,  # noqa: FBT001
    force: bool,  # noqa: FBT001
) -> None:
    """Write compose.yaml for the application in SOURCE with its databases and process types, and compose.dev.yaml over it.

    \b
    taxiway image localhost/shop && podman-compose up                    as in production
    podman-compose -f compose.yaml -f compose.dev.yaml up                the source mounted, started anew after each change

    Passwords and other values go to the directory .compose, which version control and builds leave out.
    """
    settings = resolve_settings(build_environment(source), source)
    facts = look(source, settings)
    declared = variables.declared(*read_project(source))
    stack = compose.look(source, decide(facts, settings), facts, declared, told=told, image=image)
    stack = compose.with_images(stack, database_image, redis_image)
    for database in stack.databases:
        console.detail(f"{database.service}: {database.kind.name} ({database.origin})")
    files = {
        FILE: compose.render(
            compose.compose(stack),
            (
                "Written by `taxiway compose`. The image: taxiway image " + stack.image,
                "Start: podman-compose up, or docker compose up. PORT and BIND say where it is published.",
            ),
        ),
        OVERLAY: compose.render(
            compose.development(stack),
            ("For development, over compose.yaml: podman-compose -f compose.yaml -f compose.dev.yaml up",),
        ),
    }
    if dry_run:
        for name, text in files.items():
            console.data(f"# --- {name}\n{text}")
        return
    if not force and (there := [name for name in files if (source / name).exists()]):
        raise AlreadyThereError(there)
    for name, text in files.items():
        (source / name).write_text(text, encoding="utf-8")
        console.step(f"Wrote {name}")
    _write_values(source / compose.DIRECTORY, stack)


def _write_values(directory: Path, stack: compose.Stack) -> None:
    """Write what only this machine should know; a file that is there has a database's password, and stays."""
    directory.mkdir(mode=0o700, exist_ok=True)
    (directory / ".gitignore").write_text("*\n", encoding="ascii")
    relational = next((database for database in stack.databases if database.kind.password), None)
    stored = directory / "database.env"
    password = secrets.token_urlsafe(24)
    if relational:
        kept = _read(stored).get(relational.kind.password)
        password = kept or password
        if not kept:
            _write(stored, compose.env_file({relational.kind.password: password}, {}))
    made_up = {name: secrets.token_urlsafe(50) for name in compose.wants_secret(stack)}
    values = compose.environment(stack, password) | dict.fromkeys(made_up, "")
    web = directory / f"{compose.WEB}.env"
    kept_values = {name: value for name, value in _read(web).items() if value}
    _write(web, compose.env_file(values | kept_values, made_up))
    if empty := [name for name, value in values.items() if not value and name not in made_up and name not in kept_values]:
        console.warn(f"To be filled in, in {compose.DIRECTORY}/{compose.WEB}.env: {', '.join(empty)}")


def _read(path: Path) -> Mapping[str, str]:
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))


def _write(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8")
    console.step(f"Wrote {path.parent.name}/{path.name}")
