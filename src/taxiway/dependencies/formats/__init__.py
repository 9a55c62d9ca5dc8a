"""Lock formats: a module for each, which reads it into a `PinnedList`; and which file is read where there are several.

To add one: a module with NAME, FILES (patterns) and `read`, and its place in `FORMATS`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from pathlib import Path
from types import ModuleType

from taxiway.dependencies import project
from taxiway.dependencies.formats import (
    pdm_lock,
    pipfile_lock,
    poetry_lock,
    pylock,
    pyproject,
    requirements_txt,
    uv_lock,
)
from taxiway.dependencies.formats.common import Selection
from taxiway.dependencies.pins import PinnedList
from taxiway.errors import MissingHashesError, MissingLockError, NoDependenciesFileError, UnpinnedError
from taxiway.settings import Settings

# The first that is there is read: locks before what may be unpinned.
FORMATS: tuple[ModuleType, ...] = (pylock, uv_lock, poetry_lock, pdm_lock, pipfile_lock, requirements_txt, pyproject)


@dataclass(frozen=True, kw_only=True)
class Dependencies:
    """What an application's dependencies are read from, and why."""

    pinned: PinnedList
    origin: str
    """What decided it."""
    passed_over: tuple[str, ...] = ()
    """Files that hold dependencies too, but aren't read."""
    project: str | None = None
    """The file because of which the project itself is installed."""


def look(source: Path, home: Path, settings: Settings, environment: Selection | None = None) -> Dependencies | None:
    """Find and read an application's dependencies; None where there are none.

    Args:
        source: The application's source.
        home: The application's directory in it, which is searched after the top of the source.
        settings: The settings.
        environment: Where they are to be installed; default: this Python.

    Raises:
        TaxiwayError: A file can't be read, isn't there, is outdated or lacks what the settings demand.
    """
    selection = Selection(
        extras=settings.extras,
        groups=settings.groups,
        **({"environment": environment.environment} if environment else {}),
    )
    there = [path for place in dict.fromkeys((source, home)) for path in candidates(place)]
    if settings.dependencies:
        origin = settings.origin("dependencies")
        lists = [read(_named(word, source, origin), source, selection) for word in settings.dependencies]
        pinned = _join([p for p in lists if p])
    else:
        origin, pinned = "", None
        for path in there:
            if not (path.name == pyproject.NAME and not settings.install_pyproject):
                pinned = pinned or read(path, source, selection)
        _refuse_manifest_alone(pinned, home, source)
    own = project.look(source, settings)
    pinned = project.add(own, pinned)
    if pinned is None:
        return None
    _check(pinned, strict=settings.strict)
    others = [path.relative_to(source).as_posix() for path in there if path.name != pyproject.NAME]
    if pinned.format == project.NAME:
        origin = project.NAME
    return Dependencies(
        pinned=pinned,
        origin=origin or ("the first of the formats that is there" if len(others) > 1 else "the only one there"),
        passed_over=tuple(name for name in others if name != pinned.file and name not in settings.dependencies),
        project=own.file if own else None,
    )


def candidates(place: Path) -> list[Path]:
    """Return the files of a directory that could be read, the preferred one first."""
    names = sorted(path.name for path in place.iterdir() if path.is_file()) if place.is_dir() else []
    # pylock.NAME.toml has to be asked for: it is for something that its name says.
    return [place / name for form in FORMATS for name in names if name in form.FILES]


def read(path: Path, source: Path, selection: Selection) -> PinnedList | None:
    """Read a file in the format that its name says; what has no such name is a requirements file."""
    form = next((f for f in FORMATS if any(fnmatch(path.name, pattern) for pattern in f.FILES)), requirements_txt)
    found: PinnedList | None = form.read(path, source, selection)
    return replace(found, files=found.files or (found.file,)) if found else None


def _named(word: str, source: Path, origin: str) -> Path:
    """Return the file of a setting, which may name several of which the first that is there counts: `A|B`."""
    names = word.split("|")
    for name in names:
        path = source / name
        if path.is_file() and path.resolve().is_relative_to(source.resolve()):
            return path
        if name == pipfile_lock.NAME and (source / "Pipfile").is_file():
            raise MissingLockError("Pipfile", pipfile_lock.NAME, pipfile_lock.REFRESH)
    found = [p.name for p in candidates(source)]
    raise NoDependenciesFileError(word, origin, found)


def _refuse_manifest_alone(pinned: PinnedList | None, home: Path, source: Path) -> None:
    """A Pipfile without anything that is installed from is a lock that was forgotten."""
    if pinned is None or pinned.format == pyproject.NAME:
        for place in dict.fromkeys((source, home)):
            if (place / "Pipfile").is_file():
                raise MissingLockError("Pipfile", pipfile_lock.NAME, pipfile_lock.REFRESH)


def _join(lists: Sequence[PinnedList]) -> PinnedList | None:
    """Put several files into one list, as pip does with several `-r`."""
    if len(lists) < 2:  # noqa: PLR2004
        return lists[0] if lists else None
    return PinnedList(
        format=lists[0].format,
        file=" ".join(pinned.file for pinned in lists),
        pins=tuple(pin for pinned in lists for pin in pinned.pins),
        complete=all(pinned.complete for pinned in lists),
        contents=tuple(text for pinned in lists for text in pinned.contents),
        options=tuple(option for pinned in lists for option in pinned.options),
        files=tuple(file for pinned in lists for file in pinned.files),
    )


def _check(pinned: PinnedList, *, strict: bool) -> None:
    """Refuse a list in which hashes are missing, and under `strict` one that isn't pinned."""
    if pinned.complete:
        bare = [p for p in pinned.applicable if not p.hashes and not p.is_local and not (p.url and p.is_pinned)]
        if bare:
            raise MissingHashesError([f"{pin.requirement} ({pin.origin})" for pin in bare], pinned.file)
    elif strict:
        loose = [f"{pin.requirement} ({pin.origin})" for pin in pinned.applicable if not pin.is_local and not pin.hashes]
        if loose:
            raise UnpinnedError(loose)
