"""Running other programs: echoed, with their output passed on as it comes, and its end kept for the error message."""

import re
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, NamedTuple

from taxiway import console
from taxiway.errors import CommandFailedError

_KEPT_LINES = 200
# What programs write to move and color on a terminal: ECMA-48 control sequences, and operating system commands.
_CONTROL = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
_REST_S = 2.0  # for what a program that has ended left in the pipe


class Result(NamedTuple):
    """How a program ended."""

    status: int
    """Exit status; negative: the signal that killed it."""
    output: str
    """The last lines of its output."""

    @property
    def reason(self) -> str:
        """Say how it ended, for a message."""
        return f"exit status {self.status}" if self.status >= 0 else f"signal {-self.status}"


def run(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: str | Path,
    show: Callable[[str], bool] = lambda _: True,
    echo: bool = True,
    brief: bool = False,
    capture: bool = True,
) -> Result:
    """Run a program; its stderr joins its stdout, because S2I keeps little of stderr for its report.

    What the program leaves running in the background isn't waited for.

    Args:
        argv: The program and its arguments.
        env: Its whole environment.
        cwd: Its working directory.
        show: Decides for each line of output whether it is printed.
        echo: Whether to print the command first.
        brief: On a terminal, its last line of output only, in place of the one before; all of it with --verbose.
        capture: Whether its output comes through here; otherwise it has this process's stdout and stderr, for longer than
            this process is there.

    Raises:
        CommandFailedError: It couldn't be started.
    """
    if echo:
        console.command(argv)
    tail: deque[str] = deque(maxlen=_KEPT_LINES)
    try:
        process = subprocess.Popen(  # `with` would wait for the end of the output
            argv,
            env=dict(env),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if capture else None,
            stderr=subprocess.STDOUT if capture else None,
        )
    except OSError as error:
        raise CommandFailedError(console.join(argv), str(error)) from error
    pipe = process.stdout

    def pass_on() -> None:
        if pipe is None:
            return
        with pipe:
            for raw in pipe:
                line = plain(raw.decode(errors="replace"))
                tail.append(line)
                if not show(line):
                    continue
                if brief and console.is_live():
                    console.status(line)
                else:
                    console.say(f"       {line}")

    reader = threading.Thread(target=pass_on, daemon=True)
    reader.start()
    process.wait()
    reader.join(_REST_S)  # longer only where a background process has the pipe
    return Result(process.returncode, "\n".join(tail.copy()))


def plain(line: str) -> str:
    """Return a line as it would stand there on a terminal in the end, without control characters; pure."""
    return _CONTROL.sub("", line).rstrip().rpartition("\r")[2]


def output(argv: Sequence[str], *, env: Mapping[str, str], cwd: str | Path, timeout_s: float | None = None) -> Result:
    """Run a program for what it prints; its stdout if it succeeds, else its stderr.

    Raises:
        CommandFailedError: It couldn't be started, or took longer than `timeout_s`.
    """
    try:
        done = subprocess.run(
            argv, env=dict(env), cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=timeout_s
        )
    except subprocess.TimeoutExpired as error:
        raise CommandFailedError(console.join(argv), f"no answer after {error.timeout:.0f} s") from error
    except OSError as error:
        raise CommandFailedError(console.join(argv), str(error)) from error
    return Result(done.returncode, (done.stderr if done.returncode else done.stdout).decode(errors="replace"))


def output_to(file: IO[bytes], argv: Sequence[str], *, env: Mapping[str, str], cwd: str | Path) -> Result:
    """Run a program that writes data into a file; the result has its stderr.

    Raises:
        CommandFailedError: It couldn't be started.
    """
    try:
        done = subprocess.run(
            argv, env=dict(env), cwd=cwd, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.PIPE, check=False
        )
    except OSError as error:
        raise CommandFailedError(console.join(argv), str(error)) from error
    return Result(done.returncode, done.stderr.decode(errors="replace"))
