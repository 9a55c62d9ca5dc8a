"""What is done beside the server, by `podman exec`, a Job or a probe: `setup`, `migrate`, `verify`, `alive`, `ready`.

Each becomes the hook of its name, in the environment that the server has; its exit status is the hook's. Without a hook,
`migrate` runs Django's migrations, `alive` and `ready` ask the running server, and the other two have nothing to do.

Probes run every few seconds: what this module imports has its price. Without a hook they read one small file, which the start
wrote, and neither the launch plan nor the environment files.
"""

import os
from collections.abc import Mapping
from typing import NoReturn

from taxiway import console, hooks, probes
from taxiway.errors import CommandFailedError
from taxiway.layout import Layout

_PROBES = ("alive", "ready")


def act(name: str, environ: Mapping[str, str]) -> str:
    """Run an action; comes back where there was no program to become, with the server's answer or why nothing was done.

    Args:
        name: `setup`, `migrate`, `verify`, `alive` or `ready`.
        environ: The environment.

    Raises:
        TaxiwayError: The server isn't alive or ready; a hook isn't executable; or what a start refuses too.
    """
    layout = Layout.from_environ(environ)
    if not layout.local:
        os.umask(0o002)
    hook = hooks.find(layout.source, name)
    if name in _PROBES and hook is None:
        answer = probes.ask(name, environ)
        console.say(f"{name}: {answer}")
        return answer
    if name in {"setup", "verify"} and hook is None:
        return _nothing(f"There is no hook {name}")
    from taxiway import launch_plan, migrations, start  # noqa: PLC0415  # not for a probe

    plan = launch_plan.read(layout.launch_plan)
    running = probes.target(environ)
    launch = start.look(plan, {"port": running.port} if running and running.port else {}, environ, layout)
    if hook:
        return _become((hook,), hooks.environment(hook, launch.environ, layout.source), layout.source)
    if plan.framework == "django":
        return _become(migrations.command(launch), {**launch.environ, "TAXIWAY_PHASE": name}, launch.home)
    return _nothing("There is no hook migrate, and the application isn't Django's")


def _nothing(reason: str) -> str:
    console.step(f"{reason}: nothing to do")
    return reason


def _become(argv: tuple[str, ...], environ: Mapping[str, str], directory: str) -> NoReturn:
    os.chdir(directory)
    try:
        os.execve(argv[0], argv, environ)  # noqa: S606  # it gets the signals, and its exit status is the answer
    except OSError as error:
        raise CommandFailedError(console.join(argv), str(error)) from error
