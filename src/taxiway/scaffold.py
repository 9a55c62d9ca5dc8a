"""`taxiway init`: a commented `[tool.taxiway]` for what was found, and hooks to fill in. Nothing that it writes changes a plan.

The table is added as text at the end of pyproject.toml, or takes the place of the lines of an older one: all else in the file
stays as it is, byte for byte, without a library that writes TOML.
"""

import ast
import json
import re
import tomllib
from collections.abc import Container, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from taxiway.detect.modules import ASIDE
from taxiway.errors import AlreadyThereError, BadConfigFileError
from taxiway.plan import BuildPlan
from taxiway.settings import SETTINGS, Settings

HEADER = "[tool.taxiway]"
PYPROJECT = "pyproject.toml"
HOOKS = ".taxiway/hooks"
_LINES = r"(?:(?![ \t]*\[)[^\n]*(?:\n|\Z))*"
_TABLE = re.compile(r"^[ \t]*\[[ \t]*tool[ \t]*\.[ \t]*taxiway[ \t]*\][^\n]*(?:\n|\Z)" + _LINES, re.MULTILINE)
_TOP = re.compile(rf"\A{_LINES}")
_HEADING = (
    "# Written by `taxiway init`. What is commented out is how it is anyway: found in the source, or the default.",
    "# Take the # away to keep it so, or to change it. Each setting: taxiway explain NAME; all: taxiway settings --help",
)
# Those that people set; Django's only where it is Django.
_SHOWN = (
    *("app", "app-home", "server", "dependencies", "static", "system-packages"),
    *("processes", "threads", "request-timeout", "max-body", "log-format", "health-path"),
)
_OF_DJANGO = ("collectstatic", "migrate")
_SECRET = re.compile(r"KEY|SECRET|TOKEN|PASSWORD|PASS\b|DSN|DATABASE_URL")
_MOST_FILES = 500
_ENVIRON = frozenset({"os.environ", "environ", "os.getenv", "getenv", "os.environ.get", "environ.get"})


def render(
    plan: BuildPlan, settings: Settings, variables: Iterable[str], header: str = HEADER, tables: Container[str] = ()
) -> str:
    """Write the table, with a final newline; pure.

    Args:
        plan: What was decided.
        settings: What is set already stays set.
        variables: Names of environment variables that the source reads.
        header: Empty for taxiway.toml.
        tables: Names of tables that are there already, below this one.
    """
    found: dict[str, tuple[Any, str]] = {
        "app": (plan.app if plan.interface not in {"python", "shell", "command"} else None, plan.origins["app"]),
        "app-home": (plan.home, "where that is" if plan.home != "." else ""),
        "server": (plan.server if plan.server not in {"python", "shell", "command"} else None, plan.origins["server"]),
        "dependencies": ((plan.requirements,) if plan.requirements else (), plan.origins.get("dependencies", "")),
    }
    lines = [header] if header else []
    lines += _HEADING
    of_project = {
        s.name for s in SETTINGS if not s.key and settings.origins[s.name] in {f"{HEADER} in pyproject.toml", "taxiway.toml"}
    }
    shown = (*_SHOWN, *(_OF_DJANGO if plan.framework == "django" else ()))
    for setting in SETTINGS:
        if setting.name not in shown and setting.name not in of_project:
            continue
        value, origin = found.get(setting.name, (setting.default, ""))
        lines += ["", f"# {setting.help}", *([f"# Found: {origin}."] if origin and setting.name not in of_project else [])]
        if setting.name in of_project:
            lines.append(f"{setting.name} = {_toml(getattr(settings, setting.name.replace('-', '_')))}")
        else:
            lines.append(f"#{setting.name} = {_example(setting.name) if value is None else _toml(value)}")
    if "proxy" not in tables:
        lines += [
            "",
            "# Proxies whose headers are believed: addresses, networks or presets, such as openshift. See docs/proxies.md.",
        ]
        lines += ["#proxy.trust = []"]
    if "env" not in tables:
        lines += [
            "",
            "# Variables that the application needs, refused where they are missing; NAME_FILE may name a mounted file.",
        ]
        names = sorted(set(variables)) or ["SECRET_KEY"]
        lines += [f"#env.{name} = {{ required = true{', secret = true' if is_secret(name) else ''} }}" for name in names]
    return "\n".join(lines) + "\n"


def _example(name: str) -> str:
    return {"app": '"package.module:name"', "server": '"gunicorn"'}.get(name, "2")


def _toml(value: object) -> str:
    """Write a value as TOML; JSON's strings, lists, numbers and words are TOML's too."""
    return json.dumps(value, ensure_ascii=False)


def place(text: str, table: str, name: str, *, force: bool) -> str:
    """Return the file with the table: at the end of pyproject.toml, or in the place of one that is there; pure.

    Raises:
        AlreadyThereError: There is one, and it isn't to be replaced.
        BadConfigFileError: It isn't TOML, or has the table in a form that can't be replaced as text.
    """
    before = _load(text, name)
    if name == PYPROJECT and "taxiway" not in before.get("tool", {}):
        return text + ("" if not text else "\n" if text.endswith("\n") else "\n\n") + table
    if not force:
        raise AlreadyThereError([f"{HEADER} in {name}" if name == PYPROJECT else name])
    # The lines of the table itself; tables below it, such as [tool.taxiway.env], stay.
    result, count = (_TABLE if name == PYPROJECT else _TOP).subn(lambda _: f"{table}\n", text, count=1)
    if not count or _others(_load(result, name), name) != _others(before, name):
        raise BadConfigFileError(name, "the settings aren't written as a table of their own, so they can't be replaced")
    return result.rstrip("\n") + "\n"


def _load(text: str, name: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadConfigFileError(name, str(error)) from error


def _others(data: Mapping[str, Any], name: str) -> object:
    """Return what has to stay as it is: all but the settings."""
    tool = data.get("tool", {})
    own = tool.get("taxiway", {}) if name == PYPROJECT else data
    kept = {key: value for key, value in own.items() if isinstance(value, dict)}
    return {**data, "tool": {**tool, "taxiway": kept}} if name == PYPROJECT else kept


def hooks(plan: BuildPlan, requires: Mapping[str, bool]) -> dict[str, str]:
    """Write hooks to fill in, by name; none that takes the place of what happens without it; pure.

    Args:
        plan: What was decided.
        requires: Whether the application asks for a distribution, of `alembic` and `flask-migrate`.
    """
    manage = "manage.py" if plan.home == "." else f"{plan.home}/manage.py"
    if plan.framework == "django":
        setup = (
            "# The first user, from DJANGO_SUPERUSER_USERNAME, _PASSWORD and _EMAIL.\n"
            'if [ -n "${DJANGO_SUPERUSER_USERNAME:-}" ]; then\n'
            f"  python {manage} createsuperuser --noinput\nfi\n"
        )
        return {"setup": _hook("setup", "once, for a new database", setup), "verify": _verify(f"python {manage} check --deploy")}
    found = {"setup": _hook("setup", "once, for a new database", "# python -m shop.first_data\n")}
    if requires.get("flask-migrate"):
        found["migrate"] = _hook("migrate", "to migrate the database", f"flask --app {plan.app} db upgrade\n")
    elif requires.get("alembic"):
        found["migrate"] = _hook("migrate", "to migrate the database", "alembic upgrade head\n")
    return found


def _verify(command: str) -> str:
    return _hook("verify", "to check the application where it runs", f"{command}\n")


def _hook(name: str, when: str, body: str) -> str:
    return (
        f"#!/bin/sh\n# `taxiway {name}` runs this {when}: at the top of the source, in the server's environment.\n"
        f"# A status other than 0 is a failure. All hooks: docs/hooks.md\nset -eu\n\n{body}"
    )


def is_secret(name: str) -> bool:
    """Tell whether a variable's name says that its value is secret; pure."""
    return _SECRET.search(name) is not None


def read_variables(home: Path, *, all_of_them: bool = False) -> list[str]:
    """List the environment variables that the source reads by a literal name; those alone that have no default there, or all."""
    files = zip(range(_MOST_FILES), _sources(home), strict=False)
    return sorted({name for _, path in files for name in _variables(path, most=2 if all_of_them else 1)})


def _sources(directory: Path) -> Iterator[Path]:
    for path in sorted(directory.iterdir()):
        if path.is_dir() and path.name not in ASIDE and not path.name.startswith("."):
            yield from _sources(path)
        elif path.suffix == ".py":
            yield path


def _variables(path: Path, *, most: int) -> Iterator[str]:
    """Find `os.environ["NAME"]`, and `os.environ.get("NAME")` and `os.getenv("NAME")` with at most that many arguments."""
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError, OSError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
            called, arguments = node.value, [node.slice]
        elif isinstance(node, ast.Call) and 0 < len(node.args) <= most and not node.keywords:
            called, arguments = node.func, node.args
        else:
            continue
        if ast.unparse(called) in _ENVIRON and isinstance(arguments[0], ast.Constant) and isinstance(arguments[0].value, str):
            name = arguments[0].value
            if name.isascii() and name.isidentifier() and name.isupper() and not name.startswith("TAXIWAY_") and name != "PORT":
                yield name
