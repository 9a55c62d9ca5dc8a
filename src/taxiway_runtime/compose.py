"""The order of what stands in front of an application, for WSGI and ASGI: time, size, access log, trusted proxies."""

import os
from importlib import import_module
from typing import Any

from taxiway_runtime import error_log, proxy

_WITH_TIMEOUT = ("mod_wsgi",)
_WITHOUT_LOG = ("waitress",)
_WITHOUT_CHUNKS = ("uwsgi",)  # of a body
_WITHOUT_ANSWER = ("uwsgi",)  # to a request where the application fails


def _compose(application: Any, interface: str) -> Any:
    def layer(name: str) -> Any:
        return getattr(import_module(f"taxiway_runtime.{name}"), interface)

    server = os.environ.get("TAXIWAY_SERVER")
    if (seconds := int(os.environ.get("TAXIWAY_REQUEST_TIMEOUT") or 0)) and server not in _WITH_TIMEOUT:
        application = layer("overdue")(application, seconds)
    if limit := int(os.environ.get("TAXIWAY_MAX_BODY") or 0):
        application = layer("limits")(application, limit)
    if server in _WITHOUT_CHUNKS:
        application = layer("chunked")(application)
    as_json = os.environ.get("TAXIWAY_LOG_FORMAT") == "json"
    if as_json or server in _WITHOUT_LOG:
        application = layer("access_log")(application, as_json=as_json)
    if server in _WITHOUT_ANSWER:
        application = error_log.answer_errors(application)
    return layer("proxy")(application, proxy.read_policy(os.environ))


def wsgi(application: Any) -> Any:
    """Put it in front of a WSGI application."""
    return _compose(application, "wsgi")


def asgi(application: Any) -> Any:
    """Put it in front of an ASGI application."""
    return _compose(application, "asgi")
