"""A command line, such as a Procfile's, that listens by itself; PORT tells it where.

bash runs it, as on the platforms that Procfiles come from; bash becomes a simple command, and the last one of an && list.
"""

from taxiway.launch_plan import COMMAND
from taxiway.servers import Command, Launch

PACKAGE: str | None = None
REQUIRES: tuple[str, ...] = ()
INTERFACES = (COMMAND,)


def command(launch: Launch) -> Command:
    """Run the command line."""
    return Command(argv=launch.program("bash", "-c", launch.plan.app))
