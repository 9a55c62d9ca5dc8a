"""gunicorn's log for its ASGI worker, which would write an IPv4 client's address as ::ffff:10.0.0.1."""

from typing import Any

from gunicorn import glogging  # type: ignore[import-not-found,import-untyped,unused-ignore]


class Logger(glogging.Logger):  # type: ignore[misc,unused-ignore]
    """gunicorn's own, with the address as the application sees it."""

    def atoms(self, resp: Any, req: Any, environ: dict[str, Any], request_time: Any) -> dict[str, Any]:
        """Return the fields of a line."""
        environ["REMOTE_ADDR"] = environ["REMOTE_ADDR"].removeprefix("::ffff:")
        found: dict[str, Any] = super().atoms(resp, req, environ, request_time)
        return found
