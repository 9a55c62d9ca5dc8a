"""uWSGI, as the wheel of pyuwsgi or compiled from the application's own requirements.

Facts, by uWSGI 2.0.30: SIGTERM reloads it, or drops requests with `die-on-term`; a hook of the master makes it drain. It takes
over only sockets that listen already. An application that can't be imported is an error only with `need-app`. With
`http11-socket`, from the second request of a connection on, REMOTE_ADDR is 0.0.0.0: no proxy could be told from a client; an idle
connection has a thread for 4 s; and chunks of a body become requests of their own. So each request has its own connection.
"""

import os

from taxiway.launch_plan import WSGI
from taxiway.servers import DESCRIPTOR, Command, Launch, options
from taxiway.settings import TEXT_LOG

PACKAGE = "pyuwsgi"
ALSO = "uWSGI"  # the same program, from source
REQUIRES: tuple[str, ...] = ()
INTERFACES = (WSGI,)

_BACKLOG = 1024
_PATIENCE_S = 12  # the middleware answers 504 before
_BINDS = ("--http", "--http-socket", "--http11-socket", "--https", "--socket", "--uwsgi-socket", "-s")


def command(launch: Launch) -> Command:
    """Write uWSGI's command; its own variables, UWSGI_*, win over taxiway's defaults."""
    settings = launch.settings
    own = options.own(launch)
    binds = options.bind(own, *_BINDS)
    timed = bool(launch.environ.get("UWSGI_HARAKIRI")) or options.bind(own, "--harakiri", "-t")
    defaults: tuple[tuple[str, ...], ...] = (
        ("--processes", str(launch.size.processes)),
        ("--threads", str(launch.size.threads)),
        ("--harakiri", str(settings.request_timeout + _PATIENCE_S)),
        ("--worker-reload-mercy", str(settings.graceful_timeout)),
        ("--buffer-size", "65535"),  # the request's head; a connection with a longer one is reset
        ("--lazy-apps",),  # imported after the fork, as elsewhere
        ("--single-interpreter",),
        ("--enable-threads",),
        ("--thunder-lock",),
        ("--auto-procname",),
    )
    return Command(
        argv=launch.graceful(
            os.path.join(launch.layout.bin, "uwsgi"),
            "--strict",
            "--master",
            "--need-app",
            *("--hook-master-start", "unix_signal:15 gracefully_kill_them_all"),
            *(() if binds else ("--http-socket", f"fd://{DESCRIPTOR}")),
            *options.defaults(defaults, launch.environ, "UWSGI_"),
            *(() if settings.log_format == TEXT_LOG else ("--disable-logging",)),
            *own,
            *("--module", f"{launch.module}:application"),
        ),
        unset=("UWSGI_HTTP", "UWSGI_HTTP_SOCKET", "UWSGI_HTTP11_SOCKET", "UWSGI_SOCKET", *options.timed(timed)),
        address=None if binds else launch.address,
        hand_over=True,
        backlog=_BACKLOG,
    )
