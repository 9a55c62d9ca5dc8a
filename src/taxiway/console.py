"""All printing. Progress goes to stdout, warnings and errors to stderr.

S2I keeps only the first kilobyte of a failing assemble's stderr for its report, so nothing else may go there. On a terminal there
is more: colour, and a last line that says what a running step is doing; elsewhere not one control character is written.

This module is on the way of every container start, so it does with a few escape sequences (ECMA-48) what click or rich would do.
"""

import os
import sys
import time
from _thread import allocate_lock
from collections.abc import Iterable, Mapping, Sequence
from typing import Self, TextIO

_SAFE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@%+=:,./-_")

QUIET, NORMAL, VERBOSE = -1, 0, 1
_DIM, _RED, _YELLOW, _CYAN = "2", "1;31", "33", "1;36"
_ERASE = "\r\x1b[2K"  # the whole line
_TICK_S = 0.5


def quote(word: str) -> str:
    """Quote one word for a shell, as `shlex.quote` does, without its import at each container start."""
    if word and _SAFE.issuperset(word):
        return word
    return "'" + word.replace("'", "'\"'\"'") + "'"


def join(argv: Sequence[str]) -> str:
    """Write a command so that it can be pasted into a shell."""
    return " ".join(map(quote, argv))


_hidden: list[str] = []


def hide(values: Iterable[str]) -> None:
    """Print asterisks in place of these values from now on."""
    _hidden[:] = sorted({*_hidden, *filter(None, values)}, key=len, reverse=True)


def masked(text: str) -> str:
    """Return a text with asterisks in place of hidden values."""
    for value in _hidden:
        text = text.replace(value, "****")
    return text


class _Options:
    """How much is told, and where; by the options of the command line."""

    level = NORMAL
    as_json = False


def configure(*, level: int = NORMAL, as_json: bool = False) -> None:
    """Say how much to tell.

    Args:
        level: `QUIET`: warnings, errors and data alone; `VERBOSE`: all that programs say, on a terminal too.
        as_json: stdout gets nothing but data; progress goes to stderr.
    """
    _Options.level, _Options.as_json = level, as_json


def level() -> int:
    """Return how much is told."""
    return _Options.level


def is_verbose() -> bool:
    """Tell whether all details are asked for."""
    return _Options.level >= VERBOSE


def is_json() -> bool:
    """Tell whether data is to be written as JSON."""
    return _Options.as_json


def wants_color(environ: Mapping[str, str], *, is_terminal: bool) -> bool:
    """Tell whether to write colours: https://no-color.org, https://force-color.org, and none on a dumb terminal."""
    if environ.get("NO_COLOR"):
        return False
    return bool(environ.get("FORCE_COLOR")) or (is_terminal and environ.get("TERM") != "dumb")


def wants_status(environ: Mapping[str, str], *, is_terminal: bool) -> bool:
    """Tell whether a line may be written over: on a terminal that isn't a CI system's."""
    return is_terminal and environ.get("TERM") != "dumb" and not environ.get("CI")


def is_live() -> bool:
    """Tell whether `status` is seen: on a terminal, unless --quiet or --verbose is given."""
    return _Options.level == NORMAL and wants_status(os.environ, is_terminal=sys.stderr.isatty())


def paint(text: str, style: str, stream: TextIO) -> str:
    """Color a text, if the stream wants it."""
    return f"\x1b[{style}m{text}\x1b[0m" if wants_color(os.environ, is_terminal=stream.isatty()) else text


_lock = allocate_lock()  # a program's output is read by a thread of its own


def _write(text: str, stream: TextIO) -> None:
    with _lock:
        _erase_status()
        print(text, file=stream, flush=True)
        _draw_status()


def _say(text: str, head: str = "", style: str = "") -> None:
    """Print a line of progress; its head, or all of it, in a style."""
    if _Options.level < NORMAL:
        return
    stream = sys.stderr if _Options.as_json else sys.stdout
    head, text = (paint(head, style, stream), masked(text)) if head or not style else ("", paint(masked(text), style, stream))
    _write(head + text, stream)


def say(text: str) -> None:
    """Print a line of progress."""
    _say(text)


def data(text: str) -> None:
    """Print what was asked for, on stdout whatever is muted."""
    _write(masked(text), sys.stdout)


def data_as_json(value: object) -> None:
    """Print what was asked for as JSON."""
    import json  # noqa: PLC0415  # not at a start

    data(json.dumps(value, indent=2))


class Step:
    """A step that was announced. In a `with` it ends with what came of it and its duration, and shows what it does meanwhile."""

    result = ""
    """What came of it, in a few words."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.doing = ""
        self._started = 0.0

    def __enter__(self) -> Self:
        self._started = time.monotonic()
        _running.append(self)
        _start_ticking()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: object) -> None:
        with _lock:
            _erase_status()
            _running.remove(self)
        duration = f"{time.monotonic() - self._started:.1f} s"
        if kind is None:
            detail(", ".join(filter(None, (self.result, duration))))
        else:
            _say(f"     failed after {duration}", style=_RED)

    @property
    def line(self) -> str:
        """What stands in the last line of a terminal."""
        return f"     {time.monotonic() - self._started:.0f} s  {self.doing or masked(self.title)}"


def step(title: str) -> Step:
    """Announce a step; `with console.step("...") as step:` also tells its `result` and duration at its end."""
    _say(f" {title}", "--->", _CYAN)
    return Step(title)


def detail(text: str) -> None:
    """Print a line that belongs to the step before."""
    _say(f"     {text}")


def debug(text: str) -> None:
    """Print a detail that only --verbose asks for."""
    if is_verbose():
        _say(f"     {text}", style=_DIM)


def command(argv: Sequence[str]) -> None:
    """Echo a command that is about to run."""
    _say(f"     $ {join(argv)}", style=_DIM)


def status(text: str) -> None:
    """Say what the running step is doing right now: on a terminal only, in the place of what was said before."""
    if _running and is_live():
        with _lock:
            _running[-1].doing = masked(text.strip())
            _draw_status()


_running: list[Step] = []


def _erase_status() -> None:
    if _running and is_live():
        sys.stderr.write(_ERASE)
        sys.stderr.flush()


def _draw_status() -> None:
    if _running and is_live():
        try:
            columns = os.get_terminal_size(sys.stderr.fileno()).columns
        except (OSError, ValueError):
            columns = 80
        line = "".join(c for c in _running[-1].line if c.isprintable())[: max(columns, 20) - 1]
        sys.stderr.write(_ERASE + paint(line, _DIM, sys.stderr))
        sys.stderr.flush()


def _start_ticking() -> None:
    """Keep the seconds of the last line going, as long as there is a step."""
    if len(_running) > 1 or not is_live():
        return
    import threading  # noqa: PLC0415  # on a terminal only

    def tick() -> None:
        while _running:
            with _lock:
                _draw_status()
            time.sleep(_TICK_S)

    threading.Thread(target=tick, daemon=True).start()


def warn(text: str) -> None:
    """Print a warning."""
    _write(f"{paint('warning:', _YELLOW, sys.stderr)} {_for_s2i(masked(text))}", sys.stderr)


def error(text: str, code: str) -> None:
    """Print an expected failure with its code."""
    sys.stdout.flush()
    more = f"  More: taxiway explain {code}" if sys.stderr.isatty() and code != "bug" else ""
    _write(f"{paint('error:', _RED, sys.stderr)} {_for_s2i(masked(text))}\n\n[{code}]{more}", sys.stderr)


def _for_s2i(text: str) -> str:
    """Reword lines of other programs, such as "starlette was not found", that S2I would take for an image without tar.

    Its pattern for a failed assemble's stderr is `tar.*not found`; it then starts the build again in another way.
    """
    return "\n".join(
        f"{head}tar{tail.replace('not found', 'missing')}" if found else line
        for line in text.split("\n")
        for head, found, tail in (line.partition("tar"),)
    )
