"""`taxiway doctor`: `machine` looks at this machine, `project` at a source; `checks` says what that means, and what to type."""

from typing import NamedTuple

OK, MISSING, WRONG = "ok", "missing", "wrong"


class Finding(NamedTuple):
    """What was found about one thing."""

    area: str
    """What it is needed for: a name in `checks.AREAS`."""
    state: str
    """`OK`; `MISSING`: what it is needed for can't be done here; `WRONG`: it is there and doesn't do its work."""
    text: str
    fix: str = ""
    """A command or a change that makes it `OK`."""
