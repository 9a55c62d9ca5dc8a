"""How a server is stopped: graceful.sh, and several processes that serve the same sockets."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from taxiway.layout import runtime_path

SCRIPT = f"{runtime_path()}/taxiway_runtime/graceful.sh"
Start = Callable[..., subprocess.Popen[str]]
pytestmark = pytest.mark.programs


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a program and wait until it has printed `ready`."""
    started: list[subprocess.Popen[str]] = []

    def run(*argv: str, env: dict[str, str] | None = None) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            argv,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": runtime_path()} | (env or {}),
            start_new_session=True,
        )
        started.append(process)
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        return process

    yield run
    for process in started:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def server(on_signal: str, *, seconds: int = 20, signal_name: str = "TERM", then: str = "") -> tuple[str, ...]:
    """A command line of graceful.sh for a server in shell."""
    program = f"trap '{on_signal}' TERM WINCH; echo ready; {then} while :; do sleep 0.05; done"
    return ("sh", SCRIPT, signal_name, str(seconds), "sh", "-c", program)


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("status", [0, 143])
def test_stop(start: Start, sent: signal.Signals, status: int) -> None:
    """What the server has begun is finished, and the status is 0, even if the server's own tells the signal."""
    process = start(*server(f"echo finished; exit {status}"))
    process.send_signal(sent)
    assert process.communicate(timeout=20)[0] == "finished\n"
    assert process.returncode == 0


def test_another_signal_for_the_server(start: Start) -> None:
    process = start(
        "sh", SCRIPT, "WINCH", "20", "sh", "-c", "trap 'echo winch; exit' WINCH; echo ready; while :; do sleep 0.05; done"
    )
    process.terminate()
    assert process.communicate(timeout=20)[0] == "winch\n"


@pytest.mark.parametrize(("sent", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_second_signal(start: Start, sent: signal.Signals, status: int) -> None:
    process = start(*server("echo asked"))
    process.terminate()
    assert process.stdout
    assert process.stdout.readline() == "asked\n"
    process.send_signal(sent)
    assert process.wait(timeout=20) == status


def test_bound(start: Start) -> None:
    """A server that doesn't stop is killed after its time."""
    process = start(*server(":", seconds=1))
    process.terminate()
    assert process.wait(timeout=20) == 0


def test_status_of_a_server_that_ends_by_itself(start: Start) -> None:
    process = start(*server(":", then="exit 7;"))
    assert process.wait(timeout=20) == 7


def test_other_signals_are_passed_on(start: Start) -> None:
    process = start(
        "sh", SCRIPT, "TERM", "20", "sh", "-c", "trap 'echo hup; exit 5' HUP; echo ready; while :; do sleep 0.05; done"
    )
    process.send_signal(signal.SIGHUP)
    assert process.communicate(timeout=20)[0] == "hup\n"
    assert process.returncode == 5


def test_import_that_failed_in_a_server_that_stays_up(start: Start) -> None:
    process = start(*server("exit 0", then='kill -s ABRT "$TAXIWAY_SUPERVISOR";'))
    assert process.wait(timeout=20) == 3


def program(text: str, seconds: int = 20) -> tuple[str, ...]:
    """A command line of graceful.sh for a shell script of the user's."""
    return ("sh", SCRIPT, "program", str(seconds), "bash", "-c", text)


CHILD = "import os, signal, sys, time; signal.signal(15, lambda *_: (time.sleep(0.3), os.write(1, b'finished\\n'), sys.exit()))"
WAITS = f"{sys.executable} -c \"{CHILD}; print('ready', flush=True); time.sleep(60)\""


@pytest.mark.parametrize(
    ("text", "said", "status"),
    [
        (f"exec {WAITS}", "finished\n", 0),
        (f"{WAITS}; echo not reached", "finished\n", 0),  # the shell dies at once, what it runs is told then
        ("echo ready; exec sleep 60", "", 0),  # ended by the signal
        ("trap 'exit 4' TERM; echo ready; while :; do sleep 0.05; done", "", 4),  # its own problem
        ("echo ready; exit 6", "", 6),
    ],
)
def test_programs(start: Start, text: str, said: str, status: int) -> None:
    process = start(*program(text))
    if status != 6:
        process.terminate()
    assert process.communicate(timeout=20)[0] == said
    assert process.returncode == status


def test_a_program_stops_its_own_children(start: Start) -> None:
    """They don't get the signal as long as it runs."""
    parent = "(trap 'echo child told' TERM; while :; do sleep 0.05; done) & trap 'sleep 0.3; kill -9 $!; exit' TERM; "
    process = start(*program(f"{parent} echo ready; while :; do sleep 0.05; done"))
    process.terminate()
    assert process.communicate(timeout=20)[0] == ""
    assert process.returncode == 0


@pytest.mark.parametrize("again", [True, False])
def test_a_program_that_does_not_stop(start: Start, again: bool) -> None:  # noqa: FBT001
    """A second signal ends it at once, with all that it has started; else it has its time."""
    process = start(*program("(trap '' TERM; echo ready; sleep 60; echo late); echo late", seconds=20 if again else 1))
    process.terminate()
    if again:
        while Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().count(" ") < 2:
            pass  # the timer of the stop isn't there yet
        process.terminate()
    assert process.communicate(timeout=10)[0] == ""
    assert process.returncode == (143 if again else 0)


PREFORK = """\
import os, signal, sys, time
from taxiway_runtime import prefork

def run(ready):
    if "FAIL" in os.environ:
        raise RuntimeError("no import")
    stop = []
    signal.signal(signal.SIGTERM, lambda *_: stop.append(1))
    ready()
    os.write(1, b"up\\n")
    while not stop:
        time.sleep(0.02)
        try:
            os.unlink(os.environ["DIE"])  # one of them only
        except FileNotFoundError:
            continue
        os._exit(9)
    os.write(1, b"down\\n")

os.write(1, b"ready\\n")
prefork.serve(run, int(sys.argv[1]))
"""


@pytest.mark.parametrize("processes", [1, 3])
def test_processes_stop_as_one(start: Start, tmp_path: Path, processes: int) -> None:
    process = start(sys.executable, "-c", PREFORK, str(processes), env={"DIE": str(tmp_path / "die")})
    assert process.stdout
    assert [process.stdout.readline() for _ in range(processes)] == ["up\n"] * processes
    process.terminate()
    assert process.communicate(timeout=20)[0] == "down\n" * processes
    assert process.returncode == 0


def test_process_that_dies_is_replaced(start: Start, tmp_path: Path) -> None:
    die = tmp_path / "die"
    process = start(sys.executable, "-c", PREFORK, "2", env={"DIE": str(die)})
    assert process.stdout
    assert [process.stdout.readline() for _ in range(2)] == ["up\n"] * 2
    die.touch()
    assert "ended with 9, and is replaced" in process.stdout.readline()
    assert process.stdout.readline() == "up\n"
    process.terminate()
    assert process.communicate(timeout=20)[0] == "down\n" * 2


@pytest.mark.parametrize("processes", [1, 2])
def test_import_that_fails(start: Start, processes: int) -> None:
    """It isn't tried again and again."""
    process = start(sys.executable, "-c", PREFORK, str(processes), env={"FAIL": "1"})
    assert process.stdout
    assert "RuntimeError: no import" in process.stdout.read()
    assert process.wait(timeout=20) == (1 if processes == 1 else 3)
