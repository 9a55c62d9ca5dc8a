"""uvicorn, for ASGI, through a launcher of taxiway's: `taxiway_runtime.serve_uvicorn`.

Facts, by uvicorn 0.54: its own command takes one socket only, starts workers that can't import the application again and again,
waits for requests in flight without a limit unless told, and believes X-Forwarded-Proto from the loopback address.
"""

from taxiway.launch_plan import ASGI
from taxiway.servers import Command, Launch, options
from taxiway.settings import TEXT_LOG

PACKAGE = "uvicorn"
REQUIRES: tuple[str, ...] = ("click", "h11", "wsproto")  # it has no WebSockets of its own
INTERFACES = (ASGI,)


def command(launch: Launch) -> Command:
    """Write uvicorn's command; its own variables, UVICORN_*, win over taxiway's defaults."""
    settings = launch.settings
    own = options.own(launch)
    defaults = (
        ("--workers", str(launch.size.processes)),
        ("--timeout-graceful-shutdown", str(settings.graceful_timeout)),
        ("--timeout-keep-alive", "75"),  # longer than the idle time of common proxies
        ("--backlog", "2048"),
        ("--h11-max-incomplete-event-size", "65536"),  # the request's head
        ("--no-server-header",),
    )
    return Command(
        argv=launch.graceful(
            launch.layout.python,
            *("-m", "taxiway_runtime.serve_uvicorn"),
            *options.defaults(defaults, launch.environ, "UVICORN_"),
            *(() if settings.log_format == TEXT_LOG else ("--no-access-log",)),
            *own,
            "--no-proxy-headers",  # whose count is taxiway's policy alone
            f"{launch.module}:application",
        ),
        address=None if options.bind(own, "--host", "--port", "--fd", "--uds") else launch.address,
        hand_over=True,
    )
