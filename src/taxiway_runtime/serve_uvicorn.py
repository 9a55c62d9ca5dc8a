"""uvicorn's own command, on sockets that are bound already and in processes that stop as one.

usage: python -m taxiway_runtime.serve_uvicorn UVICORN-ARGUMENTS
"""

import sys
from importlib import import_module
from typing import Any

from taxiway_runtime import prefork

cli: Any = import_module("uvicorn.main")  # uvicorn itself has another object of that name

_run = cli.run
_SOCKETS = prefork.sockets()


class Server(cli.Server):  # type: ignore[misc]
    """Serves the bound sockets; ends without sending itself the signal again, which would be the exit status."""

    ready: Any = staticmethod(lambda: None)

    def run(self, sockets: Any = None) -> None:
        """Serve."""
        super().run(sockets or _SOCKETS)

    async def startup(self, sockets: Any = None) -> None:
        """Start, and tell that."""
        await super().startup(sockets)
        type(self).ready()

    def handle_exit(self, sig: int, frame: object) -> None:
        """Stop."""
        super().handle_exit(sig, frame)
        self._captured_signals.clear()


def run(app: str, **options: Any) -> None:
    """Take the place of `uvicorn.run`."""
    workers = options.pop("workers", None) or 1

    def one(ready: Any) -> None:
        Server.ready = staticmethod(ready)
        _run(app, workers=1, **options)

    prefork.serve(one, workers)


if __name__ == "__main__":
    if _SOCKETS:
        cli.run, cli.Server = run, Server
    cli.main(args=sys.argv[1:], prog_name="uvicorn")
