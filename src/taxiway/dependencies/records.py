"""What is installed in the application's environment, from each distribution's RECORD.

Format: the packaging specification "Recording installed projects".
"""

import base64
import contextlib
import csv
import glob
import hashlib
import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from packaging.utils import canonicalize_name

from taxiway.layout import Layout


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One row of a RECORD."""

    path: str
    """Relative to site-packages, with slashes; may lead out of it, as scripts do."""
    digest: str
    """`algorithm=base64`, empty for what has none: RECORD itself, bytecode."""
    size: str


@dataclass(frozen=True, kw_only=True)
class Distribution:
    """One installed distribution."""

    name: str
    """Normalized (PEP 503)."""
    version: str
    metadata: Path
    """Its .dist-info directory."""

    @property
    def site_packages(self) -> Path:
        """What the paths of its RECORD are relative to."""
        return self.metadata.parent

    @property
    def record(self) -> Path:
        """Its RECORD."""
        return self.metadata / "RECORD"

    def entries(self) -> list[Entry]:
        """Read its RECORD; empty where there is none."""
        try:
            return parse(self.record.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return []


def parse(text: str) -> list[Entry]:
    """Read a RECORD; pure."""
    rows = (row for row in csv.reader(text.splitlines()) if row)
    return [Entry(path=path, digest=digest, size=size) for path, digest, size in ((*row, "", "")[:3] for row in rows)]


def distributions(layout: Layout) -> list[Distribution]:
    """List what is installed, by name."""
    found = []
    for metadata in Path(layout.app_root, "lib").glob("python*/site-packages/*.dist-info"):
        name, _, version = metadata.name.removesuffix(".dist-info").partition("-")
        found.append(Distribution(name=canonicalize_name(name), version=version, metadata=metadata))
    return sorted(found, key=lambda distribution: distribution.name)


def digest(content: bytes, algorithm: str = "sha256") -> str:
    """Return a hash as RECORD writes it."""
    raw = hashlib.new(algorithm, content).digest()
    return f"{algorithm}={base64.urlsafe_b64encode(raw).decode().rstrip('=')}"


def entry(path: str, content: bytes) -> Entry:
    """Return the row of a file."""
    return Entry(path=path, digest=digest(content), size=str(len(content)))


def write(distribution: Distribution, entries: list[Entry]) -> None:
    """Write a RECORD, in an order that doesn't depend on the installer."""
    with distribution.record.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerows((e.path, e.digest, e.size) for e in sorted(entries, key=lambda e: e.path))


def differences(distribution: Distribution) -> Iterator[str]:
    """Compare a distribution's files with its RECORD; yields a line for each that differs."""
    name = f"{distribution.name} {distribution.version}"
    entries = distribution.entries()
    if not entries:
        yield f"{name}: it has no RECORD"
    for wanted in entries:
        path = _path(distribution, wanted)
        try:
            content = Path(path).read_bytes()
        except OSError as error:
            yield f"{name}: {path}: {error.strerror}"
            continue
        algorithm = wanted.digest.partition("=")[0]
        if algorithm and (found := digest(content, algorithm)) != wanted.digest:
            yield f"{name}: {path}: expected {wanted.digest}, found {found}"


def remove(gone: Collection[Distribution], kept: Collection[Distribution], layout: Layout) -> bool:
    """Remove distributions with their bytecode; tells whether it could, and removes nothing where it couldn't.

    It can't where one has no RECORD, or shares a file with one that stays: something would stay behind, or be missed.
    """
    rows = [distribution.entries() for distribution in gone]
    paths = {_path(distribution, entry) for distribution, entries in zip(gone, rows, strict=True) for entry in entries}
    if not all(rows) or any(_path(distribution, entry) in paths for distribution in kept for entry in distribution.entries()):
        return False
    directories = set()
    for path in paths:
        if not path.startswith(f"{layout.app_root}/"):
            continue
        Path(path).unlink(missing_ok=True)
        directory, name = os.path.split(path)
        directories.add(directory)
        if name.endswith(".py"):
            for compiled in Path(directory, "__pycache__").glob(f"{glob.escape(name[:-3])}.*.pyc"):
                compiled.unlink()
    for directory in sorted(directories, key=len, reverse=True):
        _remove_empty(directory, layout)
    return True


def _path(distribution: Distribution, entry: Entry) -> str:
    return os.path.normpath(os.path.join(distribution.site_packages, entry.path))


def _remove_empty(directory: str, layout: Layout) -> None:
    """Remove a directory and those above it, as far as nothing is in them but an empty __pycache__."""
    while directory.startswith(f"{layout.app_root}/") and directory != layout.bin and not directory.endswith("site-packages"):
        with contextlib.suppress(OSError):
            os.rmdir(os.path.join(directory, "__pycache__"))
        try:
            os.rmdir(directory)
        except OSError:
            return
        directory = os.path.dirname(directory)
