"""Requests that client libraries refuse to send, as bytes, and what an application may see of them at most."""

from dataclasses import dataclass

from proxy_cases import HOST

END = f"GET /end HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n".encode()
SMUGGLED = f"GET /smuggled HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode()
TRUSTED = "X-Forwarded-For: 203.0.113.5"


@dataclass(frozen=True)
class Raw:
    """A request that a server either refuses, or answers as stated."""

    name: str
    request: bytes
    """What is sent first; a plain request for /end comes after it on the same connection."""
    answers: tuple[dict[str, str], ...] = ()
    """What the application may see, one of these; without, the request has to be refused."""


def get(*lines: str, answers: tuple[dict[str, str], ...] = (), name: str = "", start: str = "GET /path?query HTTP/1.1") -> Raw:
    """A request without a body; the Host header is among the lines."""
    text = "\r\n".join((start, *lines)) + "\r\n\r\n"
    return Raw(name or " | ".join(lines), text.encode("latin-1"), answers)


def post(name: str, lines: tuple[str, ...], body: bytes, *bodies: bytes) -> Raw:
    """A request with a body; the application may see one of `bodies`."""
    head = "\r\n".join(("POST /path?query HTTP/1.1", f"Host: {HOST}", *lines)) + "\r\n\r\n"
    return Raw(name, head.encode("latin-1") + body, tuple({"body": found.decode("latin-1")} for found in bodies))


def chunked(body: bytes) -> bytes:
    return b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)


def length(body: bytes | int) -> str:
    return f"Content-Length: {body if isinstance(body, int) else len(body)}"


HOST_LINE = f"Host: {HOST}"
PEER, CLIENT = {"client": "127.0.0.1"}, {"client": "203.0.113.5"}
CHUNKED = "Transfer-Encoding: chunked"
HIDDEN = b"0\r\n\r\n" + SMUGGLED  # a whole body by its chunks, with more by its length
ALL_CHUNKED = chunked(SMUGGLED)

RAW = (
    # Two lengths: whoever in front believes the other one would send the rest as a request of somebody else.
    post("length of all, chunks end early", (length(HIDDEN), CHUNKED), HIDDEN, b""),
    post("chunks first, length of all", (CHUNKED, length(HIDDEN)), HIDDEN, b""),
    post("length short, chunks of all", (length(4), CHUNKED), ALL_CHUNKED, SMUGGLED),
    post("two lengths", (length(0), length(SMUGGLED)), SMUGGLED),
    post("two lengths, larger first", (length(SMUGGLED), length(0)), SMUGGLED),
    post("the same length twice", (length(SMUGGLED), length(SMUGGLED)), SMUGGLED, SMUGGLED),
    post("a list of lengths", ("Content-Length: 0, 52",), SMUGGLED),
    *(
        post(f"length {value!r}", (f"Content-Length: {value}",), SMUGGLED, b"")
        for value in ("+0", "-0", "0x0", "0 0", "0_0", "0.0", "\xb2", "", "-1", "1e1")
    ),
    post("length with space before the colon", (f"Content-Length : {len(SMUGGLED)}",), SMUGGLED),
    post("underscore in Content_Length", (length(0), f"Content_Length: {len(SMUGGLED)}"), b"", b""),
    *(
        post(f"coding {value!r}", (f"Transfer-Encoding: {value}", length(SMUGGLED)), SMUGGLED)
        for value in ("xchunked", "identity", "chunked, identity", "chunked\x0b", "\x0bchunked", '"chunked"', "gzip", "chunked;x")
    ),
    post("coding named twice", (CHUNKED, CHUNKED), ALL_CHUNKED, SMUGGLED),
    post("coding in capitals", ("TRANSFER-ENCODING: CHUNKED",), ALL_CHUNKED, SMUGGLED),
    post("coding with space before the colon", (length(SMUGGLED), "Transfer-Encoding : chunked"), SMUGGLED),
    post("coding with underscore", (length(SMUGGLED), "Transfer_Encoding: chunked"), SMUGGLED, SMUGGLED),
    post("folded coding", (length(SMUGGLED), "Transfer-Encoding:\r\n chunked"), SMUGGLED),
    *(
        post(f"chunk size {size!r}", (CHUNKED,), size.encode() + b"\r\n" + SMUGGLED + b"\r\n0\r\n\r\n", *bodies)
        for size, bodies in (
            *((f"{len(SMUGGLED):x}{more}", (SMUGGLED,)) for more in (" ", ";a", ";a=b")),
            *(
                (odd, ())
                for odd in (f"0x{len(SMUGGLED):x}", f"+{len(SMUGGLED):x}", "-1", "3_4", "", "34\x00", "g", "1" + "0" * 16 + "34")
            ),
        )
    ),
    post("chunk with bare line feeds", (CHUNKED,), b"%x\n" % len(SMUGGLED) + SMUGGLED + b"\n0\n\n", SMUGGLED),
    post("chunk extension with a line feed", (CHUNKED,), b"2;a\nxx\r\n0\r\n\r\n" + SMUGGLED),
    post("chunk longer than said", (CHUNKED,), b"2\r\nabcd\r\n0\r\n\r\n"),
    post("trailer with a proxy header", (CHUNKED,), b"1\r\na\r\n0\r\nX-Forwarded-For: 6.6.6.6\r\n\r\n", b"a"),
    # Lines that a server and a proxy may split differently.
    # RFC 9112 section 2.2 lets a server take a bare line feed for the end of a line.
    get(HOST_LINE, "X-A: b\nX-Forwarded-For: 203.0.113.5", name="bare line feed", answers=(CLIENT,)),
    get(HOST_LINE, "X-A: b\rX-Forwarded-For: 6.6.6.6", name="bare carriage return"),
    get(HOST_LINE, "X-A: b\x00", name="NUL in a value"),
    get(HOST_LINE, "X-Forwarded-For: 203.0.113.5,\r\n 10.1.1.1", name="folded header", answers=(CLIENT,)),
    get(HOST_LINE, "X-A: b\r\n X-Forwarded-For: 6.6.6.6", name="proxy header in a folded line", answers=(PEER,)),
    get(HOST_LINE, "X-Forwarded-For : 6.6.6.6", name="space before the colon"),
    get(" X-Forwarded-For: 6.6.6.6", HOST_LINE, name="first line with a space"),
    get(HOST_LINE, "X-Forwarded-For", name="no colon"),
    get(HOST_LINE, ": 6.6.6.6", name="no name"),
    get(HOST_LINE, "X-Forwarded-For\x00: 6.6.6.6", name="NUL in a name"),
    get(HOST_LINE, "X-Forwarded-For(a): 6.6.6.6", name="a name that is no token"),
    get(HOST_LINE, "X-Forwarded-F\xf6r: 6.6.6.6", name="a letter beyond ASCII in a name"),
    # Names that become the same in the environ.
    get(HOST_LINE, "X_Forwarded_For: 6.6.6.6", answers=(PEER,)),
    get(HOST_LINE, "X-Forwarded_For: 6.6.6.6", answers=(PEER,)),
    get(HOST_LINE, TRUSTED, "X_Forwarded_For: 6.6.6.6", answers=(CLIENT,)),
    get(HOST_LINE, "X_Forwarded_For: 6.6.6.6", TRUSTED, answers=(CLIENT,)),
    # Which host?
    get(HOST_LINE, "Host: evil.example", name="two hosts"),
    get(HOST_LINE, HOST_LINE, name="the same host twice"),
    get("Accept: */*", name="no host", answers=({"host": ""},)),
    get("Host:", name="an empty host", answers=({"host": ""},)),
    get("Host: a b", name="a host that is none", answers=({"host": "a b"},)),
    get("Host: evil.example/x@y", name="a host with a path", answers=({"host": "evil.example/x@y"},)),
    get(
        HOST_LINE,
        start="GET http://evil.example/path?query HTTP/1.1",
        name="another host in the first line",
        answers=({"path": "/path", "host": "evil.example"},),
    ),
    get(HOST_LINE, start="GET  /path?query HTTP/1.1", name="two spaces in the first line"),
    get(HOST_LINE, start="GET /path?query HTTP/1.1 x", name="more in the first line"),
    get(HOST_LINE, start="GET /path?query\tHTTP/1.1", name="a tab in the first line"),
    get(HOST_LINE, start="GET /path?query HTTP/1.10", name="HTTP/1.10"),
    get(HOST_LINE, start="GET /path?query http/1.1", name="small letters in the first line"),
)
