"""Reading `[tool.taxiway]` from pyproject.toml, or taxiway.toml where there is none."""

import tomllib
from pathlib import Path
from typing import Any

from taxiway.errors import BadConfigFileError


def read_project(source: Path) -> tuple[dict[str, Any], str]:
    """Return the project's own settings and where they were read.

    Raises:
        BadConfigFileError: The file isn't TOML, or the table isn't a table.
    """
    pyproject = source / "pyproject.toml"
    if pyproject.is_file():
        tool = _load(pyproject).get("tool", {})
        table = tool.get("taxiway") if isinstance(tool, dict) else None
        if table is not None:
            if not isinstance(table, dict):
                raise BadConfigFileError("pyproject.toml", "tool.taxiway is no table")
            return table, "[tool.taxiway] in pyproject.toml"
    own = source / "taxiway.toml"
    if own.is_file():
        return _load(own), "taxiway.toml"
    return {}, "[tool.taxiway]"


def _load(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise BadConfigFileError(path.name, str(error)) from error
