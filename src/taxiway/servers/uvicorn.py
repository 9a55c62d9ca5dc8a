"""uvicorn, for ASGI.

Facts, by uvicorn 0.54: it waits for requests in flight without a limit unless told, and believes X-Forwarded-Proto from the
loopback address.
"""

import os

from taxiway.arguments import split
from taxiway.launch_plan import ASGI
from taxiway.servers import Command, Launch

PACKAGE = "uvicorn"
REQUIRES: tuple[str, ...] = ("click", "h11")
INTERFACES = (ASGI,)
SERVES_STATIC = False


def command(launch: Launch) -> Command:
    """Write uvicorn's command."""
    settings = launch.settings
    return Command(
        argv=(
            os.path.join(launch.layout.bin, "uvicorn"),
            *("--host", "0.0.0.0"),  # noqa: S104  # a container is to be reached
            *("--port", str(settings.port)),
            *("--workers", str(launch.size.processes)),
            *("--timeout-graceful-shutdown", str(settings.graceful_timeout)),
            *("--timeout-keep-alive", "75"),  # longer than the idle time of common proxies
            "--no-server-header",
            *split(settings.server_args, launch.environ, settings.origin("server_args")),
            "--no-proxy-headers",  # whose count is taxiway's policy alone
            f"{launch.module}:application",
        ),
        unset=("FORWARDED_ALLOW_IPS",),
    )
