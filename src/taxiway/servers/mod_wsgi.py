"""mod_wsgi-express: Apache with mod_wsgi in daemon mode.

Facts, by mod_wsgi 6.1.1: `start-server` executes a script below the server root, which fails on a file system mounted noexec,
so the configuration is only generated and the script run through bash. SIGTERM drops requests, SIGWINCH lets them finish
(Apache's "graceful stop"); Apache's GracefulShutdownTimeout bounds the wait.
"""

import os

from taxiway import proxy
from taxiway.launch_plan import WSGI
from taxiway.servers import Command, Launch, apache_static, options
from taxiway.settings import NATIVE, TEXT_LOG, variable

PACKAGE = "mod_wsgi"
REQUIRES: tuple[str, ...] = ()
INTERFACES = (WSGI,)

# warpdrive's variables MOD_WSGI_NAME, each for the option --name.
_VALUES = (
    *("PROCESSES", "THREADS", "MAX_CLIENTS", "INITIAL_WORKERS", "MINIMUM_SPARE_WORKERS", "MAXIMUM_SPARE_WORKERS", "SERVER_MPM"),
    *("LIMIT_REQUEST_BODY", "MAXIMUM_REQUESTS", "SERVER_BACKLOG", "DAEMON_BACKLOG", "LOG_LEVEL", "WORKING_DIRECTORY"),
    *("CONNECT_TIMEOUT", "DEADLOCK_TIMEOUT", "EVICTION_TIMEOUT", "GRACEFUL_TIMEOUT", "INACTIVITY_TIMEOUT", "QUEUE_TIMEOUT"),
    *("REQUEST_TIMEOUT", "SHUTDOWN_TIMEOUT", "SOCKET_TIMEOUT", "STARTUP_TIMEOUT"),
    *("HEADER_TIMEOUT", "HEADER_MAX_TIMEOUT", "HEADER_MIN_RATE", "BODY_TIMEOUT", "BODY_MAX_TIMEOUT", "BODY_MIN_RATE"),
)
_FLAGS = ("ACCESS_LOG", "ENABLE_DEBUGGER", "RELOAD_ON_CHANGES", "SERVER_STATUS")


def command(launch: Launch) -> Command:
    """Write the commands that generate Apache's configuration and start it."""
    settings = launch.settings
    root = os.path.join(launch.writable, "mod_wsgi")
    extra, first = f"{root}.conf", f"{root}-first.conf"
    static = launch.plan.static
    setup = [
        os.path.join(launch.layout.bin, "mod_wsgi-express"),
        "setup-server",
        launch.module,
        *("--application-type", "module"),
        *("--callable-object", "application"),
        *("--working-directory", launch.home),
        *(() if launch.host in {"0.0.0.0", "::"} else ("--host", launch.host)),  # noqa: S104
        *("--port", str(settings.port)),
        *("--processes", str(launch.size.processes)),
        *("--threads", str(launch.size.threads)),
        *("--server-root", root),
        *("--locale", "C.UTF-8"),  # its default, en_US.UTF-8, isn't in the image and is warned about
        "--log-to-terminal",
        "--startup-log",
        *("--include-file", extra),
        *("--request-timeout", str(settings.request_timeout)),
        *("--startup-timeout", "60"),  # its 15 s are short for Django on a tenth of a CPU
        *("--shutdown-timeout", str(settings.graceful_timeout)),
        *("--graceful-timeout", str(settings.graceful_timeout)),
        *("--keep-alive-timeout", "75"),  # longer than the idle time of common proxies
        *("--queue-timeout", "45"),  # shorter than proxies wait
        *("--limit-request-body", str(settings.max_body)),  # its 10 MiB surprise
        "--chunked-request",  # refused with 411 otherwise
    ]
    if options.version(launch.plan.servers.get("mod_wsgi", "")) >= (6, 0):
        setup += ["--interrupt-timeout", "10"]  # a stuck request gets an exception before its process is replaced
    if settings.log_format == TEXT_LOG:
        setup.append("--access-log")
    policy = proxy.decide(settings, launch.plan.server)
    if policy.engine == NATIVE:
        for name in policy.headers:
            setup += ["--trust-proxy-header", name]
        for network in policy.trust:
            setup += ["--trust-proxy", network]
    for name in _VALUES:
        if value := variable(launch.environ, f"MOD_WSGI_{name}"):
            setup += [f"--{name.lower().replace('_', '-')}", value]
    setup += [f"--{name.lower().replace('_', '-')}" for name in _FLAGS if variable(launch.environ, f"MOD_WSGI_{name}")]
    own = options.own(launch)
    setup += own
    return Command(
        fresh=root,
        files=(
            (
                extra,
                _apache_configuration(settings.graceful_timeout) + apache_static.rules(static, launch.layout.static_variants),
            ),
            *([(first, apache_static.first(settings.port, os.path.join(root, "httpd.conf")))] if static else ()),
        ),
        prepare=tuple(setup),
        argv=launch.graceful(
            *("bash", os.path.join(root, "apachectl"), "start", "-DFOREGROUND", *(("-f", first) if static else ())),
            signal="WINCH",
        ),
        address=None if options.bind(own, "--host", "--port") else launch.address,
    )


def _apache_configuration(graceful_timeout_s: int) -> str:
    return (
        "# Written by taxiway.\n"
        f"GracefulShutdownTimeout {graceful_timeout_s}\n"
        "LimitRequestLine 16384\n"
        "LimitRequestFieldSize 16384\n"
        "# Directories are for taxiway_runtime.static: Apache's redirects tell the container's own address.\n"
        "DirectorySlash Off\n"
        "DirectoryIndex disabled\n"
    )
