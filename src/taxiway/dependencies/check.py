"""Whether what is installed is all that it needs, as `pip check` asks: a lock is installed without resolving it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from taxiway import console
from taxiway.dependencies.formats.common import Key, Selection, closure
from taxiway.dependencies.pins import Pin, PinnedList
from taxiway.errors import ConflictingPinsError, IncompleteLockError
from taxiway.layout import Layout

_NAMED = 3  # of what is warned about: S2I reports a kilobyte of stderr


class Metadata(NamedTuple):
    """What a distribution says that it needs (core metadata, `Requires-Dist`)."""

    version: str
    requires: tuple[Requirement, ...]


def read(layout: Layout) -> dict[str, Metadata]:
    """Read the metadata of all that is installed, by normalized name."""
    paths = sorted(Path(layout.app_root, "lib").glob("python*/site-packages/*.dist-info/METADATA"))
    return dict(parse(path.read_text(encoding="utf-8", errors="replace")) for path in paths)


def parse(text: str) -> tuple[str, Metadata]:
    """Read a METADATA: the normalized name, and what is needed; pure."""
    from email.parser import HeaderParser  # noqa: PLC0415  # only after an installation

    headers = HeaderParser().parsestr(text, headersonly=True)
    requires = tuple(_requirements(headers.get_all("Requires-Dist", [])))
    return canonicalize_name(str(headers["Name"])), Metadata(str(headers["Version"]), requires)


def _requirements(lines: Sequence[str]) -> Iterator[Requirement]:
    for line in lines:
        try:
            yield Requirement(line)
        except InvalidRequirement:
            continue  # an old notation; installers pass over it too


class Problems(NamedTuple):
    """What `pip check` would say, with the lines of the lock."""

    missing: list[str]
    conflicting: list[str]


def problems(installed: Mapping[str, Metadata], pins: Iterable[Pin], selection: Selection) -> Problems:
    """Say what is needed but isn't there, or is there in another version, who needs it, and where that stands; pure.

    Args:
        installed: What is there.
        pins: What was asked for.
        selection: The marker environment.
    """
    roots: dict[Key, Pin] = {}
    for pin in pins:
        extras = _extras(pin.requirement)
        roots |= {(canonicalize_name(pin.name), extra): pin for extra in ("", *extras) if pin.name}
    needs: dict[tuple[str, str], Requirement] = {}  # by who needs it and what

    def follow(key: Key) -> Iterator[Key]:
        name, extra = key
        for requirement in installed[name].requires if name in installed else ():
            if selection.fulfils(requirement.marker, (extra,)) and (extra or selection.fulfils(requirement.marker)):
                needs[name, str(requirement)] = requirement
                yield from ((canonicalize_name(requirement.name), wanted) for wanted in ("", *requirement.extras))

    closure(roots, follow)

    def told(name: str) -> str:
        asked = roots.get((name, ""))
        return f"{name} {installed[name].version}" + (f" ({asked.origin})" if asked else "")

    found: dict[str, str] = {}
    conflicting: list[str] = []
    for (parent, _), requirement in sorted(needs.items()):
        needed = canonicalize_name(requirement.name)
        wanted = f"{requirement.name}{requirement.specifier}, which {told(parent)} needs"
        if needed not in installed:
            found.setdefault(needed, wanted)
        elif not requirement.specifier.contains(installed[needed].version, prereleases=True):
            conflicting.append(f"{told(needed)} isn't {wanted}")
    return Problems([found[name] for name in sorted(found)], conflicting)


def _extras(requirement: str) -> list[str]:
    try:
        return sorted(Requirement(requirement).extras)
    except InvalidRequirement:
        return []


def check(pinned: PinnedList, layout: Layout, selection: Selection | None = None, *, strict: bool) -> None:
    """Refuse an installation that lacks something, and warn of versions that do not fit; only for complete lists.

    Raises:
        IncompleteLockError: Something is needed that the list doesn't have.
        ConflictingPinsError: Versions don't fit together, and `strict` is set.
    """
    if not pinned.complete:
        return
    missing, conflicting = problems(read(layout), pinned.applicable, selection or Selection())
    if missing:
        raise IncompleteLockError(pinned.file, missing)
    if conflicting and strict:
        raise ConflictingPinsError(pinned.file, conflicting)
    if conflicting:
        more = f"; and {len(conflicting) - _NAMED} more" * (len(conflicting) > _NAMED)
        console.warn(f"{pinned.file} has versions that don't fit together: {'; '.join(conflicting[:_NAMED])}{more}")
