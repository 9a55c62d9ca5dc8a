"""Requests that take too long, for servers without a limit of their own: `TAXIWAY_REQUEST_TIMEOUT`, in seconds.

What counts is the time until the answer begins; each part of a body that an ASGI application asks for starts it anew. Then the
client is answered with 504, and the application is interrupted: a coroutine by cancelling its task, a thread by an exception, as
mod_wsgi does it. Where that doesn't help within ten seconds, because a thread waits outside Python or the event loop is blocked,
the stacks are logged, and the process is ended if another takes its place.
"""

import faulthandler
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Coroutine, Iterable, Mapping
from contextlib import suppress
from typing import Any

from taxiway_runtime import prefork

Wsgi = Callable[..., Iterable[bytes]]
Asgi = Callable[..., Coroutine[Any, Any, None]]

_PAUSE_S = 0.5
_PATIENCE_S = 10
_STATUS = "504 Gateway Timeout"
_TEXT = b"The application took too long.\n"
_HEADERS = (("content-type", "text/plain; charset=utf-8"), ("content-length", str(len(_TEXT))), ("connection", "close"))
_REPLACED = ("gunicorn", "granian")  # their workers have a parent, however few they are


class Overdue(BaseException):
    """Raised in a thread whose request takes too long; none of the application's `except Exception` keeps it."""


class _Request:
    """One that the application works on."""

    __slots__ = ("_given", "_keys", "deadline", "interrupt", "is_interrupted")

    def __init__(self, given: Mapping[str, Any], keys: tuple[str, str], limit_s: float, interrupt: Callable[[], object]) -> None:
        self._given, self._keys = given, keys
        self.deadline = time.monotonic() + limit_s
        self.interrupt = interrupt
        self.is_interrupted = False

    def say(self, text: str) -> None:
        """Log what happens to it."""
        name = " ".join(str(self._given.get(key)) for key in self._keys)
        with suppress(OSError):
            os.write(2, f"taxiway: {name!r} took longer than TAXIWAY_REQUEST_TIMEOUT, {text}\n".encode())


class _Watch:
    """A thread that looks at the running requests; it begins with the first of a process."""

    def __init__(self) -> None:
        self.running: set[_Request] = set()
        self.lock = threading.Lock()  # held while a request is taken away, or interrupted
        self.pid = 0

    def begin(self) -> None:
        """Look after the requests of this process from now on."""
        self.pid = os.getpid()
        self.running.clear()
        threading.Thread(target=self._look, name="taxiway-overdue", daemon=True).start()

    def _look(self) -> None:
        while True:
            time.sleep(_PAUSE_S)
            for request in [each for each in list(self.running) if each.deadline < time.monotonic()]:
                with self.lock:
                    if request not in self.running:
                        continue
                    request.deadline += _PATIENCE_S
                    is_stuck, request.is_interrupted = request.is_interrupted, True
                    if not is_stuck:
                        request.say("and is interrupted")
                        request.interrupt()
                        continue
                    self.running.discard(request)
                self._give_up(request)

    @staticmethod
    def _give_up(request: _Request) -> None:
        is_replaced = os.environ.get("TAXIWAY_SERVER") in _REPLACED or prefork.has_parent()
        request.say(f"and can't be interrupted{'; the process is replaced' * is_replaced}")
        faulthandler.dump_traceback(sys.__stderr__ or 2)
        if is_replaced:
            os.kill(os.getpid(), signal.SIGTERM)  # what else it has begun is finished
            time.sleep(float(os.environ.get("TAXIWAY_GRACEFUL_TIMEOUT") or 20))
            os.kill(os.getpid(), signal.SIGKILL)


_watch = _Watch()


def wsgi(application: Wsgi, limit_s: float) -> Wsgi:
    """Limit the requests of a WSGI application."""

    def timed(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if _watch.pid != os.getpid():
            _watch.begin()
        thread = threading.get_ident()
        request = _Request(environ, ("REQUEST_METHOD", "PATH_INFO"), limit_s, lambda: _raise_in(thread))
        running = _watch.running
        try:
            try:
                running.add(request)
                return application(environ, start_response)
            finally:
                with _watch.lock:  # from here on it isn't interrupted
                    running.discard(request)
        except Overdue:
            running.discard(request)
            traceback.print_exc()
            try:
                start_response(_STATUS, list(_HEADERS[:2]))
            except AssertionError:  # the application has called it (PEP 3333); not at first, uWSGI then sends no body
                start_response(_STATUS, list(_HEADERS[:2]), sys.exc_info())
            return [_TEXT]

    return timed


def _raise_in(thread: int) -> None:
    import ctypes  # noqa: PLC0415  # only when there is such a request

    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(Overdue))


class _Coroutine(_Request):
    """A request of an ASGI application; what it receives and sends passes here."""

    __slots__ = ("_limit_s", "_loop", "_receive", "_send", "answer", "task")

    def __init__(self, scope: Any, receive: Any, send: Any, limit_s: float, loop: Any, task: Any) -> None:  # noqa: PLR0917
        super().__init__(scope, ("method", "path"), limit_s, lambda: loop.call_soon_threadsafe(self._end))
        self._receive, self._send, self._limit_s, self._loop = receive, send, limit_s, loop
        self.task = task
        self.answer: Any = None

    def receive(self) -> Any:
        self.deadline = time.monotonic() + self._limit_s
        return self._receive()

    def send(self, message: Any) -> Any:
        if self.answer:
            return _nothing()
        _watch.running.discard(self)
        return self._send(message)

    def _end(self) -> None:
        if self in _watch.running:  # else the answer has begun meanwhile
            self.answer = self._loop.create_task(_answer(self._send))
            at = self.task.get_coro()
            while frame := getattr(at, "cr_frame", None):  # the task's own stack has the outermost alone
                traceback.print_stack(frame, limit=1)
                at = at.cr_await
            self.task.cancel()


def asgi(application: Asgi, limit_s: float) -> Asgi:
    """Limit the requests of an ASGI application; neither its WebSockets nor its lifespan."""
    import asyncio  # noqa: PLC0415  # WSGI does without

    async def timed(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return await application(scope, receive, send)
        if _watch.pid != os.getpid():
            _watch.begin()
        request = _Coroutine(scope, receive, send, limit_s, asyncio.get_running_loop(), asyncio.current_task())
        _watch.running.add(request)
        try:
            await application(scope, request.receive, request.send)
        except asyncio.CancelledError:
            if not request.answer:
                raise
        finally:
            _watch.running.discard(request)
            if request.answer:
                request.task.uncancel()
                await request.answer

    return timed


async def _answer(send: Any) -> None:
    with suppress(Exception):  # the client has gone
        headers = [(name.encode(), value.encode()) for name, value in _HEADERS]
        await send({"type": "http.response.start", "status": 504, "headers": headers})
        await send({"type": "http.response.body", "body": _TEXT})


async def _nothing() -> None:
    """Take what an application sends whose request is answered already."""
