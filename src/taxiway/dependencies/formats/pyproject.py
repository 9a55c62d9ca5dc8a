"""pyproject.toml without a lock, the last resort: what `[project]` asks for (PEP 621), as it is."""

from pathlib import Path

from packaging.utils import canonicalize_name

from taxiway.dependencies.formats.common import Selection, check_names, check_python, line_of, project_requirements, read_toml
from taxiway.dependencies.formats.requirements_txt import parse_line
from taxiway.dependencies.pins import PinnedList
from taxiway.errors import MissingLockError

NAME = "pyproject.toml"
FILES = (NAME,)
REFRESH = "taxiway lock"


def read(path: Path, source: Path, selection: Selection) -> PinnedList | None:
    """Read the dependencies of a pyproject.toml; None where it has none of its own.

    Raises:
        BadLockError: It isn't TOML, or something in it is no requirement.
        MissingLockError: They are poetry's, which nothing but poetry can resolve.
        UnknownGroupError: It lacks an extra or group.
    """
    document = read_toml(path, source)
    project, poetry = document.data.get("project", {}), document.data.get("tool", {}).get("poetry", {})
    if "dependencies" not in project and poetry.get("dependencies", {}).keys() - {"python"}:
        raise MissingLockError(document.file, "poetry.lock", "poetry lock")
    if not project.get("dependencies") and not selection.extras and not selection.groups:
        return None
    check_names(selection.extras, project.get("optional-dependencies", {}), "extras", document.file)
    check_names(selection.groups, document.data.get("dependency-groups", {}), "groups", document.file)
    check_python(project.get("requires-python"), selection, document.file)
    pins = []
    for requirement, _ in project_requirements(document, selection):
        line = line_of(document.text, canonicalize_name(requirement.name))
        pins.append(parse_line(str(requirement), document.file, line, selection.environment))
    return PinnedList(format=NAME, file=document.file, pins=tuple(pins), complete=False, contents=(document.text,))
