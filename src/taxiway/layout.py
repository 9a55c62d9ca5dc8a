"""Where things are, in an image and on a laptop.

This module is on the way of every container start: standard library's `os` and `typing` only.
"""

import os
import sys
from collections.abc import Mapping
from typing import NamedTuple

APP_ROOT = "/opt/app-root"  # the name that s2i-python-container's users and derived images rely on
S2I_DESTINATION = "/tmp"  # noqa: S108  # where S2I puts `src` and `artifacts` unless a label says otherwise
UPLOAD = f"{S2I_DESTINATION}/src"
CREDENTIALS = "/etc/taxiway/credentials"
"""In the builder image: where a build's credentials are mounted."""
ARTIFACTS = f"{S2I_DESTINATION}/artifacts"
STATE = ".taxiway"  # what taxiway writes about a build, below the application's root


class Layout(NamedTuple):
    """The directories of one application."""

    app_root: str
    """The application's virtual environment."""
    source: str
    """The application's source; commands and hooks run here."""
    local: bool = False
    """Whether this is a developer's machine: the source is used where it is, and nothing is written into it."""

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> "Layout":
        """Take the places from APP_ROOT, as the image sets it; an environment of a laptop knows its source."""
        app_root = os.path.abspath(environ.get("APP_ROOT") or APP_ROOT)
        source = local_source(app_root)
        return cls(app_root, source or os.path.join(app_root, "src"), local=bool(source))

    @property
    def python(self) -> str:
        """The application's interpreter."""
        return os.path.join(self.app_root, "bin", "python")

    @property
    def bin(self) -> str:
        """The directory of the application's console scripts."""
        return os.path.join(self.app_root, "bin")

    @property
    def packages(self) -> str:
        """Where the dependencies are, in `pythonX.Y/site-packages`."""
        return os.path.join(self.app_root, "lib")

    @property
    def state(self) -> str:
        """What taxiway writes about the build."""
        return os.path.join(self.app_root, STATE)

    @property
    def launch_plan(self) -> str:
        """The launch plan: `assemble` writes it, `start` reads it."""
        return os.path.join(self.state, "launch.json")

    @property
    def static_variants(self) -> str:
        """Compressed variants of static files, by encoding and path; `taxiway_runtime.static` looks for them beside the plan."""
        return os.path.join(self.state, "static")

    @property
    def dependencies(self) -> str:
        """What was installed, and from what."""
        return os.path.join(self.state, "dependencies.json")

    @property
    def sbom(self) -> str:
        """The bill of materials of what is installed."""
        return os.path.join(self.state, "sbom.cdx.json")

    @property
    def provenance(self) -> str:
        """Where the application came from."""
        return os.path.join(self.state, "provenance.json")

    @property
    def static_root(self) -> str:
        """Where Django's static files are collected on a laptop."""
        return os.path.join(self.state, "staticfiles")

    @property
    def bytecode(self) -> str:
        """Where Python keeps bytecode on a laptop, so that none lies in the source."""
        return os.path.join(self.state, "pycache")


def local_source(app_root: str) -> str | None:
    """Return whose environment a directory is, as `taxiway.local` notes it; None in an image."""
    try:
        with open(os.path.join(app_root, ".taxiway", "source"), encoding="utf-8") as file:
            return file.read().rstrip("\n")
    except OSError:
        return None


def is_image(environ: Mapping[str, str]) -> bool:
    """Tell whether this runs in an image, and not on a laptop."""
    app_root = environ.get("APP_ROOT") or APP_ROOT
    return (bool(environ.get("APP_ROOT")) or os.path.isdir(app_root)) and local_source(app_root) is None


def runtime_path() -> str:
    """Return the directory to put on the application's path, so that it can import `taxiway_runtime`."""
    package = os.path.dirname(os.path.abspath(__file__))
    installed = os.path.join(package, "_runtime")
    return installed if os.path.isdir(installed) else os.path.dirname(package)  # the latter in a checkout


def first_writable_path(environ: Mapping[str, str]) -> str:
    """Return the usual directory of what a container, or on a laptop an environment's server, writes about itself.

    Below /tmp in both cases: the path of a socket has to be short (unix(7), 108 characters).
    """
    layout = Layout.from_environ(environ)
    name = f"-{os.path.basename(layout.app_root)}" if layout.local else ""
    return os.path.join(environ.get("TMPDIR") or "/tmp", f"taxiway-{os.getuid()}{name}")  # noqa: S108


def writable_path(environ: Mapping[str, str]) -> str:
    """Return the directory of what this container writes about itself; the start claims it."""
    first = path = first_writable_path(environ)
    number = 1
    while os.path.isdir(path):
        try:
            with open(os.path.join(path, "container"), encoding="ascii") as file:
                if file.read() == _container():
                    return path
        except OSError:
            pass
        number += 1
        path = f"{first}-{number}"
    return first


def claim_writable_path(path: str) -> None:
    """Note that the directory is this container's: another one may have the same /tmp."""
    with open(os.path.join(path, "container"), "w", encoding="ascii") as file:
        file.write(_container())


def _container() -> str:
    """Return what is different in each container, and the same for all its processes: the mount namespace."""
    return os.readlink("/proc/self/ns/mnt")


def pinned_list(name: str, house: str | None) -> str:
    """Return the path of a list of pinned packages, `servers.txt` or `backends.txt`: the wheelhouse's, else taxiway's own."""
    if house:
        return os.path.join(house, name)
    package = os.path.dirname(os.path.abspath(__file__))
    installed = os.path.join(package, "_requirements")
    directory = installed if os.path.isdir(installed) else os.path.join(package, "..", "..", "requirements")  # in a checkout
    return os.path.normpath(os.path.join(directory, name))


def wheelhouse() -> str | None:
    """Return the builder image's directory of server wheels, where there is one."""
    path = os.path.join(sys.prefix, "wheelhouse")
    return path if os.path.isfile(os.path.join(path, "servers.txt")) else None
