"""The order of what stands in front of an application, the same for WSGI and ASGI: limits, access log, trusted proxies."""

import os
from types import ModuleType
from typing import Any

from taxiway_runtime import access_log, limits, proxy

_WITHOUT_LOG = ("waitress",)


def _compose(application: Any, interface: str) -> Any:
    def layer(module: ModuleType) -> Any:
        return getattr(module, interface)

    if limit := int(os.environ.get("TAXIWAY_MAX_BODY") or 0):
        application = layer(limits)(application, limit)
    as_json = os.environ.get("TAXIWAY_LOG_FORMAT") == "json"
    if as_json or os.environ.get("TAXIWAY_SERVER") in _WITHOUT_LOG:
        application = layer(access_log)(application, as_json=as_json)
    return layer(proxy)(application, proxy.read_policy(os.environ))


def wsgi(application: Any) -> Any:
    """Put it in front of a WSGI application."""
    return _compose(application, "wsgi")


def asgi(application: Any) -> Any:
    """Put it in front of an ASGI application."""
    return _compose(application, "asgi")
