"""The servers: one module each, one line in the table below.

Each module has `PACKAGE`, the distribution that brings the server, `INTERFACES`, what it can run, and `command`, which writes its
command line. This package is on the way of every container start.
"""

import os
from collections.abc import Mapping
from importlib import import_module
from typing import NamedTuple, Protocol, cast

from taxiway.errors import UnknownServerError, UnsupportedInterfaceError
from taxiway.launch_plan import ASGI, COMMAND, PROGRAMS, PYTHON, SHELL, WSGI, LaunchPlan
from taxiway.layout import Layout, runtime_path
from taxiway.settings import Settings
from taxiway.sizing import Size

# Where an application pins several that fit, the first one is chosen.
NAMES = ("mod_wsgi", "gunicorn", "uwsgi", "waitress", "uvicorn", "hypercorn", "granian", *PROGRAMS)
DEFAULTS = {WSGI: "mod_wsgi", ASGI: "uvicorn", PYTHON: "python", SHELL: "shell", COMMAND: "command"}
DESCRIPTOR = 3  # the socket that is handed over


class Launch(NamedTuple):
    """All that a server's command depends on."""

    plan: LaunchPlan
    settings: Settings
    size: Size
    layout: Layout
    environ: Mapping[str, str]
    writable: str
    """A directory for what the server writes while it runs."""
    host: str = "0.0.0.0"  # noqa: S104  # a container is to be reached
    """Where to listen; `::` takes connections of IPv4 as well."""
    stands_in: bool = False
    """Whether the server is another than the one that arguments without a server's name are for, which this laptop can't run."""

    @property
    def address(self) -> tuple[str, int]:
        """Where to listen: host and port."""
        return self.host, self.settings.port

    def graceful(self, *argv: str, signal: str = "TERM") -> tuple[str, ...]:
        """Write a command that runs a server, and stops it by the signal on which it finishes what it has begun."""
        script = os.path.join(runtime_path(), "taxiway_runtime", "graceful.sh")
        return ("sh", script, signal, str(self.settings.graceful_timeout + 1), *argv)

    def program(self, *argv: str) -> tuple[str, ...]:
        """Write a command that runs a program of the user's, and stops it and what it has started."""
        return self.graceful(*argv, signal="program")

    @property
    def module(self) -> str:
        """The module with `application`, which wraps the user's; standard library only."""
        return f"taxiway_runtime.{self.plan.interface.lower()}"

    @property
    def home(self) -> str:
        """The application's directory."""
        return os.path.normpath(os.path.join(self.layout.source, self.plan.home))


class Command(NamedTuple):
    """What to do to start a server."""

    argv: tuple[str, ...]
    """Replaces this process."""
    unset: tuple[str, ...] = ()
    """Variables to take away from it."""
    fresh: str | None = None
    """A directory to empty before: a container that is started again must not find its old process IDs."""
    files: tuple[tuple[str, str], ...] = ()
    """Files to write before: path and content."""
    prepare: tuple[str, ...] = ()
    """A command to run before."""
    address: tuple[str, int] | None = None
    """Host and port to bind before, so that what forbids it is told."""
    hand_over: bool = False
    """Whether the server gets this socket, as descriptor 3; else it binds the address itself."""
    backlog: int = 0
    """Length of the queue of a handed over socket that listens already; 0: the server calls listen() when it is ready."""
    directory: str | None = None
    """Where to run it; None: in the application's directory."""


class Server(Protocol):
    """What a module of this package offers."""

    PACKAGE: str | None
    """The distribution; None for a program of the application's own."""
    REQUIRES: tuple[str, ...]
    """The distributions that it needs, and the builder image has wheels of."""
    INTERFACES: tuple[str, ...]

    def command(self, launch: Launch) -> Command:
        """Write the command line; a pure function."""


def load(name: str, origin: str = "default") -> Server:
    """Return a server's module.

    Raises:
        UnknownServerError: There is none of that name.
    """
    if name not in NAMES:
        raise UnknownServerError(name, origin, NAMES)
    return cast("Server", import_module(f"taxiway.servers.{name}"))


def packages(name: str) -> tuple[str, ...]:
    """List the distributions that bring a server, the wheelhouse's first."""
    server = load(name)
    return tuple(filter(None, (server.PACKAGE, getattr(server, "ALSO", None))))


def fitting(interface: str) -> tuple[str, ...]:
    """List the servers that can run an interface."""
    return tuple(name for name in NAMES if interface in load(name).INTERFACES)


def require_fit(name: str, app: str, interface: str, origin: str) -> None:
    """Refuse a server that can't run an application.

    Raises:
        UnknownServerError: There is none of that name.
        UnsupportedInterfaceError: It is for other applications.
    """
    if interface not in load(name, origin).INTERFACES:
        raise UnsupportedInterfaceError(app, interface, name, origin, fitting(interface))
