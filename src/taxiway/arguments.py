"""Splitting server arguments as a shell would, without running one.

Quotes, backslashes, `$NAME`, `${NAME}`, `${NAME:-default}`; a command substitution is never run: `$(` is refused.
"""

from collections.abc import Mapping

from taxiway.errors import IncompleteExpressionError


def split(text: str, environ: Mapping[str, str], origin: str) -> list[str]:
    """Split words and expand variables; a variable's value is never split again.

    Raises:
        IncompleteExpressionError: A quote or brace isn't closed, or there is a command substitution.
    """
    if not text.strip():
        return []
    import re  # noqa: PLC0415
    import shlex  # noqa: PLC0415  # only where arguments are given; a container start is short

    if "`" in text or "$(" in text:
        raise IncompleteExpressionError(text, origin, "a command substitution would be run")
    # Single quotes protect a dollar sign: hide it there before the words are split.
    hidden = re.sub(r"'[^']*'", lambda match: match[0].replace("$", "\0"), text)
    try:
        words = shlex.split(hidden)
    except ValueError as error:
        raise IncompleteExpressionError(text, origin, str(error).lower()) from error

    def value(match: re.Match[str]) -> str:
        name = match["plain"] or match["braced"]
        return environ.get(name) or match["default"] or ""

    pattern = re.compile(r"\$(?:(?P<plain>[A-Za-z_]\w*)|\{(?P<braced>[A-Za-z_]\w*)(?::-(?P<default>[^}]*))?\})")
    if any("${" in pattern.sub("", word) for word in words):
        raise IncompleteExpressionError(text, origin, "${...} takes a name, or a name and :-default")
    return [pattern.sub(value, word).replace("\0", "$") for word in words]
