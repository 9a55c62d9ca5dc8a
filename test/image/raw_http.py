"""HTTP as written on the wire: requests that client libraries refuse to send, and an upstream that tells what it received."""

import base64
import http.client
import json
import os
import socket
import socketserver
import ssl
import struct
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

CLIENT = "127.0.0.77"  # an address that no front end of the tests has


@dataclass(frozen=True)
class Answer:
    """An HTTP response."""

    status: int
    headers: dict[str, str]
    body: str

    @property
    def data(self) -> Any:
        """The body, read as JSON."""
        return json.loads(self.body)


@dataclass(frozen=True)
class Door:
    """A port of a front end, from outside."""

    port: int
    tls: ssl.SSLContext | None = None

    @contextmanager
    def connect(self, name: str, source: str = CLIENT) -> Iterator[socket.socket]:
        """Connect, for TLS to the server of that name."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=30, source_address=(source, 0)) as plain:
            if not self.tls:
                yield plain
                return
            with self.tls.wrap_socket(plain, server_hostname=name) as secured:
                yield secured

    def send(self, request: bytes, name: str = "blog.example.com", source: str = CLIENT) -> Answer:
        """Send a request as it is, on a connection of its own."""
        with self.connect(name, source) as connection:
            connection.sendall(request)
            response = http.client.HTTPResponse(connection)
            response.begin()
            body = response.read().decode(errors="replace")
            return Answer(response.status, {key.lower(): value for key, value in response.getheaders()}, body)

    def get(self, path: str, host: str, *headers: str, name: str = "blog.example.com", source: str = CLIENT) -> Answer:
        """Send a GET request with header lines."""
        connection = () if any(line.lower().startswith("connection:") for line in headers) else ("Connection: close",)
        return self.send(request("GET", path, f"Host: {host}", *headers, *connection), name, source)

    def echo(self, path: str, host: str, text: str) -> tuple[int, str]:
        """Open a WebSocket (RFC 6455), send a text, receive one; gives the status of the upgrade too."""
        with self.connect(host.partition(":")[0]) as connection:
            key = base64.b64encode(os.urandom(16)).decode()
            upgrade = ("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {key}")
            connection.sendall(request("GET", path, f"Host: {host}", *upgrade))
            response = http.client.HTTPResponse(connection)
            response.begin()
            if response.status != 101:
                return response.status, response.read().decode(errors="replace")
            assert response.fp
            mask, body = os.urandom(4), text.encode()
            masked = bytes(byte ^ mask[index % 4] for index, byte in enumerate(body))
            connection.sendall(struct.pack("!BB", 0x81, 0x80 | len(body)) + mask + masked)
            _, length = response.fp.read(2)
            return response.status, response.fp.read(length).decode()


def request(method: str, target: str, *lines: str, body: bytes = b"") -> bytes:
    """Write a request."""
    return "\r\n".join((f"{method} {target} HTTP/1.1", *lines, "", "")).encode("latin-1") + body


class Recorder(socketserver.StreamRequestHandler):
    """Answers with what it received, as JSON; an upgrade with an echo."""

    def handle(self) -> None:
        """Read one request."""
        target = self.rfile.readline().decode("latin-1").split(" ")
        if len(target) < 2:
            return
        lines = list(iter(lambda: self.rfile.readline().decode("latin-1").rstrip("\r\n"), ""))
        headers = [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines)]
        values = {name.lower(): value for name, value in headers}
        if "upgrade" in values.get("connection", "").lower() and "upgrade" in values:
            self.wfile.write(f"HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: {values['upgrade']}\r\n\r\n".encode())
            header = self.rfile.read(6)  # of a masked frame
            body = bytes(byte ^ header[2 + index % 4] for index, byte in enumerate(self.rfile.read(header[1] & 0x7F)))
            self.wfile.write(struct.pack("!BB", 0x81, len(body)) + body)
            return
        body = self._body(values)
        told = {"path": target[1], "headers": headers, "body": len(body), "peer": self.client_address[0]}
        text = json.dumps(told).encode()
        self.wfile.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(text)}\r\nConnection: close\r\n\r\n".encode() + text)

    def _body(self, values: dict[str, str]) -> bytes:
        if "chunked" not in values.get("transfer-encoding", "").lower():
            return self.rfile.read(int(values.get("content-length", 0)))
        chunks = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        return b"".join(chunks)


@contextmanager
def recorder(address: str) -> Iterator[int]:
    """Serve `Recorder` on an address of the loopback interface; gives the port."""

    class Server(socketserver.ThreadingTCPServer):
        address_family = socket.AF_INET6 if ":" in address else socket.AF_INET
        daemon_threads = True

    with Server((address, 0), Recorder) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def spellings(names: Sequence[str]) -> list[list[str]]:
    """The names with dashes, with underscores, with the first and with the last dash as an underscore, and in capitals."""
    return [
        list(names),
        [name.replace("-", "_") for name in names],
        [name.replace("-", "_", 1) for name in names],
        ["_".join(name.rsplit("-", 1)) for name in names],
        [name.upper() for name in names],
    ]
