"""hypercorn, for ASGI, through a launcher of taxiway's: `taxiway_runtime.serve_hypercorn`.

Facts, by hypercorn 0.18: with several workers, the first one that has stopped makes its parent kill the others; an application
that can't be imported ends with status 0; 3 seconds are all that requests in flight get.
"""

from taxiway.launch_plan import ASGI
from taxiway.servers import Command, Launch, options
from taxiway.settings import TEXT_LOG

PACKAGE = "hypercorn"
REQUIRES: tuple[str, ...] = ("h11", "h2", "hpack", "hyperframe", "priority", "wsproto")
INTERFACES = (ASGI,)


def command(launch: Launch) -> Command:
    """Write hypercorn's command."""
    settings = launch.settings
    own = options.own(launch)
    return Command(
        argv=launch.graceful(
            launch.layout.python,
            *("-m", "taxiway_runtime.serve_hypercorn"),
            *("--workers", str(launch.size.processes)),
            *("--graceful-timeout", str(settings.graceful_timeout)),
            *("--keep-alive", "75"),  # longer than the idle time of common proxies
            *("--backlog", "2048"),
            *("--error-logfile", "-"),
            *(("--access-logfile", "-") if settings.log_format == TEXT_LOG else ()),
            *own,
            f"{launch.module}:application",
        ),
        address=None if options.bind(own, "-b", "--bind", "--insecure-bind", "--quic-bind") else launch.address,
        hand_over=True,
    )
