"""The real s2i against Docker's engine, whose commit keeps what s2i asks for: exec-form CMD, labels, user."""

import json
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import harness
import pytest
from harness import BUILDER, ROOT, RUNTIME, Output

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


def test_as_dockerfile_is_built_by_docker_too(
    docker: Docker, docker_image: str, app_source: Callable[[str], Path], tmp_path: Path
) -> None:
    """An application without requirements needs no certificate authority in the build."""
    directory = tmp_path / "generated"
    directory.mkdir()
    docker.s2i(app_source("plain-wsgi"), docker_image, "--as-dockerfile", str(directory / "Dockerfile"))
    docker.run("build", "--network=host", "--tag", docker_image, str(directory))
    docker.answers_and_stops(docker_image, "plain WSGI")
