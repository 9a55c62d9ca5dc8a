"""Pipfile.lock: JSON that holds all that an installer needs, read as it is; pipenv would bring 60 megabytes of packages."""

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from taxiway.dependencies.formats.common import (
    Asked,
    Document,
    Selection,
    check_fresh,
    check_names,
    check_python,
    line_of,
    local_line,
    read_text,
    read_toml,
    unsatisfied,
    vcs_url,
)
from taxiway.dependencies.formats.pylock import index_options
from taxiway.dependencies.pins import PUBLIC_INDEX, Pin, PinnedList
from taxiway.errors import BadLockError

NAME = "Pipfile.lock"
FILES = (NAME,)
REFRESH = "pipenv lock"
_MARKERS = ("os_name", "sys_platform", "platform_machine", "platform_system", "python_version", "python_full_version")
_DEFAULT_SOURCE = {"name": "pypi", "url": PUBLIC_INDEX, "verify_ssl": True}


def read(path: Path, source: Path, selection: Selection) -> PinnedList:
    """Read a Pipfile.lock.

    Raises:
        BadLockError: It isn't one.
        LockedForOtherPythonError: It is for another Python.
        UnknownGroupError: It lacks a category.
        LockOutdatedError: The Pipfile asks for something else.
    """
    file, text = read_text(path, source)
    manifest = read_toml(path.with_name("Pipfile"), source)
    try:
        data = json.loads(text)
        meta = data["_meta"]
    except (ValueError, KeyError, TypeError) as error:
        raise BadLockError(file, str(error)) from error
    check_names((*selection.extras, *selection.groups), data, "categories", file)
    chosen = ["default", *(key for key in data if key in {*selection.groups, *selection.extras})]
    pins: dict[str, Pin] = {}
    for category in chosen:
        for name, entry in data.get(category, {}).items():
            pins.setdefault(name, _pin(name, entry, file, _line(text, category, name), selection))
    _check_fresh(list(pins.values()), file, meta, manifest, selection)
    requires = meta.get("requires", {})
    exact = requires.get("python_full_version")
    series = requires.get("python_version")
    check_python(f"=={exact}" if exact else f"=={series}.*" if series else None, selection, file)
    return PinnedList(
        format=NAME,
        file=file,
        pins=tuple(pins.values()),
        complete=True,
        contents=(text,),
        options=index_options(dict.fromkeys(s["url"] for s in meta.get("sources", ()))),
    )


def _line(text: str, category: str, name: str) -> int:
    """Return the line of an entry, as pipenv writes it: categories indented once, packages twice."""
    within, unit = False, ""
    for number, line in enumerate(text.splitlines(), 1):
        indent, key = match.groups() if (match := re.match(r'(\s+)"([^"]+)": \{', line)) else ("", "")
        if key and (not unit or indent == unit):
            unit, within = indent, key == category
        elif within and key == name:
            return number
    return 1


def _pin(name: str, entry: Mapping[str, Any], file: str, line: int, selection: Selection) -> Pin:
    extras = f"[{','.join(entry['extras'])}]" if entry.get("extras") else ""
    version = str(entry.get("version", "*")).removeprefix("==")
    requirement, url = f"{name}{extras}=={version}" if version != "*" else name + extras, None
    if "git" in entry:
        url = vcs_url("git", entry["git"], entry["ref"], entry.get("subdirectory"))
        requirement = f"{name}{extras} @ {url}"
    elif place := entry.get("path") or entry.get("file"):
        url = place
        requirement = (
            f"{name}{extras} @ {url}" if "://" in url else local_line(url + extras, editable=bool(entry.get("editable")))
        )
    return Pin(
        name=canonicalize_name(name),
        version=version if version != "*" else None,
        requirement=requirement,
        hashes=tuple(entry.get("hashes", ())),
        file=file,
        line=line,
        url=url,
        editable=bool(entry.get("editable")),
        applies=selection.fulfils(entry.get("markers")),
    )


def _check_fresh(pins: list[Pin], file: str, meta: Mapping[str, Any], manifest: Document, selection: Selection) -> None:
    expected = meta.get("hash", {}).get("sha256")
    if (found := pipfile_hash(manifest.data)) == expected:
        return
    differences = unsatisfied(_asked(manifest, selection), pins, selection, file)
    hashes = f"hash: found {found}, expected {expected} ({file})"
    check_fresh(file, manifest.file, [*differences, hashes], REFRESH)


def _asked(manifest: Document, selection: Selection) -> list[Asked]:
    found = []
    for category in ("packages", *selection.groups):
        for name, value in manifest.data.get(category, {}).items():
            entry = value if isinstance(value, dict) else {"version": value}
            version = entry.get("version", "*")
            markers = [entry["markers"]] if "markers" in entry else []
            markers += [f"{key} {entry[key]}" for key in _MARKERS if key in entry]
            text = name + ("" if version == "*" else version) + (f"; {' and '.join(markers)}" if markers else "")
            try:
                found.append(Asked(Requirement(text), f"{manifest.file} line {line_of(manifest.text, name)}"))
            except InvalidRequirement:
                continue  # only to say more about hashes that differ
    return found


def pipfile_hash(data: Mapping[str, Any]) -> str:
    """Return the hash that pipenv writes for a Pipfile. Source: `Pipfile.get_hash` of plette."""
    content = {
        "_meta": {"sources": data.get("source") or [_DEFAULT_SOURCE], "requires": data.get("requires", {})},
        "default": data.get("packages", {}),
        "develop": data.get("dev-packages", {}),
    }
    known = {"source", "packages", "dev-packages", "requires", "scripts", "pipfile", "pipenv", "default", "develop"}
    content |= {category: values for category, values in data.items() if category not in known}
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
