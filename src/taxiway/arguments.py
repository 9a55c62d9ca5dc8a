"""Splitting server arguments as a shell would, without running one.

Quotes, backslashes, `$NAME`, `${NAME}`, `${NAME:-default}`; a command substitution is never run: `$(` is refused.
This module is on the way of every container start: neither `re` nor `shlex` here.
"""

from collections.abc import Mapping

from taxiway.errors import IncompleteExpressionError

_NAME = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")
_DIGITS = frozenset("0123456789")


def split(text: str, environ: Mapping[str, str], origin: str) -> list[str]:  # noqa: C901, PLR0912  # one state machine
    """Split words and expand variables; a variable's value is never split again, nor looked at for more variables.

    Raises:
        IncompleteExpressionError: A quote or brace isn't closed, or there is a command substitution.
    """
    words: list[str] = []
    word = ""
    quote = ""
    quoted = False  # a quoted word counts even if it is empty
    position = 0
    while position < len(text):
        char = text[position]
        position += 1
        if char == quote:
            quote = ""
        elif quote == "'":
            word += char
        elif char == "\\":
            following = text[position : position + 1]
            if not following:
                raise IncompleteExpressionError(text, origin, "no character after the backslash at the end")
            position += 1
            if following != "\n":  # a continued line
                word += char + following if quote and following not in '"\\$`' else following
        elif char in {'"', "'"} and not quote:
            quote, quoted = char, True
        elif char == "`" or text.startswith("$(", position - 1):
            raise IncompleteExpressionError(text, origin, "a command substitution would be run")
        elif char == "$":
            value, position = _variable(text, position, environ, origin)
            word += value
        elif char.isspace() and not quote:
            if word or quoted:
                words.append(word)
            word, quoted = "", False
        else:
            word += char
    if quote:
        raise IncompleteExpressionError(text, origin, f"no closing {quote}")
    if word or quoted:
        words.append(word)
    return words


def _variable(text: str, position: int, environ: Mapping[str, str], origin: str) -> tuple[str, int]:
    """Read the variable after a dollar sign; return its value and the position behind it."""
    braced = text.startswith("{", position)
    start = end = position + braced
    while end < len(text) and text[end] in _NAME and not (end == start and text[end] in _DIGITS):
        end += 1
    name = text[start:end]
    if not braced:
        return (environ.get(name, "") if name else "$"), end
    rest, brace, _ = text[end:].partition("}")
    default = rest.removeprefix(":-")
    if not name or not brace or (rest and default == rest) or not frozenset("$`\"'\\").isdisjoint(default):
        raise IncompleteExpressionError(text, origin, "${...} takes a name, or a name and :-default without quotes")
    return environ.get(name) or default, end + len(rest) + 1
