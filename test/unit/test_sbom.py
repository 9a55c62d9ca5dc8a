"""Bills of materials: what is read, and that the same content gives the same bytes."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from taxiway.cli import sbom as command
from taxiway.errors import NoSbomLibraryError, NothingInstalledError
from taxiway.sbom import document, inventory, store
from taxiway.sbom.document import Subject
from taxiway.sbom.inventory import Directory, Package

DPKG = """\
Package: libssl3t64
Status: install ok installed
Architecture: amd64
Source: openssl
Version: 3.5.1-1
Description: Secure Sockets Layer toolkit
 long text

Package: gone
Status: deinstall ok config-files
Architecture: amd64
Version: 1

Package: bash
Status: install ok installed
Architecture: amd64
Source: bash (5.2.37-2)
Version: 5.2.37-2+b3
Description: GNU Bourne Again SHell
"""
NESTED = {
    "bomFormat": "CycloneDX",
    "specVersion": "1.5",
    "version": 1,
    "components": [
        {"type": "library", "name": "ring", "version": "0.17", "purl": "pkg:cargo/ring@0.17", "bom-ref": "a"},
        {"type": "library", "name": "log", "version": "0.4", "purl": "pkg:cargo/log@0.4", "bom-ref": "b"},
    ],
}


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def distribution(root: Path, name: str, version: str, metadata: str = "", **files: str) -> None:
    folder = f"opt/app-root/lib/python3.13/site-packages/{name}-{version}.dist-info"
    write(root, {f"{folder}/METADATA": f"Metadata-Version: 2.4\nName: {name}\nVersion: {version}\n{metadata}\n\ntext\n"})
    write(root, {f"{folder}/RECORD": "", **{f"{folder}/{file.replace('__', '/')}": text for file, text in files.items()}})


@pytest.fixture
def image(tmp_path: Path) -> Directory:
    """The files of a small image."""
    write(
        tmp_path,
        {
            "/etc/os-release": 'ID=debian\nVERSION_ID="13"\nPRETTY_NAME="Debian GNU/Linux 13 (trixie)"\n',
            "/var/lib/dpkg/status": DPKG,
            "/usr/share/doc/bash/copyright": "Format: x\n\nFiles: *\nLicense: GPL-3+\n\nLicense: GPL-3+\n text\n",
            "/usr/share/doc/libssl3t64/copyright": "Some prose about a License: none\n",
            "/opt/app-root/pyvenv.cfg": "home = /usr/bin\nversion = 3.13.5\n",
        },
    )
    distribution(
        tmp_path, "shop", "1.0", "Requires-Dist: Ring_Py>=1\nRequires-Dist: absent\nRequires-Dist: click; extra == 'cli'"
    )
    distribution(tmp_path, "ring-py", "2", "License-Expression: MIT", sboms__ring_json=json.dumps(NESTED))
    (tmp_path / "opt/app-root/lib/python3.13/site-packages/ring-py-2.dist-info/sboms/ring_json").rename(
        tmp_path / "opt/app-root/lib/python3.13/site-packages/ring-py-2.dist-info/sboms/ring.cdx.json"
    )
    distribution(tmp_path, "click", "8.5.1")
    return Directory(tmp_path)


def components(text: str) -> dict[str, dict[str, Any]]:
    return {part["bom-ref"]: part for part in json.loads(text)["components"]}


def assert_valid(text: str) -> None:
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None


def test_debian_packages(image: Directory) -> None:
    assert [(p.name, p.version, dict(p.qualifiers), p.more_licences) for p in inventory.debian_packages(image)] == [
        ("libssl3t64", "3.5.1-1", {"arch": "amd64", "distro": "debian-13", "upstream": "openssl"}, ()),
        ("bash", "5.2.37-2+b3", {"arch": "amd64", "distro": "debian-13", "upstream": "bash@5.2.37-2"}, ("GPL-3+",)),
    ]


@pytest.mark.parametrize(
    ("expression", "field", "classifiers", "expected"),
    [
        ("MIT OR Apache-2.0", "BSD", ["License :: OSI Approved :: BSD License"], ("MIT OR Apache-2.0", ())),
        ("", "", ["License :: OSI Approved", "License :: OSI Approved :: MIT License"], ("MIT", ())),
        ("", "BSD-3-Clause", ["License :: OSI Approved :: BSD License"], ("BSD-3-Clause", ())),
        ("", "a whole\ntext", ["License :: OSI Approved :: BSD License"], ("", ("BSD License",))),
        ("", "", ["Topic :: Internet"], ("", ())),
    ],
)
def test_licence(expression: str, field: str, classifiers: list[str], expected: tuple[str, tuple[str, ...]]) -> None:
    assert inventory.licences(expression, field, classifiers) == expected


def test_document_of_an_application(image: Directory) -> None:
    packages = inventory.application_packages(image, "/opt/app-root", {"click": "ab" * 32})
    text = document.write(Subject(name="shop", version="1.0"), packages, {"taxiway:x": "y"}, {})
    assert_valid(text)
    found = components(text)
    assert sorted(found) == [
        "pkg:generic/python@3.13.5",
        "pkg:pypi/click@8.5.1",
        "pkg:pypi/ring-py@2",
        "pkg:pypi/shop@1.0",
    ]
    assert found["pkg:pypi/click@8.5.1"]["hashes"] == [{"alg": "SHA-256", "content": "ab" * 32}]
    assert found["pkg:pypi/click@8.5.1"]["properties"] == [{"name": "taxiway:hash-of", "value": "wheel"}]
    assert found["pkg:pypi/shop@1.0"]["properties"] == [{"name": "taxiway:hash-of", "value": "RECORD"}]
    assert found["pkg:pypi/ring-py@2"]["licenses"] == [{"license": {"id": "MIT"}}]
    assert [(c["name"], c["bom-ref"]) for c in found["pkg:pypi/ring-py@2"]["components"]] == [
        ("log", "pkg:pypi/ring-py@2#ring.cdx.json#b"),
        ("ring", "pkg:pypi/ring-py@2#ring.cdx.json#a"),
    ]
    depends = {row["ref"]: row.get("dependsOn", []) for row in json.loads(text)["dependencies"]}
    assert depends["pkg:pypi/shop@1.0"] == ["pkg:pypi/ring-py@2"]  # what isn't installed, or is for an extra, isn't there
    assert len(depends["subject:shop"]) == 4


def test_the_same_content_gives_the_same_bytes(image: Directory) -> None:
    packages = inventory.application_packages(image, "/opt/app-root")
    first = document.write(Subject(name="shop"), packages, {}, {})
    assert first == document.write(Subject(name="shop"), reversed(packages), {}, {})
    assert "timestamp" not in first
    other = document.write(Subject(name="shop"), packages[1:], {}, {})
    assert json.loads(first)["serialNumber"] != json.loads(other)["serialNumber"]
    timed = document.write(Subject(name="shop"), packages, {}, {"SOURCE_DATE_EPOCH": "1700000000"})
    assert json.loads(timed)["metadata"]["timestamp"] == "2023-11-14T22:13:20+00:00"


@pytest.mark.parametrize("content", ["", "{", "[]", '{"spdxVersion": "SPDX-2.3"}', '{"bomFormat": "CycloneDX", "components": 3}'])
def test_a_wheel_s_document_may_be_anything(content: str) -> None:
    package = Package(type="pypi", name="x", version="1", documents=(("x.json", content.encode()),))
    text = document.write(Subject(name="shop"), [package], {}, {})
    assert_valid(text)
    assert {"name": "taxiway:unread-sbom", "value": "x.json"} in components(text)["pkg:pypi/x@1"]["properties"]


def test_xml_has_the_same_components(image: Directory) -> None:
    text = document.write(Subject(name="shop"), inventory.application_packages(image, "/opt/app-root"), {}, {})
    xml = document.to_xml(text)
    assert xml == document.to_xml(text)
    assert "timestamp" not in xml
    assert xml.count("<component ") == 1 + 1 + 4 + 2  # taxiway, the application, what it has, what is in that


def test_whole_image_from_what_is_stored(image: Directory) -> None:
    """What is stored counts as long as it is true: hashes of wheels can't be seen later."""
    own = store.image_document("taxiway-runtime", {"taxiway:base-name": "debian"}, image, {})
    packages = inventory.application_packages(image, "/opt/app-root", {"click": "ab" * 32})
    application = document.write(Subject(name="shop"), packages, {document.INPUTS: "1234"}, {})
    write(image.root, {store.IMAGE: own, "/opt/app-root/.taxiway/sbom.cdx.json": application})
    about = Subject(name="shop-image", kind="container")
    text = store.bill(about, image, "/opt/app-root", {})
    assert_valid(text)
    assert {"libssl3t64", "bash", "debian", "click", "shop", "ring-py"} <= {part["name"] for part in components(text).values()}
    assert "ab" * 32 in text
    assert "1234" not in text
    assert {"name": "taxiway:base-name", "value": "debian"} in json.loads(text)["metadata"]["properties"]

    scanned = store.bill(about, image, "/opt/app-root", {}, scan=True)
    assert_valid(scanned)
    assert "ab" * 32 not in scanned
    assert {p["purl"] for p in components(scanned).values() if "purl" in p} == {
        p["purl"] for p in components(text).values() if "purl" in p
    }

    distribution(image.root, "added", "3")  # by a derived image
    later = store.bill(about, image, "/opt/app-root", {})
    assert "pkg:pypi/added@3" in components(later)
    (image.root / "var/lib/dpkg/status").write_text(DPKG.partition("\n\n")[0] + "\n")
    assert "bash" not in {part["name"] for part in components(store.bill(about, image, "/opt/app-root", {})).values()}


def test_distributions_elsewhere(image: Directory) -> None:
    """An image of others may have environments anywhere; Debian's own are in its packages already."""
    paths = ["/venv/lib/python3.12/site-packages/a-1.dist-info", "/usr/lib/python3/dist-packages/b-1.dist-info"]
    write(image.root, {f"{path}/METADATA": f"Name: {path[-12]}\nVersion: 1\n" for path in paths})
    found = list(inventory.installed_elsewhere(image, paths, []))
    assert [(p.version, p.place) for p in found] == [("1", "/venv/lib/python3.12/site-packages")]


def test_wheel_hashes() -> None:
    one, two = "a" * 64, "b" * 64
    lines = [f"Click==8.5.1 --hash=sha256:{one}", f"x==1 --hash=sha256:{one} --hash=sha256:{two}", "y==1", "# z"]
    assert inventory.wheel_hashes(lines) == {"click": one}


def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "cyclonedx.model", None)
    with pytest.raises(NoSbomLibraryError) as caught:
        document.write(Subject(name="shop"), [], {}, {})
    assert str(caught.value) == (
        "Couldn't find cyclonedx-python-lib, which writes bills of materials.\n\n"
        "Install it (pip install 'taxiway[sbom]'), or use the builder image, which has it:\n"
        "  podman save IMAGE | podman run --rm -i localhost/taxiway-builder taxiway sbom -"
    )


def test_command_in_an_environment(image: Directory, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("VIRTUAL_ENV", str(image.root / "opt/app-root"))
    result = CliRunner().invoke(command.command, [])
    assert result.exit_code == 0, result.output
    assert_valid(result.output)
    assert "pkg:pypi/shop@1.0" in components(result.output)
    output = tmp_path / "out.xml"
    assert CliRunner().invoke(command.command, ["--format", "cyclonedx-xml", "--output", str(output)]).exit_code == 0
    assert output.read_text().startswith("<?xml")
    statement = json.loads(CliRunner().invoke(command.command, ["--format", "slsa"]).output)
    assert statement["predicateType"] == "https://slsa.dev/provenance/v1"


def test_command_without_an_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(command.command, [])
    assert isinstance(result.exception, NothingInstalledError)
    assert str(result.exception) == (
        f"Couldn't find a virtual environment in {tmp_path}/.venv, nor is this a container of taxiway's.\n\n"
        "Name the image (taxiway sbom IMAGE), or the environment: VIRTUAL_ENV=PATH taxiway sbom"
    )
