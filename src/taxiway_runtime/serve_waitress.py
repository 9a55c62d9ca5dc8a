"""waitress, with a stop that loses no request, and in several processes.

usage: python -m taxiway_runtime.serve_waitress PROCESSES SECONDS WAITRESS-ARGUMENTS
"""

import logging
import signal
import sys
import time
from importlib import import_module
from typing import Any

from waitress import create_server, wasyncore  # type: ignore[import-not-found,import-untyped,unused-ignore]
from waitress.adjustments import Adjustments  # type: ignore[import-not-found,import-untyped,unused-ignore]
from waitress.channel import HTTPChannel  # type: ignore[import-not-found,import-untyped,unused-ignore]
from waitress.parser import HTTPRequestParser, ParsingError  # type: ignore[import-not-found,import-untyped,unused-ignore]
from waitress.server import BaseWSGIServer  # type: ignore[import-not-found,import-untyped,unused-ignore]
from waitress.task import WSGITask  # type: ignore[import-not-found,import-untyped,unused-ignore]

from taxiway_runtime import prefork

_POLL_S = 0.1


class Parser(HTTPRequestParser):  # type: ignore[misc,unused-ignore]
    """Refuses what waitress would go on after, and the application couldn't see: RFC 9112, section 6.1."""

    def parse_header(self, header_plus: bytes) -> None:
        """Parse the head of a request."""
        super().parse_header(header_plus)
        if self.chunked and "CONTENT_LENGTH" in self.headers:
            raise ParsingError("The request has a Content-Length and a Transfer-Encoding.")


HTTPChannel.parser_class = Parser


class LastTask(WSGITask):  # type: ignore[misc,unused-ignore]
    """A task that closes its connection afterwards."""

    def __init__(self, *arguments: Any) -> None:
        """Mark the connection."""
        super().__init__(*arguments)
        self.close_on_finish = True


def serve(options: dict[str, Any], graceful_s: float, ready: Any) -> None:
    """Serve until SIGTERM; then finish what has begun."""
    application = import_module("taxiway_runtime.wsgi").application
    stopping: list[float] = []
    watched: dict[int, Any] = {}
    server = create_server(application, map=watched, **options)
    listeners = [each for each in watched.values() if isinstance(each, BaseWSGIServer)]

    def stop(*_: object) -> None:
        stopping.append(time.monotonic())
        listeners[0].pull_trigger()

    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, stop)
    server.print_listen("Serving on http://{}:{}")
    ready()
    while not stopping:
        wasyncore.loop(timeout=1, map=watched, use_poll=True, count=1)
    HTTPChannel.task_class = LastTask
    for listener in listeners:
        # Its own close() would take the trigger away, by which threads tell that they are done.
        wasyncore.dispatcher.close(listener)
    deadline = stopping[0] + graceful_s
    while (channels := [each for each in watched.values() if isinstance(each, HTTPChannel)]) and time.monotonic() < deadline:
        for channel in channels:
            if not (channel.requests or channel.request or channel.total_outbufs_len):
                channel.handle_close()
        wasyncore.loop(timeout=_POLL_S, map=watched, use_poll=True, count=1)
    server.task_dispatcher.shutdown(timeout=max(0, deadline - time.monotonic()))


def main(processes: str, seconds: str, *arguments: str) -> None:
    """Read the arguments as waitress's own command does."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
    options, _ = Adjustments.parse_args(list(arguments))
    del options["help"], options["call"]
    if sockets := prefork.sockets():
        options["sockets"] = sockets
    prefork.serve(lambda ready: serve(options, float(seconds), ready), int(processes))


if __name__ == "__main__":
    main(*sys.argv[1:])
