"""Choosing the Python of an environment among those of this machine: on PATH, of pyenv, of uv."""

import os
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import Version

from taxiway.dependencies.formats.common import read_toml
from taxiway.errors import BadPythonVersionError, CommandFailedError, NoInterpreterError
from taxiway.process import output

OLDEST = "3.11"  # what taxiway_runtime is written for
OWN = "taxiway"  # an origin
_QUESTION = "import sys; print('%d.%d.%d' % sys.version_info[:3], getattr(sys, '_base_executable', sys.executable))"


class Interpreter(NamedTuple):
    """A Python."""

    path: str
    version: str
    """X.Y.Z"""


class Wanted(NamedTuple):
    """What a project asks for."""

    specifier: SpecifierSet
    origin: str
    path: str = ""
    """The one that was named by its path."""

    def fits(self, version: str) -> bool:
        """Tell whether a version will do."""
        return self.specifier.contains(Version(version), prereleases=True)


def wanted(source: Path, told: str | None) -> Wanted:
    """Read which Python a project asks for: --python, else .python-version, else requires-python.

    Args:
        source: The project.
        told: A version such as 3.13, or the path of an interpreter.

    Raises:
        BadPythonVersionError: What is asked for is neither.
    """
    if told and os.sep in told:
        return Wanted(SpecifierSet(f">={OLDEST}"), "--python", os.path.abspath(told))
    file = source / ".python-version"
    text, origin = told, "--python"
    if not text and file.is_file():
        lines = [line.strip() for line in file.read_text(encoding="utf-8").splitlines()]
        text, origin = next((line for line in lines if line and not line.startswith("#")), ""), ".python-version"
    if text:
        if not re.fullmatch(r"3(\.\d+){1,2}", text):
            raise BadPythonVersionError(text, origin)
        return Wanted(SpecifierSet(f"=={text}.*" if text.count(".") == 1 else f"=={text}"), origin)
    project = read_toml(source / "pyproject.toml", source).data if (source / "pyproject.toml").is_file() else {}
    table = project.get("project", {})
    requires = table.get("requires-python", "") if isinstance(table, dict) else ""
    try:
        specifier = SpecifierSet(str(requires))
    except InvalidSpecifier:
        raise BadPythonVersionError(str(requires), "requires-python in pyproject.toml") from None
    return Wanted(specifier & SpecifierSet(f">={OLDEST}"), "requires-python in pyproject.toml" if requires else OWN)


def find(wish: Wanted, environ: Mapping[str, str]) -> Interpreter:
    """Find the first interpreter that fits.

    Raises:
        NoInterpreterError: None does.
    """
    seen: dict[str, Interpreter] = {}
    for path in [wish.path] if wish.path else candidates(environ):
        found = ask(path, environ)
        if found is None or found.path in seen:
            continue
        seen[found.path] = found
        if wish.fits(found.version):
            return found
    raise NoInterpreterError(
        str(wish.specifier), wish.origin, wish.path, [f"{found.version} ({found.path})" for found in seen.values()]
    )


def candidates(environ: Mapping[str, str]) -> Iterator[str]:
    """List interpreters, the likeliest first: taxiway's own, those on PATH, pyenv's, uv's; the newest of a kind first."""
    yield sys.executable
    for directory in environ.get("PATH", os.defpath).split(os.pathsep):
        for name in ("python3", *_newest_first(Path(directory).glob("python3.*[0-9]"))):
            path = os.path.join(directory, name)
            if os.access(path, os.X_OK):
                yield path
    home = Path(environ.get("HOME") or os.path.expanduser("~"))
    pyenv = Path(environ.get("PYENV_ROOT") or home / ".pyenv", "versions")
    uv = Path(environ.get("UV_PYTHON_INSTALL_DIR") or Path(environ.get("XDG_DATA_HOME") or home / ".local/share", "uv/python"))
    for places in (pyenv.glob("3.*/bin/python3"), uv.glob("cpython-3.*/bin/python3")):
        yield from _newest_first(places)


def _newest_first(paths: Iterator[Path]) -> list[str]:
    return sorted(map(str, paths), key=lambda path: [int(number) for number in re.findall(r"\d+", path)][:6], reverse=True)


def ask(path: str, environ: Mapping[str, str]) -> Interpreter | None:
    """Ask an interpreter for its version, and for the one below its virtual environment; None: it can't be run."""
    try:
        result = output([path, "-I", "-c", _QUESTION], env=environ, cwd="/")
    except CommandFailedError:
        return None
    version, _, base = result.output.strip().partition(" ")
    return Interpreter(base, version) if result.status == 0 and base else None
