"""poetry.lock: TOML that holds all that an installer needs.

Read without poetry's exporter, which would bring a hundred megabytes of packages for what is a list of pins; markers and groups
are in the file since lock-version 2.1 (poetry 2), before that they follow from pyproject.toml.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from taxiway.dependencies.formats.common import (
    Document,
    Key,
    Selection,
    check_fresh,
    check_names,
    check_python,
    closure,
    line_of,
    local_line,
    project_requirements,
    read_toml,
    unsatisfied,
    vcs_url,
)
from taxiway.dependencies.formats.pylock import index_options
from taxiway.dependencies.pins import Pin, PinnedList
from taxiway.errors import BadLockError

NAME = "poetry.lock"
FILES = (NAME,)
REFRESH = "poetry lock"
MAIN = "main"


def read(path: Path, source: Path, selection: Selection) -> PinnedList:
    """Read a poetry.lock.

    Raises:
        BadLockError: It is no lock, or older than poetry 1.5.
        LockedForOtherPythonError: It is for another Python.
        UnknownGroupError: It lacks an extra or group.
        LockOutdatedError: pyproject.toml asks for something else.
    """
    document = read_toml(path, source)
    manifest = read_toml(path.with_name("pyproject.toml"), source)
    metadata = document.data.get("metadata", {})
    version = str(metadata.get("lock-version", ""))
    if version not in {"2.0", "2.1"}:
        raise BadLockError(
            document.file, f"its lock-version is {version or 'missing'}, expected 2.0 or 2.1; lock again: {REFRESH}"
        )
    packages: list[dict[str, Any]] = document.data.get("package", [])
    lines = document.lines_of("package")
    groups = {group for p in packages for group in p.get("groups", ())} | set(_groups(manifest))
    check_names(selection.extras, document.data.get("extras", {}), "extras", document.file)
    check_names(selection.groups, groups, "groups", document.file)
    chosen = {MAIN, *(canonicalize_name(group) for group in selection.groups)}
    if version == "2.0":
        applies = _applying(packages, document, manifest, chosen, selection)
        entries = [(p, line, p["name"] in applies) for p, line in zip(packages, lines, strict=True)]
    else:
        entries = [
            (p, line, any(selection.fulfils(marker, selection.extras) for marker in _markers(p, chosen)))
            for p, line in zip(packages, lines, strict=True)
            if {canonicalize_name(group) for group in p["groups"]} & chosen
        ]
    pins = tuple(_pin(p, document.file, line, applies=applies) for p, line, applies in entries)
    _check_fresh(pins, document, manifest, selection, chosen)
    check_python(_pep440(str(metadata.get("python-versions", ""))), selection, document.file)
    sources = [p.get("source", {}) for p in packages]
    indexes = dict.fromkeys(s["url"] for s in sources if s.get("type") == "legacy")
    return PinnedList(
        format=NAME,
        file=document.file,
        pins=pins,
        complete=True,
        contents=(document.text,),
        options=index_options(indexes, public_too=any(s.get("type") != "legacy" for s in sources)),
    )


def _markers(package: Mapping[str, Any], chosen: set[str]) -> Iterator[str | None]:
    """Yield a package's marker for each group that is chosen; one text stands for all groups."""
    markers = package.get("markers")
    for group in package["groups"]:
        if canonicalize_name(group) in chosen:
            yield markers.get(group) if isinstance(markers, dict) else markers


def _pin(package: Mapping[str, Any], file: str, line: int, *, applies: bool) -> Pin:
    name, version, origin = package["name"], package["version"], package.get("source", {})
    requirement, url = f"{name}=={version}", None
    kind = origin.get("type")
    if kind == "git":
        url = vcs_url("git", origin["url"], origin["resolved_reference"], origin.get("subdirectory"))
        requirement = f"{name} @ {url}"
    elif kind == "url":
        url = origin["url"]
        requirement = f"{name} @ {url}"
    elif kind in {"directory", "file"}:
        url = origin["url"]
        requirement = local_line(url, editable=bool(package.get("develop")))
    return Pin(
        name=canonicalize_name(name),
        version=version,
        requirement=requirement,
        hashes=tuple(file["hash"] for file in package.get("files", ()) if "hash" in file) if kind != "directory" else (),
        file=file,
        line=line,
        url=url,
        editable=bool(package.get("develop")),
        applies=applies,
    )


def _groups(manifest: Document) -> dict[str, Mapping[str, Any]]:
    """Return the dependencies of each group of pyproject.toml."""
    poetry = manifest.data.get("tool", {}).get("poetry", {})
    found = {MAIN: poetry.get("dependencies", {})}
    if "dev-dependencies" in poetry:
        found["dev"] = poetry["dev-dependencies"]
    for name, group in poetry.get("group", {}).items():
        found[canonicalize_name(name)] = group.get("dependencies", {})
    return found


def _applying(
    packages: list[dict[str, Any]], document: Document, manifest: Document, chosen: set[str], selection: Selection
) -> set[str]:
    """Follow the dependencies from pyproject.toml on: before lock-version 2.1 packages don't say what they are for."""
    by_name: dict[str, dict[str, Any]] = {canonicalize_name(p["name"]): p for p in packages}
    extras = {canonicalize_name(extra): names for extra, names in document.data.get("extras", {}).items()}
    wanted = {canonicalize_name(name) for extra in selection.extras for name in extras.get(canonicalize_name(extra), ())}

    def applying(dependencies: Mapping[str, Any], extra: str = "") -> Iterator[Key]:
        for name, value in dependencies.items():
            for entry in value if isinstance(value, list) else [value]:
                table = entry if isinstance(entry, dict) else {}
                by_marker = selection.fulfils(table.get("markers"), (extra,))
                if by_marker and (not table.get("optional") or canonicalize_name(name) in wanted or extra):
                    yield from ((canonicalize_name(name), e) for e in ("", *table.get("extras", ())))

    def follow(key: Key) -> Iterator[Key]:
        name, extra = key
        package = by_name.get(name, {})
        yield from applying(package.get("dependencies", {}), extra)

    roots = [key for name, group in _groups(manifest).items() if name in chosen for key in applying(group) if key[0] != "python"]
    return {by_name[name]["name"] for name, _ in closure(roots, follow) if name in by_name}


def _check_fresh(pins: tuple[Pin, ...], document: Document, manifest: Document, selection: Selection, chosen: set[str]) -> None:
    expected = document.data["metadata"].get("content-hash")
    if expected in (found := content_hashes(manifest.data)):
        return
    differences = unsatisfied(project_requirements(manifest, selection), pins, selection, document.file)
    by_name = {pin.name: pin for pin in pins}
    for group, dependencies in _groups(manifest).items():
        for name, value in dependencies.items() if group in chosen else ():
            pin = by_name.get(canonicalize_name(name))
            where = f"{manifest.file} line {line_of(manifest.text, name)}"
            wanted = value if isinstance(value, str) else value.get("version", "") if isinstance(value, dict) else ""
            if name != "python" and not pin and not (isinstance(value, dict) and value.get("optional")):
                differences.append(f"{name} {wanted} ({where}) isn't in {document.file}")
            elif pin and pin.version and (limits := _pep440(wanted)) and not _contains(limits, pin.version):
                differences.append(f"{name} {wanted} ({where}) excludes {pin.name} {pin.version} ({pin.origin})")
    line = line_of(document.text, "content-hash")
    hashes = f"content-hash: found {found[0]}, expected {expected} ({document.file} line {line})"
    check_fresh(document.file, manifest.file, [*differences, hashes], REFRESH)


def content_hashes(data: Mapping[str, Any]) -> list[str]:
    """Return the hashes that poetry writes for a pyproject.toml: today's, and the one without dependency groups of poetry < 2.2.

    Source: `Locker._get_content_hash` of poetry.
    """
    project = {
        k: v
        for k in ("requires-python", "dependencies", "optional-dependencies")
        if (v := data.get("project", {}).get(k)) is not None
    }
    poetry = data.get("tool", {}).get("poetry", {})
    found = []
    groups: Mapping[str, Any]
    for groups in (data.get("dependency-groups", {}), {}):
        relevant: dict[str, Any] = {}
        for key in ("dependencies", "source", "extras", "dev-dependencies", "group"):
            if poetry.get(key) is not None or not (key == "group" or project or groups):
                relevant[key] = poetry.get(key)
        content = relevant
        if project or groups:
            content = {**({"project": project} if project else {}), **({"dependency-groups": groups} if groups else {})}
            content["tool"] = {"poetry": relevant}
        found.append(hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest())
    return found


def _pep440(constraint: str) -> str:
    """Rewrite poetry's own `^1.2` and `~1.2` as version specifiers (PEP 440); empty for what has alternatives."""
    parts = []
    for part in constraint.split(",") if "||" not in constraint and "|" not in constraint else ():
        text = part.strip()
        if text.startswith(("^", "~")) and not text.startswith("~="):
            numbers = [int(n) for n in text[1:].split(".") if n.isdecimal()]
            keep = next((i for i, n in enumerate(numbers) if n), len(numbers) - 1) if text[0] == "^" else min(1, len(numbers) - 1)
            parts.append(f">={text[1:]},<{'.'.join(map(str, [*numbers[:keep], numbers[keep] + 1]))}")
        elif text and text != "*":
            parts.append(f"=={text}" if text[0].isdecimal() else text)
    return ",".join(parts)


def _contains(specifier: str, version: str) -> bool:
    from packaging.specifiers import InvalidSpecifier, SpecifierSet  # noqa: PLC0415  # only on the way to an error

    try:
        return SpecifierSet(specifier).contains(version, prereleases=True)
    except InvalidSpecifier:
        return True  # a notation of poetry's own; the hashes differ anyway
