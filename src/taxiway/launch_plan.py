"""The launch plan: what `assemble` found out about starting the application, as JSON in the image.

This module is on the way of every container start.
"""

import json
import os
from collections.abc import Mapping
from typing import Any, NamedTuple

from taxiway.errors import BadLaunchPlanError, NoLaunchPlanError

FORMAT = 2

WSGI, ASGI = "WSGI", "ASGI"  # what a Python object speaks: PEP 3333, and the ASGI specification 3.0
PYTHON, SHELL, COMMAND = "python", "shell", "command"  # programs that listen by themselves; `servers` has modules of these names
PROGRAMS = (PYTHON, SHELL, COMMAND)


class LaunchPlan(NamedTuple):
    """How to start the application, as far as it is known before the container runs."""

    interface: str
    """`WSGI`, `ASGI`; or `python`, `shell`, `command` for a program that listens by itself."""
    app: str
    """The import string, package.module:name or package.module:factory(); for `python` and `shell` the file, relative to
    `home`; for `command` the command line."""
    home: str
    """The application's directory, relative to the source."""
    server: str
    servers: Mapping[str, str]
    """Each installed server with its version; `start` may choose among them."""
    framework: str | None
    """`django`, or None."""
    django_settings: str | None
    """The module of Django's settings."""
    static: tuple[tuple[str, str], ...]
    """Pairs of URL prefix and absolute directory that the server, or middleware in front of the application, serves."""
    static_root: str | None
    """Where collectstatic put Django's files because the settings have no STATIC_ROOT; they get it at the start."""
    project: Mapping[str, Any]
    """The project's own settings."""
    project_origin: str
    origins: Mapping[str, str]
    """What decided `app`, `server` and `static`."""
    passed_over: tuple[str, ...]
    """What else could have been started."""
    processes: tuple[tuple[str, str], ...] = ()
    """The process types besides `web`, in their order: name and command line."""
    import_bytes: int | None = None
    """Memory of a process that has imported the application; None where that couldn't be measured."""
    free_threaded: bool = False
    """Whether the application's Python runs threads at the same time."""
    immutable: bool = False
    """Whether nothing below `APP_ROOT` may be written in a container, but for `writable`."""
    writable: tuple[str, ...] = ()
    """Relative to the source."""

    def to_json(self) -> str:
        """Write the plan as JSON."""
        return json.dumps({"format": FORMAT, **self._asdict()}, indent=2, sort_keys=True) + "\n"


def write(plan: LaunchPlan, path: str) -> None:
    """Store the plan; an older one stays whole until the new one is."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    temporary = f"{path}.new"
    with open(temporary, "w", encoding="utf-8") as file:
        file.write(plan.to_json())
    os.replace(temporary, path)


def read(path: str) -> LaunchPlan:
    """Read the stored plan.

    Raises:
        NoLaunchPlanError: There is none.
        BadLaunchPlanError: It can't be read, or has another format.
    """
    try:
        with open(path, encoding="utf-8") as file:
            data = json.load(file)
        if data.pop("format") != FORMAT:
            raise BadLaunchPlanError(path, f"expected format {FORMAT}")
        data["static"] = tuple((url, directory) for url, directory in data["static"])
        data["passed_over"] = tuple(data["passed_over"])
        data["processes"] = tuple((name, line) for name, line in data["processes"])
        data["writable"] = tuple(data.get("writable", ()))
        return LaunchPlan(**data)
    except FileNotFoundError:
        raise NoLaunchPlanError(path) from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadLaunchPlanError(path, f"{type(error).__name__}: {error}") from error
