"""Running other programs: echoed, with their output passed on as it comes, and its end kept for the error message."""

import subprocess
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from taxiway import console
from taxiway.errors import CommandFailedError

_KEPT_LINES = 200


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
) -> Result:
    """Run a program; its stderr joins its stdout, because S2I keeps little of stderr for its report.

    Args:
        argv: The program and its arguments.
        env: Its whole environment.
        cwd: Its working directory.
        show: Decides for each line of output whether it is printed.
        echo: Whether to print the command first.

    Raises:
        CommandFailedError: It couldn't be started.
    """
    if echo:
        console.command(argv)
    tail: deque[str] = deque(maxlen=_KEPT_LINES)
    try:
        with subprocess.Popen(
            argv,
            env=dict(env),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        ) as process:
            assert process.stdout is not None  # noqa: S101  # asked for above
            for raw in process.stdout:
                line = raw.decode(errors="replace").rstrip()
                tail.append(line)
                if show(line):
                    console.say(f"       {line}")
    except OSError as error:
        raise CommandFailedError(console.join(argv), str(error)) from error
    return Result(process.returncode, "\n".join(tail))
