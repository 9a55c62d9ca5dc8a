"""hypercorn's own command, on sockets that are bound already and in processes that each finish what they have begun.

usage: python -m taxiway_runtime.serve_hypercorn HYPERCORN-ARGUMENTS
"""

import sys
from typing import Any

from hypercorn import __main__ as cli  # type: ignore[import-not-found,unused-ignore]
from hypercorn.config import Config, Sockets  # type: ignore[import-not-found,unused-ignore]

from taxiway_runtime import prefork

_run = cli.run
_SOCKETS = prefork.sockets()


def run(config: Any) -> int:
    """Take the place of `hypercorn.run`: one process each, without a parent of hypercorn's own."""
    workers = config.workers or 1
    config.workers = 0
    config.create_sockets = lambda: Sockets([], _SOCKETS, [])
    if config.h11_max_incomplete_size == Config.h11_max_incomplete_size:
        config.h11_max_incomplete_size = 65536  # the request's head; its own 16 KiB are less than others take

    def one(ready: Any) -> None:
        from hypercorn.asyncio import run as loop  # type: ignore[import-not-found,unused-ignore]  # noqa: PLC0415

        load = loop.load_application

        def load_and_tell(*arguments: Any) -> Any:
            application = load(*arguments)
            ready()
            return application

        loop.load_application = load_and_tell
        _run(config)

    prefork.serve(one, workers)
    return 0


if __name__ == "__main__":
    if _SOCKETS:
        cli.run = run
    sys.exit(cli.main(sys.argv[1:]))
