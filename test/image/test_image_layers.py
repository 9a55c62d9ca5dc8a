"""`taxiway image`: the layers, on Podman, Buildah and Docker; what a change sends to a registry and downloads from an index."""

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
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


@pytest.fixture
def registry() -> Iterator[Registry]:
    """A registry; what was named after it is removed."""
    with Registry().serving() as serving:
        yield serving
        podman("rmi", "--force", f"{serving.name}/shop:1", check=False)


def test_layers(source: Path, index: PackageIndex, registry: Registry) -> None:
    """A changed source is one small layer, built and pushed; a changed pin downloads what it names."""
    name = f"{registry.name}/shop:1"
    pushing = ("--push", "--insecure-registry")
    index.requests.clear()
    image(name, source, *pushing)
    assert {path.split("/")[-1].split("-")[0] for path in index.downloads} <= {"alpha", "beta"}
    first, sent = layers(name), registry.received
    assert sent > 1_000_000
    (source / "wsgi.py").write_text(WSGI.replace("first", "second"))
    index.requests.clear()
    assert "made before of the same images" in image(name, source, *pushing)
    second = layers(name)
    assert second[:-1] == first[:-1]
    assert second[-1] != first[-1]
    assert not index.requests
    assert registry.received - sent < 100_000
    assert set(registry.manifests) == {"shop:1"}
    with harness.container(name, *harness.ARBITRARY_USER, *harness.HARDENED) as running:
        assert running.wait().body == "1.0 helped second"
        listed = running.execute("ls", "-A", "/opt/app-root/.taxiway", "/tmp", "/opt/app-root/src")
        assert "dependencies.json\nlaunch.json" in listed
        assert "layer" not in listed
        assert running.execute("find", "/opt/app-root", "!", "-gid", "0", "-o", "!", "-uid", "1001") == ""
    text = (source / "requirements.txt").read_text()
    (source / "requirements.txt").write_text(text.replace(lock(index, "1.0"), lock(index, "1.1")))
    image(name, source)
    assert {path.split("/")[-1] for path in index.downloads} == {"alpha-1.1-py3-none-any.whl"}, "beta is in the installer's cache"
    with harness.container(name) as running:
        assert running.wait().body == "1.1 helped second"


def test_by_the_s2i_tool(app_source: Callable[[str], Path], image_name: str) -> None:
    """The tool writes the Dockerfile; no service is asked."""
    tool = Path(harness.run(str(harness.ROOT / "scripts" / "s2i-tool.sh")).text.split()[-1])
    argv = [
        sys.executable,
        "-m",
        "taxiway",
        "image",
        image_name,
        str(app_source("plain-wsgi")),
        f"--builder-image={BUILDER}",
        "--s2i",
    ]
    env = {
        "PYTHONPATH": str(harness.ROOT / "src"),
        "PATH": f"{tool.parent}:{os.environ['PATH']}",
        "DOCKER_HOST": "unix:///nowhere",
    }
    harness.run(*argv, "--label=a=b", env=env)
    labels = harness.image_config(image_name)["Labels"]
    assert labels["io.openshift.s2i.build.image"] == BUILDER
    assert labels["a"] == "b"
    with harness.container(image_name, *harness.ARBITRARY_USER, *harness.HARDENED) as running:
        assert "plain WSGI" in running.wait().body


HOOK = """\
#!/bin/sh
set -eu
token=$(cat /run/secrets/token)
echo "the token is $token"
sha256sum </run/secrets/token >token.sum
find "$VIRTUAL_ENV/lib" -name alpha -type d -exec rm -r {} +
test -z "${WAIT:-}" || exec sleep "$WAIT"
"""


@pytest.fixture
def hooked(tmp_path: Path, index: PackageIndex) -> Path:
    """An application with a wheelhouse, and a hook that wants a secret and takes a package away."""
    top = tmp_path / "hooked"
    house = top / ".taxiway" / "wheelhouse"
    house.mkdir(parents=True)
    shutil.copy(index.wheels / "alpha-1.0-py3-none-any.whl", house)
    hook = top / ".taxiway" / "hooks" / "build"
    hook.parent.mkdir()
    hook.write_text(HOOK)
    hook.chmod(0o755)
    (top / "wsgi.py").write_text("def application(environ, start_response): ...\n")
    (top / "requirements.txt").write_text(
        next(line for line in index.requirements().splitlines() if line.startswith("alpha==1.0"))
    )
    (tmp_path / "token").write_text("canary-of-a-token\n")
    return top


def test_secrets_without_a_network(hooked: Path, image_name: str, tmp_path: Path) -> None:
    secret = f"--secret=id=token,src={tmp_path / 'token'}"
    log = image(
        image_name, hooked, secret, "--no-network", "--label=a.b=c d", "--env=GREETING=good day", "--build-env=COLOUR=red"
    )
    assert "the token is ****" in log
    assert "canary" not in log
    config = harness.image_config(image_name)
    assert config["Labels"]["a.b"] == "c d"
    assert "GREETING=good day" in config["Env"]
    assert not any("COLOUR" in line for line in config["Env"])
    listed = podman(
        "run", "--rm", "--network=none", image_name, "sh", "-c", "ls -A /run; cat token.sum; find /opt/app-root -name 'alpha*'"
    ).text
    assert hashlib.sha256(b"canary-of-a-token\n").hexdigest() in listed
    assert "secrets" not in listed
    assert "site-packages/alpha-1.0.dist-info\n" in listed
    assert "site-packages/alpha\n" not in listed, "a hook took it away"
    with pytest.raises(AssertionError) as caught:
        image(image_name, hooked, "--no-network")
    assert re.search(
        r"The error in the build: The hook build .*/run/secrets/token.*\[hook-failed\]\n\n\[image-build-failed\]",
        str(caught.value),
        re.DOTALL,
    )


def test_interrupted(hooked: Path, image_name: str, tmp_path: Path) -> None:
    """The name stays with the image that it had, and nothing goes on in the background."""
    podman("tag", RUNTIME, image_name)
    seconds = str(600_000 + os.getpid())
    argv = [
        sys.executable,
        "-m",
        "taxiway",
        "image",
        image_name,
        str(hooked),
        f"--builder-image={BUILDER}",
        f"--runtime-image={RUNTIME}",
    ]
    argv += [f"--secret=id=token,src={tmp_path / 'token'}", f"--build-env=WAIT={seconds}"]
    env = {**harness.environ(), "PYTHONPATH": str(harness.ROOT / "src")}

    def sleeps() -> bool:
        return any(f"sleep\0{seconds}\0" == text for text in map(_command_line, Path("/proc").glob("[0-9]*/cmdline")))

    with subprocess.Popen(argv, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            harness.wait_for(lambda: True if sleeps() or process.poll() is not None else None, 300)
            process.send_signal(signal.SIGINT)
            output, _ = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 130, output
    assert "Interrupted: waiting for the engine to clean up" in output
    assert not sleeps()
    assert layers(image_name) == layers(RUNTIME)


def _command_line(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
