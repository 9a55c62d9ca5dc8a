"""Requests that take too long, for servers without a limit of their own: `TAXIWAY_REQUEST_TIMEOUT`, in seconds.

What counts is the time until the answer begins; each part of a body that an ASGI application asks for starts it anew. Then the
client is answered with 504, and the application is interrupted: a coroutine by cancelling its task, a thread by an exception, as
mod_wsgi does it. Where that doesn't help within ten seconds, because a thread waits outside Python or the event loop is blocked,
the stacks are logged, and the process is ended if another takes its place.
"""

import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Coroutine, Iterable, Mapping
from contextlib import suppress
from typing import Any

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
    """One that the application works on. Made for each, so it does as little as it can: the watch notes when it has seen it."""

    __slots__ = ("deadline", "is_interrupted")
    keys = ("", "")
    """Where `given` has method and path."""

    def __init__(self) -> None:
        self.deadline = 0.0
        self.is_interrupted = False

    def given(self) -> Mapping[str, Any]:
        """Return what the server has given."""
        raise NotImplementedError

    def interrupt(self) -> None:
        """End it; called by the watch's thread."""
        raise NotImplementedError

    def say(self, text: str) -> None:
        """Log what happens to it."""
        name = " ".join(str(self.given().get(key)) for key in self.keys)
        with suppress(OSError):
            os.write(2, f"taxiway: {name!r} took longer than TAXIWAY_REQUEST_TIMEOUT, {text}\n".encode())


class _Watch:
    """A thread that looks at the running requests; it begins with the first of a process."""

    def __init__(self) -> None:
        self.running: set[_Request] = set()
        self.lock = threading.Lock()  # held while a request is taken away, or interrupted
        self.is_on = False

    def begin(self, limit_s: float) -> None:
        """Look after the requests of this process from now on."""
        self.is_on = True
        threading.Thread(target=self._look, args=(limit_s,), name="taxiway-overdue", daemon=True).start()

    def stop(self) -> None:
        """Know that a child has no threads but its own."""
        self.is_on = False
        self.running.clear()
        self.lock = threading.Lock()

    def _look(self, limit_s: float) -> None:
        while True:
            time.sleep(_PAUSE_S)
            now = time.monotonic()
            for request in list(self.running):
                if not request.deadline:
                    request.deadline = now + limit_s
                elif request.deadline < now:
                    self._end(request, now)

    def _end(self, request: _Request, now: float) -> None:
        with self.lock:
            if request not in self.running:
                return
            if not request.is_interrupted:
                request.is_interrupted = True
                request.deadline = now + _PATIENCE_S
                request.say("and is interrupted")
                request.interrupt()
                return
            self.running.discard(request)
        import faulthandler  # noqa: PLC0415  # only when there is such a request

        from taxiway_runtime import prefork  # noqa: PLC0415

        is_replaced = os.environ.get("TAXIWAY_SERVER") in _REPLACED or prefork.has_parent()
        request.say(f"and can't be interrupted{'; the process is replaced' * is_replaced}")
        faulthandler.dump_traceback(sys.__stderr__ or 2)
        if is_replaced:
            os.kill(os.getpid(), signal.SIGTERM)  # what else it has begun is finished
            time.sleep(float(os.environ.get("TAXIWAY_GRACEFUL_TIMEOUT") or 20))
            os.kill(os.getpid(), signal.SIGKILL)


_watch = _Watch()
os.register_at_fork(after_in_child=_watch.stop)


class _Call(_Request):
    """A request that a thread works on."""

    __slots__ = ("_environ", "_thread")
    keys = ("REQUEST_METHOD", "PATH_INFO")

    def __init__(self, environ: dict[str, Any]) -> None:  # not by super(), which takes longer than all of it
        self.deadline = 0.0
        self.is_interrupted = False
        self._environ = environ
        self._thread = threading.get_ident()

    def given(self) -> Mapping[str, Any]:
        return self._environ

    def interrupt(self) -> None:
        import ctypes  # noqa: PLC0415  # only when there is such a request

        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(self._thread), ctypes.py_object(Overdue))


def wsgi(application: Wsgi, limit_s: float) -> Wsgi:
    """Limit the requests of a WSGI application."""
    running = _watch.running

    def timed(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if not _watch.is_on:
            _watch.begin(limit_s)
        request = _Call(environ)
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


class _Coroutine(_Request):
    """A request of an ASGI application; what it receives and sends passes here."""

    __slots__ = ("_receive", "_scope", "_send", "answer", "task")
    keys = ("method", "path")

    def __init__(self, scope: Any, receive: Any, send: Any, task: Any) -> None:
        self.deadline = 0.0
        self.is_interrupted = False
        self._scope, self._receive, self._send, self.task = scope, receive, send, task
        self.answer: Any = None

    def receive(self) -> Any:
        self.deadline = 0.0
        return self._receive()

    def send(self, message: Any) -> Any:
        if self.answer:
            return _nothing()
        _watch.running.discard(self)
        return self._send(message)

    def given(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self._scope
        return found

    def interrupt(self) -> None:
        self.task.get_loop().call_soon_threadsafe(self._end)

    def _end(self) -> None:
        if self in _watch.running:  # else the answer has begun meanwhile
            self.answer = self.task.get_loop().create_task(_answer(self._send))
            at = self.task.get_coro()
            while frame := getattr(at, "cr_frame", None):  # the task's own stack has the outermost alone
                traceback.print_stack(frame, limit=1)
                at = at.cr_await
            self.task.cancel()


def asgi(application: Asgi, limit_s: float) -> Asgi:
    """Limit the requests of an ASGI application; neither its WebSockets nor its lifespan."""
    from asyncio import CancelledError, current_task  # noqa: PLC0415  # WSGI does without

    running = _watch.running

    async def timed(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return await application(scope, receive, send)
        if not _watch.is_on:
            _watch.begin(limit_s)
        request = _Coroutine(scope, receive, send, current_task())
        running.add(request)
        try:
            await application(scope, request.receive, request.send)
        except CancelledError:
            if not request.answer:
                raise
        finally:
            running.discard(request)
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
