"""granian, for ASGI.

Facts, by granian 2.8: it waits for requests in flight without a limit unless told; workers that die aren't replaced unless told;
it takes no sockets, but one for :: takes IPv4 as well. Its WSGI isn't offered: there a header with underscores becomes the same
variable as the one with dashes, and the last one wins, so that a client could pass for a trusted proxy.
"""

import os

from taxiway.launch_plan import ASGI
from taxiway.servers import Command, Launch, options
from taxiway.settings import TEXT_LOG

PACKAGE = "granian"
REQUIRES: tuple[str, ...] = ("click",)
INTERFACES = (ASGI,)


def command(launch: Launch) -> Command:
    """Write granian's command; its own variables, GRANIAN_*, win over taxiway's defaults."""
    settings = launch.settings
    own = options.own(launch)
    defaults = (
        ("--workers", str(launch.size.processes)),
        ("--workers-kill-timeout", str(settings.graceful_timeout)),
        ("--respawn-failed-workers",),
        ("--backlog", "2048"),
        ("--http1-header-read-timeout", "30000"),
    )
    return Command(
        argv=launch.graceful(
            os.path.join(launch.layout.bin, "granian"),
            *("--interface", "asgi"),
            *("--host", launch.host),
            *("--port", str(settings.port)),
            *options.defaults(defaults, launch.environ, "GRANIAN_"),
            *(("--access-log",) if settings.log_format == TEXT_LOG else ()),
            *own,
            f"{launch.module}:application",
        ),
        address=None if options.bind(own, "--host", "--port", "--uds") else launch.address,
    )
