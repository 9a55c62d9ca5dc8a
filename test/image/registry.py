"""An image registry (OCI distribution specification, pushing only) on this machine that counts what is sent to it."""

import hashlib
import http.server
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager


class Registry:
    """Takes blobs and manifests."""

    def __init__(self, credentials: str = "") -> None:  # noqa: C901  # a table of requests
        """Credentials: what has to follow `Basic` in the header Authorization, where that is asked for."""
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[str, bytes] = {}
        self.received = 0
        """Bytes of blobs that were sent."""
        uploads: dict[str, bytes] = {}
        registry = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(body))}.items():
                    self.send_header(name.replace("_", "-"), value)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            def body(self) -> bytes:
                if "chunked" not in self.headers.get("Transfer-Encoding", ""):
                    return self.rfile.read(int(self.headers.get("Content-Length", 0)))
                parts = []
                while size := int(self.rfile.readline(), 16):
                    parts.append(self.rfile.read(size))
                    self.rfile.readline()
                self.rfile.readline()
                return b"".join(parts)

            def handle_any(self) -> None:
                path, _, query = self.path.partition("?")
                content = self.body()
                kind, last = path.split("/")[-2:] if path.count("/") > 2 else ("", "")
                if credentials and self.headers.get("Authorization") != f"Basic {credentials}":
                    self.answer(401, WWW_Authenticate='Basic realm="test"')
                elif path == "/v2/":
                    self.answer(200)
                elif kind == "manifests" and self.command == "PUT":
                    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
                    registry.manifests[f"{path.split('/', 2)[2].rpartition('/manifests/')[0]}:{last}"] = content
                    self.answer(201, Docker_Content_Digest=digest)
                elif kind == "blobs" and last in registry.blobs and self.command in {"GET", "HEAD"}:
                    self.answer(200, registry.blobs[last], Docker_Content_Digest=last)
                elif self.command == "POST":
                    self.answer(202, Location=f"{path.rstrip('/')}/{uuid.uuid4()}", Range="0-0")
                elif self.command in {"PATCH", "PUT"} and "/blobs/uploads/" in path:
                    registry.received += len(content)
                    uploads[path] = uploads.get(path, b"") + content
                    if self.command == "PATCH":
                        self.answer(202, Location=path, Range=f"0-{len(uploads[path]) - 1}")
                    else:
                        digest = query.partition("digest=")[2].replace("%3A", ":")
                        registry.blobs[digest] = uploads.pop(path)
                        self.answer(201, Location=path, Docker_Content_Digest=digest)
                else:
                    self.answer(404)

            do_GET = do_HEAD = do_POST = do_PATCH = do_PUT = handle_any  # noqa: N815

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.name = f"127.0.0.1:{self._server.server_port}"

    @contextmanager
    def serving(self) -> Iterator["Registry"]:
        """Serve until the block ends."""
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
