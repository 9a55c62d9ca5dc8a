"""The real s2i against Docker's engine, whose commit keeps what s2i asks for: exec-form CMD, labels, user."""

import json
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import harness
import pytest
from harness import BUILDER, ROOT, RUNTIME, Output
from package_index import PackageIndex, make_wheel

pytestmark = pytest.mark.docker
ENGINE_SCRIPT = str(ROOT / "scripts" / "docker-engine.sh")


class Docker:
    """Debian's Docker engine, started for these tests."""

    def __init__(self) -> None:
        harness.run(ENGINE_SCRIPT, "start")
        harness.run(ENGINE_SCRIPT, "load", BUILDER, RUNTIME)
        lines = harness.run(ENGINE_SCRIPT, "env").text.splitlines()
        self.env = {name: value for name, _, value in (line.partition("=") for line in lines if "=" in line)}
        self.s2i_tool = harness.run(str(ROOT / "scripts" / "s2i-tool.sh")).text.split()[-1]

    def run(self, *argv: str, check: bool = True) -> Output:
        """Run the docker command."""
        return harness.run("docker", *argv, check=check, env=self.env)

    def s2i(self, source: Path, image: str, *options: str) -> str:
        """Build with s2i; this engine has only the host's network."""
        never = [f"--{name}pull-policy=never" for name in ("", "incremental-", "runtime-")]
        volume = harness.environ().get("CA_VOLUME")
        authorities = [f"--volume={volume}"] if volume else []
        argv = [self.s2i_tool, "build", str(source), BUILDER, image, *never, *authorities, "--network=host", *options]
        return harness.run(*argv, env=self.env).text

    def config(self, image: str) -> dict[str, object]:
        """The configuration of an image."""
        found: list[dict[str, dict[str, object]]] = json.loads(self.run("image", "inspect", image).text)
        return found[0]["Config"]

    def answers_and_stops(self, image: str, expected: str) -> None:
        """Start it hardened as an arbitrary user, ask it, stop it while it answers."""
        name, port = f"taxiway-test-{uuid.uuid4().hex[:8]}", harness.free_port()
        hardened = ("--user=1000680000:0", "--read-only", "--tmpfs=/tmp", "--cap-drop=ALL", "--security-opt=no-new-privileges")
        try:
            self.run("run", "--detach", f"--name={name}", "--network=host", f"--env=PORT={port}", *hardened, image)
            running = DockerContainer(self, name, port)
            assert expected in running.wait().body
            harness.assert_request_in_flight_finishes(running)
        finally:
            self.run("rm", "--force", name, check=False)


class DockerContainer(harness.Container):
    """A container of that engine."""

    def __init__(self, docker: Docker, name: str, port: int) -> None:
        super().__init__(name, port)
        self._docker = docker

    def engine(self, *argv: str) -> Output:
        return self._docker.run(*argv)


@pytest.fixture(scope="module")
def docker() -> Iterator[Docker]:
    yield Docker()
    harness.run(ENGINE_SCRIPT, "stop")


@pytest.fixture
def docker_image(docker: Docker, image_name: str) -> Iterator[str]:
    yield image_name
    docker.run("rmi", "--force", image_name, check=False)


def test_build_and_run(docker: Docker, docker_image: str, app_source: Callable[[str], Path]) -> None:
    """Docker's default tmpfs is mounted noexec, which mod_wsgi-express's own start doesn't survive."""
    docker.s2i(app_source("plain-wsgi"), docker_image, "--env=COLOUR=green")
    config = docker.config(docker_image)
    assert config["Cmd"] == ["/usr/libexec/s2i/run"]
    assert config["User"] == "1001"
    assert "COLOUR=green" in str(config["Env"])
    assert "io.openshift.s2i.build.image" in str(config["Labels"])
    docker.answers_and_stops(docker_image, "plain WSGI")


def test_incremental(docker: Docker, docker_image: str, app_source: Callable[[str], Path]) -> None:
    app = app_source("django-gunicorn")
    docker.s2i(app, docker_image)
    assert "taken from the previous image; nothing to download" in docker.s2i(app, docker_image, "--incremental")
    docker.answers_and_stops(docker_image, "")


def test_extended_build(docker: Docker, docker_image: str, app_source: Callable[[str], Path]) -> None:
    docker.s2i(app_source("flask-factory"), docker_image, f"--runtime-image={RUNTIME}")
    assert docker.config(docker_image)["User"] == "1001"
    assert docker.run("run", "--rm", "--network=none", docker_image, "ls", "/opt/app-root/src").text.count("app-root") == 0
    docker.answers_and_stops(docker_image, "Lamps")


def test_taxiway_image(docker: Docker, docker_image: str, app_source: Callable[[str], Path]) -> None:
    """The classic builder: without mounts, but with the same layers."""
    app = app_source("plain-wsgi")
    argv = [sys.executable, "-m", "taxiway", "image", docker_image, str(app), "--engine=docker", "--network=host"]
    argv += [f"--builder-image={BUILDER}", f"--runtime-image={RUNTIME}"]
    layers = []
    for text in ("", "# changed\n"):
        with (app / "wsgi.py").open("a") as file:
            file.write(text)
        harness.run(*argv, env={**docker.env, "PYTHONPATH": str(ROOT / "src")})
        layers.append(json.loads(docker.run("image", "inspect", "--format={{json .RootFS.Layers}}", docker_image).text))
    first, second = layers
    assert first[:-1] == second[:-1]
    assert first[-1] != second[-1]
    docker.answers_and_stops(docker_image, "plain WSGI")
    audited = harness.taxiway("audit", docker_image, "--run", "--engine=docker", env=docker.env)
    assert "not checked" not in audited.text


def test_onbuild(docker: Docker, docker_image: str, app_source: Callable[[str], Path], tmp_path: Path) -> None:
    docker.run(
        "build",
        "--build-arg",
        f"BUILDER_IMAGE={BUILDER}",
        "--tag",
        f"{docker_image}-base",
        "--file",
        str(ROOT / "Dockerfile.onbuild"),
        str(tmp_path),
    )
    app = app_source("plain-wsgi")
    (app / "Dockerfile").write_text(f'FROM {docker_image}-base\nCMD ["--processes", "1"]\n')
    try:
        docker.run("build", "--network=host", "--tag", docker_image, str(app))
        docker.answers_and_stops(docker_image, "plain WSGI")
    finally:
        docker.run("rmi", "--force", f"{docker_image}-base", check=False)


def test_as_dockerfile_is_built_by_docker_too(
    docker: Docker, docker_image: str, app_source: Callable[[str], Path], tmp_path: Path
) -> None:
    """An application without requirements needs no certificate authority in the build."""
    directory = tmp_path / "generated"
    directory.mkdir()
    docker.s2i(app_source("plain-wsgi"), docker_image, "--as-dockerfile", str(directory / "Dockerfile"))
    docker.run("build", "--network=host", "--tag", docker_image, str(directory))
    docker.answers_and_stops(docker_image, "plain WSGI")


CREDENTIALS = "/etc/taxiway/credentials"
LOCKED = "import alpha\n\n\ndef application(environ, start_response):\n    start_response('200 OK', [])\n    return [b'alpha']\n"
WITH_SECRET = f"""\
FROM {BUILDER}
ENV PIP_INDEX_URL={{url}}
COPY --chown=1001:0 . /tmp/src
RUN --mount=type=secret,id=netrc,target={CREDENTIALS}/netrc,uid=1001 /usr/libexec/s2i/assemble
CMD ["/usr/libexec/s2i/run"]
"""


def test_credentials(docker: Docker, tmp_path: Path) -> None:
    """Each documented way of Docker's: the password opens the index, and is found nowhere afterwards."""
    canaries = {route: f"canary-{route}-{uuid.uuid4().hex}" for route in ("volume", "inject", "buildkit", "image")}
    (files := tmp_path / "index").mkdir()
    make_wheel(files, "alpha", "1.0", {"alpha.py": "VERSION = '1.0'\n"})
    (source := tmp_path / "app").mkdir()
    (source / "wsgi.py").write_text(LOCKED)
    with PackageIndex(files, "127.0.0.1", tuple(canaries.values())).serving() as index:
        (source / "requirements.txt").write_text(index.requirements())
        dockerfile = tmp_path / "Dockerfile"
        dockerfile.write_text(WITH_SECRET.format(url=index.url))

        def given(route: str) -> Path:
            (place := tmp_path / route).mkdir()
            (place / "netrc").write_text(f"machine 127.0.0.1 login build password {canaries[route]}\n")
            return place

        asking = f"--env=PIP_INDEX_URL={index.url}"
        build = ("build", "--network=host", f"--file={dockerfile}", f"--secret=id=netrc,src={given('buildkit')}/netrc")
        buildkit = {**docker.env, "DOCKER_BUILDKIT": "1"}
        ways: dict[str, Callable[[str], str]] = {
            "volume": lambda image: docker.s2i(source, image, asking, f"--volume={given('volume')}:{CREDENTIALS}:ro"),
            "inject": lambda image: docker.s2i(source, image, asking, f"--inject={given('inject')}:{CREDENTIALS}"),
            "buildkit": lambda image: harness.run("docker", *build, f"--tag={image}", str(source), env=buildkit).text,
            "image": lambda image: harness.taxiway(
                "image", image, str(with_index(source, index.url)), "--engine=docker", "--network=host",
                f"--builder-image={BUILDER}", f"--runtime-image={RUNTIME}", f"--credentials={given('image')}", env=docker.env,
            ).text,
        }  # fmt: skip
        images = {route: f"{harness.TEST_IMAGES}/docker-credentials-{route}" for route in ways}
        archive = tmp_path / "images.tar"
        try:
            logs = {}
            for route, way in ways.items():
                index.requests.clear()
                logs[route] = way(images[route])
                assert index.downloads, f"{route}: nothing was installed from the index"
            docker.run("save", "--output", str(archive), *images.values())
            assert all(canary not in log for log in logs.values() for canary in canaries.values())
            found = harness.hits(archive, canaries | {"control": "def application"})
            assert found.pop("control"), "the search does look into layers"
            assert not any(found.values()), found
        finally:
            docker.run("rmi", "--force", *images.values(), check=False)
        classic = harness.run("docker", *build, str(source), env={**docker.env, "DOCKER_BUILDKIT": "0"}, check=False)
        assert classic.status
        assert "the --mount option requires BuildKit" in classic.text


def with_index(source: Path, url: str) -> Path:
    """A copy of a source whose build asks an index."""
    copy = harness.copy_app(source, source.with_name("app-with-index"))
    (copy / ".s2i").mkdir()
    (copy / ".s2i" / "environment").write_text(f"PIP_INDEX_URL={url}\n")
    return copy
