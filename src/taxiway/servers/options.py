"""The options that users give to a server, from all places, and the defaults that give way to them.

This module is on the way of every container start.
"""

import os
from collections.abc import Iterable, Mapping, Sequence

from taxiway.arguments import split
from taxiway.errors import BadSettingError
from taxiway.servers import NAMES, Launch

_DIRECTORIES = (".taxiway", ".warpdrive")


def own(launch: Launch) -> list[str]:
    """Return the user's own arguments: of the project's table, of the source's files, of the setting; the last one wins.

    Raises:
        BadSettingError: `[tool.taxiway.servers]` can't be used.
        IncompleteExpressionError: Arguments that can't be split.
    """
    plan, environ = launch.plan, launch.environ
    words = table(plan.project, plan.project_origin, environ).get(plan.server, [])
    ends = (f"/{plan.server}", *[""] * (not launch.stands_in))
    for name in (f"{directory}/server_args{end}" for directory in _DIRECTORIES for end in ends):
        path = os.path.join(launch.layout.source, name)
        if os.path.isfile(path):
            with open(path, encoding="utf-8", errors="replace") as file:
                words += split(file.read(), environ, name)
            break
    return (
        words if launch.stands_in else words + split(launch.settings.server_args, environ, launch.settings.origin("server_args"))
    )


def table(project: Mapping[str, object], origin: str, environ: Mapping[str, str]) -> dict[str, list[str]]:
    """Return the arguments that `[tool.taxiway.servers.NAME]` has for each server: `args`, and OPTION = VALUE.

    Raises:
        BadSettingError: No such server, or a value that is no option's.
    """
    found: dict[str, list[str]] = {}
    given = project.get("servers", {})
    if not isinstance(given, Mapping):
        raise BadSettingError("servers", given, origin, "a table for each server")
    for server, options in given.items():
        if server not in NAMES or not isinstance(options, Mapping):
            raise BadSettingError("servers", server, origin, f"a table for one of {', '.join(NAMES)}")
        where = f"{origin}, servers.{server}"
        words: list[str] = []
        for name, value in options.items():
            for item in value if isinstance(value, list) else [value]:
                if name == "args" and isinstance(item, str):
                    words += split(item, environ, where)
                elif name == "args" or not isinstance(item, str | int | float):
                    raise BadSettingError(f"servers.{server}", {name: value}, origin, "args = [WORD, ...] and OPTION = VALUE")
                elif item is True:
                    words.append(f"--{name}")
                elif item is not False:
                    words += (f"--{name}", str(item))
        found[server] = words
    return found


def bind(words: Sequence[str], *options: str) -> bool:
    """Tell whether arguments have one of the options, by which the user says where to listen."""
    starts = tuple(f"{option}=" if option.startswith("--") else option for option in options)
    return any(word in options or word.startswith(starts) for word in words)


def timed(own: bool) -> tuple[str, ...]:  # noqa: FBT001
    """Return the variables to take away where the user has set the server's own limit of time, which then is the only one."""
    return ("TAXIWAY_REQUEST_TIMEOUT",) if own else ()


def defaults(options: Iterable[tuple[str, ...]], environ: Mapping[str, str], prefix: str) -> list[str]:
    """Return the words of default options, without those that a variable of the server's own sets, such as UVICORN_BACKLOG."""
    return [
        word for words in options if not environ.get(prefix + words[0].strip("-").replace("-", "_").upper()) for word in words
    ]


def version(text: str) -> tuple[int, ...]:
    """Return the first two numbers of a version, to be compared; none where it isn't known."""
    return tuple(int(part) for part in text.split(".")[:2] if part.isdecimal())
