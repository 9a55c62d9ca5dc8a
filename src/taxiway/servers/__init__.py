"""The servers: one module each, one line in the table below.

Each module has `PACKAGE`, the distribution that brings the server, and `command`, which writes its command line.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import NamedTuple, Protocol, cast

from taxiway.errors import UnknownServerError
from taxiway.launch_plan import LaunchPlan
from taxiway.layout import Layout
from taxiway.settings import Settings
from taxiway.sizing import Size

APPLICATION = "taxiway_runtime.wsgi"  # wraps the application; standard library only
NAMES = ("mod_wsgi", "gunicorn")  # the first is the default


class Launch(NamedTuple):
    """All that a server's command depends on."""

    plan: LaunchPlan
    settings: Settings
    size: Size
    layout: Layout
    environ: Mapping[str, str]
    writable: str
    """A directory for what the server writes while it runs."""


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


class Server(Protocol):
    """What a module of this package offers."""

    PACKAGE: str
    SERVES_STATIC: bool
    """Whether the server serves static files itself; elsewhere middleware in front of the application does."""

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
