"""Compressing static files once, at the build, so that no server does it for each request.

The variants lie in a directory of their own, `br/PATH` and `gzip/PATH`: the source stays as it is, and a file that is called
`x.css.gz` is that file and nothing else.
"""

import gzip
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

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


def compress(directories: Iterable[str], variants: Path) -> str:
    """Write the variants of all files below the directories that get smaller; say what came of it.

    Args:
        directories: Absolute directories, without symbolic links.
        variants: Where the variants go.
    """
    files = sorted({path for directory in directories for path in _files(directory)})
    compressors = _compressors()
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:  # both libraries compress without Python's lock
        saved = list(pool.map(lambda path: _compress(path, variants, compressors), files))
    before = sum(size for size, _ in saved)
    after = sum(size for _, size in saved)
    return f"{sum(size > 0 for size, _ in saved)} of {len(files)} files, {before // 1024} KiB to {after // 1024} KiB"


def remove(variants: Path) -> None:
    """Take away the variants of an earlier build."""
    shutil.rmtree(variants, ignore_errors=True)


def _compress(path: str, variants: Path, compressors: Mapping[str, Callable[[bytes], bytes]]) -> tuple[int, int]:
    """Write the variants of one file, each only if smaller than the one before; return the sizes, 0 where there is none."""
    content = Path(path).read_bytes()
    limit = int(len(content) * _WORTH)
    size = 0
    for encoding, function in compressors.items():
        compressed = function(content)
        if len(compressed) >= limit:
            break
        limit = size = len(compressed)
        target = variants / encoding / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(compressed)
        shutil.copystat(path, target)  # Last-Modified is the file's
    return (len(content), size) if size else (0, 0)


def _compressors() -> dict[str, Callable[[bytes], bytes]]:
    """Return the compressors, gzip first; Brotli's is in the builder image and needn't be elsewhere."""
    found: dict[str, Callable[[bytes], bytes]] = {"gzip": lambda content: gzip.compress(content, mtime=0)}
    try:
        import brotli  # type: ignore[import-not-found,unused-ignore]  # noqa: PLC0415
    except ImportError:
        return found
    found["br"] = lambda content: brotli.compress(content, quality=_BROTLI_QUALITY)
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
