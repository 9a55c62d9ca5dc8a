"""All printing. Progress goes to stdout, warnings and errors to stderr.

S2I keeps only the first kilobyte of a failing assemble's stderr for its report, so nothing else may go there.
"""

import sys
from collections.abc import Iterable, Sequence

_SAFE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@%+=:,./-_")


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


def say(text: str) -> None:
    """Print a line of progress."""
    print(masked(text), flush=True)  # noqa: T201


def step(text: str) -> None:
    """Announce a step."""
    say(f"---> {text}")


def detail(text: str) -> None:
    """Print a line that belongs to the step before."""
    say(f"     {text}")


def command(argv: Sequence[str]) -> None:
    """Echo a command that is about to run."""
    say(f"     $ {join(argv)}")


def warn(text: str) -> None:
    """Print a warning."""
    print(f"warning: {_for_s2i(masked(text))}", file=sys.stderr, flush=True)  # noqa: T201


def error(text: str, code: str) -> None:
    """Print an expected failure with its code."""
    sys.stdout.flush()
    print(f"error: {_for_s2i(masked(text))}\n\n[{code}]", file=sys.stderr, flush=True)  # noqa: T201


def _for_s2i(text: str) -> str:
    """Reword lines of other programs, such as "starlette was not found", that S2I would take for an image without tar.

    Its pattern for a failed assemble's stderr is `tar.*not found`; it then starts the build again in another way.
    """
    return "\n".join(
        f"{head}tar{tail.replace('not found', 'missing')}" if found else line
        for line in text.split("\n")
        for head, found, tail in (line.partition("tar"),)
    )
