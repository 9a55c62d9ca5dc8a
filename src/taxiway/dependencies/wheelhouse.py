"""A directory in the source with the wheels of all that is pinned: a build that finds one asks no index.

`taxiway wheels` fills it. What has only a source on the index is built into a wheel, whose hash no lock has; `built.json` says
from which hashes of the lock it was made, and it counts only as long as the lock has the same ones.
"""

import hashlib
import json
import shutil
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from packaging.utils import InvalidWheelFilename, canonicalize_name, canonicalize_version, parse_wheel_filename

from taxiway import console
from taxiway.dependencies.installer import is_checked_by_itself
from taxiway.dependencies.pins import Pin, PinnedList
from taxiway.dependencies.target import tags as installable_tags
from taxiway.errors import DependenciesError, WheelhouseError
from taxiway.process import run

PLACES = (".taxiway/wheelhouse", ".warpdrive/wheelhouse")
BUILT = "built.json"


@dataclass(frozen=True, kw_only=True)
class Wheelhouse:
    """What is in such a directory."""

    path: Path
    wheels: frozenset[tuple[str, str]]
    """Names (PEP 503) and versions (PEP 440, canonical) of the wheels that this Python can install."""
    built: Mapping[frozenset[str], str] = field(default_factory=dict)
    """From hashes of a lock to the hash of the wheel that was built from one of these files."""


def find(source: Path) -> Wheelhouse | None:
    """Read a source's wheelhouse; None where it has none."""
    for place in PLACES:
        if any((source / place).glob("*.whl")):
            return read(source / place)
    return None


def read(path: Path) -> Wheelhouse:
    """Read a wheelhouse.

    Raises:
        WheelhouseError: `built.json` isn't what `taxiway wheels` writes.
    """
    try:
        text = (path / BUILT).read_text(encoding="utf-8") if (path / BUILT).exists() else "{}"
        built = {frozenset(entry["from"]): str(entry["hash"]) for entry in json.loads(text).values()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise WheelhouseError(str(path), [f"{BUILT} can't be read: {error}"]) from error
    return Wheelhouse(path=path, wheels=frozenset(installable(file.name for file in path.glob("*.whl"))), built=built)


def installable(names: Iterable[str]) -> Iterable[tuple[str, str]]:
    """Parse file names of wheels, as far as this Python can install them; pure."""
    tags = installable_tags()
    for name in names:
        try:
            distribution, version, _, of_wheel = parse_wheel_filename(name)
        except InvalidWheelFilename:
            continue
        if tags & of_wheel:
            yield distribution, canonicalize_version(version)


def remove(source: Path) -> None:
    """Remove a source's wheelhouse after the build: the image needn't carry it as well."""
    for place in PLACES:
        shutil.rmtree(source / place, ignore_errors=True)


def missing(house: Wheelhouse, pinned: PinnedList | None) -> list[str]:
    """List what is pinned, but isn't in a wheelhouse; pure."""
    return [
        f"{pin.name} {pin.version} ({pin.origin})"
        for pin in (pinned.applicable if pinned else ())
        if pin.name and pin.version and not pin.url and (pin.name, canonicalize_version(pin.version)) not in house.wheels
    ]


def fill(pinned: PinnedList, source: Path, environ: Mapping[str, str]) -> list[str]:
    """Download or build a wheel of all that is pinned, in place of what was there before. Returns what was built.

    Raises:
        DependenciesError: pip refused or failed; the wheelhouse is as it was.
    """
    target = source / PLACES[0]
    target.parent.mkdir(exist_ok=True)
    pins = [pin for pin in pinned.applicable if not pin.is_local]
    alone = [pin for pin in pins if pinned.hashed and is_checked_by_itself(pin)]
    with tempfile.TemporaryDirectory(dir=target.parent) as temporary:
        directory = Path(temporary)
        hashed = [pin.line_with_hashes for pin in pins if pin not in alone]
        no_deps = ["--no-deps"] * pinned.complete
        _pip_wheel([*pinned.options, *hashed], [*no_deps, *["--require-hashes"] * pinned.hashed], directory, source, environ)
        _pip_wheel([pin.line_with_hashes for pin in alone], no_deps, directory, source, environ)
        found = built(directory, pins)
        # What lies in the source itself is built there: its build back end is needed too.
        _pip_wheel(build_requirements(source, pinned), [], directory, source, environ)
        if found:
            (directory / BUILT).write_text(json.dumps(found, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir()
        for file in sorted(directory.iterdir()):
            shutil.move(file, target / file.name)
    return sorted(found)


def built(directory: Path, pins: Sequence[Pin]) -> dict[str, dict[str, Any]]:
    """Find the wheels that no lock has a hash of."""
    hashes = {pin.name: pin.hashes for pin in pins if pin.hashes}
    found = {}
    for wheel in sorted(directory.glob("*.whl")):
        digest = f"sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}"
        of_lock = hashes.get(canonicalize_name(wheel.name.split("-")[0]), ())
        if of_lock and digest not in of_lock:
            found[wheel.name] = {"hash": digest, "from": sorted(of_lock)}
    return found


def build_requirements(source: Path, pinned: PinnedList) -> list[str]:
    """Return what is needed to build the source's own directories (PEP 518)."""
    directories = [source] * any((source / name).is_file() for name in ("pyproject.toml", "setup.py", "setup.cfg"))
    directories += [source / pin.url for pin in pinned.applicable if pin.is_local and pin.url]
    found: list[str] = []
    for directory in directories:
        file = directory / "pyproject.toml"
        data = tomllib.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
        found += data.get("build-system", {}).get("requires", ["setuptools"])
    return list(dict.fromkeys(found))


def _pip_wheel(lines: Sequence[str], options: Sequence[str], directory: Path, source: Path, environ: Mapping[str, str]) -> None:
    if not any(not line.startswith("--") for line in lines):
        return
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
        file.flush()
        argv = ["pip", "wheel", *options, "--wheel-dir", str(directory), "--requirement", file.name]
        result = run([sys.executable, "-m", *argv], env=environ, cwd=source, brief=True)
    if result.status:
        raise DependenciesError(console.join(argv), result.reason, result.output)
