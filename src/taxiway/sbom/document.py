"""Writing a bill of materials: CycloneDX 1.6, the same bytes for the same content.

Specification: ECMA-424. It would have a random serial number and the time: the number is made from the content here, and there is
a time only where SOURCE_DATE_EPOCH gives one. The library isn't in the runtime image, so that what only reads such a document, or
puts several together, does so without it.
"""

import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from packaging.utils import canonicalize_name

from taxiway import __version__
from taxiway.errors import NoSbomLibraryError
from taxiway.sbom.inventory import Package

if TYPE_CHECKING:
    from cyclonedx.model.component import Component
    from cyclonedx.model.license import License

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "urn:taxiway:sbom")
INPUTS = "taxiway:inputs"  # the property by which a document is known to be up to date


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What a document is about."""

    name: str
    version: str = ""
    kind: str = "application"
    """The type of a CycloneDX component."""


def write(subject: Subject, packages: Iterable[Package], properties: Mapping[str, str], environ: Mapping[str, str]) -> str:
    """Write a document as JSON.

    Args:
        subject: What it is about.
        packages: What that consists of.
        properties: Whatever else is known.
        environ: For SOURCE_DATE_EPOCH.

    Raises:
        NoSbomLibraryError: cyclonedx-python-lib isn't installed.
    """
    try:
        from cyclonedx.model import Property  # noqa: PLC0415  # not in the runtime image
        from cyclonedx.model.bom import Bom  # noqa: PLC0415
        from cyclonedx.model.component import Component, ComponentType  # noqa: PLC0415
        from cyclonedx.output.json import JsonV1Dot6  # noqa: PLC0415
    except ImportError:
        raise NoSbomLibraryError from None
    about = Component(
        name=subject.name, version=subject.version or None, type=ComponentType(subject.kind), bom_ref=f"subject:{subject.name}"
    )
    packages = list(packages)
    components = [_component(package) for package in packages]
    bom = Bom(components=components)
    bom.metadata.component = about
    bom.metadata.tools.components.add(Component(name="taxiway", version=__version__, type=ComponentType.APPLICATION))
    bom.metadata.properties.update(Property(name=name, value=value) for name, value in properties.items())
    bom.register_dependency(about, components)
    by_name: dict[tuple[str, str], Component] = {
        (package.place, canonicalize_name(package.name)): component
        for package, component in zip(packages, components, strict=True)
        if package.type == "pypi" and not package.qualifiers
    }
    for package, component in zip(packages, components, strict=True):
        wanted = (by_name.get((package.place, name)) for name in package.requires)
        bom.register_dependency(component, filter(None, wanted))
    return finished(json.loads(JsonV1Dot6(bom).output_as_string()), environ)


def finished(data: dict[str, Any], environ: Mapping[str, str]) -> str:
    """Write a document's JSON with a serial number and time that depend on nothing but what is given."""
    data["metadata"].pop("timestamp", None)
    data.pop("serialNumber", None)
    content = json.dumps(data, sort_keys=True)
    data["serialNumber"] = f"urn:uuid:{uuid.uuid5(_NAMESPACE, content)}"
    if (epoch := environ.get("SOURCE_DATE_EPOCH", "")).isdecimal():
        data["metadata"]["timestamp"] = datetime.fromtimestamp(int(epoch), UTC).isoformat()
    return json.dumps(data, separators=(",", ":"), sort_keys=True, ensure_ascii=False) + "\n"


def merge(subject: Subject, documents: Sequence[Mapping[str, Any]], environ: Mapping[str, str]) -> str:
    """Put documents together, as those of an image and of the application in it; what both have is there once."""
    about = {"bom-ref": f"subject:{subject.name}", "name": subject.name, "type": subject.kind}
    if subject.version:
        about["version"] = subject.version
    parts = [part for document in documents if (part := document.get("metadata", {}).get("component"))]
    components = {part["bom-ref"]: part for part in parts if part["bom-ref"] != about["bom-ref"]}
    depends = {about["bom-ref"]: {*components}}
    properties = set()
    for document in documents:
        components |= {part["bom-ref"]: part for part in document.get("components", ())}
        for row in document.get("dependencies", ()):
            depends.setdefault(row["ref"], set()).update(row.get("dependsOn", ()))
        properties |= {(p["name"], p["value"]) for p in document.get("metadata", {}).get("properties", ()) if p["name"] != INPUTS}
    metadata: dict[str, Any] = {"component": about}
    if documents and (tools := documents[0].get("metadata", {}).get("tools")):
        metadata["tools"] = tools
    if properties:
        metadata["properties"] = [{"name": name, "value": value} for name, value in sorted(properties)]
    data = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": metadata,
        "components": [components[ref] for ref in sorted(components)],
        "dependencies": [{"ref": ref, **({"dependsOn": sorted(on)} if on else {})} for ref, on in sorted(depends.items())],
    }
    return finished(data, environ)


def to_xml(document: str) -> str:
    """Write a JSON document as XML.

    Raises:
        NoSbomLibraryError: cyclonedx-python-lib isn't installed.
    """
    try:
        from cyclonedx.model.bom import Bom  # noqa: PLC0415
        from cyclonedx.output.xml import XmlV1Dot6  # noqa: PLC0415
    except ImportError:
        raise NoSbomLibraryError from None
    data = json.loads(document)
    has_time = "timestamp" in data["metadata"]
    bom = Bom.from_json(data)  # type: ignore[attr-defined]  # made by a decorator
    text = XmlV1Dot6(bom).output_as_string(indent=2)
    lines = text.splitlines()
    return "\n".join(line for line in lines if has_time or not line.strip().startswith("<timestamp>")) + "\n"


def inputs(document: str) -> str:
    """Return by what a document is known to be up to date; empty where it isn't said."""
    try:
        rows = json.loads(document)["metadata"]["properties"]
        return next((str(row["value"]) for row in rows if row["name"] == INPUTS), "")
    except (ValueError, KeyError, TypeError):
        return ""


def _component(package: Package) -> "Component":
    from cyclonedx.model import HashAlgorithm, HashType, Property  # noqa: PLC0415
    from cyclonedx.model.component import Component, ComponentType  # noqa: PLC0415
    from packageurl import PackageURL  # noqa: PLC0415

    purl = PackageURL(package.type, package.namespace or None, package.name, package.version, dict(package.qualifiers))
    ref = str(purl) + (f"#{package.place}" if package.place else "")
    properties = [*package.properties, *((("taxiway:hash-of", package.hash_of),) if package.sha256 else ())]
    nested, unread = _nested(package.documents, ref)
    properties += [("taxiway:unread-sbom", name) for name in unread]
    return Component(
        name=package.name,
        version=package.version,
        type=ComponentType(package.kind),
        bom_ref=ref,
        purl=purl,
        description=package.description or None,
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=package.sha256)] if package.sha256 else [],
        licenses=_licenses(package),
        properties=[Property(name=name, value=value) for name, value in properties],
        components=nested,
    )


def _licenses(package: Package) -> "list[License]":
    from cyclonedx.contrib.license.factories import LicenseFactory  # noqa: PLC0415

    factory = LicenseFactory()
    if package.licence:
        return [factory.make_from_string(package.licence)]
    return [factory.make_with_name(name) for name in package.more_licences]  # Debian's names look like SPDX's and aren't


def _nested(documents: Iterable[tuple[str, bytes]], ref: str) -> "tuple[list[Component], list[str]]":
    """Read the components of bills of materials that a wheel brings (PEP 770); also names those of another form."""
    from cyclonedx.model.bom import Bom  # noqa: PLC0415

    found, unread = [], []
    for name, content in documents:
        try:
            data = json.loads(content)
            bom = Bom.from_json(data) if data.get("bomFormat") == "CycloneDX" else None  # type: ignore[attr-defined]
        except Exception:  # noqa: BLE001  # the library raises what its parts do, and what a wheel brings may be anything
            bom = None
        if bom is None:
            unread.append(name)
            continue
        for component in bom.components:
            _rename(component, f"{ref}#{name}")
            found.append(component)
    return found, unread


def _rename(component: "Component", prefix: str) -> None:
    """Give a nested component a reference that is its own in the whole document."""
    component.bom_ref.value = f"{prefix}#{component.bom_ref.value or component.purl or component.name}"
    for inner in component.components:
        _rename(inner, component.bom_ref.value)
