"""The process types of an application: its Procfile, and the table [tool.taxiway.processes].

A Procfile has a `name: command` on each line (Heroku's documentation, "The Procfile"). The command is a shell command line.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from taxiway.errors import BadProcessesError

FILE = "Procfile"
WEB = "web"
RELEASE = "release"
"""Heroku runs it before each deployment; it is no process that goes on running."""
ALL = "all"
"""Stands for all process types where some are asked for, so none can have this name."""
_LINE = re.compile(r"(?P<name>[^:\s]+)\s*:\s*(?P<command>\S.*)")
_NAME = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, kw_only=True)
class ProcessType:
    """A process that the application consists of."""

    name: str
    command: str
    """A command line for the shell, with variables such as $PORT."""
    origin: str
    """Where it stands, for messages: `Procfile line 2`."""


def look(source: Path, project: Mapping[str, object], project_origin: str = "[tool.taxiway]") -> tuple[ProcessType, ...]:
    """Read an application's process types, in their order; the project's table wins over the Procfile where both have a name.

    Args:
        source: The top of the source.
        project: The table `[tool.taxiway]`.
        project_origin: Where that table was read.

    Raises:
        BadProcessesError: A line or an entry is none.
    """
    try:
        text = (source / FILE).read_text(encoding="utf-8-sig")
    except (FileNotFoundError, IsADirectoryError):
        text = ""
    except (OSError, UnicodeDecodeError) as error:
        raise BadProcessesError([f"{FILE}: {error}"]) from error
    declared = project.get("processes", {})
    table = () if isinstance(declared, int) else parse_table(declared, project_origin)  # a number is the setting of that name
    return tuple({process.name: process for process in (*parse(text), *table)}.values())


def find(processes: Iterable[ProcessType], name: str) -> ProcessType | None:
    """Return the process type of a name."""
    return next((process for process in processes if process.name == name), None)


def parse(text: str) -> tuple[ProcessType, ...]:
    """Read a Procfile; empty lines and those that begin with # count for nothing.

    Raises:
        BadProcessesError: A line isn't `name: command`, or a name comes twice; all such lines are listed.
    """
    found: dict[str, ProcessType] = {}
    problems = []
    for number, line in enumerate(text.splitlines(), 1):
        stripped, origin = line.strip(), f"{FILE} line {number}"
        if not stripped or stripped.startswith("#"):
            continue
        match = _LINE.fullmatch(stripped)
        if match is None:
            problems.append(f"{origin}: {stripped!r} isn't name: command")
        elif match["name"] in found:
            problems.append(f"{origin}: {match['name']} is there already, in {found[match['name']].origin}")
        elif problem := _problem(match["name"], match["command"]):
            problems.append(f"{origin}: {problem}")
        else:
            found[match["name"]] = ProcessType(name=match["name"], command=match["command"], origin=origin)
    if problems:
        raise BadProcessesError(problems)
    return tuple(found.values())


def parse_table(table: object, project_origin: str = "[tool.taxiway]") -> tuple[ProcessType, ...]:
    """Read the table `processes` of the project's settings: name = "command".

    Raises:
        BadProcessesError: It is no table of such entries; all that is wrong is listed.
    """
    where = f"processes of {project_origin}"
    if not isinstance(table, dict):
        raise BadProcessesError([f"{where}: it is no table"])
    problems = [f"{where}: {problem}" for name, command in table.items() if (problem := _problem(name, command))]
    if problems:
        raise BadProcessesError(problems)
    return tuple(ProcessType(name=name, command=command.strip(), origin=where) for name, command in table.items())


def _problem(name: str, command: object) -> str | None:
    if not _NAME.fullmatch(name) or name == ALL:
        return f"{name!r} can't be a name"
    if not isinstance(command, str) or not command.strip() or not command.isprintable():
        return f"the command of {name} isn't one line of text"
    return None
