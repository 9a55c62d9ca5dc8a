"""`taxiway start --reload`: the server anew after each change of the source. For development: one way for every server.

A build's bytecode isn't compared with its source, so the application's interpreter is given another place for bytecode.
"""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from taxiway import console
from taxiway.servers import DESCRIPTOR, Command

_PAUSE_S = 0.5
_PASSED_OVER = frozenset({"__pycache__", "node_modules"})


def serve(command: Command, environ: Mapping[str, str], home: str, source: str, prepare: Callable[[], None]) -> int:
    """Run the server until SIGTERM or SIGINT, anew after each change; return its exit status.

    Args:
        command: The server's command.
        environ: Its environment.
        home: Its working directory.
        source: What is watched.
        prepare: Does what the command says has to be done before.
    """
    stopping = 0
    server: subprocess.Popen[bytes] | None = None
    told: subprocess.Popen[bytes] | None = None

    def stop(number: int, _frame: object) -> None:
        nonlocal stopping, told
        stopping = number
        if server:
            told = server
            server.send_signal(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    sockets = (DESCRIPTOR,) if command.address and command.hand_over else ()
    while not stopping:
        seen = snapshot(source)
        prepare()
        # In a group of its own: Ctrl-C would reach it twice, and the second signal ends a server at once.
        server = subprocess.Popen(command.argv, env=environ, cwd=home, pass_fds=sockets, process_group=0)
        while server.poll() is None and not stopping and snapshot(source) == seen:
            time.sleep(_PAUSE_S)
        if stopping:
            break
        if server.poll() is None:
            console.step(f"Changed: {', '.join(sorted(different(seen, snapshot(source))))}; starting again")
            server.terminate()
            server.wait()
            continue
        console.warn(f"The server ended with {server.returncode}; waiting for a change of the source.")
        while not stopping and snapshot(source) == seen:
            time.sleep(_PAUSE_S)
    if server and server is not told:
        server.send_signal(stopping)  # it came while the server was being started
    return server.wait() if server else 0


def snapshot(source: str) -> dict[str, int]:
    """Return the time of change of each file, by its path relative to the source."""
    return {os.path.relpath(path, source): time_ns for path, time_ns in _files(source)}


def different(before: Mapping[str, int], after: Mapping[str, int]) -> set[str]:
    """Return the files that were changed, made or taken away."""
    return {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}


def _files(source: str) -> Iterator[tuple[Path, int]]:
    for directory, names, files in os.walk(source):
        names[:] = [name for name in names if name not in _PASSED_OVER and not name.startswith(".")]
        for name in files:
            path = Path(directory, name)
            try:
                yield path, path.stat().st_mtime_ns
            except OSError:
                continue  # gone meanwhile
