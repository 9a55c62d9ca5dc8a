"""What a source says itself about what is to be started: in a configuration file of gunicorn or PasteDeploy, or as app.sh."""

import configparser
import os
import shlex
from pathlib import Path

from taxiway.detect import programs, syntax
from taxiway.detect.entry_points import Candidate
from taxiway.detect.modules import Module
from taxiway.launch_plan import COMMAND, PYTHON, SHELL, WSGI

SCRIPT = "app.sh"
GUNICORN = "gunicorn.conf.py"
_DEPLOYED = ("production.ini", "deploy.ini", "development.ini")  # the last is all that many projects have


def gunicorn_app(path: Path) -> str | None:
    """Return `wsgi_app` of a gunicorn configuration file."""
    tree = syntax.parse(path)
    return syntax.string_value(tree, "wsgi_app") if tree else None


def paste(home: Path) -> Candidate | None:
    """Find a PasteDeploy configuration with an application (https://docs.pylonsproject.org/projects/pastedeploy)."""
    for name in _DEPLOYED:
        parser = configparser.RawConfigParser(strict=False)
        try:
            parser.read(home / name, encoding="utf-8")
        except (configparser.Error, UnicodeDecodeError):
            continue
        for section in ("composite:main", "pipeline:main", "app:main"):
            if parser.has_section(section):
                what = f"[{section}]"
                warning = f"{name} is for development; add production.ini." if name.startswith("development") else ""
                return Candidate(app=name, file=name, line=0, what=what, interface=WSGI, identity=name, warning=warning)
    return None


def wsgi_scripts(home: Path) -> tuple[Candidate, ...]:
    """Find script files of mod_wsgi, `hello.wsgi`: no modules, whose `application` is what it says."""
    found = [path.name for path in sorted(home.glob("*.wsgi")) if syntax.parse(path)]
    what = "mod_wsgi's script"
    return tuple(
        Candidate(app=f"{name}:application", file=name, line=0, what=what, interface=WSGI, identity=name) for name in found
    )


def flask_app(home: Path) -> str | None:
    """Return FLASK_APP of .flaskenv as `module` or `module:name` (Flask's documentation, "Application Discovery")."""
    try:
        lines = (home / ".flaskenv").read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return None
    for line in lines:
        name, equals, value = line.strip().removeprefix("export ").partition("=")
        if equals and name.strip() == "FLASK_APP":
            file, _, attribute = value.strip().strip("\"'").partition(":")
            module = file.removesuffix(".py").replace("/", ".").strip(".")
            return f"{module}:{attribute.partition('(')[0]}" if attribute else module
    return None


def script(home: Path, name: str) -> Candidate | None:
    """Return how a shell script is run: by itself, or without a run bit by the program of its first line, else by bash.

    None where there is no such file.
    """
    path = home / name
    if not path.is_file():
        return None
    if os.access(path, os.X_OK):
        return Candidate(app=name, file=name, line=0, what="script", interface=SHELL, identity=name)
    first = path.read_bytes().partition(b"\n")[0].decode(errors="replace").strip()
    program = first.removeprefix("#!").strip() if first.startswith("#!") else "bash"
    app = f"exec {program} {shlex.quote(f'./{name}')}"
    warning = f"{name} isn't executable, so {program} runs it. Make it executable: git update-index --chmod=+x {name}"
    return Candidate(app=app, file=name, line=0, what="script", interface=COMMAND, identity=name, warning=warning)


def program(home: Path, name: str) -> Candidate | None:
    """Return a Python program; None where there is no such file."""
    if not (home / name).is_file():
        return None
    tree = syntax.parse(home / name)
    warning = programs.warning(Module(name, name, is_package=False, tree=tree)) if tree else ""
    return Candidate(app=name, file=name, line=0, what="program", interface=PYTHON, identity=name, warning=warning)
