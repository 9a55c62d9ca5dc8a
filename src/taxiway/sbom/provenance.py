"""Where an application came from, as an unsigned in-toto statement with SLSA provenance: the same bytes for the same build.

Specifications: in-toto Statement v1, SLSA Provenance v1. Signing is left to a tool that has keys, such as cosign.
"""

import configparser
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from taxiway import __version__

STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://slsa.dev/provenance/v1"
BUILD_TYPE = "urn:taxiway:assemble:v1"
_COMMIT = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
_SCP = re.compile(r"(?:[^@/:]+@)?([^/:]+):(?!//)(.+)")  # git's short form, user@host:path


@dataclass(frozen=True, kw_only=True)
class Source:
    """What was built, as far as the build can tell; empty where it can't."""

    url: str = ""
    """Without user and password."""
    commit: str = ""
    reference: str = ""
    """Branch or tag."""


def public_url(url: str) -> str:
    """Return a repository's URL without user, password, query and fragment; empty for a path of the building machine; pure."""
    if match := _SCP.fullmatch(url):
        return f"ssh://{match[1]}/{match[2].lstrip('/')}"
    parts = urlsplit(url)
    if parts.scheme in {"", "file"} or not parts.hostname:
        return ""
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return urlunsplit((parts.scheme, host + (f":{parts.port}" if parts.port else ""), parts.path, "", ""))


def source(directory: Path, environ: Mapping[str, str]) -> Source:
    """Find out what is built: from the variables of an OpenShift build, otherwise from the source's .git; no git is run.

    Source: OpenShift, "Build environment": OPENSHIFT_BUILD_SOURCE, _REFERENCE and _COMMIT.
    """
    found = _of_git(directory / ".git")
    commit = environ.get("OPENSHIFT_BUILD_COMMIT", "") or environ.get("TAXIWAY_SOURCE_COMMIT", "")
    return Source(
        url=checked_url(environ.get("OPENSHIFT_BUILD_SOURCE", "") or environ.get("TAXIWAY_SOURCE_URL", "")) or found.url,
        commit=commit if _COMMIT.fullmatch(commit) else found.commit,
        reference=environ.get("OPENSHIFT_BUILD_REFERENCE", "") or environ.get("TAXIWAY_SOURCE_REFERENCE", "") or found.reference,
    )


def variables(came_from: Source) -> dict[str, str]:
    """Return the variables by which `taxiway image` tells a build what `source` finds out, as it doesn't get the .git; pure."""
    pairs = {"URL": came_from.url, "COMMIT": came_from.commit, "REFERENCE": came_from.reference}
    return {f"TAXIWAY_SOURCE_{name}": value for name, value in pairs.items() if value}


def stored_source(path: str) -> Source:
    """Return what a stored statement says about the source; nothing where there is none."""
    try:
        definition = json.loads(_text(Path(path)))["predicate"]["buildDefinition"]
        named = definition["externalParameters"]["source"]
        commits = [
            row["digest"]["gitCommit"]
            for row in definition["resolvedDependencies"]
            if row["name"] == "source" and "digest" in row
        ]
    except (ValueError, KeyError, TypeError):
        return Source()
    return Source(url=named.get("uri", ""), commit="".join(commits[:1]), reference=named.get("ref", ""))


def checked_url(url: str) -> str:
    """Return `public_url`, empty also for what is no URL; pure."""
    try:
        return public_url(url)
    except ValueError:  # no URL
        return ""


def _of_git(git: Path) -> Source:
    head = _line(git / "HEAD")
    reference = head.removeprefix("ref: ") if head.startswith("ref: ") else ""
    commit = head
    if reference:
        commit = _line(git / reference) if ".." not in reference else ""
        for line in _text(git / "packed-refs").splitlines() if not commit else ():
            digest, _, name = line.partition(" ")
            if name == reference:
                commit = digest
    parser = configparser.RawConfigParser(strict=False, allow_no_value=True)
    try:
        parser.read_string(re.sub(r"(?m)^[ \t]+", "", _text(git / "config")))
        url = checked_url(parser.get('remote "origin"', "url", fallback="") or "")
    except configparser.Error:
        url = ""
    return Source(
        url=url,
        commit=commit if _COMMIT.fullmatch(commit) else "",
        reference=reference.removeprefix("refs/heads/"),
    )


def _line(path: Path) -> str:
    return next(iter(_text(path).splitlines()), "").strip()


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def statement(
    *,
    came_from: Source,
    locks: Mapping[str, str],
    materials: Mapping[str, Any],
    image: Mapping[str, Any],
    bill: str,
    allowed: Mapping[str, Iterable[str]],
) -> str:
    """Write the statement.

    Args:
        came_from: The source.
        locks: The SHA-256 of each file that says what is installed, by its path in the source.
        materials: The application's bill of materials.
        image: That of the image that it was built on; empty where there is none.
        bill: The text of the application's, as it is stored: what the statement is about until an image's digest is known.
        allowed: The hashes that a lock allows, by normalized name, where it isn't known which file was taken.
    """
    dependencies: list[dict[str, Any]] = []
    if came_from.url or came_from.commit:
        uri = {"uri": f"git+{came_from.url}" + f"@{came_from.commit}" * bool(came_from.commit)} if came_from.url else {}
        dependencies.append(
            {"name": "source", **uri, **({"digest": {"gitCommit": came_from.commit}} if came_from.commit else {})}
        )
    dependencies += [{"name": name, "digest": {"sha256": digest}} for name, digest in sorted(locks.items())]
    for part in (part for part in materials.get("components", ()) if "purl" in part):
        row = {"name": part["name"], "uri": part["purl"]}
        digest = next((found["content"] for found in part.get("hashes", ())), "")
        if digest and {"name": "taxiway:hash-of", "value": "wheel"} in part.get("properties", ()):
            row["digest"] = {"sha256": digest}
        elif candidates := sorted(allowed.get(part["name"].lower().replace("_", "-").replace(".", "-"), ())):
            row["annotations"] = {"one-of": candidates}
        dependencies.append(row)
    known = {row["name"]: row["value"] for row in image.get("metadata", {}).get("properties", ())}
    builder = image.get("metadata", {}).get("component", {})
    base = {"name": known.get("taxiway:base-name", ""), "digest": _digest(known.get("taxiway:base-digest", ""))}
    data = {
        "_type": STATEMENT,
        "subject": [{"name": "sbom.cdx.json", "digest": {"sha256": hashlib.sha256(bill.encode()).hexdigest()}}],
        "predicateType": PREDICATE,
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": {
                    "source": {k: v for k, v in (("uri", came_from.url), ("ref", came_from.reference)) if v},
                    "dependencies": sorted(locks),
                },
                "internalParameters": {"taxiway": __version__},
                "resolvedDependencies": dependencies,
            },
            "runDetails": {
                "builder": {
                    "id": f"urn:taxiway:builder:{known.get('taxiway:image-inputs') or 'unknown'}",
                    "version": {
                        "taxiway": __version__,
                        **({builder["name"]: builder["version"]} if "version" in builder else {}),
                    },
                    "builderDependencies": [
                        *([{"name": "bill of materials", "uri": image["serialNumber"]}] if "serialNumber" in image else []),
                        *([base] if base["name"] and base["digest"] else []),
                    ],
                },
            },
        },
    }
    return json.dumps(data, indent=2, sort_keys=True) + "\n"


def about_image(text: str, name: str, digest: str) -> str:
    """Return a stored statement as one about an image, whose digest the build couldn't know.

    Args:
        text: The statement.
        name: The image's name, as the user gave it.
        digest: `sha256:...` of its manifest or configuration.
    """
    data = json.loads(text)
    data["subject"] = [{"name": name, "digest": _digest(digest)}]
    return json.dumps(data, indent=2, sort_keys=True) + "\n"


def _digest(text: str) -> dict[str, str]:
    algorithm, _, value = text.partition(":")
    return {algorithm: value} if value else {}
