"""Static files: one table of requests, and every server gives the same answers."""

import http.client
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import harness
import pytest
from harness import Container

from taxiway import servers
from taxiway.launch_plan import ASGI, WSGI

SERVERS = [
    (name, interface) for name in servers.NAMES for interface in (WSGI, ASGI) if interface in servers.load(name).INTERFACES
]
MODIFIED = 1_700_000_000
DATE = "Tue, 14 Nov 2023 22:13:20 GMT"
SHORT, IMMUTABLE = "public, max-age=60", "public, max-age=31536000, immutable"
CSS = "body { color: red }\n" * 500
GZIP, BR, PLAIN = ("gzip", 83), ("br", 32), ("", len(CSS))  # coding and size
HEADERS = (
    *("accept-ranges", "access-control-allow-origin", "cache-control", "content-encoding", "content-length", "content-range"),
    *("content-type", "etag", "last-modified", "location", "vary"),
)
WSGI_APP = """\
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"application"]
"""
ASGI_APP = """\
async def application(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
        await send({"type": "http.response.body", "body": b"application"})
"""


def headers(size: int, kind: str, cache: str = SHORT) -> dict[str, str]:
    """The headers of a file that is sent whole and has no compressed variant."""
    return {
        "accept-ranges": "bytes",
        "access-control-allow-origin": "*",
        "cache-control": cache,
        "content-length": str(size),
        "content-type": kind,
        "etag": f'"{size:x}-{MODIFIED * 1_000_000:x}"',
        "last-modified": DATE,
    }


def css(coding: str, size: int) -> dict[str, str]:
    """The headers of the file that has variants."""
    found = headers(size, "text/css; charset=utf-8") | {"vary": "Accept-Encoding"}
    return found | ({"content-encoding": coding} if coding else {})


def part(content_range: str, size: int) -> dict[str, str]:
    """The headers of a part of the text."""
    return TEXT | {"content-range": content_range, "content-length": str(size)}


def moved(location: str) -> dict[str, str]:
    """The headers of a redirect."""
    return {"cache-control": SHORT, "content-length": "0", "location": location}


def unchanged(sent: Mapping[str, str]) -> dict[str, str]:
    """The headers that say a file is as it was."""
    return {name: value for name, value in sent.items() if name not in {"content-type", "content-length"}}


TEXT = headers(10, "text/plain; charset=utf-8")
INDEX = headers(10, "text/html; charset=utf-8")
TEN = b"0123456789"
APP = {"content-type": "text/plain"}
# Of errors, the status counts; the body where the table has one.
FILES: list[tuple[str, dict[str, str], int, dict[str, str], bytes | None]] = [
    ("/static/app.css", {}, 200, css(*PLAIN), CSS.encode()),
    ("/static/app.css?v=1", {"Accept-Encoding": "gzip, br"}, 200, css(*BR), None),
    ("/static/app.css", {"Accept-Encoding": "gzip;q=1.0, br;q=0"}, 200, css(*GZIP), None),
    ("/static/app.css", {"Accept-Encoding": "gzip;q=0.000, identity"}, 200, css(*PLAIN), None),
    ("/static/app.css", {"Accept-Encoding": "xgzip, brx"}, 200, css(*PLAIN), None),
    ("/static/app.css.gz", {"Accept-Encoding": "gzip"}, 404, {}, None),
    ("/static/app.0123456789ab.css", {}, 200, headers(5, "text/css; charset=utf-8", IMMUTABLE), b"a { }"),
    ("/static/chunk-3f2a1b9c.js", {}, 200, headers(2, "text/javascript; charset=utf-8", IMMUTABLE), b"{}"),
    ("/static/report-20240131.txt", {}, 200, headers(2, "text/plain; charset=utf-8"), b"{}"),
    ("/static/app.js.map", {}, 200, headers(2, "application/json"), b"{}"),
    ("/static/data.blob", {}, 200, headers(256, "application/octet-stream"), bytes(range(256))),
    ("/static/a.tar.gz", {"Accept-Encoding": "gzip"}, 200, headers(10, "application/gzip"), TEN),
    ("/static/empty.txt", {}, 200, headers(0, "text/plain; charset=utf-8"), b""),
    ("/static/sub/%C3%BC%20n.txt", {}, 200, TEXT, TEN),
    ("/static//sub///b.txt", {}, 200, TEXT, TEN),
    ("/robots.txt", {}, 200, TEXT, TEN),  # below /, what isn't there is the application's
    ("/other.txt", {}, 200, APP, b"application"),
    ("/.env", {}, 200, APP, b"application"),
    ("/static", {}, 200, APP, b"application"),
    # Ranges (RFC 9110, 14)
    ("/static/ten.txt", {"Range": "bytes=0-0"}, 206, part("bytes 0-0/10", 1), b"0"),
    ("/static/ten.txt", {"Range": "bytes=2-"}, 206, part("bytes 2-9/10", 8), b"23456789"),
    ("/static/ten.txt", {"Range": "bytes=-3"}, 206, part("bytes 7-9/10", 3), b"789"),
    ("/static/ten.txt", {"Range": "bytes=0-99"}, 206, part("bytes 0-9/10", 10), TEN),
    ("/static/ten.txt", {"Range": "bytes=10-"}, 416, {}, None),
    ("/static/ten.txt", {"Range": "bytes=0-1,3-4"}, 200, TEXT, TEN),
    ("/static/ten.txt", {"Range": "bytes=5-2"}, 200, TEXT, TEN),
    ("/static/ten.txt", {"Range": "bytes=0-1", "If-Range": '"other"'}, 200, TEXT, TEN),
    ("/static/ten.txt", {"Range": "bytes=0-1", "If-Range": TEXT["etag"]}, 206, part("bytes 0-1/10", 2), b"01"),
    ("/static/ten.txt", {"Range": "bytes=0-1", "If-Range": DATE}, 206, part("bytes 0-1/10", 2), b"01"),
    # Conditional requests (RFC 9110, 13)
    ("/static/ten.txt", {"If-None-Match": TEXT["etag"]}, 304, unchanged(TEXT), b""),
    ("/static/ten.txt", {"If-None-Match": f'"other", W/{TEXT["etag"]}'}, 304, unchanged(TEXT), b""),
    ("/static/ten.txt", {"If-None-Match": "*"}, 304, unchanged(TEXT), b""),
    ("/static/ten.txt", {"If-None-Match": '"other"', "If-Modified-Since": DATE}, 200, TEXT, TEN),
    ("/static/ten.txt", {"If-Modified-Since": DATE}, 304, unchanged(TEXT), b""),
    ("/static/ten.txt", {"If-Modified-Since": "Mon, 13 Nov 2023 22:13:20 GMT"}, 200, TEXT, TEN),
    ("/static/app.css", {"If-None-Match": css(*GZIP)["etag"], "Accept-Encoding": "gzip"}, 304, unchanged(css(*GZIP)), b""),
    # What is no file: no redirect, no listing, nothing hidden, nothing from elsewhere
    ("/static/none.css", {}, 404, {}, None),
    ("/static/", {}, 404, {}, None),
    ("/static/sub", {}, 404, {}, None),
    ("/static/sub/", {}, 404, {}, None),
    ("/static/ten.txt/", {}, 404, {}, None),
    ("/static/docs/none/", {}, 404, {}, None),
    ("/static/linked/", {}, 404, {}, None),
    ("/static/linked", {}, 404, {}, None),
    ("/static//evil.example/..", {}, 404, {}, None),
    ("/static//evil.example/%2e%2e", {}, 404, {}, None),
    # Directories with an index; the redirect is relative, so that it is right behind every proxy and leads nowhere else
    ("/static/docs/", {}, 200, INDEX, TEN),
    ("/static/docs/?x=1", {"If-None-Match": INDEX["etag"]}, 304, unchanged(INDEX), b""),
    ("/static/docs", {}, 301, moved("./docs/"), b""),
    ("//static//docs", {}, 301, moved("./docs/"), b""),
    ("/static/docs?x=1&y=//evil.example", {}, 301, moved("./docs/?x=1&y=//evil.example"), b""),
    ("/static/docs/a:%20%C3%BC", {}, 301, moved("./a%3A%20%C3%BC/"), b""),
    ("/guide", {}, 301, moved("./guide/"), b""),
    ("/guide/", {}, 200, INDEX, TEN),
    ("//guide", {}, 301, moved("./guide/"), b""),
    ("/manual", {}, 301, moved("./manual/"), b""),
    ("/manual/", {}, 200, INDEX, TEN),
    ("//evil.example/..", {}, 200, APP, b"application"),
    ("/", {}, 200, APP, b"application"),  # whatever root/index.html is
    ("/static/ten.txt/more", {}, 404, {}, None),
    ("/static/.env", {}, 404, {}, None),
    ("/static/.hidden/x.txt", {}, 404, {}, None),
    ("/static/link.txt", {}, 404, {}, None),
    ("/static/links/secret.txt", {}, 404, {}, None),
    ("/static/%2e%2e/secret/secret.txt", {}, 404, {}, None),
    ("/static/..%2fsecret/secret.txt", {}, 404, {}, None),
    ("/static/sub%2f..%2f..%2f..%2f..%2f..%2fetc/passwd", {}, 404, {}, None),
    ("/static/%00", {}, 404, {}, None),
    ("/static/" + "x" * 300, {}, 404, {}, None),
]
METHODS = [
    ("HEAD", "/static/app.css", 200, css(*PLAIN)),
    ("HEAD", "/static/none", 404, {}),
    ("HEAD", "/static/docs", 301, moved("./docs/")),  # Apache drops a length of 0
    ("POST", "/static/docs", 405, {}),
    ("POST", "/static/ten.txt", 405, {}),
]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An application with files that are served and files that mustn't be."""
    top = tmp_path_factory.mktemp("static") / "source"
    written: dict[str, str | bytes] = {
        "wsgi.py": WSGI_APP,
        "asgi.py": ASGI_APP,
        "pyproject.toml": '[tool.taxiway]\nstatic = ["/static/=public", "/=root", "/manual/=public/docs"]\n',
        "secret/secret.txt": "SECRET",
        "root/robots.txt": TEN,
        "root/.env": "SECRET",
        "public/app.css": CSS,
        "public/app.0123456789ab.css": "a { }",
        "public/data.blob": bytes(range(256)),
        "public/empty.txt": "",
        "public/.env": "SECRET",
        "public/.hidden/x.txt": "SECRET",
        **dict.fromkeys(("public/chunk-3f2a1b9c.js", "public/report-20240131.txt", "public/app.js.map"), "{}"),
        **dict.fromkeys(("public/ten.txt", "public/a.tar.gz", "public/sub/b.txt", "public/sub/ü n.txt"), TEN),
        **dict.fromkeys(
            ("public/docs/index.html", "public/docs/a: ü/index.html", "root/guide/index.html", "root/index.html"), TEN
        ),
    }
    for name, content in written.items():
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        os.utime(path, (MODIFIED, MODIFIED))
    (top / "public/link.txt").symlink_to("../secret/secret.txt")
    (top / "public/links").symlink_to("../secret")
    (top / "public/linked").symlink_to("docs")
    return top


@pytest.fixture(scope="module", params=SERVERS, ids="-".join)
def running(request: pytest.FixtureRequest, source: Path) -> Iterator[Container]:
    """The application on each server."""
    server, interface = request.param
    image = f"{harness.TEST_IMAGES}/static-{server}-{interface.lower()}".replace("_", "-")
    harness.podman_build(
        f"FROM {harness.BUILDER}\n"
        f"ENV TAXIWAY_SERVER={server} TAXIWAY_APP={interface.lower()}:application\n"
        "COPY --chown=1001:0 . /tmp/src\n"
        "RUN /usr/libexec/s2i/assemble\n"
        'CMD ["/usr/libexec/s2i/run"]\n',
        image,
        source,
    )
    try:
        with harness.container(image, *harness.ARBITRARY_USER, *harness.HARDENED) as found:
            found.wait()
            yield found
    finally:
        harness.podman("rmi", "--force", image, check=False)


def ask(running: Container, method: str, path: str, given: Mapping[str, str]) -> tuple[int, dict[str, str], bytes]:
    """Send exactly this path and these headers."""
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=30)
    try:
        connection.putrequest(method, path, skip_accept_encoding=True)
        for name, value in given.items() if method != "POST" else (("Content-Length", "0"),):
            connection.putheader(name, value)
        connection.endheaders()
        response = connection.getresponse()
        found = {name.lower(): value for name, value in response.getheaders() if name.lower() in HEADERS}
        return response.status, found, response.read()
    finally:
        connection.close()


def test_files(running: Container) -> None:
    wrong: list[Any] = []
    for path, given, status, expected, body in FILES:
        answer = ask(running, "GET", path, given)
        shown = answer if answer[0] < 400 else (answer[0], {"location": answer[1].get("location")}, answer[2])
        if b"SECRET" in answer[2] or shown[0] != status or answer[2] != (answer[2] if body is None else body):
            wrong.append((path, given, answer))
        elif status < 400:
            without = {name: value for name, value in shown[1].items() if expected is not APP or name == "content-type"}
            if without != expected:
                wrong.append((path, given, {name for name in HEADERS if without.get(name) != expected.get(name)}, answer))
        elif "location" in answer[1]:
            wrong.append((path, given, answer))
    assert not wrong, "\n".join(map(str, wrong))


def test_methods(running: Container) -> None:
    for method, path, status, expected in METHODS:
        found = ask(running, method, path, {})
        assert found[0] == status, (method, path, found)
        found[1].setdefault("content-length", "0")
        assert status >= 400 or (found[1], found[2]) == (expected, b""), (method, path, found)


@pytest.mark.parametrize("path", ["/static/../secret/secret.txt", "/static/../../../../../../etc/passwd"])
def test_dots(path: str, running: Container) -> None:
    """Servers resolve them, or refuse them, before anything else sees the path; no file of elsewhere comes of it."""
    status, _, body = ask(running, "GET", path, {})
    assert status in {400, 404} or body == b"application"
    assert b"root:" not in body
    assert b"SECRET" not in body
