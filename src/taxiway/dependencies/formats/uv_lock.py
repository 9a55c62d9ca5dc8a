"""uv.lock: exported by uv itself, because its format is uv's own; the file's text says on which line a package stands.

uv writes requirements here, not a pylock.toml: for the latter it would download a file that has no hash, and trust it.
"""

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from taxiway import process
from taxiway.dependencies.formats import requirements_txt
from taxiway.dependencies.formats.common import (
    Asked,
    Document,
    Selection,
    check_fresh,
    check_names,
    check_python,
    project_requirements,
    read_toml,
)
from taxiway.dependencies.formats.pylock import index_options
from taxiway.dependencies.pins import Pin, PinnedList
from taxiway.errors import BadLockError, TaxiwayError

NAME = "uv.lock"
FILES = (NAME,)
REFRESH = "uv lock"


def read(path: Path, source: Path, selection: Selection) -> PinnedList:
    """Read a uv.lock.

    Raises:
        BadLockError: uv can't read it, or isn't there.
        LockedForOtherPythonError: It is for another Python.
        UnknownGroupError: It lacks an extra or group.
        LockOutdatedError: pyproject.toml asks for something else.
    """
    document = read_toml(path, source)
    manifest = read_toml(path.with_name("pyproject.toml"), source)
    packages: list[dict[str, Any]] = document.data.get("package", [])
    check_python(document.data.get("requires-python"), selection, document.file)
    root = next((p for p in packages if p.get("source", {}).keys() & {"virtual", "editable"} and _place(p) == "."), None)
    check_names(selection.extras, manifest.data.get("project", {}).get("optional-dependencies", {}), "extras", document.file)
    check_names(selection.groups, manifest.data.get("dependency-groups", {}), "groups", document.file)
    lines: dict[tuple[str, str | None], int] = {
        (canonicalize_name(p["name"]), p.get("version")): line
        for p, line in zip(packages, document.lines_of("package"), strict=True)
    }
    if root:
        check_fresh(document.file, manifest.file, _differences(root, document, manifest, selection), REFRESH)
    pins = []
    for _, line in requirements_txt.logical_lines(_export(path, selection)):
        pin = requirements_txt.parse_line(line, document.file, 1, selection.environment)
        pins.append(_placed(pin, lines, packages))
    indexes = dict.fromkeys(url for p in packages if (url := p.get("source", {}).get("registry", "")).startswith("http"))
    return PinnedList(
        format=NAME,
        file=document.file,
        pins=tuple(pins),
        complete=True,
        contents=(document.text,),
        options=index_options(indexes),
    )


def _place(package: Mapping[str, Any]) -> str:
    return str(next(iter(package["source"].values())))


def _placed(pin: Pin, lines: Mapping[tuple[str, str | None], int], packages: list[dict[str, Any]]) -> Pin:
    """Find a pin's line, and the name of a directory."""
    name = pin.name
    if pin.is_local:
        wanted = os.path.normpath(pin.url or "")
        places = {os.path.normpath(_place(p)): p["name"] for p in packages if "registry" not in p.get("source", {})}
        name = canonicalize_name(places.get(wanted, name))
    line = lines.get((name, pin.version)) or next((line for (n, _), line in lines.items() if n == name), 1)
    return Pin(**{**vars(pin), "name": name, "line": line})


def _export(path: Path, selection: Selection) -> str:
    beside = os.path.join(os.path.dirname(sys.executable), "uv")
    argv = [beside if os.access(beside, os.X_OK) else "uv", "export", "--frozen", "--offline", "--no-cache", "--quiet"]
    argv += ["--no-python-downloads", "--format", "requirements-txt", "--no-header", "--no-annotate", "--no-default-groups"]
    argv += ["--no-emit-project", "--no-editable"]
    argv += [f"--extra={extra}" for extra in selection.extras] + [f"--group={group}" for group in selection.groups]
    try:
        result = process.output(
            argv, env={name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}, cwd=path.parent
        )
    except TaxiwayError as error:
        raise BadLockError(path.name, f"reading it needs uv ({error}); install it: pip install uv") from error
    if result.status:
        raise BadLockError(path.name, re.sub(r"^error: ", "", result.output.strip()) or result.reason)
    return result.output


def _differences(root: Mapping[str, Any], lock: Document, manifest: Document, selection: Selection) -> list[str]:
    """Compare what uv stored of the manifest with the manifest, as far as it counts on this Python.

    Markers aren't compared as text: uv writes them in its own way.
    """
    stored = root.get("metadata", {})
    locked = [*stored.get("requires-dist", ()), *(r for g in selection.groups for r in _group(stored, g))]
    asked = project_requirements(manifest, selection)
    then = {_entry(r): r["name"] for r in locked if selection.fulfils(r.get("marker"), selection.extras)}
    now = {_wanted(a): a for a in asked if selection.fulfils(a.requirement.marker, selection.extras)}
    found = [
        f"{a.requirement.name}{a.requirement.specifier} ({a.origin}) isn't in {lock.file}"
        for k, a in now.items()
        if k not in then
    ]
    for key in then.keys() - now.keys():
        line = next((n for n, text in enumerate(lock.text.splitlines(), 1) if "specifier" in text and f'"{key[0]}"' in text), 1)
        found.append(f"{key[0]}{key[2]} ({lock.file} line {line}) isn't in {manifest.file}")
    return found


def _group(stored: Mapping[str, Any], group: str) -> list[dict[str, Any]]:
    return next((v for k, v in stored.get("requires-dev", {}).items() if canonicalize_name(k) == canonicalize_name(group)), [])


def _entry(stored: Mapping[str, Any]) -> tuple[str, frozenset[str], str]:
    return canonicalize_name(stored["name"]), frozenset(stored.get("extras", ())), str(SpecifierSet(stored.get("specifier", "")))


def _wanted(asked: Asked) -> tuple[str, frozenset[str], str]:
    r = asked.requirement
    return canonicalize_name(r.name), frozenset(r.extras), str(r.specifier)
