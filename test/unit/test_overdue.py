"""Requests that take too long, under WSGI and ASGI."""

import asyncio
import threading
import time
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

import pytest

from taxiway_runtime import overdue

LIMIT_S = 0.1


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overdue, "_PAUSE_S", 0.01)
    monkeypatch.setattr(overdue, "_PATIENCE_S", 0.2)


def ask_wsgi(application: Any, limit_s: float = LIMIT_S) -> tuple[str, bytes]:
    seen: list[Any] = []

    def start_response(status: str, _headers: object, exc_info: object = None) -> None:
        assert exc_info or not seen
        seen.append(status)

    body = overdue.wsgi(application, limit_s)({"REQUEST_METHOD": "GET", "PATH_INFO": "/x"}, start_response)
    return seen[-1], b"".join(body)


def ask_asgi(application: Any, receive: Any = None) -> list[Any]:
    sent: list[Any] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message.get("status") or message.get("body"))

    scope = {"type": "http", "method": "GET", "path": "/x"}
    asyncio.run(overdue.asgi(application, LIMIT_S)(scope, receive, send))
    return sent


def spin(_: object, start_response: Any) -> Iterable[bytes]:
    """Take too long, and keep all exceptions that an application keeps."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            time.sleep(0.001)
        except Exception:  # noqa: BLE001, S112
            continue
    start_response("200 OK", [])
    return [b"late"]


def quick(_: object, start_response: Any) -> Iterable[bytes]:
    start_response("200 OK", [])
    return [b"in time"]


def test_a_thread_is_interrupted(capfd: pytest.CaptureFixture[str]) -> None:
    assert ask_wsgi(spin) == ("504 Gateway Timeout", b"The application took too long.\n")
    told = capfd.readouterr().err
    assert told.startswith("taxiway: 'GET /x' took longer than TAXIWAY_REQUEST_TIMEOUT, and is interrupted\nTraceback (most ")
    assert ", in spin\n" in told


def test_an_answer_that_was_announced_is_replaced() -> None:
    def announced(environ: object, start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        return spin(environ, start_response)

    assert ask_wsgi(announced)[0] == "504 Gateway Timeout"


def test_what_has_ended_is_not_interrupted() -> None:
    """Not even where the end and the limit fall together, again and again."""

    def almost(_: object, start_response: Any) -> Iterable[bytes]:
        time.sleep(LIMIT_S)
        start_response("200 OK", [])
        return [b"in time"]

    for _ in range(20):
        assert ask_wsgi(almost) in {("200 OK", b"in time"), ("504 Gateway Timeout", b"The application took too long.\n")}
    time.sleep(LIMIT_S * 2)
    assert ask_wsgi(quick, 60) == ("200 OK", b"in time")


def test_a_thread_that_cannot_be_interrupted(capfd: pytest.CaptureFixture[str]) -> None:
    """It waits outside Python; without another process to take its place, the stacks are all that is done."""
    done = threading.Event()

    def stuck(_: object, start_response: Any) -> Iterable[bytes]:
        time.sleep(0.6)
        done.set()
        return quick(_, start_response)

    assert ask_wsgi(stuck)[0] == "504 Gateway Timeout"  # once it's back in Python
    told = capfd.readouterr().err
    assert "TAXIWAY_REQUEST_TIMEOUT, and can't be interrupted\n" in told
    assert " in stuck\n" in told


def test_a_coroutine_is_cancelled(capfd: pytest.CaptureFixture[str]) -> None:
    ends: list[str] = []

    async def slow(_scope: Any, _receive: Any, send: Any) -> None:
        try:
            await asyncio.sleep(20)
        except asyncio.CancelledError:
            ends.append("cancelled")
            await send({"type": "http.response.start", "status": 200})  # too late
            raise

    assert ask_asgi(slow) == [504, b"The application took too long.\n"]
    assert ends == ["cancelled"]
    assert ", in slow\n    await asyncio.sleep(20)\n" in capfd.readouterr().err


def test_an_answer_that_has_begun_may_take_longer() -> None:
    async def stream(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200})
        await asyncio.sleep(LIMIT_S * 3)
        await send({"type": "http.response.body", "body": b"end"})

    assert ask_asgi(stream) == [200, b"end"]


def test_a_body_that_comes_in_parts_may_take_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(overdue, "time", SimpleNamespace(monotonic=lambda: now, sleep=time.sleep))

    async def part() -> None:
        nonlocal now
        now += LIMIT_S * 0.7
        await asyncio.sleep(0.03)  # for the watch to look

    async def read(_scope: Any, receive: Any, send: Any) -> None:
        for _ in range(4):
            await receive()
        await send({"type": "http.response.start", "status": 200})

    assert ask_asgi(read, part) == [200]


def test_a_client_that_goes_is_no_timeout() -> None:
    """A server cancels for it as well; that stays its own."""

    async def cancelled(_scope: Any, _receive: Any, _send: Any) -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        ask_asgi(cancelled)


@pytest.mark.parametrize("kind", ["websocket", "lifespan"])
def test_what_has_no_limit(kind: str) -> None:
    async def stay(_scope: Any, _receive: Any, send: Any) -> None:
        await asyncio.sleep(LIMIT_S * 3)
        await send("stayed")

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(overdue.asgi(stay, LIMIT_S)({"type": kind}, None, send))
    assert sent == ["stayed"]
