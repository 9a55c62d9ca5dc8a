"""Bill of materials and provenance of images: the same set as dpkg and importlib.metadata tell in the container."""

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import harness
import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

WSGI = (
    "def application(environ, start_response):\n"
    '    start_response("200 OK", [("Content-Type", "text/plain")])\n    return [b"hello"]\n'
)
ASGI = "async def app(scope, receive, send):\n    pass\n"
APPS = {"mod_wsgi": ("wsgi.py", WSGI), "gunicorn": ("wsgi.py", WSGI), "uvicorn": ("asgi.py", ASGI)}
# From the builder's wheels; granian's has a bill of materials of its own (PEP 770).
SERVERS = (harness.ROOT / "requirements" / "servers.txt").read_text()
REQUIREMENTS = next(line.split()[0] for line in SERVERS.splitlines() if line.startswith("granian==")) + "\n"
INSTALLED = (
    "import importlib.metadata, json\n"
    "print(json.dumps(sorted({(d.name, d.version) for d in importlib.metadata.distributions() "
    "if '/app-root/' in str(d.locate_file('.')) or '/opt/taxiway/' in str(d.locate_file('.'))})))"
)
DPKG = "dpkg-query --show --showformat '${db:Status-Abbrev} ${Package} ${Version}\\n' | sed -n 's/^ii *//p'"


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], tuple[str, str]]]:
    """An application on the builder image, and on the runtime image, by its server."""
    built: dict[str, tuple[str, str]] = {}

    def build(server: str) -> tuple[str, str]:
        if server not in built:
            source = tmp_path_factory.mktemp(server) / "shop"
            source.mkdir()
            name, text = APPS[server]
            (source / name).write_text(text)
            (source / "requirements.txt").write_text(REQUIREMENTS)
            (source / "pyproject.toml").write_text('[project]\nname = "shop"\nversion = "1.2"\n')
            on_builder, on_runtime = (f"{harness.TEST_IMAGES}/sbom-{server.replace('_', '-')}-{kind}" for kind in ("b", "r"))
            built[server] = on_builder, on_runtime
            options = "PIP_NO_INDEX=1 PIP_FIND_LINKS=/opt/taxiway/wheelhouse TAXIWAY_INSTALL_PYPROJECT=no"
            lines = [
                f"FROM {harness.BUILDER}",
                "COPY --chown=1001:0 . /tmp/src",
                f"RUN {options} TAXIWAY_SERVER={server} /usr/libexec/s2i/assemble",
                "CMD /usr/libexec/s2i/run",
            ]
            harness.podman_build("\n".join(lines), on_builder, source)
            copy = f"FROM {harness.RUNTIME}\nCOPY --from={on_builder} /opt/app-root /opt/app-root\n"
            harness.podman_build(copy, on_runtime, source)
        return built[server]

    yield build
    for name in (name for pair in built.values() for name in pair):
        harness.podman("rmi", "--force", name, check=False)


def shell(image: str, script: str) -> str:
    """What a script prints in a container, without what it says on stderr."""
    argv = ["podman", "run", "--rm", "--network=none", *harness.ARBITRARY_USER, image, "sh", "-c", script]
    return subprocess.run(argv, check=True, capture_output=True, text=True, env=harness.environ()).stdout


def packages(bill: dict[str, Any], prefix: str) -> list[list[str]]:
    """Name and version of each component of a kind; of wheels that only lie there, none."""
    parts = (part for part in bill["components"] if part.get("purl", "").startswith(prefix) and "file_name=" not in part["purl"])
    return sorted([part["name"], part["version"]] for part in parts)


def installed(bill: str) -> list[dict[str, Any]]:
    """The components of a bill that are something installed, and not a document's subject."""
    return [part for part in json.loads(bill)["components"] if "purl" in part]


@pytest.mark.parametrize("server", APPS)
@pytest.mark.parametrize("kind", ["builder", "runtime"])
def test_it_is_what_is_installed(server: str, kind: str, images: Callable[[str], tuple[str, str]]) -> None:
    image = images(server)[kind == "runtime"]
    parts = shell(
        image,
        f"taxiway sbom; echo =====; {DPKG}; echo =====; "
        f'python -c "{INSTALLED}"; echo =====; /opt/taxiway/bin/python -c "{INSTALLED}"; echo =====; '
        "taxiway sbom --format slsa; echo =====; sha256sum /opt/app-root/.taxiway/sbom.cdx.json",
    ).split("=====\n")
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(parts[0]) is None
    bill = json.loads(parts[0])
    assert packages(bill, "pkg:deb/") == sorted(line.split(" ") for line in parts[1].splitlines())
    by_application, by_tool = json.loads(parts[2]), json.loads(parts[3])
    assert server.replace("_", "-") in {name.replace("_", "-").lower() for name, _ in by_application}
    assert packages(bill, "pkg:pypi/") == sorted(by_application + by_tool)
    (granian,) = [part for part in bill["components"] if part["name"] == "granian" and "file_name" not in part["purl"]]
    assert len(granian["components"]) > 100
    (python,) = [part for part in bill["components"] if part["type"] == "platform"]
    assert python["name"] == "python"

    statement = json.loads(parts[4])
    materials = {row["name"]: row for row in statement["predicate"]["buildDefinition"]["resolvedDependencies"]}
    assert materials["requirements.txt"]["digest"]["sha256"]
    assert materials["granian"]["digest"]["sha256"] in SERVERS
    assert statement["subject"] == [{"name": "sbom.cdx.json", "digest": {"sha256": parts[5].split()[0]}}]
    builder = statement["predicate"]["runDetails"]["builder"]
    assert (
        builder["id"].removeprefix("urn:taxiway:builder:") == harness.image_config(harness.BUILDER)["Labels"]["io.taxiway.inputs"]
    )


def test_image_that_is_only_read(images: Callable[[str], tuple[str, str]], tmp_path: Path) -> None:
    """By its name, or saved, it has the same components as the container tells, and the statement is about its digest."""
    image = images("mod_wsgi")[1]
    inside = installed(shell(image, "taxiway sbom"))
    saved = tmp_path / "image.tar"
    harness.podman("save", f"--output={saved}", image)
    for reference in (image, str(saved)):
        assert installed(harness.taxiway("sbom", reference).text) == inside
    scanned = json.loads(harness.taxiway("sbom", "--scan", str(saved)).text)
    for prefix in ("pkg:deb/", "pkg:pypi/"):
        assert packages(scanned, prefix) == packages({"components": inside}, prefix)
    statement = json.loads(harness.taxiway("sbom", "--format=slsa", image).text)
    assert statement["subject"] == [
        {
            "name": image,
            "digest": {"sha256": harness.podman("images", "--no-trunc", "--quiet", image).text.strip().removeprefix("sha256:")},
        }
    ]
    assert statement["predicate"] == json.loads(shell(image, "taxiway sbom --format slsa"))["predicate"]


def test_packages_added_in_a_derived_image_are_in_its_file(image_name: str, tmp_path: Path) -> None:
    """As apt removes or installs packages, the file follows; without an index, removing shows it."""
    (tmp_path / "x").mkdir()
    containerfile = f"FROM {harness.BUILDER}\nUSER 0\nRUN apt-get purge --yes make\nUSER 1001\n"
    harness.podman_build(containerfile, image_name, tmp_path / "x")
    for image, there in ((harness.BUILDER, True), (image_name, False)):
        text = shell(image, "cat /usr/share/taxiway/sbom.cdx.json")
        assert (["make"] in [row[:1] for row in packages(json.loads(text), "pkg:deb/")]) is there


def test_a_change_of_the_source_alone_writes_no_new_bill(tmp_path: Path) -> None:
    """Nor does restoring artifacts of the previous image."""
    source = tmp_path / "shop"
    source.mkdir()
    (source / "wsgi.py").write_text(WSGI)
    (source / "requirements.txt").write_text(REQUIREMENTS)
    script = (
        "set -e; export PIP_NO_INDEX=1 PIP_FIND_LINKS=/opt/taxiway/wheelhouse; "
        "cp -r /app /tmp/src; /usr/libexec/s2i/assemble >/dev/null; mkdir /tmp/artifacts; "
        "/usr/libexec/s2i/save-artifacts | tar -x -C /tmp/artifacts; cp -r /app /tmp/src; "
        "cp /opt/app-root/.taxiway/sbom.cdx.json /tmp/first; rm -r /opt/app-root/.taxiway; "
        "/usr/libexec/s2i/assemble; cmp /tmp/first /opt/app-root/.taxiway/sbom.cdx.json"
    )
    output = harness.podman("run", "--rm", f"--volume={source}:/app:ro", harness.BUILDER, "sh", "-c", script).text
    assert "taken from the previous image" in output
    assert "Writing bill of materials and provenance\n     unchanged, " in output
