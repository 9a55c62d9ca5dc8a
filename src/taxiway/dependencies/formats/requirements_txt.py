"""requirements.txt: written by hand, or compiled by pip-tools or uv.

Format: pip's documentation, "Requirements File Format"; requirement specifiers: PEP 508.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from packaging.markers import Marker
from packaging.requirements import InvalidRequirement
from packaging.requirements import Requirement as Specifier
from packaging.utils import canonicalize_name

from taxiway.dependencies.formats.common import Asked, Selection, check_fresh, project_requirements, read_toml, unsatisfied
from taxiway.dependencies.pins import Pin, PinnedList
from taxiway.errors import BadRequirementsError

NAME = "requirements.txt"
FILES = (NAME,)


def read(path: Path, source: Path, selection: Selection) -> PinnedList:
    """Read a requirements file and the files that it includes by `-r` and `-c`.

    Args:
        path: The requirements file.
        source: The application's source; files are named relative to it.
        selection: Where it is to be installed; such a file has neither extras nor groups.

    Raises:
        BadRequirementsError: An included file is missing, or a line is no requirement; all problems together.
        LockOutdatedError: It was compiled from a requirements.in that asks for something else now.
    """
    reader = _Reader(source.resolve(), selection)
    reader.read(path.resolve(), constraint=False)
    if reader.problems:
        raise BadRequirementsError(reader.problems)
    pins = tuple(reader.pins)
    _check_fresh(path.resolve(), reader, selection)
    return PinnedList(
        format=NAME,
        file=reader.name(path.resolve()),
        pins=pins,
        # Whoever writes hashes has to write them for dependencies of dependencies too: pip demands it.
        complete=any(pin.hashes for pin in pins),
        contents=tuple(reader.contents),
        options=tuple(reader.options),
        files=tuple(reader.files),
    )


def _check_fresh(path: Path, reader: "_Reader", selection: Selection) -> None:
    """Compare a compiled file with the requirements.in that it was compiled from."""
    via = _compiled_from(reader.contents[0])
    manifest = next(
        (m for m in (path.with_suffix(".in"), path.with_name("pyproject.toml")) if m.is_file() and m.name in via), None
    )
    if manifest is None:
        return
    lock, name = reader.name(path), reader.name(manifest)
    if manifest.suffix == ".toml":
        asked = project_requirements(read_toml(manifest, reader.source), selection)
        names = {canonicalize_name(requirement.name) for requirement, _ in asked}
    else:
        asked_for = _Reader(reader.source, selection)
        asked_for.read(manifest, constraint=False)
        if asked_for.problems:
            raise BadRequirementsError(asked_for.problems)
        asked = [Asked(Specifier(pin.requirement), pin.origin) for pin in asked_for.pins if pin.name and not pin.url]
        names = {canonicalize_name(pin.name) for pin in asked_for.pins}
    differences = unsatisfied(asked, reader.pins, selection, lock)
    for pin in reader.pins:
        if pin.file == lock and pin.line in via[manifest.name] and pin.name and not pin.url and pin.name not in names:
            differences.append(f"{pin.name} ({pin.origin}) isn't in {name} any more")
    command = "taxiway lock" if manifest.suffix == ".toml" else f"pip-compile --generate-hashes {manifest.name}, or taxiway lock"
    check_fresh(lock, name, differences, command)


def _compiled_from(text: str) -> dict[str, set[int]]:
    """Return by manifest which requirements come from it: the lines after which stands `# via -r requirements.in`."""
    found: dict[str, set[int]] = {}
    last = 0
    for number, line in enumerate(text.splitlines(), 1):
        if re.match(r"[\w.-]", line):
            last = number
        if last and (match := re.search(r"\s#\s+(?:via\s+)?-r (\S+)", line)):
            found.setdefault(match[1].rpartition("/")[2], set()).add(last)
    return found


class _Reader:
    """What was found so far."""

    def __init__(self, source: Path, selection: Selection) -> None:
        self.source = source
        self.selection = selection
        self.contents: list[str] = []
        self.pins: list[Pin] = []
        self.options: list[str] = []
        self.problems: list[str] = []
        self._seen: dict[tuple[Path, bool], None] = {}

    @property
    def files(self) -> list[str]:
        return list(dict.fromkeys(self.name(path) for path, _ in self._seen))

    def name(self, path: Path) -> str:
        return path.relative_to(self.source).as_posix() if path.is_relative_to(self.source) else str(path)

    def read(self, path: Path, *, constraint: bool) -> None:
        if (path, constraint) in self._seen:
            return
        self._seen[path, constraint] = None
        name = self.name(path)
        try:
            text = path.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            self.problems.append(f"{name}: {error.strerror if isinstance(error, OSError) else error}")
            return
        self.contents.append(text)
        for number, line in logical_lines(text):
            if match := re.match(r"(-r|--requirement|-c|--constraint)[ =]*(\S+)", line):
                limits = match[1] in {"-c", "--constraint"}
                if limits and not constraint:
                    place = match[2] if "://" in match[2] else self.name((path.parent / match[2]).resolve())
                    self.options.append(f"--constraint {place}")
                if "://" not in match[2]:
                    self.read((path.parent / match[2]).resolve(), constraint=constraint or limits)
            elif line.startswith("-") and not line.startswith(("-e ", "--editable")):
                self.options.append(line)
            elif not constraint:
                try:
                    self.pins.append(parse_line(line, name, number, self.selection.environment))
                except InvalidRequirement as error:
                    self.problems.append(f"{name} line {number}: {line}: {str(error).splitlines()[0]}")


def logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Join continued lines, take comments away; yields the number of the first line and the text."""
    start, parts = 0, list[str]()
    for number, raw in enumerate(text.splitlines(), 1):
        if not parts:
            start = number
        comment = re.search(r"(?:^|(?<=\s))#", raw)
        line = raw[: comment.start()].rstrip() if comment else raw
        if line.endswith("\\"):
            parts.append(line[:-1])
            continue
        joined = " ".join(" ".join((*parts, line)).split())
        parts = []
        if joined:
            yield start, joined
    if joined := " ".join(" ".join(parts).split()):
        yield start, joined


def parse_line(line: str, file: str, number: int, environment: Mapping[str, str] | None = None) -> Pin:
    """Parse one requirement; pure.

    Args:
        line: The logical line.
        file: The file's name, to be remembered.
        number: The line's number, to be remembered.
        environment: The marker environment (PEP 508) to install in; default: this Python's.

    Raises:
        InvalidRequirement: It is none.
    """
    text, *options = re.split(r"\s+(?=--)", line)
    hashes = tuple(re.sub(r"--hash[ =]+", "", option) for option in options if option.startswith("--hash"))
    editable = re.match(r"(-e|--editable)[ =]*(.+)", text)
    if editable or re.match(r"([\w+]+://|[^@;\[\s]*/|\.$|[^@;\[]+\.(whl|tar\.gz|zip)(\s|;|#|$))", text):
        egg = re.search(r"#egg=([\w.-]+)", text)
        place, _, marker = (editable[2] if editable else text).partition(" ;")
        return Pin(
            name=canonicalize_name(egg[1]) if egg else "",
            requirement=text,
            hashes=hashes,
            file=file,
            line=number,
            url=place.strip() if "://" in place else re.sub(r"\[.*\]$", "", place.strip()),
            editable=editable is not None,
            applies=not marker or Marker(marker).evaluate(environment),
        )
    specifier = Specifier(text)
    exact = (s.version for s in specifier.specifier if s.operator in {"==", "==="} and "*" not in s.version)
    return Pin(
        name=canonicalize_name(specifier.name),
        version=next(exact, None),
        requirement=text,
        hashes=hashes,
        file=file,
        line=number,
        url=specifier.url,
        applies=specifier.marker is None or specifier.marker.evaluate(environment),
    )
