"""Several processes that serve the same sockets, for servers whose own way of it loses requests or hides a failed import."""

import os
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable

IMPORT_FAILED = 3  # as gunicorn ends
_STOPS = (signal.SIGTERM, signal.SIGINT)
_PAUSE_S = 1.0  # before a process that died is replaced
_sockets: list[socket.socket] = []
_children: list[int] = []  # this process, if another takes its place when it ends


def sockets() -> list[socket.socket]:
    """Return the sockets that `taxiway start` has bound; none where the user's own arguments say where to listen."""
    if not _sockets:
        _sockets.extend(socket.socket(fileno=int(number)) for number in os.environ.get("TAXIWAY_SOCKET", "").split())
    return _sockets


def has_parent() -> bool:
    """Tell whether this process is replaced when it ends."""
    return os.getpid() in _children


def serve(run: Callable[[Callable[[], None]], None], processes: int) -> None:
    """Run a server in this process, or in several others that are replaced when they die.

    Args:
        run: Serves until SIGTERM; calls what it is given once the application is imported.
        processes: How many.
    """
    if processes == 1:
        run(lambda: None)
    else:
        sys.exit(_Parent(run).watch(processes))


class _Parent:
    def __init__(self, run: Callable[[Callable[[], None]], None]) -> None:
        self.run = run
        self.ready: dict[int, int] = {}  # each child, and the pipe by which it tells that it is ready
        self.stopping = False
        self.status = 0

    def watch(self, processes: int) -> int:
        for name in _STOPS:
            signal.signal(name, self._stop)
        while True:
            while not self.stopping and len(self.ready) < processes:
                self._fork()
            if not self.ready:
                return self.status
            pid, status = os.wait()
            pipe = self.ready.pop(pid, None)
            if pipe is None or self.stopping:
                continue
            was_ready = os.read(pipe, 1)
            os.close(pipe)
            code = os.waitstatus_to_exitcode(status)
            if was_ready:
                sys.stderr.write(f"process {pid} ended with {code}, and is replaced\n")
                time.sleep(_PAUSE_S)
            else:
                self.status = IMPORT_FAILED if code <= 0 else code
                self._stop()

    def _fork(self) -> None:
        reader, writer = os.pipe()
        signal.pthread_sigmask(signal.SIG_BLOCK, _STOPS)  # a stop meanwhile wouldn't reach a process that isn't noted yet
        pid = os.fork()
        if pid:
            self.ready[pid] = reader
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPS)
            os.close(writer)
            return
        _children.append(os.getpid())
        for name in _STOPS:
            signal.signal(name, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPS)
        status = 0
        try:
            self.run(lambda: os.close(writer) if os.write(writer, b"1") else None)
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else int(bool(end.code))
        except BaseException:  # noqa: BLE001  # it has its status from here
            traceback.print_exc()
            status = IMPORT_FAILED
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)

    def _stop(self, *_: object) -> None:
        self.stopping = True
        for each in _sockets:
            each.close()  # once the processes stop listening, nobody does
        for pid in self.ready:
            os.kill(pid, signal.SIGTERM)
