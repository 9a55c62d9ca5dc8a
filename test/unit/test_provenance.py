"""The statement of where an application came from."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from taxiway.sbom import provenance
from taxiway.sbom.provenance import Source, public_url

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://git.example.com/shop.git", "https://git.example.com/shop.git"),
        ("https://user:secret@git.example.com:8443/shop.git?token=x#y", "https://git.example.com:8443/shop.git"),
        ("https://token@git.example.com/shop.git", "https://git.example.com/shop.git"),
        ("git@git.example.com:team/shop.git", "ssh://git.example.com/team/shop.git"),
        ("git.example.com:team/shop.git", "ssh://git.example.com/team/shop.git"),
        ("ssh://git@[2001:db8::1]:22/shop", "ssh://[2001:db8::1]:22/shop"),
        ("/home/me/shop", ""),
        ("file:///home/me/shop", ""),
        ("../shop", ""),
        ("", ""),
    ],
)
def test_url_without_secrets(url: str, expected: str) -> None:
    assert public_url(url) == expected


def git(root: Path, **files: str) -> Path:
    for name, text in files.items():
        path = root / ".git" / name.replace("__", "/").replace("_refs", "-refs")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


CONFIG = (
    '[core]\n\tbare = false\n[remote "origin"]\n\turl = https://u:p@git.example.com/shop\n\tfetch = +refs/*\n[remote "origin"]\n'
)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (
            {"HEAD": "ref: refs/heads/main\n", "refs__heads__main": f"{COMMIT}\n", "config": CONFIG},
            Source(url="https://git.example.com/shop", commit=COMMIT, reference="main"),
        ),
        (
            {"HEAD": "ref: refs/heads/main\n", "packed_refs": f"# pack-refs\n{COMMIT} refs/heads/main\n^{'f' * 40}\n"},
            Source(commit=COMMIT, reference="main"),
        ),
        ({"HEAD": f"{COMMIT}\n"}, Source(commit=COMMIT)),
        ({"HEAD": "ref: refs/../../../../etc/hostname\n"}, Source(reference="refs/../../../../etc/hostname")),
        ({"HEAD": "ref: refs/heads/new\n", "config": "[broken\n"}, Source(reference="new")),
        ({"HEAD": "not a commit"}, Source()),
        ({}, Source()),
    ],
)
def test_source_of_a_checkout(files: dict[str, str], expected: Source, tmp_path: Path) -> None:
    assert provenance.source(git(tmp_path, **files), {}) == expected


def test_source_of_an_openshift_build(tmp_path: Path) -> None:
    git(tmp_path, HEAD="f" * 40)
    environ = {
        "OPENSHIFT_BUILD_SOURCE": "https://bot:token@git.example.com/shop.git",
        "OPENSHIFT_BUILD_REFERENCE": "v2",
        "OPENSHIFT_BUILD_COMMIT": COMMIT,
    }
    expected = Source(url="https://git.example.com/shop.git", commit=COMMIT, reference="v2")
    assert provenance.source(tmp_path, environ) == expected
    nonsense = {"OPENSHIFT_BUILD_SOURCE": "http://[", "OPENSHIFT_BUILD_COMMIT": "latest"}
    assert provenance.source(tmp_path, nonsense) == Source(commit="f" * 40)


def statement() -> dict[str, Any]:
    text = provenance.statement(
        came_from=Source(url="https://git.example.com/shop", commit=COMMIT, reference="main"),
        locks={"requirements.txt": "1" * 64},
        materials={
            "components": [
                {"name": "Click", "purl": "pkg:pypi/click@8", "hashes": [{"alg": "SHA-256", "content": "a" * 64}]}
                | {"properties": [{"name": "taxiway:hash-of", "value": "wheel"}]},
                {
                    "name": "Zope.Interface",
                    "purl": "pkg:pypi/zope-interface@7",
                    "hashes": [{"alg": "SHA-256", "content": "b" * 64}],
                }
                | {"properties": [{"name": "taxiway:hash-of", "value": "RECORD"}]},
            ]
        },
        image={
            "serialNumber": "urn:uuid:1",
            "metadata": {
                "component": {"name": "taxiway-builder", "version": "1"},
                "properties": [
                    {"name": "taxiway:base-name", "value": "debian:13"},
                    {"name": "taxiway:base-digest", "value": f"sha256:{'c' * 64}"},
                    {"name": "taxiway:image-inputs", "value": "beef"},
                ],
            },
        },
        bill="the bill",
        allowed={"zope-interface": ["sha256:e", "sha256:d"]},
    )
    found: dict[str, Any] = json.loads(text)
    return found


def test_statement() -> None:
    found = statement()
    assert (found["_type"], found["predicateType"]) == (provenance.STATEMENT, provenance.PREDICATE)
    assert found["subject"] == [
        {
            "name": "sbom.cdx.json",
            "digest": {"sha256": hashlib.sha256(b"the bill").hexdigest()},
        }
    ]
    definition = found["predicate"]["buildDefinition"]
    assert definition["externalParameters"]["source"] == {"uri": "https://git.example.com/shop", "ref": "main"}
    assert definition["resolvedDependencies"] == [
        {"name": "source", "uri": f"git+https://git.example.com/shop@{COMMIT}", "digest": {"gitCommit": COMMIT}},
        {"name": "requirements.txt", "digest": {"sha256": "1" * 64}},
        {"name": "Click", "uri": "pkg:pypi/click@8", "digest": {"sha256": "a" * 64}},
        # A lock with several files: which of them was taken isn't known, and a hash of something else is none of the wheel.
        {"name": "Zope.Interface", "uri": "pkg:pypi/zope-interface@7", "annotations": {"one-of": ["sha256:d", "sha256:e"]}},
    ]
    builder = found["predicate"]["runDetails"]["builder"]
    assert builder["id"] == "urn:taxiway:builder:beef"
    assert builder["builderDependencies"] == [
        {"name": "bill of materials", "uri": "urn:uuid:1"},
        {"name": "debian:13", "digest": {"sha256": "c" * 64}},
    ]


def test_statement_about_an_image() -> None:
    found = json.loads(provenance.about_image(json.dumps(statement()), "shop:1", f"sha256:{'9' * 64}"))
    assert found["subject"] == [{"name": "shop:1", "digest": {"sha256": "9" * 64}}]
    assert found["predicate"] == statement()["predicate"]
