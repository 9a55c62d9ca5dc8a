"""A package index (PEP 503) on this machine that counts what is asked of it."""

import hashlib
import http.server
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path


class PackageIndex:
    """Serves the wheels of a directory."""

    def __init__(self, wheels: Path, address: str) -> None:
        self.wheels = wheels
        self.requests: list[str] = []
        index = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                index.requests.append(self.path)
                index.answer(self)

            def do_HEAD(self) -> None:
                self.do_GET()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        self._server = http.server.ThreadingHTTPServer(("0.0.0.0", 0), Handler)
        self.url = f"http://{address}:{self._server.server_port}/simple/"

    @property
    def downloads(self) -> set[str]:
        """The files that were asked for; an installer asks for one several times, for its metadata and for its parts."""
        return {path for path in self.requests if path.endswith(".whl")}

    def requirements(self) -> str:
        """A requirements file that pins what is served, with hashes."""
        lines = []
        for wheel in sorted(self.wheels.glob("*.whl")):
            name, version = wheel.name.split("-")[:2]
            lines.append(f"{name}=={version} --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}")
        return "\n".join(lines) + "\n"

    def answer(self, handler: http.server.BaseHTTPRequestHandler) -> None:
        """Send a project's page, or a file."""
        parts = handler.path.strip("/").split("/")
        wheel = self.wheels / parts[-1]
        if parts[0] == "files" and wheel.is_file():
            body, kind = wheel.read_bytes(), "application/octet-stream"
        elif parts[0] == "simple" and len(parts) == 2:
            names = [w.name for w in self.wheels.glob("*.whl") if w.name.split("-")[0].replace("_", "-").lower() == parts[1]]
            body, kind = "".join(f'<a href="/files/{name}">{name}</a>\n' for name in names).encode(), "text/html"
        else:
            handler.send_error(404)
            return
        handler.send_response(200)
        handler.send_header("Content-Type", kind)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        if handler.command == "GET":
            handler.wfile.write(body)

    @contextmanager
    def serving(self) -> Iterator["PackageIndex"]:
        """Serve until the block ends."""
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()


def download(pins: Sequence[str], target: Path) -> None:
    """Fetch pure Python wheels for the index, with this environment's pip."""
    argv = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", f"--dest={target}", *pins]
    subprocess.run(argv, check=True, env=os.environ)
