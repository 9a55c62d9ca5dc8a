"""Reading requirements files, as far as taxiway has to know them; the installer reads them again by itself.

Format: pip's documentation, "Requirements File Format"; requirement specifiers: PEP 508.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import InvalidRequirement
from packaging.requirements import Requirement as Specifier
from packaging.utils import canonicalize_name

from taxiway.errors import BadRequirementsError


@dataclass(frozen=True, kw_only=True)
class Requirement:
    """One line of a requirements file."""

    name: str
    """Normalized (PEP 503); empty for a URL or path without a name."""
    text: str
    file: str
    line: int
    pinned: bool
    hashed: bool
    applies: bool = True
    """Whether its environment marker (PEP 508) is true for this Python."""

    @property
    def origin(self) -> str:
        """Say where it stands."""
        return f"{self.file} line {self.line}"


@dataclass(frozen=True, kw_only=True)
class Requirements:
    """A requirements file with all that it includes."""

    file: str
    """Relative to the source."""
    contents: tuple[str, ...]
    """The text of each file read, for the key of what is installed."""
    requirements: tuple[Requirement, ...]

    @property
    def hashed(self) -> bool:
        """Whether any line has a hash; then all must."""
        return any(r.hashed for r in self.requirements)

    @property
    def unpinned(self) -> tuple[Requirement, ...]:
        """The lines that don't say exactly what is installed."""
        return tuple(r for r in self.requirements if not r.pinned)

    def find(self, name: str) -> Requirement | None:
        """Return the line that asks for a package on this Python."""
        wanted = canonicalize_name(name)
        return next((r for r in self.requirements if r.name == wanted and r.applies), None)


def read_requirements(path: Path, source: Path) -> Requirements:
    """Read a requirements file and the files that it includes by `-r`.

    Raises:
        BadRequirementsError: An included file is missing, or a line is no requirement; all problems together.
    """
    contents: list[str] = []
    found: list[Requirement] = []
    problems: list[str] = []
    path, source = path.resolve(), source.resolve()
    _read(path, source, contents, found, problems, seen=set())
    if problems:
        raise BadRequirementsError(problems)
    return Requirements(file=path.relative_to(source).as_posix(), contents=tuple(contents), requirements=tuple(found))


def _read(
    path: Path,
    source: Path,
    contents: list[str],
    found: list[Requirement],
    problems: list[str],
    *,
    seen: set[tuple[Path, bool]],
    constraint: bool = False,
) -> None:
    if (path, constraint) in seen:
        return
    seen.add((path, constraint))
    name = path.relative_to(source).as_posix() if path.is_relative_to(source) else str(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        problems.append(f"{name}: {error.strerror if isinstance(error, OSError) else error}")
        return
    contents.append(text)
    for number, line in logical_lines(text):
        if match := re.match(r"(-r|--requirement|-c|--constraint)[ =]*(\S+)", line):
            included = (path.parent / match[2]).resolve()
            if "://" not in match[2]:
                is_constraint = constraint or match[1] in {"-c", "--constraint"}
                _read(included, source, contents, found, problems, seen=seen, constraint=is_constraint)
            continue
        if constraint or (line.startswith("-") and not line.startswith(("-e ", "--editable"))):
            continue
        try:
            found.append(parse_line(line, name, number))
        except InvalidRequirement as error:
            problems.append(f"{name} line {number}: {line}: {str(error).splitlines()[0]}")


def logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Join continued lines, take comments away; yields the number of the first line and the text."""
    start, parts = 0, list[str]()
    for number, raw in enumerate(text.splitlines(), 1):
        if not parts:
            start = number
        line = re.sub(r"(^|\s+)#.*$", "", raw)
        if line.endswith("\\"):
            parts.append(line[:-1])
            continue
        joined = " ".join(" ".join((*parts, line)).split())
        parts = []
        if joined:
            yield start, joined
    if joined := " ".join(" ".join(parts).split()):
        yield start, joined


def parse_line(line: str, file: str, number: int) -> Requirement:
    """Parse one requirement; pure.

    Raises:
        InvalidRequirement: It is none.
    """
    text, *options = re.split(r"\s+(?=--)", line)
    hashed = any(option.startswith("--hash") for option in options)
    editable = re.match(r"(-e|--editable)[ =]*(.+)", text)
    if editable or re.match(r"([\w+]+://|[^@;\[\s]*/|\.$|[^@;\[]+\.(whl|tar\.gz|zip)(\s|;|#|$))", text):
        egg = re.search(r"#egg=([\w.-]+)", text)
        name = canonicalize_name(egg[1]) if egg else ""
        return Requirement(name=name, text=text, file=file, line=number, pinned=hashed, hashed=hashed)
    specifier = Specifier(text)
    pinned = specifier.url is not None or any(s.operator in {"==", "==="} and "*" not in s.version for s in specifier.specifier)
    return Requirement(
        name=canonicalize_name(specifier.name),
        text=text,
        file=file,
        line=number,
        pinned=pinned,
        hashed=hashed,
        applies=specifier.marker is None or specifier.marker.evaluate(),
    )
