"""waitress, through a launcher of taxiway's: `taxiway_runtime.serve_waitress`.

Facts, by waitress 3.0: its own command drops requests on SIGTERM, and has no access log. It reads a request as a whole before a
thread gets it, so that slow clients don't matter.
"""

from taxiway.launch_plan import WSGI
from taxiway.servers import Command, Launch, options

PACKAGE = "waitress"
REQUIRES: tuple[str, ...] = ()
INTERFACES = (WSGI,)


def command(launch: Launch) -> Command:
    """Write waitress's command."""
    settings = launch.settings
    own = options.own(launch)
    return Command(
        argv=launch.graceful(
            launch.layout.python,
            *("-m", "taxiway_runtime.serve_waitress"),
            *(str(launch.size.processes), str(settings.graceful_timeout)),
            f"--threads={launch.size.threads}",
            "--connection-limit=500",  # its 100 are few behind a proxy that keeps connections open
            "--channel-timeout=120",
            f"--max-request-body-size={settings.max_body + 1}",  # it refuses what has just this size
            "--max-request-header-size=65536",
            "--ident=",
            *own,
            "--no-clear-untrusted-proxy-headers",  # what counts is taxiway's policy alone
        ),
        address=None if options.bind(own, "--listen", "--host", "--port", "--unix-socket") else launch.address,
        hand_over=True,
    )
