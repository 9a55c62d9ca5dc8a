"""The environments of a laptop: one for each project, or several by name, where the XDG Base Directory Specification says.

An environment is what /opt/app-root is in an image, but for the source: that stays where it is, and `.taxiway/source` names it.
"""

import hashlib
import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from taxiway.errors import BadEnvironmentNameError, NoEnvironmentError, NotAProjectError
from taxiway.image.dockerfile import parse_s2i_environment
from taxiway.layout import Layout, local_source

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class Environment(NamedTuple):
    """One of them, which may not be there yet."""

    name: str
    path: Path
    source: Path

    @property
    def layout(self) -> Layout:
        """Its places."""
        return Layout(str(self.path), str(self.source), local=True)

    @property
    def exists(self) -> bool:
        """Whether it was made."""
        return local_source(str(self.path)) is not None


def root(environ: Mapping[str, str]) -> Path:
    """Return the directory of all environments."""
    data = environ.get("XDG_DATA_HOME") or os.path.join(environ.get("HOME") or os.path.expanduser("~"), ".local", "share")
    return Path(data, "taxiway", "environments")


def default_name(source: Path) -> str:
    """Return the name of a directory's own environment: what it is called, and what tells it from others of that name."""
    digest = hashlib.sha256(str(source).encode(errors="surrogateescape")).hexdigest()[:8]
    return f"{re.sub(r'[^A-Za-z0-9._-]+', '-', source.name).strip('-.') or 'app'}-{digest}"


def choose(environ: Mapping[str, str], directory: Path, name: str | None = None) -> Environment:
    """Choose the environment that is meant: the named one, else the active one, else that of the directory.

    Raises:
        BadEnvironmentNameError: The name can't be that of a directory.
    """
    if name is not None and not _NAME.fullmatch(name):
        raise BadEnvironmentNameError(name)
    active = environ.get("APP_ROOT", "")
    if name is None and active and (source := local_source(active)):
        return Environment(os.path.basename(active), Path(active), Path(source))
    directory = directory.resolve()
    path = root(environ) / (name or default_name(directory))
    return Environment(path.name, path, Path(local_source(str(path)) or directory))


def existing(environ: Mapping[str, str], directory: Path, name: str | None = None) -> Environment:
    """Choose an environment as `choose` does, also from a directory inside of the project; it has to be there.

    Raises:
        NoEnvironmentError: It isn't.
    """
    places = (directory, *directory.resolve().parents)
    found = next((e for place in places if (e := choose(environ, place, name)).exists), None)
    if found is None:
        raise NoEnvironmentError(name or str(directory), [one.name for one in listing(environ)])
    return found


def listing(environ: Mapping[str, str]) -> list[Environment]:
    """List the environments that are there, by name."""
    found = sorted(root(environ).iterdir()) if root(environ).is_dir() else []
    return [Environment(path.name, path, Path(source)) for path in found if (source := local_source(str(path)))]


def require_source(environment: Environment) -> None:
    """Refuse a directory that can't be a project's.

    Raises:
        NotAProjectError: It isn't there, it is the home directory, or it has no files.
    """
    source = environment.source
    if not source.is_dir():
        raise NotAProjectError(str(source), "it isn't there any more", environment.name)
    if source in {Path("/"), Path.home()}:
        raise NotAProjectError(str(source), "it is no directory of one project", environment.name)
    if not any(source.iterdir()):
        raise NotAProjectError(str(source), "it is empty", environment.name)


def activated(environment: Environment, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment in which commands run: as an image's, whose variables S2I takes from .s2i/environment."""
    file = environment.source / ".s2i" / "environment"
    of_s2i = parse_s2i_environment(file.read_text(encoding="utf-8")) if file.is_file() else {}
    return {**of_s2i, **environ, "APP_ROOT": str(environment.path)}


def destroy(environment: Environment) -> None:
    """Remove an environment; the source stays."""
    shutil.rmtree(environment.path)
