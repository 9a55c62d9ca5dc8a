"""The largest request body that reaches the application, on every server: `TAXIWAY_MAX_BODY`, in bytes."""

from collections.abc import Callable, Coroutine, Iterable
from typing import Any

Wsgi = Callable[..., Iterable[bytes]]
Asgi = Callable[..., Coroutine[Any, Any, None]]

_WITHOUT_BODY = frozenset({"GET", "HEAD", "OPTIONS"})
_TEXT = b"The request's body is larger than this server accepts.\n"
_HEADERS = (("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(_TEXT))), ("Connection", "close"))


def wsgi(application: Wsgi, limit: int) -> Wsgi:
    """Answer 413 (RFC 9110, 15.5.14) for a larger body; one without a length ends early."""

    def limited(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        length = environ.get("CONTENT_LENGTH")
        if length:
            if length.isdecimal() and int(length) > limit:
                start_response("413 Content Too Large", [pair for pair in _HEADERS if pair[0] != "Connection"])
                return (_TEXT,)
        elif "HTTP_TRANSFER_ENCODING" in environ:
            environ["wsgi.input"] = _Input(environ["wsgi.input"], limit)
        return application(environ, start_response)

    return limited


class _Input:
    """A body that refuses to be read beyond the limit."""

    def __init__(self, body: Any, limit: int) -> None:
        self._body = body
        self._left = limit

    def _count(self, data: bytes) -> bytes:
        self._left -= len(data)
        if self._left < 0:
            raise OSError("the request's body is larger than TAXIWAY_MAX_BODY")
        return data

    def read(self, size: int | None = -1) -> bytes:
        wanted = self._left + 1 if size is None or size < 0 else min(size, self._left + 1)
        return self._count(self._body.read(wanted))

    def readline(self, size: int | None = -1) -> bytes:
        wanted = self._left + 1 if size is None or size < 0 else min(size, self._left + 1)
        return self._count(self._body.readline(wanted))

    def readlines(self, _hint: int = -1) -> list[bytes]:
        return list(self)

    def __iter__(self) -> Any:
        return iter(self.readline, b"")


def asgi(application: Asgi, limit: int) -> Asgi:
    """Answer 413 for a larger body; one without a length ends as if the client had gone."""

    def limited(scope: Any, receive: Any, send: Any) -> Coroutine[Any, Any, None]:
        if scope["type"] == "http" and scope["method"] in _WITHOUT_BODY:  # nearly always; if not, it ends early as well
            receive = _counted(receive, limit)
        elif scope["type"] == "http":
            headers = dict(scope["headers"])
            length = headers.get(b"content-length", b"")
            if length.isdigit():
                if int(length) > limit:
                    return _refuse(send)
            elif b"transfer-encoding" in headers or scope["http_version"] == "2":
                receive = _counted(receive, limit)
        return application(scope, receive, send)

    return limited


async def _refuse(send: Any) -> None:
    headers = [(name.lower().encode(), value.encode()) for name, value in _HEADERS]
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": _TEXT})


def _counted(receive: Any, left: int) -> Any:
    async def counted() -> Any:
        nonlocal left
        message = await receive()
        left -= len(message.get("body", b""))
        return {"type": "http.disconnect"} if left < 0 else message

    return counted
