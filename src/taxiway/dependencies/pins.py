"""What will be installed: the one value that every lock format is read into. Pure."""

import re
from dataclasses import dataclass

from packaging.utils import canonicalize_name

PUBLIC_INDEX = "https://pypi.org/simple"
"""Where pip, uv and the tools that lock look unless they are told another index (PEP 503); locks name it, or leave it out."""


@dataclass(frozen=True, kw_only=True)
class Pin:
    """One distribution that is asked for, and where that stands."""

    name: str
    """Normalized (PEP 503); empty for a URL or path that doesn't say."""
    version: str | None = None
    """The only version allowed; None where there is no such thing: a range, a URL, a path."""
    requirement: str
    """What an installer is told: a line of a requirements file (PEP 508 requirement, URL or path) without its hashes."""
    hashes: tuple[str, ...] = ()
    """`algorithm:hexdigest` of each file that may be installed."""
    file: str
    """Relative to the source."""
    line: int
    url: str | None = None
    """Where it comes from, if not from an index: a URL (PEP 440, direct references), or a path relative to the source."""
    editable: bool = False
    applies: bool = True
    """Whether its environment marker (PEP 508) is true for the application's Python."""

    @property
    def origin(self) -> str:
        """Say where it stands."""
        return f"{self.file} line {self.line}"

    @property
    def is_local(self) -> bool:
        """Whether it is a directory or file of the source itself."""
        return self.url is not None and "://" not in self.url

    @property
    def is_pinned(self) -> bool:
        """Whether it says exactly what is installed, as far as the source can say that."""
        if self.url is None or self.hashes or self.is_local:
            return self.version is not None or bool(self.hashes) or self.is_local
        if re.match(r"(git|hg|bzr|svn)\+", self.url):
            return re.search(r"@[0-9a-f]{40}(#|$)", self.url) is not None
        return bool(self.name) or "#sha256=" in self.url

    @property
    def line_with_hashes(self) -> str:
        """Return the line of a requirements file that installs just this."""
        return " ".join((self.requirement, *(f"--hash={digest}" for digest in self.hashes)))


@dataclass(frozen=True, kw_only=True)
class PinnedList:
    """All that an application's lock, or requirements file, asks for."""

    format: str
    """Name of the format: a key of `formats.READERS`."""
    file: str
    """The file that was read first, relative to the source."""
    pins: tuple[Pin, ...]
    complete: bool
    """Whether the list has all that is needed, dependencies of dependencies too: then nothing has to be resolved."""
    contents: tuple[str, ...]
    """The text of each file read, for the key of what is installed."""
    options: tuple[str, ...] = ()
    """Lines for the installer that aren't requirements: `--index-url ...`, `--no-binary ...`, `--constraint ...`."""

    files: tuple[str, ...] = ()
    """The files that were read, relative to the source."""

    @property
    def applicable(self) -> tuple[Pin, ...]:
        """What is to be installed on this Python."""
        return tuple(pin for pin in self.pins if pin.applies)

    @property
    def hashed(self) -> bool:
        """Whether any line has a hash; then all must that don't come from the source itself."""
        return any(pin.hashes for pin in self.pins)

    @property
    def unpinned(self) -> tuple[Pin, ...]:
        """What doesn't say exactly what is installed."""
        return tuple(pin for pin in self.pins if not pin.is_pinned)

    def find(self, name: str) -> Pin | None:
        """Return the line that asks for a package on this Python."""
        wanted = canonicalize_name(name)
        return next((pin for pin in self.pins if pin.name == wanted and pin.applies), None)
