"""What the image tests share: building with the scripts that users run, and containers that are waited for and removed."""

import base64
import http.client
import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import tarfile
import threading
import time
import tomllib
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

ROOT = Path(__file__).resolve().parents[2]
APPS = ROOT / "test" / "apps"
SUITE = os.environ.get("SUITE", "trixie")
PREFIX = os.environ.get("IMAGE_PREFIX", "taxiway")  # a second checkout has images of its own
BUILDER = f"localhost/{PREFIX}-builder:{SUITE}"
RUNTIME = f"localhost/{PREFIX}-runtime:{SUITE}"
# Each worker of pytest-xdist has its own: one must not remove what another uses.
TEST_IMAGES = "/".join(filter(None, (f"localhost/{PREFIX}-test", os.environ.get("PYTEST_XDIST_WORKER"))))
START_TIMEOUT_S = 60
# Cases that the real s2i builds, and that are started in three ways; test_corpus.py builds the others more quickly.
BY_S2I = (
    "app-module-quoted",
    "django-gunicorn",
    "django-settings-env",
    "django-static-sqlite",
    "flask-app",
    "flask-factory",
    "hooks",
    "must-fail-collectstatic",
    "must-fail-hash",
    "must-fail-hook",
    "plain-wsgi",
    "s2i-python-django",
    "sub-directory",
)
T = TypeVar("T")
# What Podman 4.3 says of a build when another process removes an image at which it just looks.
_REMOVED_MEANWHILE = ("layer not known", "image not known", "locating item named")
_ATTEMPTS = 3
HARDENED = (
    "--read-only",
    "--read-only-tmpfs=false",  # Podman would add writable /run and /var/tmp, which Kubernetes doesn't
    "--tmpfs=/tmp:rw,size=64m,mode=1777",
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges",
)
ARBITRARY_USER = ("--user=1000680000:0", "--passwd=false")  # as OpenShift: no passwd entry


@cache
def environ() -> dict[str, str]:
    """The environment for the engine, as scripts/engine.sh left it."""
    cache_root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    stored = Path(os.environ.get("TAXIWAY_CACHE") or cache_root / "taxiway") / "engine.env"
    pairs = (line.partition("=") for line in stored.read_text().splitlines() if "=" in line)
    # Nothing of this environment may decide what the tool under test does.
    own = {k: v for k, v in os.environ.items() if k == "TAXIWAY_CACHE" or not k.startswith(("TAXIWAY_", "PIP_", "UV_", "PORT"))}
    return {**own, **{name: value.strip("'\"") for name, _, value in pairs}}


@dataclass(frozen=True)
class Output:
    """A finished command."""

    status: int
    text: str


def run(*argv: str, check: bool = True, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> Output:
    """Run a command; stdout and stderr together."""
    for _ in range(_ATTEMPTS):
        result = subprocess.run(
            argv,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            cwd=cwd,
            env={**environ(), **(env or {})},
            check=False,
            text=True,
            errors="replace",
        )
        if not result.returncode or not any(text in result.stdout for text in _REMOVED_MEANWHILE):
            break
    if check and result.returncode:
        raise AssertionError(f"{' '.join(argv)}: exit status {result.returncode}\n{result.stdout[-6000:]}")
    return Output(result.returncode, result.stdout)


def podman(*argv: str, check: bool = True) -> Output:
    """Run podman."""
    return run("podman", *argv, check=check)


def podman_build(containerfile: str, image: str, context: Path, *options: str) -> Output:
    """Build an image from the text of a Dockerfile."""
    file = context.parent / f"{uuid.uuid4().hex}.Containerfile"
    file.write_text(containerfile)
    return podman("build", "--layers=false", "--tag", image, "--file", str(file), *options, str(context))


def image_config(image: str) -> dict[str, Any]:
    """The configuration of an image."""
    found: list[dict[str, Any]] = json.loads(podman("image", "inspect", image).text)
    config: dict[str, Any] = found[0]["Config"]
    return config


def read_expectation(case: str) -> dict[str, Any]:
    """The expect.toml of a case."""
    return tomllib.loads((APPS / case / "expect.toml").read_text())


def copy_app(source: Path, target: Path) -> Path:
    """Copy an application as a user would have it."""
    return Path(shutil.copytree(source, target, symlinks=True, ignore=shutil.ignore_patterns("expect.toml", "__pycache__")))


def s2i_build(source: Path, image: str, *options: str, check: bool = True) -> Output:
    """Build with the real s2i, by the script that `make run` uses."""
    return run(str(ROOT / "scripts" / "s2i-build.sh"), str(source), image, *options, check=check)


def certificates() -> list[str]:
    """Options for containers that ask a package index of this machine's network."""
    volume = environ().get("CA_VOLUME")
    return [f"--volume={volume}"] if volume else []


def taxiway(*argv: str, env: Mapping[str, str] | None = None) -> Output:
    """Run this checkout's taxiway on this machine."""
    return run(sys.executable, "-m", "taxiway", *argv, env={**(env or {}), "PYTHONPATH": str(ROOT / "src")})


def hits(archive: Path, needles: Mapping[str, str]) -> dict[str, set[str]]:
    """The kinds of members that hold each text: `json`, with configuration and history, and `layer.tar`."""
    found: dict[str, set[str]] = {name: set() for name in needles}
    with tarfile.open(archive) as tar:
        for member in tar:
            if member.isfile() and (file := tar.extractfile(member)):
                tail = b""
                while chunk := file.read(1 << 22):
                    for name, needle in needles.items():
                        if needle.encode() in tail + chunk:
                            found[name].add(re.split(r"[./]", member.name, maxsplit=1)[1])
                    tail = chunk[-100:]
    return found


@dataclass(frozen=True)
class Answer:
    """An HTTP response."""

    status: int
    headers: Mapping[str, str]
    body: str


@dataclass
class Container:
    """A running container, reached through a port of the loopback interface."""

    name: str
    port: int
    options: Sequence[str] = field(default_factory=tuple)

    def get(self, path: str, timeout: float = 30, headers: Mapping[str, str] | None = None) -> Answer:
        """Send a GET request; redirects aren't followed."""
        return self._send("GET", path, None, timeout, headers or {})

    def post(self, path: str, body: str, headers: Mapping[str, str]) -> Answer:
        """Send a POST request; redirects aren't followed."""
        return self._send("POST", path, body, 30, headers)

    def _send(self, method: str, path: str, body: str | None, timeout: float, headers: Mapping[str, str]) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request(method, path, body, dict(headers))
            response = connection.getresponse()
            text = response.read().decode(errors="replace")
            found: dict[str, str] = {}
            for name, value in response.getheaders():
                found[name.lower()] = f"{found[name.lower()]}, {value}" if name.lower() in found else value
            return Answer(response.status, found, text)
        finally:
            connection.close()

    def exchange(self, path: str, text: str) -> str:
        """Open a WebSocket (RFC 6455), send a text of less than 126 bytes, and return the one that comes back."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as connection:
            connection.sendall(
                f"GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
            )
            stream = connection.makefile("rb")
            status = stream.readline().decode()
            assert " 101 " in status, status
            while stream.readline().strip():
                pass
            # A final text frame, masked as a client's has to be; a mask of zeros changes nothing.
            connection.sendall(bytes([0x81, 0x80 | len(text.encode())]) + bytes(4) + text.encode())
            _, length = stream.read(2)
            return stream.read(length).decode()

    def wait(self, path: str = "/") -> Answer:
        """Wait until it answers."""

        def ask() -> Answer | None:
            if not self.is_running():
                raise AssertionError(f"the container ended with {self.exit_status()}:\n{self.logs()[-6000:]}")
            try:
                return self.get(path)
            except (OSError, http.client.HTTPException):
                return None

        try:
            return wait_for(ask, START_TIMEOUT_S)
        except TimeoutError:
            raise AssertionError(f"no answer in {START_TIMEOUT_S} s:\n{self.logs()[-6000:]}") from None

    def engine(self, *argv: str) -> Output:
        """Run the engine's command."""
        return podman(*argv)

    def logs(self) -> str:
        """What it printed."""
        return self.engine("logs", self.name).text

    def is_running(self) -> bool:
        """Whether it runs."""
        return self.engine("inspect", "--format={{.State.Running}}", self.name).text.strip() == "true"

    def exit_status(self) -> int:
        """Exit status of the ended container."""
        return int(self.engine("inspect", "--format={{.State.ExitCode}}", self.name).text)

    def stop(self, timeout_s: int = 30) -> int:
        """Send SIGTERM, SIGKILL after the timeout; returns the exit status."""
        self.engine("stop", f"--time={timeout_s}", self.name)
        return self.exit_status()

    def execute(self, *argv: str) -> str:
        """Run a command in it."""
        return self.engine("exec", self.name, *argv).text

    def changed_files(self) -> list[str]:
        """Paths that were written in its root file system since it started."""
        lines = self.engine("diff", "--format=json", self.name).text
        found = json.loads(lines)
        return sorted(path for kind in ("changed", "added", "deleted") for path in found.get(kind) or [])


def wait_for(ask: Callable[[], T | None], timeout_s: float) -> T:
    """Ask until there is an answer; raise TimeoutError after that many seconds."""
    deadline = time.monotonic() + timeout_s
    while (answer := ask()) is None:
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.1)
    return answer


def free_port() -> int:
    """A free TCP port, below those that Linux gives to outgoing connections (from 32768), which could take it meanwhile."""
    while True:
        port = 10_000 + secrets.randbelow(22_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("", port))
            return port


@contextmanager
def container(
    image: str, *options: str, port: int = 8080, command: Sequence[str] = (), env: Mapping[str, str] | None = None
) -> Iterator[Container]:
    """Start a container; it is removed in the end."""
    name = f"taxiway-test-{uuid.uuid4().hex[:12]}"
    host_port = free_port()
    variables = [f"--env={key}={value}" for key, value in (env or {}).items()]
    try:
        podman(
            "run", "--detach", f"--name={name}", f"--publish=127.0.0.1:{host_port}:{port}", *variables, *options, image, *command
        )
        yield Container(name, host_port, options)
    finally:
        podman("rm", "--force", "--time=1", name, check=False)


def assert_request_in_flight_finishes(running: Container, path: str = "/slow?seconds=4") -> None:
    """Stop a container while it answers: the answer comes, and the container ends by itself with 0."""
    answers: list[Answer] = []
    client = threading.Thread(target=lambda: answers.append(running.get(path)))
    client.start()
    wait_for(lambda: "slow: begin 4" in running.logs() or None, 20)
    started = time.monotonic()
    status = running.stop(25)
    took_s = time.monotonic() - started
    client.join()
    assert [(a.status, a.body) for a in answers] == [(200, "slept 4 s\n")], running.logs()[-3000:]
    assert status == 0
    assert took_s < 20  # long before SIGKILL


def check_requests(running: Container, requests: Sequence[Mapping[str, Any]], replace: Mapping[str, str] | None = None) -> None:
    """Send the requests of an expect.toml and compare."""
    for request in requests:
        answer = running.get(request["path"])
        shown = f"{request['path']}: {answer.status}\n{answer.body[:3000]}\n{running.logs()[-3000:]}"
        assert answer.status == request["status"], shown
        for text in request.get("contains", []):
            for old, new in (replace or {}).items():
                text = text.replace(old, new)  # noqa: PLW2901
            assert text in answer.body, f"{text!r} isn't in {shown}"
        for name, start in request.get("header", {}).items():
            assert answer.headers.get(name.lower(), "").startswith(start), f"{name}: {answer.headers}"
