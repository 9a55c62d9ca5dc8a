"""Whether the source is a project of its own, which is installed too.

It is installed in place ("editable", PEP 660): the code that runs is the source's, with its templates and static files, whether
or not the project's build would have packed them; there is no second copy that could hide the source, or be older than it; and
a build after a change of the source alone doesn't install it again. Where it is doesn't change any more: in every image the
source is in /opt/app-root/src.
"""

from collections.abc import Mapping, Sequence
from configparser import ConfigParser
from configparser import Error as ConfigError
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename

from taxiway.dependencies import target
from taxiway.dependencies.formats.common import read_toml
from taxiway.dependencies.pins import Pin, PinnedList
from taxiway.errors import BadLockError
from taxiway.layout import Layout
from taxiway.settings import Settings

NAME = "the project itself"
# Directories that setuptools never takes for the package of a flat layout.
# Source: setuptools' documentation, "Automatic discovery".
# fmt: off
_NO_PACKAGES = frozenset({
    "ci", "bin", "debian", "doc", "docs", "documentation", "manpages", "news", "newsfragments", "changelog", "test",
    "tests", "unit_test", "unit_tests", "example", "examples", "scripts", "tools", "util", "utils", "python", "build",
    "benchmark", "benchmarks", "exercise", "exercises", "htmlcov", "tasks", "fabfile", "site_scons",
})
# fmt: on


@dataclass(frozen=True, kw_only=True)
class Project:
    """A source that can be installed."""

    file: str
    """What says so."""
    name: str
    """Normalized; empty where only running the file would tell."""
    needs_nothing: bool = False
    """Whether the file says that it has no dependencies."""


def look(source: Path, settings: Settings) -> Project | None:
    """Find out whether a source is a project that is to be installed.

    Raises:
        BadLockError: pyproject.toml isn't TOML.
    """
    pyproject = source / "pyproject.toml"
    data: dict[str, Any] = {}
    if pyproject.is_file():
        document = read_toml(pyproject, source)
        data = document.data
        if settings.install_pyproject and _passed_over(data, source) is None:
            table = data.get("project", {})
            nothing = "name" in table and not table.get("dependencies") and "dependencies" not in table.get("dynamic", ())
            return Project(file=pyproject.name, name=_name(data), needs_nothing=nothing)
    if settings.install_setup_py and is_package(data) is not False:
        for name in ("setup.py", "setup.cfg"):
            if (source / name).is_file() and (name == "setup.py" or _has_metadata(source / name)):
                return Project(file=name, name=_name(data) or _configured_name(source / "setup.cfg"))
    return None


def packages(source: Path) -> list[str]:
    """List the packages at the top of a source, as setuptools would find them; `src` stands for all below it."""
    if (source / "src").is_dir() and any((source / "src").glob("*/__init__.py")):
        return ["src"]
    names = sorted(path.parent.name for path in source.glob("*/__init__.py"))
    return [name for name in names if name not in _NO_PACKAGES and not name.startswith(("_", "."))]


def is_package(data: Mapping[str, Any]) -> bool | None:
    """Tell what a project's tool says about whether it is installed; None: nothing."""
    tools = data.get("tool", {})
    told = (
        tools.get("uv", {}).get("package"),
        tools.get("poetry", {}).get("package-mode"),
        tools.get("pdm", {}).get("distribution"),
    )
    return next((answer for answer in told if isinstance(answer, bool)), None)


def why_not(data: Mapping[str, Any], found: Sequence[str], *, has_lock: bool) -> str | None:
    """Tell why what a pyproject.toml describes isn't installed: None if it is, empty if it describes nothing; pure.

    Args:
        data: The file.
        found: The packages at the top.
        has_lock: Whether there is a uv.lock; for uv a project without `[build-system]` isn't installed.
    """
    if (told := is_package(data)) is not None:
        return None if told else "its tool's table in pyproject.toml says so"
    if "build-system" in data:
        return None
    if not _name(data):
        return ""
    if has_lock:
        return "pyproject.toml has no [build-system], and then uv doesn't install it either"
    # Without a build system it is setuptools' (PEP 517), which refuses several packages at the top, as most applications have.
    if len(found) == 1 or "setuptools" in data.get("tool", {}):
        return None
    return (
        "pyproject.toml has no [build-system], and setuptools, the default, wants one package at the top, or all in src; "
        f"found {', '.join(found) or 'none'}"
    )


def passed_over(source: Path, settings: Settings) -> tuple[str, tuple[str, ...]]:
    """Tell why a source that describes a project isn't installed, and its console scripts, if it should have some.

    Raises:
        BadLockError: pyproject.toml isn't TOML.
    """
    pyproject = source / "pyproject.toml"
    if not pyproject.is_file() or not settings.install_pyproject or look(source, settings):
        return "", ()
    data = read_toml(pyproject, source).data
    tables = data.get("project", {}), data.get("tool", {}).get("poetry", {})
    # Who said that it is no package knows it.
    scripts = [name for table in tables for name in table.get("scripts", {}) if is_package(data) is None]
    return _passed_over(data, source) or "", tuple(scripts)


def _passed_over(data: Mapping[str, Any], source: Path) -> str | None:
    return why_not(data, packages(source), has_lock=(source / "uv.lock").is_file())


def _name(data: Mapping[str, Any]) -> str:
    name = data.get("project", {}).get("name") or data.get("tool", {}).get("poetry", {}).get("name") or ""
    return canonicalize_name(name) if isinstance(name, str) else ""


def _configured_name(path: Path) -> str:
    return canonicalize_name(_metadata(path).get("name", ""))


def _has_metadata(path: Path) -> bool:
    return "name" in _metadata(path)


def _metadata(path: Path) -> dict[str, str]:
    parser = ConfigParser(interpolation=None)
    try:
        parser.read(path, encoding="utf-8")
        return dict(parser["metadata"])
    except (ConfigError, UnicodeDecodeError, KeyError):
        return {}


def add(project: Project | None, pinned: PinnedList | None) -> PinnedList | None:
    """Add the project to what is installed, once: not where the list has it already, as `-e .`; pure."""
    if project is None or (pinned and any(pin.is_local and pin.url in {".", "./"} for pin in pinned.pins)):
        return pinned
    pin = Pin(name=project.name, requirement="-e .", file=project.file, line=1, url=".", editable=True)
    if pinned is None:
        return PinnedList(format=NAME, file=project.file, pins=(pin,), complete=project.needs_nothing, contents=())
    others = tuple(other for other in pinned.pins if other.name != project.name or not project.name)
    return PinnedList(**{**vars(pinned), "pins": (*others, pin)})


def lacking(house: str, pin: Pin, layout: Layout) -> list[str]:
    """List what building a directory of the source needs (PEP 518) but wheels in a directory don't provide."""
    top = Path(layout.source, pin.url or "")
    if not is_built(pin, layout):
        return []
    wheels = dict(parse_wheel_filename(path.name)[:2] for path in Path(house).glob("*.whl"))
    try:
        data = read_toml(top / "pyproject.toml", top).data if (top / "pyproject.toml").is_file() else {}
        lines = data.get("build-system", {}).get("requires", ["setuptools"])  # the default of PEP 518
        requires = [r for r in map(Requirement, lines) if r.marker is None or r.marker.evaluate(dict(target.markers()))]
    except (BadLockError, InvalidRequirement) as error:
        return [str(error)]  # the installer says what is wrong
    return [
        str(r)
        for r in requires
        if (v := wheels.get(canonicalize_name(r.name))) is None or not r.specifier.contains(v, prereleases=True)
    ]


def is_built(pin: Pin, layout: Layout) -> bool:
    """Tell whether a pin is a directory of the source, which its own build back end makes installable."""
    return pin.is_local and Path(layout.source, pin.url or "").is_dir()
