"""Putting the application's source in place: moved where possible, merged with what is there."""

import errno
import os
import shutil
from pathlib import Path

from taxiway.errors import NoSourceError, UnreadableSourceError

VALUES = ".compose"  # what `taxiway compose` writes with passwords: for no version control, and no image


def install(upload: Path, target: Path, *, keep_git: bool) -> int:
    """Move the uploaded source into place; an image that is built upon keeps its older files. Returns how many files came.

    Args:
        upload: Where S2I, or a Dockerfile's COPY, put the source.
        target: The application's source directory.
        keep_git: Whether `.git` comes along.

    Raises:
        NoSourceError: Nothing was uploaded.
        UnreadableSourceError: A file can't be read, or what is there can't be replaced.
    """
    count = 0
    try:
        entries = list(upload.iterdir()) if upload.is_dir() else []
        if not any(entry.name != ".git" for entry in entries):
            raise NoSourceError(str(upload))
        target.mkdir(parents=True, exist_ok=True)
        for entry in entries:
            if (entry.name == ".git" and not keep_git) or entry.name == VALUES:
                continue
            count += _merge(entry, target / entry.name)
    except (PermissionError, shutil.Error) as error:
        raise UnreadableSourceError(_reason(error), os.geteuid()) from error
    shutil.rmtree(upload, ignore_errors=True)  # what couldn't be moved; the image needn't carry it twice
    return count


def _reason(error: OSError) -> str:
    """Say what failed in a line; copying a directory tells all that did, as (source, target, reason)."""
    if isinstance(error, shutil.Error) and error.args and isinstance(error.args[0], list):
        found = error.args[0]
        return str(found[0][2]) + f", and {len(found) - 1} more" * (len(found) > 1)
    return str(error)


def merge(source: Path, target: Path) -> None:
    """Move the content of a directory into another, over what is there."""
    for entry in source.iterdir():
        _merge(entry, target / entry.name)


def _merge(source: Path, target: Path) -> int:
    is_directory = source.is_dir() and not source.is_symlink()
    if is_directory and target.is_dir() and not target.is_symlink():
        return sum([_merge(entry, target / entry.name) for entry in source.iterdir()])
    if target.is_dir() and not target.is_symlink():
        shutil.rmtree(target)
    elif target.exists() or target.is_symlink():
        target.unlink()
    count = sum(len(files) for _, _, files in os.walk(source)) if is_directory else 1
    try:
        source.rename(target)
    except OSError as error:
        # A directory of a lower image layer can't be renamed; /tmp may be another file system.
        if error.errno not in {errno.EXDEV, errno.EPERM, errno.EACCES}:
            raise
        if is_directory:
            shutil.copytree(source, target, symlinks=True)
        else:
            shutil.copy2(source, target, follow_symlinks=False)
    return count
