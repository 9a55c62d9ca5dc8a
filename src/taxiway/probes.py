"""Asking the running server, for `taxiway alive` and `taxiway ready` without a hook of the application's.

A probe runs every few seconds, so it costs little more than Python's own start: what is to be asked stands in a file that `start`
wrote, and `_socket`, the extension module below `socket`, does without the time that importing that takes, half as long again.
"""

import _socket
import os
from collections.abc import Mapping
from typing import NamedTuple

from taxiway.errors import NotHealthyError
from taxiway.layout import writable_path

_TIMEOUT_S = 10  # whoever probes has a timeout of its own, and a shorter one
_SERVER_ERROR = 500  # RFC 9110, 15.6: the server knows that it can't


class Target(NamedTuple):
    """What to ask for."""

    port: int
    """0 where no server runs, but another process type."""
    path: str
    host: str


def write(directory: str, wanted: Target) -> None:
    """Leave what the probes have to know: the command line and the environment files aren't theirs."""
    with open(os.path.join(directory, "probe"), "w", encoding="ascii") as file:
        file.write(f"{wanted.port} {wanted.path} {wanted.host}")


def target(environ: Mapping[str, str]) -> Target | None:
    """Return what the server of this container is to be asked for; None before it was started."""
    try:
        with open(os.path.join(writable_path(environ), "probe"), encoding="ascii") as file:
            port, path, host = file.read().split(" ")
    except (OSError, ValueError):
        return None
    return Target(int(port), path, host)


def ask(name: str, environ: Mapping[str, str]) -> str:
    """Ask the server; return its answer's status line.

    It is alive if it answers at all, and ready if that is no server error (status 5xx).

    Args:
        name: `alive` or `ready`.
        environ: The environment.

    Raises:
        NotHealthyError: It isn't.
    """
    wanted = target(environ)
    if wanted is None:
        raise NotHealthyError(name, "it wasn't started yet")
    if not wanted.port:
        return "no server to ask in this container"
    request = f"GET {wanted.path} HTTP/1.1\r\nHost: {wanted.host}\r\nUser-Agent: taxiway-{name}\r\nConnection: close\r\n\r\n"
    try:
        answer = _exchange(wanted.port, request.encode("ascii"))
    except OSError as error:  # a timeout as well
        raise NotHealthyError(name, f"port {wanted.port}: {error.strerror or error}") from error
    line = answer.partition(b"\r\n")[0].decode("latin-1")
    protocol, _, rest = line.partition(" ")
    status = rest[:3]
    if not protocol.startswith("HTTP/") or not status.isdecimal():
        raise NotHealthyError(name, f"port {wanted.port} answers something else than HTTP")
    if name == "ready" and int(status) >= _SERVER_ERROR:
        raise NotHealthyError(name, f"GET {wanted.path} on port {wanted.port} answers {rest}")
    return line


def _exchange(port: int, request: bytes) -> bytes:
    """Return the beginning of the answer; all of it is read, because a server may report a connection that is closed early."""
    connection = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
    try:
        connection.settimeout(_TIMEOUT_S)
        connection.connect(("127.0.0.1", port))
        connection.sendall(request)
        answer = b""
        while data := connection.recv(65536):
            answer = answer or data
        return answer
    finally:
        connection.close()
