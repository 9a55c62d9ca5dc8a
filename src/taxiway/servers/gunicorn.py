"""gunicorn: threaded workers for WSGI, its own asyncio worker for ASGI.

Facts: gunicorn's settings reference. `sync` workers have no keep-alive and are blocked by one slow client, hence `gthread`. It
finishes requests on SIGTERM, but a second SIGTERM doesn't hurry it.
"""

import os
from collections.abc import Sequence

from taxiway.arguments import split
from taxiway.launch_plan import ASGI, WSGI
from taxiway.servers import DESCRIPTOR, Command, Launch, options
from taxiway.settings import TEXT_LOG, variable

PACKAGE = "gunicorn"
REQUIRES: tuple[str, ...] = ()
INTERFACES = (WSGI, ASGI)


def command(launch: Launch) -> Command:
    """Write gunicorn's command; the user's own configuration file and arguments win over taxiway's defaults."""
    settings = launch.settings
    own = (
        *split(variable(launch.environ, "GUNICORN_CMD_ARGS"), launch.environ, "GUNICORN_CMD_ARGS"),
        *options.own(launch),
    )
    config = _config_file(launch, own)
    configured = _configured_names(config) if config else frozenset[str]()
    installed = launch.plan.servers.get("gunicorn", "")
    if launch.plan.interface == WSGI:
        worker = "gthread"
    else:
        worker = "asgi" if has_asgi_worker(installed) else "uvicorn.workers.UvicornWorker"
    timed = "timeout" in configured or options.bind(own, "-t", "--timeout")
    defaults: list[tuple[str, tuple[str, ...]]] = [
        ("worker_class", ("--worker-class", worker)),
        ("workers", ("--workers", str(launch.size.processes))),
        ("threads", ("--threads", str(launch.size.threads))),
        ("timeout", ("--timeout", str(settings.request_timeout))),
        ("graceful_timeout", ("--graceful-timeout", str(settings.graceful_timeout))),
        # Longer than the idle time of common proxies, so that it is the proxy who closes a connection.
        ("keepalive", ("--keep-alive", "75")),
        ("worker_tmp_dir", ("--worker-tmp-dir", "/dev/shm")),  # noqa: S108  # a heartbeat file on an overlay file system can stall
        ("limit_request_line", ("--limit-request-line", "8190")),  # the most that it takes
        ("limit_request_field_size", ("--limit-request-field_size", "16384")),
    ]
    if settings.log_format == TEXT_LOG:
        defaults.append(("accesslog", ("--access-logfile", "-")))
    if worker == "asgi":
        defaults.append(("logger_class", ("--logger-class", "taxiway_runtime.gunicorn_log.Logger")))
    if options.version(installed) >= (25, 1):
        # It would be made below HOME, which an arbitrary UID with a read-only root can't write.
        defaults.append(("control_socket_disable", ("--no-control-socket",)))
    argv = [os.path.join(launch.layout.bin, "gunicorn")]
    if config:
        argv += ["--config", config]
    binds = "bind" in configured or options.bind(own, "-b", "--bind")
    if not binds:
        argv += ["--bind", f"fd://{DESCRIPTOR}"]
    for name, words in defaults:
        if name not in configured:
            argv += words
    return Command(
        # Whose proxy headers count is taxiway's policy alone; gunicorn would believe X-Forwarded-Proto from the loopback address.
        argv=launch.graceful(*argv, *own, "--forwarded-allow-ips", "", f"{launch.module}:application"),
        unset=("GUNICORN_CMD_ARGS", *options.timed(timed)),
        address=None if binds else launch.address,
        hand_over=True,
    )


def has_asgi_worker(version: str) -> bool:
    """Tell whether this version brings a complete worker for ASGI."""
    return options.version(version) >= (25, 1)


def _config_file(launch: Launch, own: Sequence[str]) -> str | None:
    """Return the configuration to read: as told, or gunicorn.conf.py in the application's directory or the source's top."""
    told = launch.settings.app_config
    for word, following in zip(own, (*own[1:], ""), strict=False):
        if word in {"-c", "--config"}:
            told = following
        elif word.startswith(("-c", "--config=")):
            told = word.removeprefix("--config=").removeprefix("-c")
    for directory in (launch.home,) if told else (launch.home, launch.layout.source):
        path = os.path.normpath(os.path.join(directory, told or "gunicorn.conf.py"))
        if os.path.isfile(path):
            return path
    return told  # gunicorn itself reads python:MODULE, and reports a missing file


def _configured_names(path: str) -> frozenset[str]:
    """List the names that a configuration file assigns or imports for itself, without running it."""
    import ast  # noqa: PLC0415  # only where there is such a file

    try:
        with open(path, "rb") as file:
            waiting: list[ast.AST] = [ast.parse(file.read())]
    except (OSError, SyntaxError, ValueError):
        return frozenset()  # gunicorn reports it with its place
    names = set[str]()
    while waiting:
        for node in ast.iter_child_nodes(waiting.pop()):
            match node:
                case ast.Name(id=name, ctx=ast.Store()) | ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                    names.add(name)
                case ast.alias(name=name, asname=other):
                    names.add(other or name)
                case ast.AsyncFunctionDef() | ast.Lambda():
                    pass  # what they assign is their own
                case _:
                    waiting.append(node)
    return frozenset(names)
