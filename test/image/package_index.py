"""A package index (PEP 503) on this machine that counts what is asked of it."""

import base64
import hashlib
import http.server
import io
import os
import ssl
import subprocess
import sys
import tarfile
import threading
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path


class PackageIndex:
    """Serves the wheels and sources of a directory, to whoever has one of the passwords, if there are any."""

    protocol = "HTTP/1.0"

    def __init__(self, wheels: Path, address: str, passwords: Sequence[str] = (), tls: ssl.SSLContext | None = None) -> None:
        self.wheels = wheels
        self.passwords = passwords
        self.requests: list[str] = []
        index = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = index.protocol

            def do_GET(self) -> None:
                if not index.is_welcome(self):
                    self.send_response(401)
                    self.send_header("WWW-Authenticate", 'Basic realm="index"')
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                index.requests.append(self.path)
                index.answer(self)

            def do_HEAD(self) -> None:
                self.do_GET()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        self._server = http.server.ThreadingHTTPServer(("0.0.0.0", 0), Handler)
        if tls:  # the handshake belongs into the request's thread: a client that breaks it off must not stop the others
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self.url = f"http{'s' * bool(tls)}://{address}:{self._server.server_port}/simple/"

    @property
    def downloads(self) -> set[str]:
        """The files that were asked for; an installer asks for one several times, for its metadata and for its parts."""
        return {path for path in self.requests if path.endswith((".whl", ".tar.gz"))}

    def is_welcome(self, handler: http.server.BaseHTTPRequestHandler) -> bool:
        """Whether a request has a password (RFC 7617)."""
        sent = handler.headers.get("Authorization", "").removeprefix("Basic ")
        return not self.passwords or base64.b64decode(sent).decode().partition(":")[2] in self.passwords

    def requirements(self) -> str:
        """A requirements file that pins what is served, with hashes."""
        lines = []
        for wheel in sorted(self.wheels.iterdir()):
            name, version = wheel.name.removesuffix(".tar.gz").split("-")[:2]
            lines.append(f"{name}=={version} --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}")
        return "\n".join(lines) + "\n"

    def link(self, file: Path) -> str:
        """The line of a project's page for a file."""
        return f'<a href="/files/{file.name}">{file.name}</a>\n'

    def answer(self, handler: http.server.BaseHTTPRequestHandler) -> None:
        """Send a project's page, or a file."""
        parts = handler.path.strip("/").split("/")
        wheel = self.wheels / parts[-1]
        if parts[0] == "files" and wheel.is_file():
            body, kind = wheel.read_bytes(), "application/octet-stream"
        elif parts[0] == "simple" and len(parts) == 2:
            files = [w for w in self.wheels.iterdir() if w.name.split("-")[0].replace("_", "-").lower() == parts[1]]
            body, kind = "".join(map(self.link, files)).encode(), "text/html"
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


def make_wheel(target: Path, name: str, version: str, files: Mapping[str, str]) -> Path:
    """Write a pure Python wheel; files of its .dist-info are named with a leading `info/`, scripts with `scripts/`."""
    info = f"{name}-{version}.dist-info"
    places = {"info": info, "scripts": f"{name}-{version}.data/scripts"}
    contents = {
        f"{places.get(path.split('/')[0], path.split('/')[0])}{path[len(path.split('/')[0]) :]}": text
        for path, text in files.items()
    }
    contents[f"{info}/METADATA"] = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    contents[f"{info}/WHEEL"] = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    rows = []
    for path, text in contents.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")
        rows.append(f"{path},sha256={digest},{len(text.encode())}")
    contents[f"{info}/RECORD"] = "\n".join([*rows, f"{info}/RECORD,,", ""])
    wheel = target / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, text in contents.items():
            archive.writestr(path, text)
    return wheel


def make_source(target: Path, name: str, version: str, backend: str) -> Path:
    """Write a source distribution with a build back end of its own, so that nothing else is needed to build it."""
    system = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    return pack_source(target, name, version, {"pyproject.toml": system, "backend.py": backend})


def make_extension(target: Path, name: str, version: str, code: str, libraries: Sequence[str] = ()) -> Path:
    """Write a source distribution of one C extension, which setuptools builds."""
    system = '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
    setup = (
        "from setuptools import Extension, setup\n"
        f"extension = Extension({name!r}, ['{name}.c'], libraries={list(libraries)})\n"
        f"setup(name={name!r}, version={version!r}, ext_modules=[extension])\n"
    )
    return pack_source(target, name, version, {"pyproject.toml": system, "setup.py": setup, f"{name}.c": code})


def pack_source(target: Path, name: str, version: str, files: Mapping[str, str]) -> Path:
    """Write a source distribution of some files."""
    top = f"{name}-{version}"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    with tarfile.open(target / f"{top}.tar.gz", "w:gz") as archive:
        for path, text in {"PKG-INFO": metadata, **files}.items():
            entry = tarfile.TarInfo(f"{top}/{path}")
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))
    return target / f"{top}.tar.gz"


def download(pins: Sequence[str], target: Path) -> None:
    """Fetch pure Python wheels for the index, with this environment's pip."""
    argv = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", f"--dest={target}", *pins]
    subprocess.run(argv, check=True, env=os.environ)
