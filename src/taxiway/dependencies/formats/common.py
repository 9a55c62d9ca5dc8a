"""What several formats need: files with line numbers, the selection, and whether a lock is older than its manifest."""

import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from taxiway.dependencies import target
from taxiway.dependencies.pins import Pin
from taxiway.errors import BadLockError, LockedForOtherPythonError, LockOutdatedError, UnknownGroupError


@dataclass(frozen=True, kw_only=True)
class Selection:
    """What of a lock is installed besides its main dependencies, and where."""

    extras: tuple[str, ...] = ()
    """Extras of the project (PEP 621)."""
    groups: tuple[str, ...] = ()
    """Dependency groups (PEP 735), poetry's groups, pipenv's categories."""
    environment: Mapping[str, str] = field(default_factory=target.markers)
    """The marker environment (PEP 508) of the application's Python."""

    def fulfils(self, marker: str | Marker | None, extras: Iterable[str] = ()) -> bool:
        """Tell whether a marker is true for this Python, with any of these extras or without one."""
        if not marker:
            return True
        marker = Marker(marker) if isinstance(marker, str) else marker
        return any(marker.evaluate({**self.environment, "extra": extra}) for extra in ("", *extras))


class Asked(NamedTuple):
    """A requirement of a manifest, and where it stands."""

    requirement: Requirement
    origin: str


class Document(NamedTuple):
    """A TOML file that was read."""

    file: str
    """Relative to the source."""
    text: str
    data: dict[str, Any]

    def lines_of(self, table: str) -> list[int]:
        """Return for each element of an array of tables the line of its name, or else of its header."""
        found: list[int] = []
        open_header = False
        for number, line in enumerate(self.text.splitlines(), 1):
            if line.strip().startswith("["):
                open_header = line.strip() == f"[[{table}]]"
                if open_header:
                    found.append(number)
            elif open_header and re.match(r"\s*name\s*=", line):
                found[-1] = number
                open_header = False
        return found


def read_text(path: Path, source: Path) -> tuple[str, str]:
    """Read a file of the source; returns its name relative to that, and its text.

    Raises:
        BadLockError: It can't be read.
    """
    name = path.relative_to(source).as_posix() if path.is_relative_to(source) else str(path)
    try:
        return name, path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BadLockError(name, str(error)) from error


def read_toml(path: Path, source: Path) -> Document:
    """Read a TOML file of the source.

    Raises:
        BadLockError: It can't be read, or isn't TOML.
    """
    name, text = read_text(path, source)
    try:
        return Document(name, text, tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise BadLockError(name, str(error)) from error


def line_of(text: str, name: str) -> int:
    """Return the line of a manifest that names a package; 1 where none does."""
    parts = re.split(r"[-_.]+", name)
    named = re.compile(rf"(?<![\w.-]){'[-_.]+'.join(map(re.escape, parts))}(?![\w-])", re.IGNORECASE)
    return next((number for number, line in enumerate(text.splitlines(), 1) if named.search(line.partition(" #")[0])), 1)


def vcs_url(kind: str, url: str, commit: str, subdirectory: str | None = None) -> str:
    """Return a version control URL as installers read it (PEP 610's parts, pip's syntax)."""
    prefix = "" if url.startswith(f"{kind}+") else f"{kind}+"
    if re.match(r"[\w.-]+@[\w.-]+:", url):  # git@host:path, as ssh writes it
        url = "ssh://" + url.replace(":", "/", 1)
    return f"{prefix}{url}@{commit}" + (f"#subdirectory={subdirectory}" if subdirectory else "")


def local_line(path: str, *, editable: bool) -> str:
    """Return the line of a requirements file for a directory or file of the source."""
    place = path if path.startswith((".", "/")) else f"./{path}"
    return f"-e {place}" if editable else place


def check_names(asked: Sequence[str], known: Iterable[str], kind: str, file: str) -> None:
    """Refuse extras or groups that a lock doesn't have.

    Raises:
        UnknownGroupError: There are some.
    """
    names = {canonicalize_name(name) for name in known}
    if unknown := [name for name in asked if canonicalize_name(name) not in names]:
        raise UnknownGroupError(kind, unknown, file, sorted(names))


def check_python(specifier: str | None, selection: Selection, file: str) -> None:
    """Refuse a lock for another Python.

    Raises:
        LockedForOtherPythonError: It is.
    """
    version = selection.environment["python_full_version"].rstrip("+")
    if specifier and not SpecifierSet(specifier).contains(version, prereleases=True):
        raise LockedForOtherPythonError(file, specifier, version)


def project_requirements(manifest: Document, selection: Selection) -> list[Asked]:
    """Return what `[project]` of pyproject.toml asks for, with the chosen extras and groups (PEP 621, PEP 735).

    Raises:
        BadLockError: Something there is no requirement.
    """
    project, groups = manifest.data.get("project", {}), manifest.data.get("dependency-groups", {})
    optional = {canonicalize_name(name): lines for name, lines in project.get("optional-dependencies", {}).items()}
    lines: list[str] = [*project.get("dependencies", ())]
    for extra in selection.extras:
        lines += optional.get(canonicalize_name(extra), ())
    by_name: dict[str, Any] = {canonicalize_name(name): members for name, members in groups.items()}
    for group in selection.groups:
        lines += _group(by_name, canonicalize_name(group), ())
    try:
        requirements = [Requirement(line) for line in lines]
    except ValueError as error:
        raise BadLockError(manifest.file, str(error).splitlines()[0]) from error
    return [Asked(r, f"{manifest.file} line {line_of(manifest.text, r.name)}") for r in requirements]


def _group(groups: Mapping[str, Any], name: str, within: tuple[str, ...]) -> Iterator[str]:
    for member in groups.get(name, ()) if name not in within else ():
        if isinstance(member, str):
            yield member
        else:
            yield from _group(groups, canonicalize_name(member.get("include-group", "")), (*within, name))


def unsatisfied(asked: Iterable[Asked], pins: Sequence[Pin], selection: Selection, lock: str) -> list[str]:
    """Say which requirements of a manifest a lock doesn't have, or has in a version that they exclude."""
    found = []
    by_name = {pin.name: pin for pin in pins if pin.applies}
    for requirement, origin in asked:
        if not selection.fulfils(requirement.marker, selection.extras):
            continue
        pin = by_name.get(canonicalize_name(requirement.name))
        wanted = f"{requirement.name}{requirement.specifier} ({origin})"
        if pin is None:
            found.append(f"{wanted} isn't in {lock}")
        elif pin.version and not requirement.specifier.contains(pin.version, prereleases=True):
            found.append(f"{wanted} excludes {pin.name} {pin.version} ({pin.origin})")
    return found


def check_fresh(lock: str, manifest: str, differences: Sequence[str], refresh: str) -> None:
    """Refuse a lock that is older than its manifest.

    Raises:
        LockOutdatedError: There are differences.
    """
    if differences:
        raise LockOutdatedError(lock, manifest, differences, refresh)


Key = tuple[str, str]


def closure(roots: Iterable[Key], dependencies: Callable[[Key], Iterable[Key]]) -> set[Key]:
    """Return all that is reached from some (name, extra) pairs."""
    reached: set[Key] = set()
    waiting = list(roots)
    while waiting:
        key = waiting.pop()
        if key not in reached:
            reached.add(key)
            waiting.extend(dependencies(key))
    return reached
