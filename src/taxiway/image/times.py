"""The time that an image gets, so that the same source gives the same image on any day."""

from collections.abc import Mapping
from pathlib import Path

from taxiway.errors import BadSettingError
from taxiway.process import output

VARIABLE = "SOURCE_DATE_EPOCH"
_NEWEST_S = 2**33 - 1  # the most that a tar header has room for


def of_source(source: Path, copied: Path, commit: str, environ: Mapping[str, str]) -> tuple[int, str]:
    """Return the time of a source, in seconds since 1970, and where it comes from.

    It is what SOURCE_DATE_EPOCH says (reproducible-builds.org's specification of that name), else when the commit was made, else
    when the newest file was changed.

    Args:
        source: The source as the user has it.
        copied: The copy that is built from, without what is left out; its files have their times.
        commit: What is checked out; empty where files differ from it, or git doesn't know them.
        environ: The environment.

    Raises:
        BadSettingError: SOURCE_DATE_EPOCH isn't a number of seconds.
    """
    if stated := environ.get(VARIABLE):
        if not stated.isascii() or not stated.isdecimal() or int(stated) > _NEWEST_S:
            raise BadSettingError(VARIABLE, stated, f"the variable {VARIABLE}", "a whole number of seconds since 1970")
        return int(stated), VARIABLE
    if commit:
        result = output(["git", "-C", str(source), "log", "-1", "--format=%ct", commit], env=environ, cwd=source)
        if result.status == 0:
            return int(result.output), "the commit"
    files = (path for path in copied.rglob("*") if path.is_file() and not path.is_symlink())
    return max((int(path.stat().st_mtime) for path in files), default=0), "the newest file"
