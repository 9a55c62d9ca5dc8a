"""Looking at a page as a person does: a screenshot by Debian's headless Chromium, and what colour is where."""

import http.client
import os
import struct
import subprocess
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

import harness
import pytest

WIDTH, HEIGHT = 1000, 700
WHITE = (255, 255, 255)


class Picture(NamedTuple):
    """A decoded screenshot."""

    width: int
    rows: list[bytes]

    def at(self, x: int, y: int) -> tuple[int, int, int]:
        """The colour of a pixel."""
        red, green, blue = self.rows[y][3 * x : 3 * x + 3]
        return red, green, blue


def screenshot(port: int, path: str, cookie: str, file: Path, *, style_sheets: bool = True) -> Picture:
    """Take a screenshot of a page of a server on this machine.

    Args:
        port: The server's port.
        path: The page.
        cookie: What is sent with each request, as the command line of the browser has no option for that.
        file: Where to write the picture.
        style_sheets: Whether it gets style sheets.
    """
    program = chromium()
    with _with_cookie(port, cookie, style_sheets=style_sheets) as seen:
        options = [
            "--headless",
            "--hide-scrollbars",
            f"--window-size={WIDTH},{HEIGHT}",
            f"--user-data-dir={file.parent / 'browser'}",
        ]
        done = subprocess.run(
            [program, *options, f"--screenshot={file}", f"http://127.0.0.1:{seen}{path}"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=120,
        )
    assert done.returncode == 0, done.stderr.decode(errors="replace")[-3000:]
    if kept := os.environ.get("SCREENSHOTS"):  # a directory, for people
        Path(kept, file.name).write_bytes(file.read_bytes())
    return decode(file.read_bytes())


def chromium() -> str:
    """The browser's program; the test is skipped where it can't be had."""
    done = subprocess.run([harness.ROOT / "scripts" / "chromium.sh"], capture_output=True, check=False, text=True)
    if done.returncode:
        pytest.skip(f"no Chromium: {done.stderr.splitlines()[-1:]}")
    return done.stdout.strip()


@contextmanager
def _with_cookie(port: int, cookie: str, *, style_sheets: bool) -> Iterator[int]:
    """Pass requests on with a cookie; gives the port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path.partition("?")[0].endswith(".css") and not style_sheets:
                self.send_error(404)
                return
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            connection.request("GET", self.path, headers={"Cookie": cookie})
            answer = connection.getresponse()
            body = answer.read()
            self.send_response(answer.status)
            for name in ("Content-Type", "Location"):
                if value := answer.headers[name]:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            connection.close()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def decode(data: bytes) -> Picture:
    """Decode a PNG of 8 bits a colour without interlace (ISO/IEC 15948, 9.2: the filters)."""
    width, _height, depth, kind = struct.unpack(">IIBB", data[16:26])
    assert (depth, kind) in {(8, 2), (8, 6)}, "a screenshot of Chromium's"
    size = 3 if kind == 2 else 4
    packed, at = b"", 8
    while at < len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        if data[at + 4 : at + 8] == b"IDAT":
            packed += data[at + 8 : at + 8 + length]
        at += 12 + length
    raw, stride = zlib.decompress(packed), width * size
    rows, above = [], bytearray(stride)
    for start in range(0, len(raw), stride + 1):
        line = bytearray(raw[start + 1 : start + 1 + stride])
        _unfilter(raw[start], line, above, size)
        rows.append(bytes(line) if size == 3 else b"".join(bytes(line[i : i + 3]) for i in range(0, stride, 4)))
        above = line
    return Picture(width, rows)


def _unfilter(kind: int, line: bytearray, above: bytearray, size: int) -> None:
    for i in range(len(line)) if kind else ():
        left = line[i - size] if i >= size else 0
        corner = above[i - size] if i >= size else 0
        guess = left + above[i] - corner
        nearest = min((abs(guess - left), 0, left), (abs(guess - above[i]), 1, above[i]), (abs(guess - corner), 2, corner))[2]
        line[i] = (line[i] + (0, left, above[i], (left + above[i]) // 2, nearest)[kind]) & 0xFF
