"""Which files of a source decide what is installed, besides the source itself: what a layer of dependencies is made from."""

import os
from collections.abc import Iterator
from pathlib import Path

from taxiway import environment
from taxiway.dependencies import wheelhouse
from taxiway.dependencies.pins import Pin, PinnedList

_TOP = ("pyproject.toml", "taxiway.toml", "uv.toml")  # settings: taxiway's, and those that uv looks for where it runs
_MANIFESTS = ("pyproject.toml", "Pipfile")  # a lock is compared with the one beside it
_WARPDRIVE = tuple(f".warpdrive/{name}" for name in ("home", "server_type", "deploy_mode"))


def is_in_place(pin: Pin) -> bool:
    """Tell whether what is installed refers to the source, as `-e .` does; pure."""
    return pin.is_local and (pin.editable or os.path.normpath(pin.url or "") == ".")


def paths(source: Path, pinned: PinnedList | None) -> list[str]:
    """List these files and directories, relative to the source, sorted; nothing that isn't there."""
    found = {os.path.normpath(path) for path in _candidates(source, pinned)}
    return sorted(path for path in found if not path.startswith((os.pardir, os.sep)) and os.path.lexists(source / path))


def _candidates(source: Path, pinned: PinnedList | None) -> Iterator[str]:
    yield from (*_TOP, *_MANIFESTS, *_WARPDRIVE)
    yield from (os.path.relpath(path, source) for path in environment.files(str(source), environment.BUILD))
    yield from (place for place in wheelhouse.PLACES if any((source / place).glob("*.whl")))
    for file in pinned.files if pinned else ():
        yield file
        yield from (os.path.join(os.path.dirname(file), name) for name in _MANIFESTS)
    yield from (pin.url for pin in (pinned.applicable if pinned else ()) if pin.url and pin.is_local and not is_in_place(pin))
