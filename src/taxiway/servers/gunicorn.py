"""gunicorn with threaded workers.

Facts: gunicorn's settings reference. `sync` workers have no keep-alive and are blocked by one slow client, hence `gthread`.
"""

import os

from taxiway.arguments import split
from taxiway.servers import APPLICATION, Command, Launch

PACKAGE = "gunicorn"
SERVES_STATIC = False

_BIND = ("-b", "--bind")


def command(launch: Launch) -> Command:
    """Write gunicorn's command; the user's own configuration file and arguments win over taxiway's defaults."""
    settings = launch.settings
    config = _config_file(launch)
    configured = _configured_names(config) if config else frozenset[str]()
    own = (
        *split(launch.environ.get("GUNICORN_CMD_ARGS", ""), launch.environ, "GUNICORN_CMD_ARGS"),
        *split(settings.server_args, launch.environ, settings.origin("server_args")),
    )
    defaults: list[tuple[str, tuple[str, ...]]] = [
        ("worker_class", ("--worker-class", "gthread")),
        ("workers", ("--workers", str(launch.size.processes))),
        ("threads", ("--threads", str(launch.size.threads))),
        ("timeout", ("--timeout", str(settings.request_timeout))),
        ("graceful_timeout", ("--graceful-timeout", str(settings.graceful_timeout))),
        # Longer than the idle time of common proxies, so that it is the proxy who closes a connection.
        ("keepalive", ("--keep-alive", "75")),
        ("worker_tmp_dir", ("--worker-tmp-dir", "/dev/shm")),  # noqa: S108  # a heartbeat file on an overlay file system can stall
        # Nothing is trusted until told; the default believes X-Forwarded-Proto from the loopback address.
        ("forwarded_allow_ips", ("--forwarded-allow-ips", "")),
        ("accesslog", ("--access-logfile", "-")),
    ]
    if _version(launch.plan.server_version) >= (25, 1):
        # It would be made below HOME, which an arbitrary UID with a read-only root can't write.
        defaults.append(("control_socket_disable", ("--no-control-socket",)))
    argv = [os.path.join(launch.layout.bin, "gunicorn")]
    if config:
        argv += ["--config", config]
    if "bind" not in configured and not any(word.startswith(_BIND) for word in own):
        argv += ["--bind", f"0.0.0.0:{settings.port}"]
    for name, words in defaults:
        if name not in configured:
            argv += words
    return Command(
        argv=(*argv, *own, f"{APPLICATION}:application"),
        unset=("GUNICORN_CMD_ARGS", "FORWARDED_ALLOW_IPS"),
    )


def _config_file(launch: Launch) -> str | None:
    """Return the configuration file that gunicorn would read: APP_CONFIG, or gunicorn.conf.py in the application's directory."""
    home = os.path.join(launch.layout.source, launch.plan.home)
    name = launch.environ.get("APP_CONFIG") or "gunicorn.conf.py"
    path = os.path.normpath(os.path.join(home, name))
    return path if os.path.isfile(path) else None


def _configured_names(path: str) -> frozenset[str]:
    """List the names that a configuration file assigns, without running it."""
    import ast  # noqa: PLC0415  # only where there is such a file

    with open(path, encoding="utf-8") as file:
        try:
            tree = ast.parse(file.read())
        except SyntaxError:
            return frozenset()  # gunicorn reports it with its place
    return frozenset(node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store))


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".")[:2] if part.isdecimal())
