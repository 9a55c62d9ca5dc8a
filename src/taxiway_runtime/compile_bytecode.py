"""Compile directories to bytecode with unchecked hashes (PEP 552), but only files whose bytecode isn't that of their source.

usage: compile_bytecode.py (SECONDS DIRECTORY)...

Bytecode is trusted without reading it and its source, if neither was touched since SECONDS, seconds since the epoch.
"""

import _imp
import importlib.util
import os
import py_compile
import sys
from collections.abc import Iterator

_UNCHECKED_HASH = 0b01  # the flags word of a .pyc: hash-based, source not looked at
_HEADER = 16
_NEVER_IMPORTED = ("tests",)  # by an application that serves requests; importing one works nevertheless


def stale(directory: str, since_s: float = 0) -> Iterator[str]:
    """Walk the Python files that have no valid bytecode; but for the tests of installed packages, a third of all code."""
    skipped = {"__pycache__", *_NEVER_IMPORTED} if os.path.basename(directory) == "site-packages" else {"__pycache__"}
    for place, names, files in os.walk(directory):
        names[:] = [name for name in names if name not in skipped and not name.startswith(".")]
        for name in files:
            path = os.path.join(place, name)
            if name.endswith(".py") and not (is_untouched(path, since_s) or is_compiled(path)):
                yield path


def is_untouched(path: str, since_s: float) -> bool:
    """Tell whether a file and its bytecode are as they were at a time, by what can't be set back: when their inodes changed."""
    if not since_s:
        return False
    try:
        source, compiled = os.stat(path), os.stat(importlib.util.cache_from_source(path))
    except OSError:
        return False
    return max(source.st_ctime, compiled.st_ctime) < since_s and source.st_mtime <= compiled.st_mtime


def is_compiled(path: str) -> bool:
    """Tell whether a file's bytecode is there, unchecked, and made from this very source."""
    try:
        with open(importlib.util.cache_from_source(path), "rb") as file:
            header = file.read(_HEADER)
        with open(path, "rb") as file:
            expected = header_for(file.read())
    except OSError:
        return False
    return header == expected


def header_for(source: bytes) -> bytes:
    """Return how the bytecode of a source begins (PEP 552)."""
    digest: bytes = _imp.source_hash(importlib.util._RAW_MAGIC_NUMBER, source)  # type: ignore[attr-defined]  # noqa: SLF001
    return importlib.util.MAGIC_NUMBER + _UNCHECKED_HASH.to_bytes(4, "little") + digest


def compile_files(paths: list[str]) -> list[str]:
    """Compile files; return a line for each that isn't valid Python."""
    problems = []
    for path in paths:
        try:
            py_compile.compile(path, doraise=True, quiet=1, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
        except py_compile.PyCompileError as error:
            problems.append(f"{path}: {str(error.exc_value).splitlines()[0]}")
        except (OSError, ValueError, UnicodeDecodeError) as error:
            problems.append(f"{path}: {error}")
    return problems


def main(arguments: list[str]) -> None:
    """Compile all that is stale, on all processors; files that aren't valid Python are counted."""
    pairs = zip(arguments[::2], arguments[1::2], strict=True)
    paths = [path for since_s, directory in pairs for path in stale(directory, float(since_s))]
    processes = min(len(os.sched_getaffinity(0)), max(1, len(paths) // 100))
    chunks = [paths[i : i + 50] for i in range(0, len(paths), 50)]
    if processes > 1:
        from concurrent.futures import ProcessPoolExecutor  # noqa: PLC0415  # a small source is compiled before it is imported

        with ProcessPoolExecutor(processes) as pool:
            problems = [line for lines in pool.map(compile_files, chunks) for line in lines]
    else:
        problems = compile_files(paths)
    print(f"{len(paths) - len(problems)} files compiled")  # noqa: T201
    for line in problems:  # templates and test data of packages are often no valid Python; importing one reports it
        print(f"not compiled: {line}")  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1:])
