"""The access log where it isn't the server's own: one JSON object for each request, or a line for a server that has no log.

In JSON, each request has an ID: X-Request-ID if it came with a sane one, else a new one. The application sees it in that
header, the answer has it, and so has the log.
"""

import contextlib
import functools
import json
import os
import time
from collections.abc import Callable, Coroutine, Iterable, Iterator
from json.encoder import encode_basestring_ascii as quote
from typing import Any

Wsgi = Callable[..., Iterable[bytes]]
Asgi = Callable[..., Coroutine[Any, Any, None]]

_SAFE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.=+/")
_LONGEST_ID = 128


def request_id(given: str) -> str:
    """Return the request's ID: the given one if it can stand in logs and headers as it is."""
    return given if 0 < len(given) <= _LONGEST_ID and _SAFE.issuperset(given) else os.urandom(16).hex()


@functools.lru_cache(maxsize=2)
def _stamp(seconds: int) -> str:
    return time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(seconds))


class Record:
    """What is known about one request, and written when its answer has ended."""

    def __init__(self, client: str, method: str, target: str, protocol: str, id_: str, agent: str, referer: str) -> None:  # noqa: PLR0917
        self.fields: dict[str, Any] = {
            "level": "info",
            "request_id": id_,
            "client": client,
            "method": method,
            "path": target,
            "protocol": protocol,
            "status": None,
            "bytes": 0,
            "user_agent": agent,
            "referer": referer,
        }
        self.started = time.perf_counter()

    def write(self, *, as_json: bool, error: BaseException | None = None) -> None:
        """Write it to the container's stdout, in one call so that lines of several processes don't mix.

        Not to `sys.stdout`, which mod_wsgi has replaced by Apache's error log.
        """
        fields = self.fields
        seconds = time.perf_counter() - self.started
        if error is not None:
            fields["level"] = "error"
            fields["status"] = fields["status"] or 500
            fields["exception"] = f"{type(error).__name__}: {error}"
        now = time.time()
        if as_json:
            stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now * 1000) % 1000:03d}Z"
            line = json.dumps({"time": stamp, **fields, "duration_ms": round(seconds * 1000, 3)})
        else:
            request = quote(f"{fields['method']} {fields['path']} {fields['protocol']}")
            status, referer, agent = fields["status"] or "-", quote(fields["referer"] or "-"), quote(fields["user_agent"] or "-")
            line = f"{fields['client'] or '-'} - - [{_stamp(int(now))}] {request} {status} {fields['bytes']} {referer} {agent}"
        with contextlib.suppress(OSError):  # nobody reads it any more; the answer counts
            os.write(1, f"{line}\n".encode())


def wsgi(application: Wsgi, *, as_json: bool) -> Wsgi:
    """Log each request of a WSGI application."""

    def logged(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        id_ = environ.get("HTTP_X_REQUEST_ID", "")
        if as_json:
            id_ = environ["HTTP_X_REQUEST_ID"] = request_id(id_)
        query = environ.get("QUERY_STRING")
        path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
        record = Record(
            environ.get("REMOTE_ADDR", ""),
            environ["REQUEST_METHOD"],
            path.encode("latin-1").decode("utf-8", "replace") + (f"?{query}" if query else ""),
            environ.get("SERVER_PROTOCOL", ""),
            id_,
            environ.get("HTTP_USER_AGENT", ""),
            environ.get("HTTP_REFERER", ""),
        )

        def begin(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            record.fields["status"] = int(status[:3])
            if as_json:
                headers = [*(pair for pair in headers if pair[0].lower() != "x-request-id"), ("X-Request-ID", id_)]
            return start_response(status, headers, *rest)

        try:
            body = application(environ, begin)
        except BaseException as error:
            record.write(as_json=as_json, error=error)
            raise
        if isinstance(body, list | tuple):  # as it is: servers take the length of a single part for Content-Length
            record.fields["bytes"] = sum(map(len, body))
            record.write(as_json=as_json)
            return body
        return _Body(body, record, as_json=as_json)

    return logged


class _Body:
    """The answer's body, which writes the record when the server closes it."""

    def __init__(self, body: Iterable[bytes], record: Record, *, as_json: bool) -> None:
        self._body = body
        self._parts: Iterator[bytes] = iter(body)
        self._record = record
        self._as_json = as_json
        self._error: BaseException | None = None

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            part = next(self._parts)
        except StopIteration:
            raise
        except BaseException as error:
            self._error = error
            raise
        self._record.fields["bytes"] += len(part)
        return part

    def close(self) -> None:
        try:
            if hasattr(self._body, "close"):
                self._body.close()
        finally:
            self._record.write(as_json=self._as_json, error=self._error)


def asgi(application: Asgi, *, as_json: bool) -> Asgi:
    """Log each request of an ASGI application."""

    async def logged(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return await application(scope, receive, send)
        headers = {name: value.decode("latin-1") for name, value in reversed(scope["headers"])}
        id_ = request_id(headers.get(b"x-request-id", ""))
        own = (b"x-request-id", id_.encode())
        scope = {**scope, "headers": [pair for pair in scope["headers"] if pair[0] != own[0]] + [own]}
        query = scope["query_string"].decode("latin-1")
        record = Record(
            (scope.get("client") or ("",))[0],
            scope["method"],
            scope["path"] + (f"?{query}" if query else ""),
            f"HTTP/{scope['http_version']}",
            id_,
            headers.get(b"user-agent", ""),
            headers.get(b"referer", ""),
        )

        async def watched(message: Any) -> None:
            if message["type"] == "http.response.start":
                record.fields["status"] = message["status"]
                others = [pair for pair in message.get("headers", ()) if bytes(pair[0]).lower() != own[0]]
                message = {**message, "headers": [*others, own]}
            elif message["type"] == "http.response.body":
                record.fields["bytes"] += len(message.get("body", b""))
            await send(message)

        error = None
        try:
            return await application(scope, receive, watched)
        except BaseException as problem:
            error = problem
            raise
        finally:
            record.write(as_json=as_json, error=error)

    return logged
