"""Asking the application itself: one import in its own interpreter, and Django's collectstatic.

A build often lacks variables that exist only where the application runs. One that the settings miss gets a placeholder for these
commands alone, and that is reported; every other failure is shown.
"""

import json
import os
import re
import shlex
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from taxiway import console
from taxiway.dependencies import native
from taxiway.errors import BadEntryPointError, CollectstaticError
from taxiway.launch_plan import PROGRAMS
from taxiway.layout import Layout, runtime_path
from taxiway.plan import BuildPlan
from taxiway.process import run

_MAX_PLACEHOLDERS = 50
_OF_SHELLS = {"cd", "eval", "export", "for", "if", "set", "source", "test", "trap", "ulimit", "umask", "unset", "until", "while"}


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """What importing the application showed."""

    interface: str | None
    """`WSGI`, `ASGI`, or None where the import failed for want of something that only the running container has."""
    error: str = ""
    """Why the import failed."""
    settings_failed: bool = False
    """Whether it was Django's settings that couldn't be loaded."""
    static_url: str | None = None
    static_root: str | None = None
    """Where collectstatic puts files; None where Django's staticfiles application isn't used."""
    static_root_supplied: bool = False
    """Whether the settings have no STATIC_ROOT, so that it is taxiway's."""
    serves_static: bool = False
    """Whether the application has middleware for static files."""
    import_bytes: int | None = None
    """Memory of the process that imported it."""
    free_threaded: bool = False
    """Whether its Python runs threads at the same time."""
    placeholders: Mapping[str, str] = field(default_factory=dict)
    collected: str | None = None
    """What collectstatic said that ran with the import; None: it has to run yet, if at all."""


def inspect(plan: BuildPlan, layout: Layout, environ: Mapping[str, str]) -> Inspection:
    """Import the application once, and where it is Django's, collect its static files in the same process.

    Raises:
        BadEntryPointError: Its module or name doesn't exist, or it is no application.
    """
    placeholders: dict[str, str] = {}
    while True:
        answer = _ask(plan, layout, {**environ, **placeholders})
        missing = answer.get("missing")
        if not missing or missing in placeholders or len(placeholders) >= _MAX_PLACEHOLDERS:
            break
        placeholders[missing] = placeholder(missing)
    if answer.get("wrong"):
        raise BadEntryPointError(plan.app, plan.origins["app"], answer["wrong"])
    return Inspection(
        interface=answer.get("interface"),
        error=answer.get("error", ""),
        settings_failed=answer.get("settings_failed", False),
        static_url=answer.get("static_url"),
        static_root=answer.get("static_root"),
        static_root_supplied=answer.get("static_root_supplied", False),
        serves_static=answer.get("serves_static", False),
        placeholders=placeholders,
        import_bytes=answer.get("import_bytes"),
        free_threaded=answer.get("free_threaded", False),
        collected=answer.get("collected"),
    )


def placeholder(name: str) -> str:
    """Return a value for a variable that the build lacks; pure."""
    if name.endswith(("_URL", "_URI", "_DSN")):
        return "sqlite://:memory:" if "DATABASE" in name or name.startswith("DB") else "http://localhost"
    if name.endswith(("_PORT", "_TIMEOUT", "_SIZE", "_COUNT", "_ID")):
        return "1"
    if name.endswith(("_HOST", "_HOSTS")):
        return "localhost"
    return "placeholder-of-the-build"


def collect_static(plan: BuildPlan, inspection: Inspection, layout: Layout, environ: Mapping[str, str]) -> None:
    """Run Django's collectstatic.

    Raises:
        CollectstaticError: It failed.
    """
    argv = [
        layout.python,
        str(Path(runtime_path(), "taxiway_runtime/collect_static.py")),
        inspection.static_root or "",
    ]
    env = _environment(plan, {**environ, **inspection.placeholders})
    result = run(argv, env=env, cwd=_home(plan, layout), echo=False, show=_is_told)
    if result.status:
        raise CollectstaticError(result.reason, result.output)


def tell_collected(output: str) -> None:
    """Print of collectstatic's output what is printed where it runs by itself."""
    for line in filter(_is_told, output.splitlines()):
        console.detail(line)


def _is_told(line: str) -> bool:
    return "static file" in line


def _ask(plan: BuildPlan, layout: Layout, environ: Mapping[str, str]) -> dict[str, Any]:
    handle, path = tempfile.mkstemp(suffix=".json")
    os.close(handle)
    try:
        argv = [layout.python, str(Path(runtime_path(), "taxiway_runtime/inspect_app.py")), plan.app, path]
        argv += ["collect"] * plan.collectstatic
        result = run(argv, env=_environment(plan, environ), cwd=_home(plan, layout), echo=False, show=lambda _: False)
        try:
            answer: dict[str, Any] = json.loads(Path(path).read_text(encoding="utf-8"))
        except ValueError:
            _, timeout, places = result.output.partition("Timeout (")  # faulthandler's report, the innermost place first
            text = (timeout + places)[:500] or result.output[-500:]
            failed = plan.framework == "django"  # what its settings say about static files isn't known
            return {"error": f"the import ended with {result.reason}: {text}", "settings_failed": failed}
        return answer
    finally:
        os.unlink(path)


def _environment(plan: BuildPlan, environ: Mapping[str, str]) -> dict[str, str]:
    env = dict(environ)
    if plan.interface in PROGRAMS:
        env.pop("TAXIWAY_STATIC_ROOT", None)  # taxiway isn't there when a program reads its settings
    if plan.django_settings:
        env.setdefault("DJANGO_SETTINGS_MODULE", plan.django_settings)
    return env


def _home(plan: BuildPlan, layout: Layout) -> Path:
    return Path(layout.source, plan.home)


def report(inspection: Inspection) -> None:
    """Tell what the build had to assume."""
    for name, value in inspection.placeholders.items():
        console.warn(
            f"{name} isn't set during the build; {value!r} stands in for it in this step only. "
            "A value for builds goes into .taxiway/build-env."
        )
    if inspection.error:
        console.warn(f"The application couldn't be imported during the build: {inspection.error[:500]}")
        if advice := native.advice(inspection.error):
            console.warn(advice)


def missing_program(command: str, path: str) -> str | None:
    """Name the program that a command line begins with, if it isn't on a PATH; what only a shell can tell counts as there."""
    try:
        words = shlex.split(command, posix=True)
    except ValueError:
        return None
    for word in words:
        if "=" in word or word in {"exec", "env"}:
            continue
        if not re.fullmatch(r"[A-Za-z0-9][\w.-]*", word) or word in _OF_SHELLS or shutil.which(word, path=path):
            return None
        return word
    return None


def without_static(inspection: Inspection) -> Inspection:
    """Return the inspection of an application whose static files aren't collected."""
    return replace(inspection, static_url=None, static_root=None, static_root_supplied=False)
