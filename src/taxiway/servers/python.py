"""A Python program that listens by itself; PORT tells it where."""

from taxiway.arguments import split
from taxiway.launch_plan import PYTHON
from taxiway.servers import Command, Launch

PACKAGE: str | None = None
REQUIRES: tuple[str, ...] = ()
INTERFACES = (PYTHON,)


def command(launch: Launch) -> Command:
    """Run the script with the application's interpreter."""
    settings = launch.settings
    arguments = split(settings.server_args, launch.environ, settings.origin("server_args"))
    return Command(argv=launch.program(launch.layout.python, launch.plan.app, *arguments))
