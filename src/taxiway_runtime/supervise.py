"""Several process types in one container: supervisord starts them in their order, restarts them, and stops them all at once.

usage: supervise.py CONFIGURATION NAME...

supervisord itself would write their output without names, start all at once, and end with 0 whatever happened. Here its own
events, within its process, are used: a program of its own for them would cost as much memory again.
"""

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from supervisor import events  # type: ignore[import-not-found,import-untyped,unused-ignore]
from supervisor.medusa.asyncore_25 import ExitNow  # type: ignore[import-not-found,import-untyped,unused-ignore]
from supervisor.options import ServerOptions  # type: ignore[import-not-found,import-untyped,unused-ignore]
from supervisor.states import SupervisorStates  # type: ignore[import-not-found,import-untyped,unused-ignore]
from supervisor.supervisord import Supervisor  # type: ignore[import-not-found,import-untyped,unused-ignore]

_OWN = "taxiway"
_LONGEST_LINE = 64 * 1024
_RETRIES = 3
_STABLE_S = 60  # who has run for so long starts anew; to fail at an import takes seconds where the CPU is a fraction


class Supervised(Supervisor):  # type: ignore[misc,unused-ignore]  # has no types
    """A supervisord that writes each line with the name of its process, and knows whether one gave up."""

    def __init__(self, options: Any, names: Sequence[str]) -> None:
        super().__init__(options)
        self.gave_up = False
        self._waiting = list(names)
        self._width = max(map(len, (_OWN, *names)))
        self._parts = dict.fromkeys(names, b"")
        self._failures: dict[str, int] = {}

    def runforever(self) -> None:
        """Run until all have stopped; the subscriptions of before are gone by now."""
        events.subscribe(events.ProcessLogEvent, self._on_output)
        events.subscribe(events.ProcessStateRunningEvent, self._on_up)
        events.subscribe(events.ProcessStateBackoffEvent, self._on_end)
        events.subscribe(events.ProcessStateExitedEvent, self._on_end)
        events.subscribe(events.ProcessStateStoppedEvent, self._on_end)
        self._start_next()
        super().runforever()

    def _start_next(self) -> None:
        if self._waiting:
            self.process_groups["all"].processes[self._waiting.pop(0)].spawn()

    def _on_output(self, event: Any) -> None:
        name = event.process.config.name
        *lines, rest = (self._parts[name] + event.data).split(b"\n")
        if len(rest) > _LONGEST_LINE:
            lines.append(rest)
            rest = b""
        self._parts[name] = rest
        self._write(name, lines)

    def _on_up(self, event: Any) -> None:
        self._say(f"{event.process.config.name} is up, process {event.process.pid}")
        self._start_next()

    def _on_end(self, event: Any) -> None:
        process = event.process
        name = process.config.name
        if self._parts[name]:
            self._write(name, [self._parts[name]])
            self._parts[name] = b""
        if self.options.mood != SupervisorStates.RUNNING:
            return  # all are being stopped
        ran_s = process.laststop - process.laststart
        self._failures[name] = 1 if ran_s > _STABLE_S else self._failures.get(name, 0) + 1
        self._say(f"{name} ended after {ran_s:.0f} s")
        if self._failures[name] > _RETRIES:
            self.gave_up = True
            self._say(f"{name} gave up; all others are stopped, and the container ends")
            self.options.mood = SupervisorStates.SHUTDOWN

    def _say(self, text: str) -> None:
        self._write(_OWN, [text.encode()])

    def _write(self, name: str, lines: Sequence[bytes]) -> None:
        text = b"".join(b"%s | %s\n" % (name.ljust(self._width).encode(), line) for line in lines)
        while text:
            text = text[os.write(1, text) :]


def main(configuration: str, names: Sequence[str]) -> int:
    """Run the processes; return the exit status."""
    options = ServerOptions()
    options.realize(["--configuration", configuration])
    options.first = True
    options.test = False
    supervised = Supervised(options, names)
    with suppress(ExitNow):  # its way to end
        supervised.main()
    return 1 if supervised.gave_up else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
