"""Whether what is installed is all that it needs: a lock is installed without resolving, so nobody else asks."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from taxiway.dependencies.formats.common import Key, Selection, closure
from taxiway.dependencies.pins import Pin, PinnedList
from taxiway.errors import IncompleteLockError
from taxiway.layout import Layout


class Metadata(NamedTuple):
    """What a distribution says that it needs (core metadata, `Requires-Dist`)."""

    version: str
    requires: tuple[Requirement, ...]


def read(layout: Layout) -> dict[str, Metadata]:
    """Read the metadata of all that is installed, by normalized name."""
    from email.parser import HeaderParser  # noqa: PLC0415  # only after an installation

    found: dict[str, Metadata] = {}
    for path in sorted(Path(layout.app_root, "lib").glob("python*/site-packages/*.dist-info/METADATA")):
        headers = HeaderParser().parsestr(path.read_text(encoding="utf-8", errors="replace"), headersonly=True)
        requires = tuple(_requirements(headers.get_all("Requires-Dist", [])))
        found[canonicalize_name(str(headers["Name"]))] = Metadata(str(headers["Version"]), requires)
    return found


def _requirements(lines: Sequence[str]) -> Iterator[Requirement]:
    for line in lines:
        try:
            yield Requirement(line)
        except InvalidRequirement:
            continue  # an old notation; installers pass over it too


def missing(installed: Mapping[str, Metadata], pins: Iterable[Pin], selection: Selection) -> list[str]:
    """Say what is needed but isn't there, who needs it, and where that stands; pure.

    Args:
        installed: What is there.
        pins: What was asked for.
        selection: The marker environment.
    """
    roots: dict[Key, Pin] = {}
    for pin in pins:
        extras = _extras(pin.requirement)
        roots |= {(canonicalize_name(pin.name), extra): pin for extra in ("", *extras) if pin.name}
    wanted_by: dict[str, tuple[str, Requirement]] = {}

    def follow(key: Key) -> Iterator[Key]:
        name, extra = key
        for requirement in installed[name].requires if name in installed else ():
            if selection.fulfils(requirement.marker, (extra,)) and (extra or selection.fulfils(requirement.marker)):
                needed = canonicalize_name(requirement.name)
                wanted_by.setdefault(needed, (name, requirement))
                yield from ((needed, wanted) for wanted in ("", *requirement.extras))

    reached = {name for name, _ in closure(roots, follow)}
    found = []
    for name in sorted(reached - installed.keys()):
        if name not in wanted_by:
            continue  # the installer would have failed
        parent, requirement = wanted_by[name]
        asked = roots.get((parent, ""))
        by = f"{parent} {installed[parent].version}" + (f" ({asked.origin})" if asked else "")
        found.append(f"{requirement.name}{requirement.specifier}, which {by} needs")
    return found


def _extras(requirement: str) -> list[str]:
    try:
        return sorted(Requirement(requirement).extras)
    except InvalidRequirement:
        return []


def check(pinned: PinnedList, layout: Layout, selection: Selection | None = None) -> None:
    """Refuse an installation that lacks something; only for lists that have to be complete.

    Raises:
        IncompleteLockError: Something is needed that the list doesn't have.
    """
    if pinned.complete and (found := missing(read(layout), pinned.applicable, selection or Selection())):
        raise IncompleteLockError(pinned.file, found)
