"""mod_wsgi-express: Apache with mod_wsgi in daemon mode.

Facts, by mod_wsgi 6.1.1: `start-server` executes a script below the server root, which fails on a file system mounted noexec,
so the configuration is only generated and the script run through bash. SIGTERM drops requests, SIGWINCH lets them finish
(Apache's "graceful stop"), so the init in front translates one into the other; Apache's GracefulShutdownTimeout bounds the wait.
"""

import os

from taxiway import proxy
from taxiway.arguments import split
from taxiway.launch_plan import WSGI
from taxiway.servers import Command, Launch, apache_static
from taxiway.settings import NATIVE

PACKAGE = "mod_wsgi"
REQUIRES: tuple[str, ...] = ()
INTERFACES = (WSGI,)
SERVES_STATIC = True

_SIGTERM, _SIGWINCH = 15, 28


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
        *("--port", str(settings.port)),
        *("--processes", str(launch.size.processes)),
        *("--threads", str(launch.size.threads)),
        *("--server-root", root),
        *("--locale", "C.UTF-8"),  # its default, en_US.UTF-8, isn't in the image and is warned about
        "--log-to-terminal",
        "--startup-log",
        "--access-log",
        *("--include-file", extra),
        *("--request-timeout", str(settings.request_timeout)),
        *("--startup-timeout", "60"),  # its 15 s are short for Django on a tenth of a CPU
        *("--shutdown-timeout", str(settings.graceful_timeout)),
        *("--graceful-timeout", str(settings.graceful_timeout)),
        *("--keep-alive-timeout", "75"),  # longer than the idle time of common proxies
        *("--limit-request-body", str(1024**3)),  # its 10 MiB surprise; 1 GiB, as Waitress has it
        "--chunked-request",  # refused with 411 otherwise
    ]
    policy = proxy.decide(settings, launch.plan.server)
    if policy.engine == NATIVE:
        for name in policy.headers:
            setup += ["--trust-proxy-header", name]
        for network in policy.trust:
            setup += ["--trust-proxy", network]
    setup += split(settings.server_args, launch.environ, settings.origin("server_args"))
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
        argv=(
            *("dumb-init", "--single-child", "--rewrite", f"{_SIGTERM}:{_SIGWINCH}", "--"),
            *("bash", os.path.join(root, "apachectl"), "start", "-DFOREGROUND", *(("-f", first) if static else ())),
        ),
    )


def _apache_configuration(graceful_timeout_s: int) -> str:
    return (
        "# Written by taxiway.\n"
        f"GracefulShutdownTimeout {graceful_timeout_s}\n"
        "# The redirect from /dir to /dir/ would tell the container's own scheme and port.\n"
        "DirectorySlash Off\n"
    )
