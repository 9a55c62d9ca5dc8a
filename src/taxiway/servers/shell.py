"""An executable file, such as app.sh, that listens by itself; PORT tells it where."""

import os

from taxiway.arguments import split
from taxiway.launch_plan import SHELL
from taxiway.servers import Command, Launch

PACKAGE: str | None = None
REQUIRES: tuple[str, ...] = ()
INTERFACES = (SHELL,)


def command(launch: Launch) -> Command:
    """Run the file."""
    settings = launch.settings
    arguments = split(settings.server_args, launch.environ, settings.origin("server_args"))
    return Command(argv=launch.program(os.path.join(launch.home, launch.plan.app), *arguments))
