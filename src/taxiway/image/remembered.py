"""Which image came of a step that takes nothing but images.

Engines look into their cache only after they have read what is copied, which takes seconds for an application's dependencies. So
the ID of the image is remembered, by all that decides about it, in the user's cache (XDG Base Directory Specification). The image
itself is the engine's; where it is gone, it is made again.
"""

import hashlib
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

_KEPT = 200
"""Steps that are remembered; the oldest are forgotten."""


def key(parts: Sequence[object]) -> str:
    """Make a name of all that decides about an image; pure."""
    return hashlib.sha256(repr(tuple(map(str, parts))).encode()).hexdigest()


def find(name: str, environ: Mapping[str, str]) -> str | None:
    """Return the ID of the image that was made."""
    with suppress(OSError):
        return (_directory(environ) / name).read_text(encoding="ascii")
    return None


def keep(name: str, identifier: str, environ: Mapping[str, str]) -> None:
    """Remember an image; nothing happens where that can't be written."""
    directory = _directory(environ)
    with suppress(OSError):
        directory.mkdir(parents=True, exist_ok=True)
        new = directory / f".{name}.{os.getpid()}"
        new.write_text(identifier, encoding="ascii")
        new.replace(directory / name)
        known = sorted(directory.glob("[!.]*"), key=lambda path: path.stat().st_mtime)
        for old in known[:-_KEPT]:
            old.unlink(missing_ok=True)


def _directory(environ: Mapping[str, str]) -> Path:
    cache = environ.get("XDG_CACHE_HOME") or Path(environ.get("HOME") or Path.home(), ".cache")
    return Path(cache, "taxiway", "images")
