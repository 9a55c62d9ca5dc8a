"""What is the matter with an application's source: whatever a build would refuse, and what it would warn about."""

import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from taxiway.assemble import resolve_settings
from taxiway.detect import look
from taxiway.doctor import MISSING, OK, WRONG, Finding
from taxiway.errors import TaxiwayError
from taxiway.hooks import NAMES, find
from taxiway.plan import BuildPlan, decide

IMAGE_PYTHON = "3.13"  # of the builder image on Debian 13 (trixie)
_AREA = "project"
_SIGNS = (
    "*.py",
    "*.ipynb",
    "pyproject.toml",
    "taxiway.toml",
    "requirements*",
    "Pipfile*",
    "Procfile",
    "app.sh",
    ".taxiway",
    ".s2i",
)


def is_one(source: Path) -> bool:
    """Tell whether there is an application's source."""
    return any(next(source.glob(pattern), None) for pattern in _SIGNS)


def check(source: Path, environ: Mapping[str, str]) -> list[Finding]:
    """Look at the source as a build does; its first refusal ends that, all else is still told."""
    warnings: list[str] = []
    found = []
    try:
        settings = resolve_settings(environ, source, warn=warnings.append)
        plan = decide(look(source, settings), settings)
    except TaxiwayError as error:
        found.append(_refused(error))
    else:
        found += _planned(plan)
    found += [Finding(_AREA, MISSING, warning) for warning in warnings]
    for name in NAMES:
        try:
            find(str(source), name)
        except TaxiwayError as error:
            found.append(_refused(error))
    return [*found, *_python(source)]


def _refused(error: TaxiwayError) -> Finding:
    what, _, advice = str(error).partition("\n\n")
    headline = what if what.partition("\n")[0].endswith(":") else what.partition("\n")[0]
    return Finding(_AREA, WRONG, f"{' '.join(headline.split())} [{error.code}]", " ".join(advice.split()))


def _planned(plan: BuildPlan) -> Iterator[Finding]:
    yield Finding(_AREA, OK, f"starts {plan.app} under {plan.server}")
    for warning in plan.warnings:
        yield Finding(_AREA, MISSING, warning)
    if plan.requirements is None:
        yield Finding(_AREA, MISSING, "no requirements: nothing is installed but a server", "requirements.in, then: taxiway lock")
    elif plan.unpinned or not plan.require_hashes:
        lacking = f"{len(plan.unpinned)} without a version" if plan.unpinned else "without hashes"
        yield Finding(_AREA, MISSING, f"{plan.requirements} isn't locked: {lacking}", "taxiway lock")
    else:
        yield Finding(_AREA, OK, f"{plan.requirements} is locked, with hashes")


def _python(source: Path) -> Iterator[Finding]:
    """Compare requires-python with the Python here and with that of the builder image."""
    wanted = requires_python(source)
    try:
        allowed = SpecifierSet(wanted)
    except InvalidSpecifier:
        yield Finding(_AREA, WRONG, f"requires-python {wanted!r} in pyproject.toml is no version specifier (PEP 440)")
        return
    if not wanted:
        return
    for version, where in (
        (f"{sys.version_info.major}.{sys.version_info.minor}", "here"),
        (IMAGE_PYTHON, "in the builder image"),
    ):
        if allowed.contains(f"{version}.99" if version.count(".") == 1 else version):
            yield Finding(_AREA, OK, f"requires-python {wanted}: Python {version} {where} fits")
        else:
            yield Finding(_AREA, MISSING, f"requires-python {wanted}: Python {version} {where} doesn't fit")


def requires_python(source: Path) -> str:
    """Return what the project says about Python's version; empty where it doesn't."""
    path = source / "pyproject.toml"
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8")).get("project", {}) if path.is_file() else {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        return ""  # the settings are read from the same file, and refused for it
    wanted = table.get("requires-python", "") if isinstance(table, dict) else ""
    return wanted if isinstance(wanted, str) else ""
