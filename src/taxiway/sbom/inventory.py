"""What is installed, read from files alone: Debian packages, Python distributions and wheels.

The files may be those of this machine, or of an image that is only read.
"""

import hashlib
import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from email.parser import HeaderParser
from pathlib import Path
from typing import Protocol

from packaging.markers import default_environment
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from taxiway.dependencies.system import stanzas

WHEEL, RECORD = "wheel", "RECORD"  # of what a hash is: the file that was installed, or the list of what it installed
TOOL = "/opt/taxiway"  # taxiway's own environment in an image
_DPKG = "/var/lib/dpkg/status"
_COPYRIGHT_BYTES = 1024 * 1024
# Classifiers that say which licence it is; others, such as "BSD License", stay what they are.
_LICENCES = {
    "MIT License": "MIT",
    "ISC License (ISCL)": "ISC",
    "The Unlicense (Unlicense)": "Unlicense",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "GNU General Public License v2 (GPLv2)": "GPL-2.0-only",
    "GNU General Public License v3 (GPLv3)": "GPL-3.0-only",
    "GNU General Public License v3 or later (GPLv3+)": "GPL-3.0-or-later",
    "Python Software Foundation License": "PSF-2.0",
}


class Files(Protocol):
    """A file system that is read; paths are absolute, with slashes."""

    def read(self, path: str) -> bytes | None:
        """Return a file's content, links followed; None where there is no such file."""

    def names(self, directory: str) -> list[str]:
        """List a directory, sorted; empty where there is none."""


@dataclass(frozen=True)
class Directory:
    """The files below a directory of this machine."""

    root: Path = Path("/")

    def read(self, path: str) -> bytes | None:
        """Return a file's content."""
        try:
            return (self.root / path.lstrip("/")).read_bytes()
        except OSError:
            return None

    def names(self, directory: str) -> list[str]:
        """List a directory."""
        try:
            return sorted(path.name for path in (self.root / directory.lstrip("/")).iterdir())
        except OSError:
            return []


@dataclass(frozen=True, kw_only=True)
class Package:
    """One thing that is installed, or lies there to be."""

    type: str
    """Of a package URL: `pypi`, `deb`, `generic`."""
    namespace: str = ""
    name: str
    version: str
    qualifiers: tuple[tuple[str, str], ...] = ()
    """Of the package URL."""
    kind: str = "library"
    """The type of a CycloneDX component."""
    place: str = ""
    """Tells apart what is installed twice; empty for the application's own environment."""
    licence: str = ""
    """An SPDX expression, or a licence's name."""
    more_licences: tuple[str, ...] = ()
    description: str = ""
    sha256: str = ""
    hash_of: str = ""
    requires: tuple[str, ...] = ()
    """Normalized names of what it asks for, on this Python, without extras."""
    documents: tuple[tuple[str, bytes], ...] = ()
    """Bills of materials that it brings (PEP 770), by their names."""
    properties: tuple[tuple[str, str], ...] = ()


def text(files: Files, path: str) -> str:
    """Read a text file; empty where there is none."""
    return (files.read(path) or b"").decode("utf-8", "replace")


# ---- Debian ----


def release(files: Files) -> dict[str, str]:
    """Read os-release(5): which distribution it is."""
    found = text(files, "/etc/os-release") or text(files, "/usr/lib/os-release")
    pairs = (line.partition("=") for line in found.splitlines() if "=" in line)
    return {name: value.strip("\"'") for name, _, value in pairs}


def debian_packages(files: Files) -> list[Package]:
    """List what dpkg has installed; also what Google's distroless images note in status.d."""
    parts = [text(files, _DPKG), *(text(files, f"{_DPKG}.d/{name}") for name in files.names(f"{_DPKG}.d"))]
    distribution = release(files)
    vendor = distribution.get("ID", "debian")
    distro = "-".join(filter(None, (vendor, distribution.get("VERSION_ID") or distribution.get("VERSION_CODENAME", ""))))
    found = []
    for fields in stanzas("\n\n".join(part.strip("\n") for part in parts if part)):
        source, _, version = fields.get("Source", fields["Package"]).partition(" (")
        version = version.rstrip(")") or fields["Version"]
        qualifiers = {"arch": fields.get("Architecture", ""), "distro": distro}
        if (source, version) != (fields["Package"], fields["Version"]):
            qualifiers["upstream"] = source if version == fields["Version"] else f"{source}@{version}"
        licences = _debian_licences(text(files, f"/usr/share/doc/{fields['Package']}/copyright")[:_COPYRIGHT_BYTES])
        found.append(
            Package(
                type="deb",
                namespace=vendor,
                name=fields["Package"],
                version=fields["Version"],
                qualifiers=tuple(sorted(qualifiers.items())),
                more_licences=licences,
                description=fields.get("Description", ""),
                properties=(("taxiway:source-package", source), ("taxiway:source-version", version)),
            )
        )
    return found


def _debian_licences(copyright_file: str) -> tuple[str, ...]:
    """Return the short names of licences in a machine-readable copyright file (DEP 5); none of another form; pure."""
    if not copyright_file.startswith("Format:"):
        return ()
    return tuple(sorted({name.strip() for name in re.findall(r"(?m)^License:[ \t]*(\S.*)$", copyright_file)}))


# ---- Python ----


def environments(files: Files, prefix: str) -> list[str]:
    """List the site-packages of a virtual environment."""
    return [f"{prefix}/lib/{name}/site-packages" for name in files.names(f"{prefix}/lib") if name.startswith("python")]


def python_packages(
    files: Files, site_packages: str, *, place: str = "", wheels: Mapping[str, str] | None = None
) -> list[Package]:
    """List the distributions in a directory (specification "Recording installed projects").

    Args:
        files: Where they are read.
        site_packages: The directory.
        place: What tells them apart from those of another environment.
        wheels: The SHA-256 of what was installed, by normalized name, as far as that is known.
    """
    names = [name for name in files.names(site_packages) if name.endswith(".dist-info")]
    return [_python_package(files, f"{site_packages}/{name}", place, wheels or {}) for name in names]


def _python_package(files: Files, metadata: str, place: str, wheels: Mapping[str, str]) -> Package:
    folder_name, _, folder_version = posixpath.basename(metadata).removesuffix(".dist-info").partition("-")
    header = HeaderParser().parsestr(text(files, f"{metadata}/METADATA"))
    name, version = header.get("Name") or folder_name, header.get("Version") or folder_version
    licence, more = licences(header.get("License-Expression", ""), header.get("License", ""), header.get_all("Classifier", []))
    sha256 = wheels.get(canonicalize_name(name), "")
    record = files.read(f"{metadata}/RECORD")
    sboms = f"{metadata}/sboms"
    return Package(
        type="pypi",
        name=name,
        version=version,
        place=place,
        licence=licence,
        more_licences=more,
        description=header.get("Summary", ""),
        sha256=sha256 or (hashlib.sha256(record).hexdigest() if record is not None else ""),
        hash_of=WHEEL if sha256 else RECORD * (record is not None),
        requires=tuple(sorted(_required(header.get_all("Requires-Dist", [])))),
        documents=tuple((file, files.read(f"{sboms}/{file}") or b"") for file in files.names(sboms) if file.endswith(".json")),
    )


def licences(expression: str, field: str, classifiers: Iterable[str]) -> tuple[str, tuple[str, ...]]:
    """Choose what a distribution's metadata says about its licence: expression (PEP 639), classifiers, old field; pure."""
    if expression:
        return expression, ()
    named = [c.rpartition(" :: ")[2] for c in classifiers if c.startswith("License :: ") and not c.endswith(":: OSI Approved")]
    if len(named) == 1 and named[0] in _LICENCES:
        return _LICENCES[named[0]], ()
    line = field.strip()
    if line and "\n" not in line:
        return line, ()
    return "", tuple(sorted(set(named)))


def _required(lines: Iterable[str]) -> set[str]:
    environment: dict[str, str] = {"extra": ""}
    environment.update({name: str(value) for name, value in default_environment().items()})
    found = set[str]()
    for line in lines:
        try:
            requirement = Requirement(line)
        except InvalidRequirement:
            continue
        if requirement.marker is None or requirement.marker.evaluate(environment):
            found.add(canonicalize_name(requirement.name))
    return found


def wheel_hashes(lines: Iterable[str]) -> dict[str, str]:
    """Read `name==version --hash=sha256:...` lines: the hash of each that has exactly one; pure."""
    found: dict[str, str] = {}
    for line in lines:
        digests = re.findall(r"--hash=sha256:([0-9a-f]{64})", line)
        if "==" in line and len(digests) == 1:
            found[canonicalize_name(line.partition("==")[0].strip())] = digests[0]
    return found


def house(files: Files, directory: str) -> list[Package]:
    """List the wheels of a builder image's wheelhouse, which may be installed into an application."""
    hashes = wheel_hashes(
        line
        for name in files.names(directory)
        if name.endswith(".txt")
        for line in text(files, f"{directory}/{name}").splitlines()
    )
    found = []
    for file in files.names(directory):
        try:
            name, version, _, _ = parse_wheel_filename(file)
        except InvalidWheelFilename:
            continue
        found.append(
            Package(
                type="pypi",
                name=name,
                version=str(version),
                qualifiers=(("file_name", file),),
                sha256=hashes.get(name, ""),
                hash_of=WHEEL,
                properties=(("taxiway:role", "wheel for applications"),),
            )
        )
    return found


def interpreter(files: Files, prefix: str) -> list[Package]:
    """Return the Python of a virtual environment (PEP 405), as one package; none where there is no such environment."""
    pairs = (line.partition("=") for line in text(files, f"{prefix}/pyvenv.cfg").splitlines())
    for name, _, value in pairs:
        if name.strip() in {"version", "version_info"}:
            return [Package(type="generic", name="python", version=value.strip(), kind="platform", licence="PSF-2.0")]
    return []


# ---- whole images ----


def image_packages(files: Files, tool: str = TOOL) -> list[Package]:
    """List what an image has besides the application: Debian's packages, taxiway's own environment, wheels for applications."""
    found = debian_packages(files)
    for site_packages in environments(files, tool):
        found += python_packages(files, site_packages, place="taxiway")
    return found + house(files, f"{tool}/wheelhouse")


def application_packages(files: Files, app_root: str, wheels: Mapping[str, str] | None = None) -> list[Package]:
    """List what an application's environment has."""
    found = interpreter(files, app_root)
    for site_packages in environments(files, app_root):
        found += python_packages(files, site_packages, wheels=wheels)
    return found


def installed_elsewhere(files: Files, metadata: Sequence[str], known: Iterable[str]) -> Iterator[Package]:
    """List distributions of other environments than the known ones.

    Args:
        files: Where they are read.
        metadata: The paths of all .dist-info directories.
        known: Directories that were read already; dpkg's own are left out as well, because they are listed as its packages.
    """
    skipped = {*known, "/usr/lib/python3/dist-packages"}
    for site_packages in sorted({posixpath.dirname(path) for path in metadata} - skipped):
        yield from python_packages(files, site_packages, place=site_packages)
