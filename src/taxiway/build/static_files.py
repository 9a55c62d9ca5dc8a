"""Compressing static files once, at the build, so that no server does it for each request.

The variants lie in a directory of their own, `br/PATH` and `gzip/PATH`: the source stays as it is, and a file that is called
`x.css.gz` is that file and nothing else. One from an earlier build stays if it still holds what the file holds.
"""

import contextlib
import gzip
import os
import zlib
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from taxiway import console

# Compressed already; trying costs time.
_COMPRESSED = frozenset(
    {
        *(".avif", ".gif", ".jpeg", ".jpg", ".png", ".webp", ".woff", ".woff2"),
        *(".flac", ".m4a", ".mov", ".mp3", ".mp4", ".ogg", ".webm"),
        *(".br", ".bz2", ".gz", ".xz", ".zip", ".zst"),
    }
)
_WORTH = 0.95  # of the size; the rest would be lost in headers
_BROTLI_QUALITY = 9  # 11 takes ten times as long for a twentieth


class _Coding(NamedTuple):
    compress: Callable[[bytes], bytes]
    decompress: Callable[[bytes], bytes]


def compress(directories: Iterable[str], variants: Path) -> str:
    """Write the variants of all files below the directories that get smaller, remove all others; say what came of it.

    Args:
        directories: Absolute directories, without symbolic links.
        variants: Where the variants go.
    """
    files = sorted({path for directory in directories for path in _files(directory)})
    codings = _codings()
    # First of all, as a file may have become a directory.
    _keep_only({_target(path, variants, encoding) for path in files for encoding in codings}, variants)
    kept = [found for path in files if (found := _earlier(path, variants, codings))]
    others = sorted(set(files) - {found.path for found in kept})
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:  # both libraries compress without Python's lock
        new = [found for found in pool.map(lambda path: _compress(path, variants, codings), others) if found.targets]
    smaller = [*kept, *new]
    _keep_only({target for found in smaller for target in found.targets}, variants)
    before = sum(found.before for found in smaller) // 1024
    after = sum(found.after for found in smaller) // 1024
    as_before = f", {len(kept)} of them as before" * bool(kept)
    return f"{len(smaller)} of {len(files)} files, {before} KiB to {after} KiB{as_before}"


class _Compressed(NamedTuple):
    path: str
    before: int
    after: int
    targets: list[Path]
    """The variants; none where they wouldn't be smaller."""


def _earlier(path: str, variants: Path, codings: Mapping[str, _Coding]) -> _Compressed | None:
    """Return the variants that are there, if all are of this content: to decompress takes a fiftieth of compressing."""
    content = Path(path).read_bytes()
    targets = [_target(path, variants, encoding) for encoding in codings]
    size = 0
    try:
        for target, coding in zip(targets, codings.values(), strict=True):
            compressed = target.read_bytes()
            if coding.decompress(compressed) != content:
                return None
            size = len(compressed)
    except (OSError, EOFError, zlib.error, ValueError):
        return None
    for target in targets:
        _date(target, path)
    return _Compressed(path, len(content), size, targets)


def _compress(path: str, variants: Path, codings: Mapping[str, _Coding]) -> _Compressed:
    """Write the variants of one file, each only if smaller than the one before."""
    content = Path(path).read_bytes()
    limit = int(len(content) * _WORTH)
    size = 0
    targets = []
    for encoding, coding in codings.items():
        compressed = coding.compress(content)
        if len(compressed) >= limit:
            break
        limit = size = len(compressed)
        target = _target(path, variants, encoding)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(compressed)
        _date(target, path)
        targets.append(target)
    return _Compressed(path, len(content), size, targets)


def _date(target: Path, path: str) -> None:
    """Give a variant the file's times: Last-Modified is the file's."""
    status = Path(path).stat()
    os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))


def _target(path: str, variants: Path, encoding: str) -> Path:
    return variants / encoding / path.lstrip("/")


def _keep_only(targets: Container[Path], variants: Path) -> None:
    """Remove the variants of files that aren't there any more, and the directories that this leaves empty."""
    for place, names, files in os.walk(variants, topdown=False):
        for name in files:
            if (path := Path(place, name)) not in targets:
                path.unlink()
        for name in names:
            with contextlib.suppress(OSError):  # it isn't empty
                Path(place, name).rmdir()


def _codings() -> dict[str, _Coding]:
    """Return the codings, gzip first; Brotli's is in the builder image and needn't be elsewhere."""
    found = {"gzip": _Coding(lambda content: gzip.compress(content, mtime=0), gzip.decompress)}
    try:
        import brotli  # type: ignore[import-not-found,unused-ignore]  # noqa: PLC0415
    except ImportError:
        return found

    def decompress(compressed: bytes) -> bytes:
        try:
            return bytes(brotli.decompress(compressed))
        except brotli.error as error:
            raise ValueError(str(error)) from error

    found["br"] = _Coding(lambda content: brotli.compress(content, quality=_BROTLI_QUALITY), decompress)
    return found


def _files(directory: str) -> Iterator[str]:
    """Walk the files that are served: regular ones that aren't hidden."""
    for place, names, files in os.walk(directory):
        names[:] = [name for name in names if not name.startswith(".")]
        for path in (Path(place, name) for name in (*names, *files)):
            if path.is_symlink():
                console.warn(f"{path} is a symbolic link and won't be served.")
            elif path.is_file() and not path.name.startswith(".") and path.suffix.lower() not in _COMPRESSED:
                yield str(path)
