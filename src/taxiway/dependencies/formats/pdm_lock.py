"""pdm.lock: TOML that holds all that an installer needs, read as it is; pdm would bring 70 megabytes of packages."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from taxiway.dependencies.formats.common import (
    Document,
    Selection,
    check_fresh,
    check_names,
    line_of,
    local_line,
    project_requirements,
    read_toml,
    unsatisfied,
    vcs_url,
)
from taxiway.dependencies.formats.pylock import index_options
from taxiway.dependencies.pins import Pin, PinnedList
from taxiway.errors import BadLockError, LockedForOtherPythonError

NAME = "pdm.lock"
FILES = (NAME,)
REFRESH = "pdm lock"
MAIN = "default"


def read(path: Path, source: Path, selection: Selection) -> PinnedList:
    """Read a pdm.lock.

    Raises:
        BadLockError: It is no lock, or doesn't say what its packages are for.
        LockedForOtherPythonError: It is for another Python.
        UnknownGroupError: It lacks an extra or group.
        LockOutdatedError: pyproject.toml asks for something else.
    """
    document = read_toml(path, source)
    manifest = read_toml(path.with_name("pyproject.toml"), source)
    metadata = document.data.get("metadata", {})
    if "inherit_metadata" not in metadata.get("strategy", ()):
        raise BadLockError(
            document.file, "packages don't say what they are for; lock again: pdm lock --strategy inherit_metadata"
        )
    _check_python(metadata, selection, document)
    groups = {canonicalize_name(group) for group in metadata.get("groups", ())}
    check_names((*selection.extras, *selection.groups), groups, "groups", document.file)
    chosen = {MAIN, *map(canonicalize_name, (*selection.extras, *selection.groups))}
    pins: dict[tuple[str, str], Pin] = {}
    for package, line in zip(document.data.get("package", []), document.lines_of("package"), strict=True):
        if not {canonicalize_name(group) for group in package.get("groups", (MAIN,))} & chosen:
            continue
        pin = _pin(package, document.file, line, applies=selection.fulfils(package.get("marker")))
        known = pins.get(key := (pin.name, package.get("version", "")))
        # A package with extras has an entry of its own beside the plain one.
        pins[key] = pin if known is None or (pin.applies and not known.applies) else known
    _check_fresh(list(pins.values()), document, manifest, selection)
    settings = manifest.data.get("tool", {}).get("pdm", {})
    indexes = dict.fromkeys(s["url"] for s in settings.get("source", ()) if s.get("type", "index") == "index" and "url" in s)
    public_too = not any(s.get("name") == "pypi" for s in settings.get("source", ()))
    return PinnedList(
        format=NAME,
        file=document.file,
        pins=tuple(pins.values()),
        complete=True,
        contents=(document.text,),
        options=index_options(indexes, public_too=public_too),
    )


def _check_python(metadata: Mapping[str, Any], selection: Selection, document: Document) -> None:
    from packaging.specifiers import SpecifierSet  # noqa: PLC0415

    version = selection.environment["python_full_version"].rstrip("+")
    targets = [t.get("requires_python", "") for t in metadata.get("targets", ())]
    if targets and not any(SpecifierSet(target).contains(version, prereleases=True) for target in targets):
        raise LockedForOtherPythonError(document.file, " or ".join(targets), version)


def _pin(package: Mapping[str, Any], file: str, line: int, *, applies: bool) -> Pin:
    name, version = package["name"], package.get("version")
    requirement, url = f"{name}=={version}", None
    if "git" in package:
        url = vcs_url("git", package["git"], package["revision"], package.get("subdirectory"))
        requirement = f"{name} @ {url}"
    elif "path" in package:
        url = package["path"]
        requirement = local_line(url, editable=bool(package.get("editable")))
    elif "url" in package:
        url = package["url"]
        requirement = f"{name} @ {url}"
    return Pin(
        name=canonicalize_name(name),
        version=version,
        requirement=requirement,
        hashes=tuple(file["hash"] for file in package.get("files", ()) if "hash" in file),
        file=file,
        line=line,
        url=url,
        editable=bool(package.get("editable")),
        applies=applies,
    )


def _check_fresh(pins: list[Pin], document: Document, manifest: Document, selection: Selection) -> None:
    expected = str(document.data["metadata"].get("content_hash", "")).removeprefix("sha256:")
    if (found := content_hash(manifest.data)) == expected:
        return
    differences = unsatisfied(project_requirements(manifest, selection), pins, selection, document.file)
    line = line_of(document.text, "content_hash")
    hashes = f"content_hash: found {found}, expected {expected} ({document.file} line {line})"
    check_fresh(document.file, manifest.file, [*differences, hashes], REFRESH)


def content_hash(data: Mapping[str, Any]) -> str:
    """Return the hash that pdm writes for a pyproject.toml. Source: `PyProject.content_hash` of pdm."""
    project, settings = data.get("project", {}), data.get("tool", {}).get("pdm", {})
    groups = {canonicalize_name(name): list(members) for name, members in data.get("dependency-groups", {}).items()}
    for name, members in settings.get("dev-dependencies", {}).items():
        groups.setdefault(canonicalize_name(name), []).extend(members)
    content = {
        "sources": settings.get("source", []),
        "dependencies": project.get("dependencies", []),
        "dev-dependencies": groups,
        "optional-dependencies": project.get("optional-dependencies", {}),
        "requires-python": project.get("requires-python", ""),
        "resolution": settings.get("resolution", {}),
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
