"""`taxiway image`: the layers, on Podman, Buildah and Docker; what a change sends to a registry and downloads from an index."""

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import harness
import package_index
import pytest
from harness import BUILDER, RUNTIME, podman
from package_index import PackageIndex
from registry import Registry

WSGI = """\
import os

import alpha
import helper


def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{alpha.VERSION} {helper.NAME} first".encode()]
"""
PYPROJECT = """\
[project]
name = "shop"
version = "1"

[tool.setuptools]
py-modules = ["helper"]

[tool.taxiway]
server = "gunicorn"
"""


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PackageIndex]:
    """Alpha in two versions, and beta, which is large."""
    files = tmp_path_factory.mktemp("index")
    for version in ("1.0", "1.1"):
        package_index.make_wheel(files, "alpha", version, {"alpha/__init__.py": f"VERSION = {version!r}\n"})
    package_index.make_wheel(files, "beta", "2.0", {"beta.py": "", "beta.dat": os.urandom(1_000_000).hex()})
    gateway = json.loads(podman("network", "inspect", "podman").text)[0]["subnets"][0]["gateway"]
    with PackageIndex(files, gateway).serving() as serving:
        yield serving


def lock(index: PackageIndex, alpha: str) -> str:
    lines = index.requirements().splitlines()
    return "\n".join(line for line in lines if line.startswith(("beta", f"alpha=={alpha}"))) + "\n"


@pytest.fixture
def source(tmp_path: Path, index: PackageIndex) -> Path:
    """An application that is installed in place, beside locked requirements."""
    top = tmp_path / "app"
    top.mkdir()
    (top / "wsgi.py").write_text(WSGI)
    (top / "helper.py").write_text("NAME = 'helped'\n")
    (top / "pyproject.toml").write_text(PYPROJECT)
    (top / "requirements.txt").write_text(
        f"--index-url {index.url}\n--trusted-host {index.url.split('/')[2]}\n{lock(index, '1.0')}"
    )
    return top


def image(name: str, source: Path, *options: str) -> str:
    return harness.taxiway("image", name, str(source), f"--builder-image={BUILDER}", f"--runtime-image={RUNTIME}", *options).text


def layers(name: str) -> Sequence[str]:
    found: list[str] = json.loads(podman("image", "inspect", "--format={{json .RootFS.Layers}}", name).text)
    return found


def test_layers(source: Path, index: PackageIndex, image_name: str) -> None:
    """A changed source is one small layer, built and pushed; a changed pin downloads what it names."""
    with Registry().serving() as registry:

        def push() -> int:
            registry.received = 0
            podman("push", "--tls-verify=false", image_name, f"{registry.name}/shop:1")
            return registry.received

        index.requests.clear()
        image(image_name, source)
        assert {path.split("/")[-1].split("-")[0] for path in index.downloads} <= {"alpha", "beta"}
        first, sent = layers(image_name), push()
        assert sent > 1_000_000
        index.requests.clear()
        (source / "wsgi.py").write_text(WSGI.replace("first", "second"))
        image(image_name, source)
        second = layers(image_name)
        assert second[:-1] == first[:-1]
        assert second[-1] != first[-1]
        assert not index.requests
        assert push() < 100_000
        with harness.container(image_name, *harness.ARBITRARY_USER, *harness.HARDENED) as running:
            assert running.wait().body == "1.0 helped second"
            listed = running.execute("ls", "-A", "/opt/app-root/.taxiway", "/tmp", "/opt/app-root/src")
            assert "dependencies.json\nlaunch.json" in listed
            assert "layer" not in listed
            assert running.execute("find", "/opt/app-root", "!", "-gid", "0", "-o", "!", "-uid", "1001") == ""
    (source / "requirements.txt").write_text(
        (source / "requirements.txt").read_text().replace(lock(index, "1.0"), lock(index, "1.1"))
    )
    image(image_name, source)
    assert {path.split("/")[-1] for path in index.downloads} == {"alpha-1.1-py3-none-any.whl"}, "beta is in the installer's cache"
    with harness.container(image_name) as running:
        assert running.wait().body == "1.1 helped second"
