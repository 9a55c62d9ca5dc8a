"""The environment variables that an application declares in `[tool.taxiway.env]`: required ones, defaults, mounted secrets.

    [tool.taxiway.env]
    SECRET_KEY = { required = true, secret = true, description = "signs the sessions" }
    CACHE_URL = { default = "locmem://" }

For a declared NAME, the variable NAME_FILE may name a file that holds the value, as Kubernetes and Podman mount secrets. An empty
variable counts as unset. No message ever has a value.
This module is on the way of every container start.
"""

import os
from collections.abc import Mapping
from typing import NamedTuple

from taxiway.errors import BadEnvTableError, MissingVariablesError, VariableFileError
from taxiway.settings import variable

_MAX_BYTES = 128 * 1024  # execve(2), MAX_ARG_STRLEN: no longer string can be handed to a program
_KEYS: Mapping[str, tuple[type, str]] = {
    "required": (bool, "true or false"),
    "default": (str, "text"),
    "secret": (bool, "true or false"),
    "description": (str, "text"),
}


class Variable(NamedTuple):
    """One row of the table."""

    name: str
    required: bool = False
    default: str = ""
    secret: bool = False
    description: str = ""


def declared(project: Mapping[str, object], origin: str) -> tuple[Variable, ...]:
    """Read the table `env` of the project's settings.

    Args:
        project: `[tool.taxiway]`, or taxiway.toml.
        origin: Where that was read, for messages.

    Raises:
        BadEnvTableError: It has other keys or values than it may have; all of them are listed.
    """
    table = project.get("env", {})
    if not isinstance(table, Mapping):
        raise BadEnvTableError(origin, ["env: expected a table of variables"])
    problems = [problem for name, row in table.items() for problem in _problems(name, row)]
    if problems:
        raise BadEnvTableError(origin, problems)
    return tuple(Variable(name, **row) for name, row in table.items())


def _problems(name: str, row: object) -> list[str]:
    if not (name.isascii() and name.isidentifier()):
        return [f"{name!r}: expected the name of a variable: letters, digits and _"]
    if name.startswith("TAXIWAY_"):
        return [f"{name}: a setting of taxiway; write it into [tool.taxiway] itself"]
    if not isinstance(row, Mapping):
        return [f"{name}: expected a table, as in {name} = {{ required = true }}"]
    found = []
    for key, value in row.items():
        if key not in _KEYS:
            found.append(f"{name}.{key}: no such key; there are {', '.join(_KEYS)}")
        elif not isinstance(value, _KEYS[key][0]):
            found.append(f"{name}.{key}: expected {_KEYS[key][1]}")
    if row.get("secret") and row.get("default"):
        found.append(f"{name}.default: a secret has none, because everybody who has the source could read it")
    return found


def read_files(variables: tuple[Variable, ...], environ: Mapping[str, str], *, optional: bool = False) -> dict[str, str]:
    """Return the environment with each declared NAME read from the file that NAME_FILE names; NAME_FILE itself goes.

    Args:
        variables: What is declared.
        environ: The environment.
        optional: Pass over a file that isn't there: a build hasn't the mounts of the container.

    Raises:
        VariableFileError: A file can't be read, or NAME is set as well; all of them are listed.
    """
    result = dict(environ)
    problems = []
    for name in (row.name for row in variables):
        path = variable(environ, f"{name}_FILE")
        if not path or (optional and not os.path.exists(path)):
            continue
        if environ.get(name):
            problems.append(f"{name} and {name}_FILE are both set; one of them has to go")
            continue
        try:
            result[name] = _read(path)
            del result[f"{name}_FILE"]
        except OSError as error:
            problems.append(f"{name}_FILE: couldn't read {path}: {error.strerror}")
        except ValueError as error:
            problems.append(f"{name}_FILE: {path} {error}")
    if problems:
        raise VariableFileError(problems)
    return result


def _read(path: str) -> str:
    with open(path, "rb") as file:
        data = file.read(_MAX_BYTES)
    if len(data) == _MAX_BYTES or b"\0" in data:
        raise ValueError("holds no text of less than 128 KiB")
    try:
        return data.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        raise ValueError("isn't UTF-8") from None


def fill(variables: tuple[Variable, ...], environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment with the defaults of what is unset."""
    return {**environ, **{row.name: row.default for row in variables if row.default and not environ.get(row.name)}}


def missing(variables: tuple[Variable, ...], environ: Mapping[str, str]) -> tuple[Variable, ...]:
    """List the required variables that are unset."""
    return tuple(row for row in variables if row.required and not environ.get(row.name))


def require(variables: tuple[Variable, ...], environ: Mapping[str, str]) -> None:
    """Refuse an environment that lacks what is required.

    Raises:
        MissingVariablesError: All that is missing, with descriptions.
    """
    lacking = missing(variables, environ)
    if lacking:
        raise MissingVariablesError([row.name for row in lacking], [row.description for row in lacking])
