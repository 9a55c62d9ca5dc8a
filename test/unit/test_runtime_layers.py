"""What stands in front of every application: limits, access log, errors, and their order."""

import asyncio
import io
import json
import logging
import os
import sys
from collections.abc import Iterable, Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from taxiway_runtime import access_log, compose, error_log, limits

Body = Iterable[bytes]


def call(application: Any, **environ: Any) -> tuple[str, dict[str, str], bytes]:
    """Ask a WSGI application."""
    seen: list[Any] = []
    body = application(
        {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "wsgi.url_scheme": "http", **environ}, lambda *given: seen.extend(given)
    )
    data = b"".join(body)
    if hasattr(body, "close"):
        body.close()
    return seen[0], dict(seen[1]), data


def ask(application: Any, headers: dict[str, str], *messages: dict[str, Any], **scope: Any) -> list[dict[str, Any]]:
    """Ask an ASGI application; returns what it sent."""
    sent: list[dict[str, Any]] = []
    waiting = list(messages)

    async def receive() -> dict[str, Any]:
        return waiting.pop(0)

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
    given = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "http_version": "1.1", "headers": pairs, **scope}
    asyncio.run(application(given, receive, send))
    return sent


def echo(environ: dict[str, Any], start_response: Any) -> Body:
    """Answer with the body, and the request's ID."""
    data = environ["wsgi.input"].read() if "wsgi.input" in environ else b""
    start_response("200 OK", [("X-Seen", environ.get("HTTP_X_REQUEST_ID", "none")), ("X-Request-ID", "the application's")])
    return [data]


async def echo_async(scope: Any, receive: Any, send: Any) -> None:
    data, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        data += message.get("body", b"")
        more = message.get("more_body", False)
    seen = dict(scope["headers"]).get(b"x-request-id", b"none")
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x-seen", seen), (b"X-Request-Id", b"x")]})
    await send({"type": "http.response.body", "body": data})


@pytest.mark.parametrize(("length", "status"), [("5", "200 OK"), ("6", "413 Content Too Large"), ("", "200 OK"), ("x", "200 OK")])
def test_limit(length: str, status: str) -> None:
    assert call(limits.wsgi(echo, 5), CONTENT_LENGTH=length, **{"wsgi.input": io.BytesIO(b"12345")})[0] == status


@pytest.mark.parametrize("read", ["read", "readline", "__iter__", "readlines"])
def test_limit_of_a_body_without_length(read: str) -> None:
    def reader(environ: dict[str, Any], start_response: Any) -> Body:
        start_response("200 OK", [])
        found = getattr(environ["wsgi.input"], read)()
        return [found] if isinstance(found, bytes) else list(found)

    chunked = {"HTTP_TRANSFER_ENCODING": "chunked"}
    assert call(limits.wsgi(reader, 5), **chunked, **{"wsgi.input": io.BytesIO(b"12345")})[2] == b"12345"
    with pytest.raises(OSError, match="larger than TAXIWAY_MAX_BODY"):
        call(limits.wsgi(reader, 5), **chunked, **{"wsgi.input": io.BytesIO(b"123456")})


BODY = {"type": "http.request", "body": b"123", "more_body": True}
END = {"type": "http.request", "body": b"456"}


@pytest.mark.parametrize(
    ("headers", "limit", "answer"),
    [
        ({"content-length": "6"}, 6, [200, b"123456"]),
        ({"content-length": "7"}, 6, [413, limits._TEXT]),  # noqa: SLF001
        ({"transfer-encoding": "chunked"}, 6, [200, b"123456"]),
        ({"transfer-encoding": "chunked"}, 5, []),
        ({}, 5, [200, b"123456"]),  # HTTP/1.1 has no body then
    ],
)
def test_limit_of_asgi(headers: dict[str, str], limit: int, answer: list[Any]) -> None:
    sent = ask(limits.asgi(echo_async, limit), headers, BODY, END, method="POST")
    assert [message.get("status", message.get("body")) for message in sent] == answer


def test_limit_of_http_2() -> None:
    assert ask(limits.asgi(echo_async, 5), {}, BODY, END, http_version="2") == []


@pytest.mark.parametrize(
    ("given", "kept"),
    [("abc-1.2_3=+/", True), ("", False), ("a b", False), ('a"b', False), ("é", False), ("a" * 128, True), ("a" * 129, False)],
)
def test_request_id(given: str, *, kept: bool) -> None:
    found = access_log.request_id(given)
    assert (found == given) is kept
    assert kept or len(found) == 32


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    lines: list[str] = []

    def write(descriptor: int, data: bytes) -> int:
        assert descriptor == 1
        lines.append(data.decode())
        return len(data)

    monkeypatch.setattr("taxiway_runtime.access_log.os", SimpleNamespace(write=write, urandom=os.urandom))
    return lines


def test_json_record(written: list[str]) -> None:
    environ = {"REMOTE_ADDR": "203.0.113.5", "SERVER_PROTOCOL": "HTTP/1.1", "HTTP_USER_AGENT": 'a"\n\x00', "QUERY_STRING": "q=1"}
    application = access_log.wsgi(echo, as_json=True)
    _, headers, _ = call(application, **environ, HTTP_X_REQUEST_ID="id-1", **{"wsgi.input": io.BytesIO(b"abc")})
    assert (headers["X-Request-ID"], headers["X-Seen"]) == ("id-1", "id-1")
    (line,) = written
    assert line.count("\n") == 1
    record = json.loads(line)
    assert record.pop("duration_ms") >= 0
    assert record.pop("time").endswith("Z")
    assert record == {
        "level": "info",
        "request_id": "id-1",
        "client": "203.0.113.5",
        "method": "GET",
        "path": "/?q=1",
        "protocol": "HTTP/1.1",
        "status": 200,
        "bytes": 3,
        "user_agent": 'a"\n\x00',
        "referer": "",
    }


def test_text_record(written: list[str]) -> None:
    """As Apache's combined format; nobody can write a line of their own."""
    environ = {"REMOTE_ADDR": "::1", "SERVER_PROTOCOL": "HTTP/1.1", "HTTP_REFERER": 'x"\nfake'}
    call(access_log.wsgi(echo, as_json=False), **environ)
    (line,) = written
    assert line.startswith("::1 - - [")
    assert line.endswith('] "GET / HTTP/1.1" 200 0 "x\\"\\nfake" "-"\n')


def test_record_of_a_body_that_comes_in_pieces(written: list[str]) -> None:
    """It is written when the server closes the body, with what was sent until then."""

    def pieces(_environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])
        yield b"12"
        yield b"345"
        raise RuntimeError("in the middle")

    body = access_log.wsgi(pieces, as_json=True)({"REQUEST_METHOD": "GET"}, lambda *_: None)
    parts = iter(body)
    assert [next(parts), next(parts)] == [b"12", b"345"]
    with pytest.raises(RuntimeError):
        next(parts)
    assert written == []
    body.close()  # type: ignore[attr-defined]
    record = json.loads(written[0])
    assert (record["bytes"], record["status"], record["exception"]) == (5, 200, "RuntimeError: in the middle")


def test_record_of_an_application_that_fails(written: list[str]) -> None:
    def fails(_environ: Any, _start_response: Any) -> Body:
        raise KeyError("x")

    with pytest.raises(KeyError):
        call(access_log.wsgi(fails, as_json=True))
    record = json.loads(written[0])
    assert (record["status"], record["level"], record["exception"]) == (500, "error", "KeyError: 'x'")


def test_record_of_asgi(written: list[str]) -> None:
    scope = {"client": ("203.0.113.5", 1), "query_string": b"a=1"}
    sent = ask(access_log.asgi(echo_async, as_json=True), {"x-request-id": "bad id", "user-agent": "ua"}, BODY, END, **scope)
    record = json.loads(written[0])
    id_ = record["request_id"]
    assert len(id_) == 32
    assert sent[0]["headers"] == [(b"x-seen", id_.encode()), (b"x-request-id", id_.encode())]
    assert (record["path"], record["bytes"], record["client"], record["protocol"]) == ("/?a=1", 6, "203.0.113.5", "HTTP/1.1")


def test_websockets_and_lifespan_pass() -> None:
    seen: list[str] = []

    async def application(scope: Any, _receive: Any, _send: Any) -> None:
        seen.append(scope["type"])

    for layer in (access_log.asgi(application, as_json=True), limits.asgi(application, 1)):
        for kind in ("websocket", "lifespan"):
            asyncio.run(layer({"type": kind}, None, None))
    assert seen == ["websocket", "lifespan"] * 2


def test_answer_where_an_application_fails(capsys: pytest.CaptureFixture[str]) -> None:
    def fails(_environ: Any, _start_response: Any) -> Body:
        raise ValueError("here")

    assert call(error_log.answer_errors(fails))[::2] == ("500 Internal Server Error", b"Internal Server Error\n")
    assert "ValueError: here" in capsys.readouterr().err

    def fails_later(_environ: Any, start_response: Any) -> Body:
        start_response("200 OK", [])
        raise ValueError("here")

    with pytest.raises(ValueError, match="here"):
        call(error_log.answer_errors(fails_later))


@pytest.mark.parametrize(
    ("environ", "logged"),
    [({}, 0), ({"TAXIWAY_SERVER": "waitress"}, 1), ({"TAXIWAY_LOG_FORMAT": "json", "TAXIWAY_SERVER": "gunicorn"}, 1)],
)
def test_order(monkeypatch: pytest.MonkeyPatch, written: list[str], environ: dict[str, str], logged: int) -> None:
    """The log tells what the limit refuses."""
    for name in ("TAXIWAY_SERVER", "TAXIWAY_LOG_FORMAT", "TAXIWAY_PROXY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"TAXIWAY_MAX_BODY": "5", **environ}.items():
        monkeypatch.setenv(name, value)
    given = {"CONTENT_LENGTH": "6", "REMOTE_ADDR": "203.0.113.5", "SERVER_NAME": "x", "SERVER_PORT": "80"}
    assert call(compose.wsgi(echo), **given)[0] == "413 Content Too Large"
    assert len(written) == logged
    assert all(" 413 " in line or '"status": 413' in line for line in written)


class Mail(logging.Handler):
    """Stands for Django's handler of this name."""


class RequireDebugTrue(logging.Filter):
    """Stands for Django's filter of this name."""


Mail.__name__ = "AdminEmailHandler"


def only_for_debugging() -> logging.Handler:
    handler = logging.StreamHandler()
    handler.addFilter(RequireDebugTrue())
    return handler


@pytest.mark.parametrize(
    ("handlers", "debug", "added"),
    [
        ({}, False, True),
        ({"django": [Mail(), only_for_debugging()]}, False, True),  # Django's default
        ({"django": [logging.NullHandler()]}, False, True),
        ({"django": [logging.StreamHandler()]}, False, False),
        ({"django.request": [logging.StreamHandler()]}, False, False),
        ({}, True, False),
    ],
)
def test_errors_of_django(
    monkeypatch: pytest.MonkeyPatch, handlers: dict[str, list[logging.Handler]], *, debug: bool, added: bool
) -> None:
    conf = ModuleType("django.conf")
    conf.settings = type("Settings", (), {"configured": True, "DEBUG": debug})  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "django", ModuleType("django"))
    monkeypatch.setitem(sys.modules, "django.conf", conf)
    for name in ("django", "django.request", ""):
        logger = logging.getLogger(name)
        monkeypatch.setattr(logger, "handlers", handlers.get(name, []))
    before = len(logging.getLogger("django.request").handlers)
    error_log.show_django_errors()
    assert (len(logging.getLogger("django.request").handlers) > before) is added


def test_no_django(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "django.conf", raising=False)
    error_log.show_django_errors()
    assert os.environ is not None
