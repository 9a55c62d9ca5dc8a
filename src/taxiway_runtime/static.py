"""Static files in front of the application, which never sees their requests.

`taxiway.servers.apache_static` writes the same rules for Apache, which leaves only directories to this module, and
test/image/test_static.py compares both.
Sources: RFC 9110 (conditional requests, ranges, content codings), RFC 8246 (immutable).
"""

import mimetypes
import os
import re
import stat
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, MutableMapping
from email.utils import formatdate, parsedate_to_datetime
from typing import Any, BinaryIO, NamedTuple
from urllib.parse import quote

Header = Callable[[str], str]
Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
AsgiApplication = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

ENCODINGS = ("br", "gzip")
"""Directories of compressed variants, the best first; what the first has, the last has too."""
# A name with a hash of its content: Django's manifest storage, and what bundlers write (a letter and a digit: no date, no word).
HASHED = r"\.[0-9a-f]{12}\.|[.-](?=[a-f]*\d)(?=\d*[a-f])[0-9a-f]{8,64}\."
IMMUTABLE = "public, max-age=31536000, immutable"  # a year: RFC 9111 knows no "for ever"
SHORT = "public, max-age=60"
TYPES = {"map": "application/json"}  # which Debian's list lacks
DEFAULT_TYPE = "application/octet-stream"
INDEX = "index.html"
_QUERY = "!$%&'()*+,-./:;=?@_~"  # what a query may hold besides letters and digits: RFC 3986, 3.4
_BLOCK = 64 * 1024
_hashed = re.compile(HASHED)
_range = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
_refused = re.compile(r"q\s*=\s*0(\.0*)?")


class Answer(NamedTuple):
    """What to send."""

    status: str
    headers: list[tuple[str, str]]
    file: BinaryIO | None = None
    """At the first byte to send; closed by whoever sends it."""
    length: int = 0
    is_whole: bool = True


class StaticFiles:
    """The static files of an application.

    Args:
        pairs: URL prefix and absolute directory. Below a prefix all is a static file or missing; below `/` what is
            no file is the application's.
        variants: The directory with compressed variants, by encoding and path.
    """

    def __init__(self, pairs: Iterable[tuple[str, str]], variants: str) -> None:
        if not mimetypes.inited:
            mimetypes.init()
        places = [(url.rstrip("/") + "/", os.path.realpath(directory)) for url, directory in pairs]
        self._places = sorted(places, key=lambda place: -len(place[0]))
        self._urls = tuple(url for url, _ in self._places)
        self._variants = variants

    def may_answer(self, path: str) -> bool:
        """Tell by the path alone whether to look for a file; all else is the application's."""
        return "//" in path or f"{path}/".startswith(self._urls)

    def answer(self, method: str, path: str, header: Header, query: str = "") -> Answer | None:
        """Answer a request; None where it is for the application.

        Args:
            method: The method.
            path: The decoded path.
            header: Gives a header of the request by its name in lower case; empty where there is none.
            query: The query string, as it was sent.
        """
        path = re.sub("/{2,}", "/", path)
        file, is_static = self._look(path)
        is_directory = file is None and not path.endswith("/") and self._look(path + "/")[0] is not None
        if (file or is_directory) and method not in {"GET", "HEAD"}:
            return _plain("405 Method Not Allowed", ("Allow", "GET, HEAD"))
        if file is not None:
            return self._respond(method, file, header)
        if is_directory:
            # Relative to the request's own address: right for every scheme, host, port and prefix, and it leads nowhere else.
            target = f"./{quote(os.fsencode(path.rpartition('/')[2]))}/" + (f"?{quote(query, _QUERY)}" if query else "")
            return _plain("301 Moved Permanently", ("Location", target), ("Cache-Control", SHORT))
        return _plain("404 Not Found") if is_static else None

    def _look(self, path: str) -> tuple[str | None, bool]:
        """Return a path's file, and whether a path without one is missing, rather than the application's."""
        for url, directory in self._places:
            if path.startswith(url):
                relative = path[len(url) :]
                if relative.endswith("/") or (not relative and url != "/"):  # / itself is the application's
                    relative += INDEX
                return _find(directory, relative), url != "/"
        return None, False

    def _respond(self, method: str, file: str, header: Header) -> Answer:
        headers = [
            ("Content-Type", media_type(file)),
            ("Cache-Control", IMMUTABLE if _hashed.search(os.path.basename(file)) else SHORT),
            ("Access-Control-Allow-Origin", "*"),  # a page may have its fonts from a CDN that asks here
        ]
        try:
            file = self._variant(file, header, headers)
            source = open(file, "rb")  # noqa: SIM115  # whoever sends it closes it
        except OSError:
            return _plain("404 Not Found")
        status = os.fstat(source.fileno())
        modified = int(status.st_mtime)
        etag = f'"{status.st_size:x}-{status.st_mtime_ns // 1000:x}"'  # as Apache writes it
        headers += [("ETag", etag), ("Last-Modified", formatdate(modified, usegmt=True)), ("Accept-Ranges", "bytes")]
        if _is_unchanged(etag, modified, header):
            source.close()
            return Answer("304 Not Modified", [pair for pair in headers if pair[0] != "Content-Type"])
        size = status.st_size
        start, end = 0, size
        part = byte_range(header("range"), size) if method == "GET" else None
        if part and header("if-range") in {"", etag, formatdate(modified, usegmt=True)}:
            start, end = part
            if start >= size:
                source.close()
                return _plain("416 Range Not Satisfiable", ("Content-Range", f"bytes */{size}"))
            headers.append(("Content-Range", f"bytes {start}-{end - 1}/{size}"))
            source.seek(start)
        headers.append(("Content-Length", str(end - start)))
        if method == "HEAD":
            source.close()
            return Answer("200 OK", headers)
        status_line = "206 Partial Content" if headers[-2][0] == "Content-Range" else "200 OK"
        return Answer(status_line, headers, source, end - start, end - start == size)

    def _variant(self, file: str, header: Header, headers: list[tuple[str, str]]) -> str:
        """Return the file to send, compressed if there is such a variant and the client takes it."""
        paths = {encoding: os.path.join(self._variants, encoding, file.lstrip("/")) for encoding in ENCODINGS}
        if not os.path.isfile(paths[ENCODINGS[-1]]):
            return file
        headers.append(("Vary", "Accept-Encoding"))
        accepted = accepted_encodings(header("accept-encoding"))
        for encoding, path in paths.items():
            if encoding in accepted and os.path.isfile(path):
                headers.append(("Content-Encoding", encoding))
                return path
        return file


def wsgi(application: Application, files: StaticFiles) -> Application:
    """Put static files in front of a WSGI application."""

    def static(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        path = os.fsdecode(environ.get("PATH_INFO", "").encode("latin-1"))  # PEP 3333: bytes as latin-1
        if not files.may_answer(path):
            return application(environ, start_response)

        def header(name: str) -> str:
            value: str = environ.get("HTTP_" + name.upper().replace("-", "_"), "")
            return value

        answer = files.answer(environ["REQUEST_METHOD"], path, header, environ.get("QUERY_STRING", ""))
        if answer is None:
            return application(environ, start_response)
        start_response(answer.status, answer.headers)
        if answer.file is None:
            return []
        if answer.is_whole and "wsgi.file_wrapper" in environ:
            whole: Iterable[bytes] = environ["wsgi.file_wrapper"](answer.file, _BLOCK)
            return whole
        return _Blocks(answer.file, answer.length)

    return static


def asgi(application: AsgiApplication, files: StaticFiles) -> AsgiApplication:
    """Put static files in front of an ASGI application."""
    import asyncio  # noqa: PLC0415  # takes longer to import than all else here

    async def static(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        answer = None
        # The path has the prefix of a proxy in it (ASGI specification 3.0, root_path).
        path = scope["path"].removeprefix(scope.get("root_path", "").rstrip("/")) if scope["type"] == "http" else None
        if path is not None and files.may_answer(path):

            def header(name: str) -> str:
                wanted = name.encode("latin-1")
                return ", ".join(value.decode("latin-1") for key, value in scope["headers"] if key.lower() == wanted)

            query = scope["query_string"].decode("latin-1")
            answer = await asyncio.to_thread(files.answer, scope["method"], path, header, query)
        if answer is None:
            await application(scope, receive, send)
            return
        found = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers]
        await send({"type": "http.response.start", "status": int(answer.status[:3]), "headers": found})
        if answer.file is not None:
            blocks = _Blocks(answer.file, answer.length)
            try:
                while block := await asyncio.to_thread(next, blocks, b""):
                    await send({"type": "http.response.body", "body": block, "more_body": True})
            finally:
                blocks.close()
        await send({"type": "http.response.body", "body": b""})

    return static


def media_type(file: str) -> str:
    """Tell a file's type by its extensions, the last that is known, as Apache's mod_mime does."""
    for extension in reversed(os.path.basename(file).lower().split(".")[1:]):
        found = TYPES.get(extension) or mimetypes.types_map.get(f".{extension}")
        if found:
            return f"{found}; charset=utf-8" if found.startswith("text/") else found
    return DEFAULT_TYPE


def accepted_encodings(text: str) -> frozenset[str]:
    """Read Accept-Encoding; `*` counts for nothing."""
    found = set()
    for item in text.lower().split(","):
        name, _, quality = item.partition(";")
        if not _refused.fullmatch(quality.strip()):
            found.add(name.strip())
    return frozenset(found)


def byte_range(text: str, size: int) -> tuple[int, int] | None:
    """Read a Range of one part: its first byte, and the byte behind its last; None where the whole file is sent.

    The first byte is behind the end where the range can't be satisfied.
    """
    match = _range.fullmatch(text.replace(" ", ""))
    if match is None or not (match[1] or match[2]):
        return None
    if not match[1]:
        length = int(match[2])
        return (max(0, size - length), size) if length else (size, size)
    start, end = int(match[1]), int(match[2]) + 1 if match[2] else size
    return None if match[2] and end <= start else (start, min(end, size))


def _find(directory: str, relative: str) -> str | None:
    """Return the path of a regular file; neither hidden ones, nor what symbolic links lead to, nor what Apache can't serve."""
    if "?" in relative or any(part.startswith(".") for part in relative.split("/")):
        return None
    path = os.path.join(directory, relative)
    try:
        is_file = stat.S_ISREG(os.lstat(path).st_mode)
    except (OSError, ValueError):
        return None
    return path if is_file and os.path.realpath(path) == path else None


def _is_unchanged(etag: str, modified: int, header: Header) -> bool:
    known = header("if-none-match")
    if known:
        return known.strip() == "*" or etag in (tag.strip().removeprefix("W/") for tag in known.split(","))
    try:
        return modified <= parsedate_to_datetime(header("if-modified-since")).timestamp()
    except (TypeError, ValueError):
        return False


def _plain(status: str, *headers: tuple[str, str]) -> Answer:
    return Answer(status, [("Content-Length", "0"), *headers])


class _Blocks(Iterator[bytes]):
    """The part of a file that is sent; a server closes it (PEP 3333)."""

    def __init__(self, file: BinaryIO, length: int) -> None:
        self._file = file
        self._rest = length

    def __next__(self) -> bytes:
        block = self._file.read(min(self._rest, _BLOCK))
        if not block:
            raise StopIteration
        self._rest -= len(block)
        return block

    def close(self) -> None:
        self._file.close()


def from_plan(plan: Mapping[str, Any]) -> StaticFiles:
    """Return the files of a launch plan; their compressed variants lie beside the plan itself."""
    return StaticFiles(plan["static"], os.path.join(os.path.dirname(os.environ["TAXIWAY_PLAN"]), "static"))
