"""What every server has to show, and the table of it in docs/servers.md."""

from taxiway import servers
from taxiway.launch_plan import ASGI, PROGRAMS, WSGI

SERVERS = tuple((name, interface) for interface in (WSGI, ASGI) for name in servers.fitting(interface) if name not in PROGRAMS)
# What is checked, by the words that the table has for it; test_servers.py has a function for each.
COLUMNS = (
    "any user ID, read-only root",
    "immutable",
    "PORT, IPv4 and IPv6",
    "static file",
    "64 MB upload",
    "slow client",
    "500 in the log",
    "SIGTERM in flight",
    "load while stopping",
    "second signal",
    "failed import",
)


def table() -> str:
    """Write the table; a cell isn't there unless its check is, and the checks are run for all of them."""
    lines = [
        f"| server | {' | '.join(COLUMNS)} |",
        f"| --- {'| --- ' * len(COLUMNS)}|",
        *(f"| {name}, {interface} {'| yes ' * len(COLUMNS)}|" for name, interface in SERVERS),
    ]
    return "\n".join(lines) + "\n"
