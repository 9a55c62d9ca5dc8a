"""Errors of requests in the container's log, where a framework would keep them from it."""

import logging
import sys
import traceback
from collections.abc import Callable, Iterable
from typing import Any


def answer_errors(application: Callable[..., Iterable[bytes]]) -> Callable[..., Iterable[bytes]]:
    """Answer 500 where a WSGI application fails before its answer: uWSGI only closes the connection."""

    def answering(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        started = False

        def begin(*arguments: Any) -> Any:
            nonlocal started
            started = True
            return start_response(*arguments)

        try:
            return application(environ, begin)
        except Exception:
            if started:
                raise
            traceback.print_exc()
        text = b"Internal Server Error\n"
        headers = [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(text)))]
        start_response("500 Internal Server Error", headers)
        return [text]

    return answering


def show_django_errors() -> None:
    """Print the traceback of a 500: with DEBUG off, Django's default logging only mails it to ADMINS.

    Nothing is added where the settings have a handler that gets such a record.
    """
    if "django.conf" not in sys.modules:
        return
    from django.conf import settings  # noqa: PLC0415

    if not settings.configured or settings.DEBUG:
        return
    logger: logging.Logger | None = logging.getLogger("django.request")
    while logger:
        if any(map(_writes, logger.handlers)):
            return
        logger = logger.parent if logger.propagate else None
    handler = logging.StreamHandler()
    handler.setLevel(logging.ERROR)
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s %(message)s"))
    logging.getLogger("django.request").addHandler(handler)


def _writes(handler: logging.Handler) -> bool:
    """Tell whether a handler writes errors somewhere, other than by mail or while debugging."""
    names = {type(handler).__name__, *(type(each).__name__ for each in handler.filters)}
    return handler.level <= logging.ERROR and names.isdisjoint({"AdminEmailHandler", "NullHandler", "RequireDebugTrue"})
