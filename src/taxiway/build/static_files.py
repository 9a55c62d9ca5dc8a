"""Compressing static files once, at the build, so that no server does it for each request.

The variants lie in a directory of their own, `br/PATH` and `gzip/PATH`: the source stays as it is, and a file that is called
`x.css.gz` is that file and nothing else. One from an earlier build stays if it still holds what the file holds.
"""

import contextlib
import gzip
import os
import shutil
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
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:  # both libraries compress without Python's lock
        found = list(pool.map(lambda path: _compress(path, variants, codings), files))
    _keep_only({target for one in found for target in one.targets}, variants)
    smaller = [one for one in found if one.targets]
    before = sum(one.before for one in smaller) // 1024
    after = sum(one.after for one in smaller) // 1024
    kept = f", {count} of them as before" if (count := sum(one.is_kept for one in smaller)) else ""
    return f"{len(smaller)} of {len(files)} files, {before} KiB to {after} KiB{kept}"


def remove(variants: Path) -> None:
    """Take away the variants of an earlier build."""
    shutil.rmtree(variants, ignore_errors=True)


class _Compressed(NamedTuple):
    before: int
    after: int
    targets: list[Path]
    """The variants; none where they wouldn't be smaller."""
    is_kept: bool
    """Whether all are from an earlier build."""


def _compress(path: str, variants: Path, codings: Mapping[str, _Coding]) -> _Compressed:
    """Write the variants of one file, each only if smaller than the one before."""
    content = Path(path).read_bytes()
    status = Path(path).stat()
    limit = int(len(content) * _WORTH)
    size = 0
    targets = []
    is_kept = True
    for encoding, coding in codings.items():
        target = _target(path, variants, encoding)
        compressed = _earlier(target, content, coding)
        is_new = compressed is None
        if compressed is None:
            compressed = coding.compress(content)
        if len(compressed) >= limit:
            break
        limit = size = len(compressed)
        if is_new:
            is_kept = False
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(compressed)
        targets.append(target)
        os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))  # Last-Modified is the file's
    return _Compressed(len(content), size, targets, is_kept)


def _target(path: str, variants: Path, encoding: str) -> Path:
    return variants / encoding / path.lstrip("/")


def _earlier(target: Path, content: bytes, coding: _Coding) -> bytes | None:
    """Return a variant that is there, if it is one of this content: to decompress takes a fiftieth of compressing."""
    try:
        compressed = target.read_bytes()
        return compressed if coding.decompress(compressed) == content else None
    except (OSError, EOFError, zlib.error, ValueError):
        return None


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
