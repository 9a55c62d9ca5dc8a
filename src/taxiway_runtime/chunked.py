"""Bodies in chunks (RFC 9112, 7.1) under uWSGI, which gives the application an empty body and the chunks only when asked for."""

import io
from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Any

_TIMEOUT_S = 60  # for the next chunk


class _Chunks(io.RawIOBase):
    """The body, chunk by chunk."""

    def __init__(self) -> None:
        self._read: Callable[[int], bytes] = import_module("uwsgi").chunked_read  # is there within uWSGI alone
        self._left = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a part of the buffer; 0 at the end."""
        if not self._left:
            self._left = memoryview(self._read(_TIMEOUT_S))
        count = min(len(buffer), len(self._left))
        buffer[:count] = self._left[:count]
        self._left = self._left[count:]
        return count


def wsgi(application: Callable[..., Iterable[bytes]]) -> Callable[..., Iterable[bytes]]:
    """Give the application the body of a request whose length isn't told."""

    def reading(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if "HTTP_TRANSFER_ENCODING" in environ and not environ.get("CONTENT_LENGTH"):
            environ["wsgi.input"] = io.BufferedReader(_Chunks())
            environ["wsgi.input_terminated"] = True  # which Werkzeug asks for before it reads without a length
        return application(environ, start_response)

    return reading
