"""Rules C: what is in the image, and whether it is what was installed."""

import base64
import csv
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from posixpath import dirname, normpath

from packaging.utils import canonicalize_name

from taxiway.audit.image import Digests, Image, Probe
from taxiway.audit.rules.rule import Hit, Rule
from taxiway.audit.tar import FILE, Entry
from taxiway.dependencies import check, records
from taxiway.dependencies.formats.common import Selection
from taxiway.dependencies.formats.requirements_txt import logical_lines, parse_line
from taxiway.dependencies.pins import Pin
from taxiway.dependencies.system import stanzas
from taxiway.sbom.store import IMAGE as IMAGE_BILL

_BUILD_TOOL = re.compile(
    r"(?:[a-z0-9_]+-linux-(?:gnu|musl)\w*-)?(?:gcc|g\+\+|cc|c\+\+|clang|clang\+\+|cpp|ld|ld\.bfd|as|rustc|cargo|go)(?:-[0-9.]+)?"
    r"|g?make|cmake|ninja|git|curl|wget|apt|apt-get|aptitude|dnf|yum|microdnf|zypper|apk"
)
_PROGRAMS = re.compile(r"/(?:usr/|usr/local/)?s?bin/([^/]+)|/opt/[^/]+/bin/([^/]+)")
_CACHES = re.compile(
    r"(/var/lib/apt/lists|/var/cache/(?:apt/archives|dnf|yum|zypp|apk|pip)|/.*/\.cache/(?:pip|uv|pypoetry|pipenv|pdm)|/root/\.npm)/"
    r"(?!lock$|partial/?$).+"
)
_METADATA = re.compile(r"(.*/(python[\d.]+)/site-packages)/([^/]+)\.dist-info/(RECORD|METADATA)")
_METADATA_BYTES = 8 << 20
_BILL_BYTES = 32 << 20
_REQUIREMENTS_BYTES = 128 << 10
_LINE_CHARACTERS = 1000
"""Longer lines aren't those of a requirements file; what reads them takes the square of their length."""
_ELSEWHERE = ("/usr/bin/", "/usr/sbin/", "/usr/share/", "/usr/libexec/", "/usr/include/", "/var/", "/etc/", "/boot/")
"""The distribution's; nothing there is in a RECORD."""
_LOCKS = ("uv.lock", "pylock.toml", "poetry.lock", "Pipfile.lock", "pdm.lock")


def _is_of_metadata(entry: Entry) -> bool:
    return entry.path.endswith((".dist-info/RECORD", ".dist-info/METADATA")) and "/site-packages/" in entry.path


def _may_be_recorded(entry: Entry) -> bool:
    return not entry.path.startswith(_ELSEWHERE) and ("/site-packages/" in entry.path or not entry.path.startswith("/usr/lib"))


Component = tuple[str, str, str]
"""Where it comes from, name, version: of a distribution or a Debian package."""
_TYPES = ("pypi", "deb")


def _bill_bytes(entry: Entry) -> int:
    is_bill = entry.path.endswith(".cdx.json") and "/site-packages/" not in entry.path  # those are of a wheel's contents
    return _BILL_BYTES if is_bill else 0


def _components(_: Entry, data: bytes) -> frozenset[Component]:
    """Read a bill of materials (CycloneDX as JSON); what can't be read has no components."""
    try:
        parts = json.loads(data)["components"]
        rows = [(str(part.get("purl", "")), str(part["name"]), str(part.get("version", ""))) for part in parts]
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return frozenset()
    return frozenset(
        (kind, canonicalize_name(name) if kind == "pypi" else name, version)
        for url, name, version in rows
        for kind in _TYPES
        if url.startswith(f"pkg:{kind}/")
    )


def _packages(_: Entry, data: bytes) -> frozenset[Component]:
    return frozenset(("deb", fields["Package"], fields["Version"]) for fields in stanzas(data.decode(errors="replace")))


BILLS: Probe[frozenset[Component]] = Probe(_bill_bytes, _components)
DPKG: Probe[frozenset[Component]] = Probe(lambda e: _BILL_BYTES if e.path.endswith("/lib/dpkg/status") else 0, _packages)
METADATA: Probe[bytes] = Probe(lambda entry: _METADATA_BYTES if _is_of_metadata(entry) else 0, lambda _, data: data)
REQUIREMENTS: Probe[bytes] = Probe(
    lambda e: _REQUIREMENTS_BYTES if e.path.endswith("/requirements.txt") else 0, lambda _, data: data
)
DIGESTS = Digests("sha256", _may_be_recorded)


def _build_tools(image: Image) -> Iterator[Hit]:
    if not image.config.is_builder:
        headers: list[Entry] = []
        for path, entry in image.tree.items():
            program = _PROGRAMS.fullmatch(path)
            if program and entry.kind == FILE and _BUILD_TOOL.fullmatch(program[1] or program[2]):
                yield Hit("a program for building, of use to whoever breaks in", entry)
            elif path.startswith(("/usr/include/", "/usr/local/include/")) and path.endswith(".h"):
                headers.append(entry)
        if headers:
            yield Hit(
                f"{len(headers)} headers, such as {headers[0].path}",
                image.tree[headers[0].path.partition("/include")[0] + "/include"],
            )
    caches: dict[str, int] = {}
    for path, entry in image.tree.items():
        if entry.kind == FILE and (cache := _CACHES.fullmatch(path)):
            caches[cache[1]] = caches.get(cache[1], 0) + entry.size
    yield from (Hit(f"a cache of {size / 1e6:.1f} MB", image.tree[path]) for path, size in caches.items())


def size_budget(most_bytes: int) -> Rule:
    """Make the rule C2: the layers together have at most so many bytes, unpacked."""

    def over(image: Image) -> Iterator[Hit]:
        size = sum(entry.size for layer in image.layers for entry in layer.entries)
        if size > most_bytes:
            yield Hit(
                f"the files of all layers have {size / 1e6:.1f} MB, expected {most_bytes / 1e6:.1f} MB at most",
                path="manifest.layers",
            )

    return Rule(
        id="C2",
        title="The image isn't larger than its budget",
        severity="error",
        source="a package that sneaks in shows in the size first",
        profiles=frozenset({"taxiway", "openshift", "kubernetes-restricted", "cis"}),
        fix="podman history NAME shows which instruction added it; or raise the budget, with the reason",
        check=over,
    )


def _installed(image: Image) -> Iterator[Hit]:
    places: dict[str, dict[str, check.Metadata]] = defaultdict(dict)
    for path, entry in image.tree.items():
        match = _METADATA.fullmatch(path)
        if not match:
            continue
        content = (image.fact(METADATA, entry) or b"").decode(errors="replace")
        if match[4] == "RECORD":
            try:
                rows = records.parse(content)
            except csv.Error as error:
                yield Hit(f"it can't be read: {error}", entry)
            else:
                yield from _differences(image, match[1], entry, rows)
        else:
            name, metadata = check.parse(content)
            places[match[1]][name] = metadata
            if f"{dirname(path)}/RECORD" not in image.tree:
                yield Hit("there is no RECORD beside it, so nothing says which files were installed", entry)
    for place, installed in places.items():
        yield from _inconsistencies(image, place, installed)


def _differences(image: Image, site_packages: str, record: Entry, rows: Iterable[records.Entry]) -> Iterator[Hit]:
    for wanted in rows:
        algorithm, _, digest = wanted.digest.partition("=")
        if algorithm != "sha256":
            continue  # RECORD itself and bytecode have none
        path = normpath(wanted.path if wanted.path.startswith("/") else f"{site_packages}/{wanted.path}")
        entry = image.tree.resolve(path)
        if entry is None:
            yield Hit(f"{path} is missing, which it lists", record)
        elif (found := image.fact(DIGESTS, entry)) and _as_recorded(found) != digest.rstrip("="):
            yield Hit(f"its content isn't what {record.path} says was installed", entry)


def _as_recorded(hexadecimal: str) -> str:
    return base64.urlsafe_b64encode(bytes.fromhex(hexadecimal)).decode().rstrip("=")


def _inconsistencies(image: Image, place: str, installed: dict[str, check.Metadata]) -> Iterator[Hit]:
    pins = [Pin(name=name, requirement=name, file="", line=0) for name in installed]
    try:
        found = check.problems(installed, pins, Selection(environment=_environment(image, place)))
    except ValueError as error:  # a version that is none, a marker that compares what can't be
        yield Hit(f"the packages' metadata can't be read: {error}", path=place)
        return
    for text in (*(f"there is no {text}" for text in found.missing), *found.conflicting):
        yield Hit(text.replace(" ( line 0)", ""), path=place)


def _environment(image: Image, place: str) -> dict[str, str]:
    """Return the marker environment (PEP 508) of the Python that a directory of packages is for."""
    version = place.rpartition("/python")[2].partition("/")[0]
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(image.config.architecture, image.config.architecture)
    return {
        "implementation_name": "cpython",
        "implementation_version": f"{version}.0",
        "os_name": "posix",
        "platform_machine": machine,
        "platform_python_implementation": "CPython",
        "platform_release": "",
        "platform_system": "Linux",
        "platform_version": "",
        "python_full_version": f"{version}.0",
        "python_version": version,
        "sys_platform": "linux",
    }


def _pinned(image: Image) -> Iterator[Hit]:
    directory = image.config.working_directory.rstrip("/")
    if any(f"{directory}/{lock}" in image.tree for lock in _LOCKS):
        return
    content = image.read(REQUIREMENTS, f"{directory}/requirements.txt")
    text = "\n".join(line[:_LINE_CHARACTERS] for line in (content or b"").decode(errors="replace").splitlines())
    for number, line in logical_lines(text):
        if line.startswith("-") or len(line) > _LINE_CHARACTERS * 10:
            continue
        try:
            pin = parse_line(line, "requirements.txt", number)
        except ValueError:
            continue  # no requirement
        if not pin.is_pinned:
            yield Hit(
                f"line {number}, {line}, has no exact version: each build may install another",
                image.tree.resolve(f"{directory}/requirements.txt"),
            )


def _bill(image: Image) -> Iterator[Hit]:
    listed: set[Component] = set()
    bills = [entry for entry in image.tree.values() if image.fact(BILLS, entry) is not None]
    if not bills:
        yield Hit("there is none", path=IMAGE_BILL)
        return
    for entry in bills:
        found = image.fact(BILLS, entry)
        listed |= found or frozenset()
    installed = set(image.read(DPKG, "/var/lib/dpkg/status") or ())
    for path, entry in image.tree.items():
        match = _METADATA.fullmatch(path)
        if match and match[4] == "METADATA":
            name, metadata = check.parse((image.fact(METADATA, entry) or b"").decode(errors="replace"))
            installed.add(("pypi", name, metadata.version))
    if missing := sorted(installed - listed):
        some = ", ".join(f"{name} {version}" for _, name, version in missing[:5])
        yield Hit(f"it lacks {len(missing)} of {len(installed)} that are installed, such as {some}", bills[-1])


RULES = (
    Rule(
        id="C1",
        title="No compilers, headers, package managers and caches in what runs",
        severity="warning",
        source="NIST SP 800-190, 4.1.1: what isn't there can't be used",
        profiles=frozenset({"taxiway"}),
        fix="copy /opt/app-root onto the runtime image, as taxiway image does; or remove them in the layer that brings them",
        check=_build_tools,
    ),
    Rule(
        id="C3",
        title="Installed packages are as they were installed, and fit together",
        severity="error",
        source='the packaging specification "Recording installed projects": RECORD has each file\'s hash; pip check',
        profiles=frozenset({"taxiway"}),
        fix="build again, and change packages by a requirement, not in place; taxiway lock",
        check=_installed,
        probes=(METADATA, DIGESTS),
    ),
    Rule(
        id="C4",
        title="Requirements have exact versions",
        severity="note",
        source="without them the next build has other packages, without a change of the source",
        profiles=frozenset({"taxiway"}),
        fix="taxiway lock, and commit the result",
        check=_pinned,
        probes=(REQUIREMENTS,),
    ),
    Rule(
        id="C6",
        title="A bill of materials has all that is installed",
        severity="warning",
        source="SLSA and the CRA ask for one; a list with gaps hides what has to be updated",
        profiles=frozenset({"taxiway"}),
        fix="build with taxiway's builder image, or derive from its images with apt and taxiway's assemble: docs/sbom.md",
        check=_bill,
        probes=(BILLS, DPKG, METADATA),
    ),
)
