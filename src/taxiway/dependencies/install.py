"""Installing what a pinned list asks for, and only what changed of it."""

import os
import shutil
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from packaging.utils import canonicalize_name

from taxiway import console
from taxiway.dependencies import check, finish, project, records, state
from taxiway.dependencies.explain import explain
from taxiway.dependencies.formats import pyproject
from taxiway.dependencies.installer import Installer, is_checked_by_itself, lines_of
from taxiway.dependencies.pins import Pin, PinnedList
from taxiway.dependencies.state import Changes, State
from taxiway.dependencies.wheelhouse import Wheelhouse
from taxiway.errors import DependenciesError, ServerMissingError, UnlockedBackEndError
from taxiway.layout import Layout, pinned_list, wheelhouse


def apply(
    changes: Changes,
    wanted: State,
    pinned: PinnedList | None,
    installer: Installer,
    house: Wheelhouse | None = None,
    *,
    strict: bool = False,
) -> None:
    """Carry out changes, and remember what is installed then; after a failure the next build starts from scratch.

    Args:
        changes: What has to change.
        wanted: What will be installed.
        pinned: What is asked for.
        installer: The installer.
        house: The source's wheelhouse.
        strict: Refuse versions that don't fit together.

    Raises:
        DependenciesError: The installer refused or failed.
        IncompleteLockError: The list lacks something.
        ConflictingPinsError: Its versions don't fit together.
    """
    layout = installer.layout
    known = Path(layout.dependencies).exists()
    state.begin(layout)
    if not changes.from_scratch:
        pins = [pin for pin in (pinned.applicable if pinned else ()) if state.key(pin) in changes.new]
        from_scratch = not remove(changes.gone | changes.new, layout)
    if changes.from_scratch or from_scratch:
        if known:
            clear(layout)
        pins = list(pinned.applicable) if pinned else []
    before = {found.metadata for found in records.distributions(layout)}
    if pinned and pins:
        _install(pins, pinned, installer, house)
    finish.finish((found for found in records.distributions(layout) if found.metadata not in before), layout)
    Path(layout.app_root, ".lock").unlink(missing_ok=True)  # uv's
    if pinned:
        check.check(pinned, layout, strict=strict)
    state.write(wanted, layout)


def _install(pins: Sequence[Pin], pinned: PinnedList, installer: Installer, house: Wheelhouse | None) -> None:
    if house:
        installer = replace(installer, offline=str(house.path))
    options = [
        f"--constraint {os.path.join(installer.layout.source, o.split()[-1])}" if o.startswith("--constraint ") else o
        for o in pinned.options
    ]
    lists_all = pinned.complete or pinned.format == pyproject.NAME  # then what the project needs is listed too
    alone = [pin for pin in pins if (pinned.hashed or lists_all) and is_checked_by_itself(pin)]
    hashed = [pin for pin in pins if pin not in alone]
    for group, no_deps, require_hashes in ((hashed, pinned.complete, pinned.hashed), (alone, lists_all, False)):
        if not group:
            continue
        own = wheelhouse()
        if (
            no_deps
            and own
            and all(project.is_built(pin, installer.layout) and not project.lacking(own, pin, installer.layout) for pin in group)
        ):
            installer, options = replace(installer, offline=own), []
        try:
            lines = [*options, *lines_of(group, house.built if house else {})]
            installer.install(lines, no_deps=no_deps, require_hashes=require_hashes)
        except DependenciesError as error:
            raise error.about(explain(error.output, pinned)) from None


def check_back_ends(pinned: PinnedList | None, layout: Layout, *, strict: bool) -> None:
    """Warn of build back ends of the source's own directories that neither a lock nor the builder image pins.

    Raises:
        UnlockedBackEndError: There are some, and `strict` is set.
    """
    own = wheelhouse()
    found = [
        f"{requirement} ({pin.origin if pin.url in {'.', './'} else pin.url})"
        for pin in (pinned.applicable if pinned and own else ())
        for requirement in project.lacking(own or "", pin, layout)
    ]
    if found and strict:
        raise UnlockedBackEndError(found)
    if found:
        console.warn(
            f"Not in the builder image in that version, so that the index decides what builds the project: {', '.join(found)}. "
            "See docs/dependencies.md"
        )


def remove(names: Collection[str], layout: Layout) -> bool:
    """Remove what is installed of these names; tells whether that could be done cleanly."""
    found = records.distributions(layout)
    gone = [distribution for distribution in found if distribution.name in names]
    return records.remove(gone, [distribution for distribution in found if distribution not in gone], layout)


def remove_old_servers(pinned: PinnedList | None, layout: Layout) -> None:
    """Remove server packages of another version than the builder's, unless the application asks for them."""
    versions = dict(_named_version(line) for line in _server_lines())
    old = [
        found.name
        for found in records.distributions(layout)
        if found.version != versions.get(found.name, found.version) and not (pinned and pinned.find(found.name))
    ]
    if old:
        remove(old, layout)


def _server_lines(file: str = "servers.txt") -> list[str]:
    path = Path(pinned_list(file, wheelhouse()))
    text = path.read_text(encoding="utf-8").replace("\\\n", " ") if path.is_file() else ""
    return [" ".join(line.split()) for line in text.splitlines() if "==" in line]


def _named_version(line: str) -> tuple[str, str]:
    name, _, rest = line.partition("==")
    return canonicalize_name(name), rest.split()[0]


def server_packages(names: Sequence[str], origin: str) -> list[str]:
    """Return the pinned lines of packages in the builder's wheelhouse: servers, pip and build back ends.

    Raises:
        ServerMissingError: There is no wheelhouse, or it lacks one.
    """
    pins = {_named_version(line)[0]: line for line in (*_server_lines(), *_server_lines("backends.txt"))}
    for name in names:
        if canonicalize_name(name) not in pins:
            raise ServerMissingError(name, origin)
    return [pins[canonicalize_name(name)] for name in names]


def install_servers(lines: Sequence[str], installer: Installer) -> None:
    """Install pinned lines from the builder's wheelhouse, without asking an index; on a laptop from the index.

    Raises:
        DependenciesError: The installer failed.
    """
    before = {found.metadata for found in records.distributions(installer.layout)}
    replace(installer, offline=wheelhouse()).install(lines, no_deps=True, require_hashes=True)
    finish.finish((found for found in records.distributions(installer.layout) if found.metadata not in before), installer.layout)
    Path(installer.layout.app_root, ".lock").unlink(missing_ok=True)


def clear(layout: Layout) -> None:
    """Take away what was installed, so that nothing of an older set stays behind."""
    for packages in Path(layout.app_root, "lib").glob("python*/site-packages"):
        _delete(packages.iterdir())
    _delete(path for path in Path(layout.bin).iterdir() if not path.name.startswith(("python", "activate", "Activate")))


def _delete(paths: Iterable[Path]) -> None:
    for path in paths:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def installed_version(package: str, layout: Layout) -> str | None:
    """Return the version of an installed distribution."""
    wanted = canonicalize_name(package)
    return next((found.version for found in records.distributions(layout) if found.name == wanted), None)
