"""pylock.toml, the standard lock file: PEP 751, read with the library `packaging`."""

import re
from pathlib import Path
from urllib.parse import urlsplit

from packaging.pylock import Package, Pylock, PylockValidationError
from packaging.utils import canonicalize_name

from taxiway.dependencies.formats.common import (
    Document,
    Selection,
    check_fresh,
    check_names,
    check_python,
    local_line,
    project_requirements,
    read_toml,
    unsatisfied,
    vcs_url,
)
from taxiway.dependencies.pins import PUBLIC_INDEX, Pin, PinnedList
from taxiway.errors import BadLockError, MissingHashesError, TaxiwayError

NAME = "pylock.toml"
FILES = ("pylock.toml", "pylock.*.toml")
# By what its field `created-by` names.
REFRESH = {
    "uv": "uv export --format pylock.toml --no-emit-project --no-default-groups -o pylock.toml",
    "pdm": "pdm lock, then pdm export --format pylock -G :all -o pylock.toml",
}
BY_TAXIWAY = "# Made by `taxiway lock"


def read(path: Path, source: Path, selection: Selection) -> PinnedList:
    """Read a pylock.toml.

    Raises:
        BadLockError: It isn't one.
        LockedForOtherPythonError: It is for another Python.
        UnknownGroupError: It lacks an extra or group.
        LockOutdatedError: pyproject.toml asks for something else.
    """
    document = read_toml(path, source)
    try:
        lock = Pylock.from_dict(document.data)
    except PylockValidationError as error:
        raise _explained(error, document) from error
    check_python(str(lock.requires_python or ""), selection, document.file)
    check_names(selection.extras, lock.extras or (), "extras", document.file)
    check_names(selection.groups, lock.dependency_groups or (), "groups", document.file)
    environment: dict[str, str | frozenset[str]] = {
        **selection.environment,
        "extras": frozenset(selection.extras),
        "dependency_groups": frozenset({*selection.groups, *(lock.default_groups or ())}),
    }
    pins = []
    for package, line in zip(lock.packages, document.lines_of("packages"), strict=True):
        applies = package.marker is None or package.marker.evaluate(environment, context="lock_file")
        pins.append(_pin(package, document.file, line, applies=applies))
    manifest = source / "pyproject.toml"
    if path.name == NAME and manifest.is_file():
        asked = project_requirements(read_toml(manifest, source), selection)
        check_fresh(document.file, manifest.name, unsatisfied(asked, pins, selection, document.file), refresh(lock, document))
    indexes = dict.fromkeys(package.index for package in lock.packages if package.index)
    return PinnedList(
        format=NAME,
        file=document.file,
        pins=tuple(pins),
        complete=True,
        contents=(document.text,),
        options=index_options(indexes),
    )


def refresh(lock: Pylock, document: Document) -> str:
    """Return the command that made a lock."""
    if document.text.startswith(BY_TAXIWAY):
        return "taxiway lock --format pylock"
    return REFRESH.get(lock.created_by, REFRESH["uv"])


def _explained(error: PylockValidationError, document: Document) -> TaxiwayError:
    """Name the package that a failure is about, where `packaging` gives its number."""
    number = re.match(r"packages\[(\d+)\]", error.context or "")
    if not number:
        return BadLockError(document.file, str(error))
    package = document.data["packages"][int(number[1])]
    named = (
        f"{package.get('name')}=={package.get('version')} ({document.file} line {document.lines_of('packages')[int(number[1])]})"
    )
    if "hash" in str(error):
        return MissingHashesError([named], document.file)
    return BadLockError(document.file, f"{named}: {error}")


def index_options(urls: dict[str, None], *, public_too: bool = False) -> tuple[str, ...]:
    """Return the lines for an installer that name package indexes; none if there is but the public one, which is the default.

    Args:
        urls: The indexes, in their order.
        public_too: Whether the lock takes packages from the public index as well, without naming it.
    """
    if all(urlsplit(url).hostname == urlsplit(PUBLIC_INDEX).hostname for url in urls):
        return ()
    first, *others = {PUBLIC_INDEX: None, **urls} if public_too else urls
    return (f"--index-url {first}", *(f"--extra-index-url {url}" for url in others))


def _pin(package: Package, file: str, line: int, *, applies: bool) -> Pin:
    version = str(package.version) if package.version else None
    requirement, url, editable = f"{package.name}=={version}", None, False
    hashes: list[str] = []
    if package.directory:
        url, editable = package.directory.path, bool(package.directory.editable)
        requirement = local_line(url, editable=editable)
    elif package.vcs:
        vcs = package.vcs
        url = vcs_url(vcs.type, vcs.url or vcs.path or "", vcs.commit_id, vcs.subdirectory)
        requirement = f"{package.name} @ {url}"
    elif package.archive:
        url = package.archive.url or package.archive.path or ""
        requirement = f"{package.name} @ {url}" if "://" in url else local_line(url, editable=False)
        hashes = [f"{name}:{digest}" for name, digest in package.archive.hashes.items()]
    else:
        files = [*(package.wheels or ()), *((package.sdist,) if package.sdist else ())]
        hashes = [f"{name}:{digest}" for file_ in files for name, digest in file_.hashes.items()]
    return Pin(
        name=canonicalize_name(package.name),
        version=version,
        requirement=requirement,
        hashes=tuple(dict.fromkeys(hashes)),
        file=file,
        line=line,
        url=url,
        editable=editable,
        applies=applies,
    )
