"""What of a source is built: a copy without what .dockerignore and .s2iignore leave out, with modes that no umask decides."""

import os
import re
import shutil
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

IGNORE_FILES = (".dockerignore", ".s2iignore")
# What no build needs, and what may be as large as the rest; `!NAME` in one of the files brings it back.
_NEVER = (".compose", "**/__pycache__", "**/*.pyc", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".tox", ".nox")
_LARGE = ("**/node_modules",)
_VENV = "pyvenv.cfg"  # PEP 405
_DIRECTORY, _PROGRAM, _FILE = 0o775, 0o775, 0o664  # as git's archives have them


@dataclass(frozen=True)
class Pattern:
    """A line of such a file."""

    expression: re.Pattern[str]
    is_exception: bool

    @classmethod
    def of(cls, line: str) -> "Pattern":
        """Translate a line. Sources: Go's filepath.Match, which both tools use, and Docker's `**`."""
        text = line.removeprefix("!").strip()
        text = os.path.normpath(text.lstrip("/")) if text.strip("/") else text
        parts = re.findall(r"\*\*/?|\*|\?|\[\^?(?:\\.|[^\]\\])+\]|\\.|.", text, re.DOTALL)
        return cls(re.compile("".join(map(_translate, parts))), line.startswith("!"))


def _translate(part: str) -> str:
    if part.startswith("["):
        return part
    if part.startswith("\\") and len(part) > 1:
        return re.escape(part[1:])
    return {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}.get(part, re.escape(part))


def parse(text: str) -> list[Pattern]:
    """Read the lines of such a file; pure."""
    lines = (line.strip() for line in text.splitlines())
    return [Pattern.of(line) for line in lines if line.strip("!/ ") and not line.startswith("#")]


def is_ignored(path: str, patterns: Sequence[Pattern]) -> bool:
    """Tell whether a path is left out; the last pattern that matches it, or a directory that it is in, decides. Pure."""
    parts = path.split("/")
    outer = ["/".join(parts[:count]) for count in range(1, len(parts) + 1)]
    for pattern in reversed(patterns):
        if any(pattern.expression.fullmatch(place) for place in outer):
            return not pattern.is_exception
    return False


def copy(source: Path, target: Path, *, keep_git: bool) -> tuple[int, list[str]]:
    """Copy a source; returns how many files came, and which large directories didn't."""
    patterns = [Pattern.of(line) for line in (*_NEVER, *_LARGE)]
    for name in IGNORE_FILES:
        if (source / name).is_file():
            patterns += parse((source / name).read_text(encoding="utf-8", errors="replace"))
    if not keep_git:
        patterns.append(Pattern.of(".git"))
    copier = _Copier(source, target, patterns)
    copier.copy("")
    return copier.count, copier.left_out


class _Copier:
    def __init__(self, source: Path, target: Path, patterns: Sequence[Pattern]) -> None:
        self.source = source
        self.target = target
        self.patterns = patterns
        self.has_exceptions = any(pattern.is_exception for pattern in patterns)
        self.large = [Pattern.of(line) for line in _LARGE]
        self.count = 0
        self.left_out: list[str] = []

    def copy(self, directory: str) -> None:
        """Copy what a directory has."""
        with os.scandir(self.source / directory) as found:
            entries = sorted(found, key=lambda entry: entry.name)
        for entry in entries:
            path = f"{directory}{entry.name}"
            is_ignored_here = is_ignored(path, self.patterns)
            if entry.is_dir(follow_symlinks=False):
                if os.path.isfile(f"{entry.path}/{_VENV}") or (is_ignored_here and is_ignored(path, self.large)):
                    self.left_out.append(path)
                elif not is_ignored_here:
                    (self.target / path).mkdir(exist_ok=True)
                    self.copy(f"{path}/")
                elif self.has_exceptions:
                    self.copy(f"{path}/")
            elif (entry.is_file() or entry.is_symlink()) and not is_ignored_here:
                self._copy_file(entry, self.target / path)
        if (self.target / directory).is_dir():
            (self.target / directory).chmod(_DIRECTORY)

    def _copy_file(self, entry: "os.DirEntry[str]", place: Path) -> None:
        place.parent.mkdir(parents=True, exist_ok=True)  # it may be an exception in a directory that is left out
        shutil.copy2(entry.path, place, follow_symlinks=False)
        if not entry.is_symlink():
            place.chmod(_PROGRAM if entry.stat().st_mode & stat.S_IXUSR else _FILE)
        self.count += 1
