"""Process types: which of them a container runs; several run under supervisord.

This module is on the way of every container start.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from taxiway import console
from taxiway.errors import UnknownProcessError
from taxiway.servers import DESCRIPTOR, Command, Launch

PACKAGE = "supervisor"
WEB = "web"
RELEASE = "release"  # what Heroku runs before each deployment; it ends, so it isn't one of `all`
ALL = "all"
_STOP_RESERVE_S = 5  # on top of what the server gives its requests, for its own end


class Program(NamedTuple):
    """A process type about to be started."""

    name: str
    command: Command


def together(declared: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """Return the process types that run at the same time as `web`."""
    return tuple(name for name, _ in declared if name != RELEASE)


def select(asked: str, declared: Sequence[tuple[str, str]], origin: str) -> tuple[str, ...]:
    """Return the process types to start, in the order in which they were asked for.

    Args:
        asked: Names with commas between them, or `all`.
        declared: The types besides `web`: name and command line.
        origin: What asked for them.

    Raises:
        UnknownProcessError: There is no type of that name.
    """
    if asked == ALL:
        return (WEB, *together(declared))
    names = tuple(dict.fromkeys(name.strip() for name in asked.split(",")))
    known = (WEB, *dict(declared))
    for name in names:
        if name not in known:
            raise UnknownProcessError(name, origin, known)
    return names


def shell(line: str, launch: Launch) -> Command:
    """Run a command line as a Procfile means it: at the top of the source, by a shell, which becomes a simple command."""
    return Command(argv=launch.program("bash", "-c", line), directory=launch.layout.source)


def supervise(programs: Sequence[Program], launch: Launch) -> Command:
    """Run several programs under supervisord, in the order in which they are given; pure."""
    configuration = f"{launch.writable}/supervisord.conf"
    scripts = {program.name: f"{launch.writable}/process-{program.name}.sh" for program in programs}
    files = [(configuration, _configuration(scripts, launch))]
    server = Command(argv=())
    for name, command in programs:
        text = f"cd {console.quote(command.directory or launch.home)}\nexport TAXIWAY_PROCESS={name}\n"
        if name == WEB:
            server = command
        else:
            text += f"exec {DESCRIPTOR}>&-\n"  # the server's socket
        files.append((scripts[name], f"{text}exec {console.join(command.argv)}\n"))
    return server._replace(
        argv=(launch.layout.python, "-P", "-m", "taxiway_runtime.supervise", configuration, *scripts),
        files=(*server.files, *files),
    )


def _configuration(scripts: Mapping[str, str], launch: Launch) -> str:
    """Write supervisord's configuration; the commands stand in scripts, because it would take a ; in them for a comment."""
    text = (
        "; Written by taxiway.\n"
        "[supervisord]\n"
        "nodaemon=true\n"
        "silent=true\n"
        "logfile=/dev/null\n"
        "logfile_maxbytes=0\n"
        f"pidfile={_value(f'{launch.writable}/supervisord.pid')}\n"
        "minfds=3\n"  # it would close the server's sockets, which are 3 and following
        "minprocs=16\n"
        "[group:all]\n"  # in one group, all get SIGTERM at once
        f"programs={','.join(scripts)}\n"
    )
    for name, script in scripts.items():
        text += (
            f"[program:{name}]\n"
            f"command=bash {_value(console.quote(script))}\n"
            "autostart=false\n"  # taxiway_runtime.supervise starts the next when the one before is up
            "autorestart=true\n"
            "startretries=999\n"  # it decides as well who gives up
            "redirect_stderr=true\n"
            "stdout_logfile=NONE\n"
            "stdout_events_enabled=true\n"
            f"stopwaitsecs={launch.settings.graceful_timeout + _STOP_RESERVE_S}\n"
            "killasgroup=true\n"
        )
    return text


def _value(text: str) -> str:
    """Write a value for supervisord, which expands what follows a per cent sign."""
    return text.replace("%", "%%")
