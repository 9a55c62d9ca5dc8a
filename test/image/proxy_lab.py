"""Servers that show what an application sees of a request, and a client that sends what client libraries refuse to send."""

import json
import socket
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import harness

from taxiway import servers
from taxiway.launch_plan import ASGI, PROGRAMS, WSGI

APP = harness.APPS / "shows-request"
CONTAINERFILE = f"""\
FROM {harness.BUILDER}
COPY --chown=1001:0 . /tmp/src
ENV PIP_FIND_LINKS=/opt/taxiway/wheelhouse PIP_NO_INDEX=1
RUN cp -r /tmp/src /tmp/again \\
 && for interface in wsgi asgi; do \\
      TAXIWAY_APP="${{interface}}:application" /usr/libexec/s2i/assemble || exit 1; \\
      cp /opt/app-root/.taxiway/launch.json "/opt/app-root/.taxiway/${{interface}}.json"; \\
      cp -r /tmp/again /tmp/src; \\
    done
"""
# The launch plan of either interface; the rest is what S2I's run does.
START = 'cp "/opt/app-root/.taxiway/${0,,}.json" /opt/app-root/.taxiway/launch.json && exec /usr/libexec/s2i/run'


@dataclass(frozen=True)
class Reply:
    """One response."""

    status: int
    body: bytes
    is_last: bool
    """Whether the server closes the connection."""

    @property
    def seen(self) -> dict[str, Any] | None:
        """What the application saw, if the request came so far."""
        return json.loads(self.body) if self.status == 200 else None


class Connection:
    """A connection from a chosen address of the loopback network."""

    def __init__(self, port: int, source: str, timeout_s: float = 20) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout_s, source_address=(source, 0))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._file = self._socket.makefile("rb")
        self.source_port: int = self._socket.getsockname()[1]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._socket.close()

    def send(self, request: bytes) -> None:
        """Send bytes as they are."""
        self._socket.sendall(request)

    def receive(self) -> Reply | None:
        """Read a response; None if the server closed the connection instead."""
        try:
            start = self._file.readline()
            if not start:
                return None
            headers: dict[str, str] = {}
            while (line := self._file.readline()) not in {b"\r\n", b"\n", b""}:
                name, _, value = line.decode("latin-1").partition(":")
                headers[name.lower()] = value.strip().lower()
            is_last = start.startswith(b"HTTP/1.0") or headers.get("connection") == "close"
            if "chunked" in headers.get("transfer-encoding", ""):
                body = b""
                while size := int(self._file.readline().split(b";")[0], 16):
                    body += self._file.read(size)
                    self._file.readline()
                self._file.readline()
            elif "content-length" in headers:
                body = self._file.read(int(headers["content-length"]))
            else:
                body, is_last = self._file.read(), True
            return Reply(int(start.split()[1]), body, is_last)
        except ConnectionError:
            return None


@dataclass
class Running:
    """A server in a container on the machine's own network, where its peers can have different addresses."""

    name: str
    """Server and interface, `gunicorn-ASGI`; `mod_wsgi-native` is Apache with its own code instead of the middleware."""
    port: int
    container: harness.Container
    _kept: dict[str, Connection] = field(default_factory=dict)

    def ask(self, source: str, request: bytes) -> tuple[Reply | None, int]:
        """Send a request on a connection that is kept open; return the answer and the client's port."""
        for _ in range(2):  # a kept connection may have been closed meanwhile
            is_new = source not in self._kept
            connection = self._kept.pop(source, None) or Connection(self.port, source)
            try:
                connection.send(request)
                reply = connection.receive()
            except ConnectionError:
                reply = None
            if reply and not reply.is_last:
                self._kept[source] = connection
            else:
                connection.__exit__()
            if reply or is_new:
                break
        return reply, connection.source_port

    def close(self) -> None:
        """Close what is kept open."""
        for connection in self._kept.values():
            connection.__exit__()
        self._kept.clear()


def lineup() -> list[tuple[str, str, str]]:
    """All servers that taxiway has: name, server, interface; mod_wsgi a second time."""
    found = [
        (f"{name}-{interface}", name, interface)
        for interface in (WSGI, ASGI)
        for name in servers.fitting(interface)
        if name not in PROGRAMS
    ]
    return [*found, ("mod_wsgi-native", "mod_wsgi", WSGI)]


def build(image: str, directory: Path) -> None:
    """Build the application for both interfaces, with all servers of the wheelhouse installed."""
    source = harness.copy_app(APP, directory / "source")
    packages = [servers.load(name).PACKAGE for name in servers.NAMES]
    (source / "requirements.txt").write_text("".join(f"{package}\n" for package in packages if package))
    harness.podman_build(CONTAINERFILE, image, source)


@contextmanager
def running(image: str, env: Mapping[str, str]) -> Iterator[list[Running]]:
    """Start every server at once with the same policy, and wait for all."""
    with ExitStack() as stack:
        found = []
        for name, server, interface in lineup():
            port = harness.free_port()
            engine = {"TAXIWAY_PROXY_ENGINE": "native"} if name == "mod_wsgi-native" else {}
            variables = {
                **env,
                **engine,
                "TAXIWAY_SERVER": server,
                "TAXIWAY_PORT": str(port),
                "TAXIWAY_PROCESSES": "1",
                "TAXIWAY_THREADS": "4",
            }
            container = stack.enter_context(
                harness.container(image, "--network=host", command=("bash", "-c", START, interface), env=variables)
            )
            container.port = port
            found.append(Running(name, port, container))
        for one in found:
            one.container.wait()
            stack.callback(one.close)
        yield found


def exchange(port: int, source: str, request: bytes, patience_s: float = 1) -> list[Reply]:
    """Send bytes on a connection of their own; return all responses until the server closes it, or says nothing any more."""
    replies: list[Reply] = []
    with Connection(port, source, patience_s) as connection, suppress(OSError, ValueError):  # a reset, or silence
        connection.send(request)
        while reply := connection.receive():
            replies.append(reply)
    return replies
