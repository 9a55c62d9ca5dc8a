"""Where bill of materials and provenance lie in an image, and writing the application's at a build.

The image's own part is written when the image is made, the application's by `assemble` below APP_ROOT, which is copied from
image to image: so each stays true wherever it comes.
"""

import csv
import hashlib
import json
import os
import tomllib
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from taxiway import __version__
from taxiway.dependencies import records
from taxiway.dependencies.pins import PinnedList
from taxiway.layout import Layout, wheelhouse
from taxiway.sbom import document, inventory, provenance
from taxiway.sbom.document import INPUTS, Subject
from taxiway.sbom.inventory import TOOL, Files

IMAGE = "/usr/share/taxiway/sbom.cdx.json"


def subject(source: Path) -> Subject:
    """Name the application: as its pyproject.toml does (PEP 621), which alone says a version."""
    try:
        project = tomllib.loads((source / "pyproject.toml").read_text(encoding="utf-8")).get("project", {})
        return Subject(name=str(project["name"]), version=str(project.get("version", "")))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return Subject(name="application")


def write_bill(layout: Layout, requirements: PinnedList | None, environ: Mapping[str, str]) -> str:
    """Write the bill of what is installed, if that changed since it was written. Returns what was done, in words.

    Raises:
        NoSbomLibraryError: cyclonedx-python-lib isn't installed.
    """
    wheels = _wheels(requirements, layout)
    about = subject(Path(layout.source))
    wanted = _inputs(layout, about, wheels, environ)
    path = Path(layout.sbom)
    bill = path.read_text(encoding="utf-8") if path.is_file() else ""
    is_new = document.inputs(bill) != wanted
    if is_new:
        path.unlink(missing_ok=True)  # none is better than an old one
        Path(layout.provenance).unlink(missing_ok=True)
        packages = inventory.application_packages(inventory.Directory(), layout.app_root, wheels)
        bill = document.write(about, packages, {INPUTS: wanted}, environ)
        path.write_text(bill, encoding="utf-8")
    count = len(json.loads(bill).get("components", ()))
    return f"{count} components" if is_new else f"unchanged, {count} components"


def write_provenance(layout: Layout, requirements: PinnedList | None, came_from: provenance.Source) -> None:
    """Write where the application came from; its bill has to be there."""
    bill = Path(layout.sbom).read_text(encoding="utf-8")
    image = Path(IMAGE)
    text = provenance.statement(
        came_from=came_from,
        locks=_locks(requirements, Path(layout.source)),
        materials=json.loads(bill),
        image=json.loads(image.read_text(encoding="utf-8")) if image.is_file() else {},
        bill=bill,
        allowed={pin.name: pin.hashes for pin in (requirements.applicable if requirements else ()) if len(pin.hashes) > 1},
    )
    Path(layout.provenance).write_text(text, encoding="utf-8")


def image_document(name: str, known: Mapping[str, str], files: Files, environ: Mapping[str, str]) -> str:
    """Write the document of what an image has besides an application.

    Args:
        name: What the image is called.
        known: What is known of it and of the image that it was made from, as properties.
        files: Its files.
        environ: For SOURCE_DATE_EPOCH.
    """
    distribution = inventory.release(files)
    system = [_operating_system(distribution)] if distribution else []
    properties = {key: value for key, value in known.items() if value}
    about = Subject(name=name, kind="container", version=__version__ if name.startswith("taxiway-") else "")
    return document.write(about, [*system, *inventory.image_packages(files)], properties, environ)


def update_image_document(environ: Mapping[str, str]) -> None:
    """Write this image's own document anew, after packages were installed; nothing where it has none."""
    old = _load(inventory.Directory(), IMAGE)
    if old:
        metadata = old["metadata"]
        known = {row["name"]: row["value"] for row in metadata.get("properties", ())}
        text = image_document(metadata["component"]["name"], known, inventory.Directory(), environ)
        Path(IMAGE).write_text(text, encoding="utf-8")


def bill(
    about: Subject, files: Files, app_root: str, environ: Mapping[str, str], *, scan: bool = False, metadata: Sequence[str] = ()
) -> str:
    """Return the bill of materials of a whole image: what is stored in it as far as that is still true, else what is seen.

    Args:
        about: The image.
        files: Its files.
        app_root: Its APP_ROOT.
        environ: For SOURCE_DATE_EPOCH.
        scan: Use nothing that is stored.
        metadata: The paths of its .dist-info directories, wherever they are.

    Raises:
        NoSbomLibraryError: It has to be made, and cyclonedx-python-lib isn't installed.
    """
    layout = Layout(app_root=app_root, source=f"{app_root}/src")
    application = None if scan else _load(files, layout.sbom)
    if application is None or _python(application) != _installed(files, app_root):
        packages = inventory.application_packages(files, app_root)
        known = [*inventory.environments(files, app_root), *inventory.environments(files, TOOL)]
        packages += inventory.installed_elsewhere(files, metadata, known)
        application = json.loads(document.write(Subject(name="application"), packages, {}, environ))
    image = None if scan else _load(files, IMAGE)
    if image is None or _debian(image) != {(p.name, p.version) for p in inventory.debian_packages(files)}:
        known_of = {row["name"]: row["value"] for row in image["metadata"].get("properties", ())} if image else {}
        image = json.loads(image_document(image["metadata"]["component"]["name"] if image else "image", known_of, files, environ))
    return document.merge(about, [application, image], environ)


def _load(files: Files, path: str) -> dict[str, Any] | None:
    """Read a document that taxiway wrote; None where there is none, or something else."""
    try:
        data = json.loads(files.read(path) or b"")
        return data if data["bomFormat"] == "CycloneDX" and data["metadata"]["component"]["name"] else None
    except (ValueError, KeyError, TypeError):
        return None


def _debian(data: Mapping[str, Any]) -> set[tuple[str, str]]:
    return {(part["name"], part["version"]) for part in data["components"] if part.get("purl", "").startswith("pkg:deb/")}


def _python(data: Mapping[str, Any]) -> set[tuple[str, str]]:
    parts = (part for part in data["components"] if part.get("purl", "").startswith("pkg:pypi/"))
    return {(canonicalize_name(part["name"]), part["version"]) for part in parts}


def _installed(files: Files, app_root: str) -> set[tuple[str, str]]:
    packages = (package for site in inventory.environments(files, app_root) for package in inventory.python_packages(files, site))
    return {(canonicalize_name(package.name), package.version) for package in packages}


def _operating_system(distribution: Mapping[str, str]) -> inventory.Package:
    return inventory.Package(
        type="generic",
        name=distribution.get("ID", "linux"),
        version=distribution.get("VERSION_ID") or distribution.get("VERSION_CODENAME", "unknown"),
        kind="operating-system",
        description=distribution.get("PRETTY_NAME", ""),
    )


def _wheels(requirements: PinnedList | None, layout: Layout) -> dict[str, str]:
    """Return the hash of each wheel that was installed, where that is certain."""
    lines = [pin.line_with_hashes for pin in (requirements.applicable if requirements else ()) if pin.name]
    return _of_builder(layout) | inventory.wheel_hashes(lines)


def _of_builder(layout: Layout) -> dict[str, str]:
    """Return the hashes of those of the builder's wheels whose files are installed unchanged."""
    house = Path(wheelhouse() or "/nonexistent")
    installed = {(found.name, found.version): found for found in records.distributions(layout)}
    found = {}
    for path in house.glob("*.whl"):
        name, version, *_ = path.name.split("-")
        distribution = installed.get((canonicalize_name(name), version))
        if distribution and _rows(path) <= {(entry.path, entry.digest) for entry in distribution.entries()}:
            found[distribution.name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def _rows(wheel: Path) -> set[tuple[str, str]]:
    """Return what a wheel's RECORD says, but for what an installer moves to other places, or writes itself."""
    name, version, *_ = wheel.name.split("-")
    with zipfile.ZipFile(wheel) as archive:
        text = archive.read(f"{name}-{version}.dist-info/RECORD").decode()
    rows = ((*row, "", "")[:2] for row in csv.reader(text.splitlines()) if row)
    return {(path, digest) for path, digest in rows if digest and ".data/" not in path}


def _locks(requirements: PinnedList | None, source: Path) -> dict[str, str]:
    """Return the SHA-256 of each file that says what is installed."""
    names = {requirements.file, *(pin.file for pin in requirements.pins)} if requirements else set()
    paths = {name: source / name for name in names}
    return {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in paths.items() if path.is_file()}


def _inputs(layout: Layout, about: Subject, wheels: Mapping[str, str], environ: Mapping[str, str]) -> str:
    """Return a hash of all that the document is made from."""
    digest = hashlib.sha256()
    basis: list[Any] = [__version__, about.name, about.version, sorted(wheels.items()), environ.get("SOURCE_DATE_EPOCH", "")]
    digest.update(json.dumps(basis).encode())
    for found in records.distributions(layout):
        digest.update(os.fsencode(found.metadata))
        digest.update(found.record.read_bytes() if found.record.is_file() else b"")
    return digest.hexdigest()[:16]
