"""FROM taxiway:onbuild: an image from a Dockerfile of one line, and what its CMD may say."""

from collections.abc import Iterator
from pathlib import Path

import harness
import pytest
from harness import SUITE, podman

ONBUILD = f"localhost/{harness.PREFIX}-builder:onbuild" + f"-{SUITE}" * (SUITE != "trixie")
SCRIPT = """\
import os

import greeting


def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{greeting.TEXT} {environ['HTTP_HOST']} {os.environ['HOOK']}\\n".encode()]
"""


def write_source(directory: Path, cmd: str) -> Path:
    """An application whose only entry point is a script file of mod_wsgi, with hooks."""
    hooks = directory / ".taxiway" / "hooks"
    hooks.mkdir(parents=True)
    (directory / "site.wsgi").write_text(SCRIPT)
    for name, text in (("build", "echo \"TEXT = 'built'\" >greeting.py"), ("deploy", "echo deployed")):
        (hooks / name).write_text(f"#!/bin/sh\n{text}\n")
        (hooks / name).chmod(0o755)
    (directory / ".taxiway" / "deploy-env").write_text("HOOK=environment\n")
    (directory / "Dockerfile").write_text(f"FROM {ONBUILD}\n{cmd}\n")
    return directory


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    source = write_source(tmp_path_factory.mktemp("onbuild"), 'CMD ["--trust-proxy-header", "X-Forwarded-Host", "site.wsgi"]')
    name = f"{harness.TEST_IMAGES}/onbuild"
    log = podman("build", "--pull=never", "--tag", name, str(source)).text
    assert "starts site.wsgi:application (mod_wsgi's script in site.wsgi)" in log
    assert "Running the hook build" in log
    yield name
    podman("rmi", "--force", name, check=False)


def test_arguments_of_its_cmd(image: str) -> None:
    """As with mod_wsgi-docker: options of the launch, and what to start."""
    with harness.container(image, *harness.ARBITRARY_USER, *harness.HARDENED) as running:
        running.wait()
        assert running.get("/", headers={"X-Forwarded-Host": "shop.example.org"}).body == "built shop.example.org environment\n"
        logs = running.logs()
        assert "deployed" in logs
        assert "Starting site.wsgi:application" in logs
        assert "proxies: X-Forwarded-Host from" in logs
        assert "believed from private networks" in logs


@pytest.mark.parametrize("command", [("site.wsgi", "--port", "9000"), ("--port=9000",), ("site.wsgi:application", "--port=9000")])
def test_other_arguments(image: str, command: tuple[str, ...]) -> None:
    with harness.container(image, port=9000, command=command) as running:
        assert running.wait().body.startswith("built ")
        assert "proxies:" not in running.logs()


def test_other_programs(image: str) -> None:
    assert podman("run", "--rm", "--network=none", image, "cat", "greeting.py").text == "TEXT = 'built'\n"
    help_text = podman("run", "--rm", "--network=none", image, "--help").text
    assert "Usage: taxiway start" in help_text
