"""The application's own programs, run at fixed points: executable files in `.taxiway/hooks/`.

Their older place, `.warpdrive/action_hooks/`, is read too. A failing hook ends the build or the start; a hook without its run bit
is an error.
This module is on the way of every container start.
"""

import os
from collections.abc import Mapping

from taxiway import console
from taxiway.errors import HookFailedError, HookNotExecutableError

NAMES = ("pre-build", "build", "deploy-cfg", "deploy", "setup", "migrate", "verify", "alive", "ready")
DIRECTORIES = (".taxiway/hooks", ".warpdrive/action_hooks")
_AT_START = ("deploy-cfg", "deploy")  # this process becomes the server then, and could pass on nothing of a background process


def find(source: str, name: str) -> str | None:
    """Return the path of a hook.

    Raises:
        HookNotExecutableError: It is there without its run bit.
    """
    for directory in DIRECTORIES:
        relative = os.path.join(directory, name)
        path = os.path.join(source, relative)
        if os.path.isfile(path):
            if not os.access(path, os.X_OK):
                raise HookNotExecutableError(relative)
            return path
    return None


def environment(path: str, environ: Mapping[str, str], source: str) -> dict[str, str]:
    """Return the environment for a hook: its name as TAXIWAY_PHASE is added, and for one of warpdrive's what warpdrive tells."""
    name = os.path.basename(path)
    told = {}
    if os.path.dirname(path).endswith(DIRECTORIES[1]):
        from taxiway.warpdrive import for_hook  # noqa: PLC0415  # not for a probe

        told = for_hook(name, environ, source)
    return {**environ, **told, "TAXIWAY_PHASE": name}


def run(source: str, name: str, environ: Mapping[str, str]) -> bool:
    """Run a hook in the source directory, if there is one; tell whether there was.

    Args:
        source: The application's source.
        name: The hook's name, such as `build` or `deploy`.
        environ: The environment that the server gets too; TAXIWAY_PHASE is added.

    Raises:
        HookNotExecutableError: It is there without its run bit.
        HookFailedError: It ended with an error.
    """
    path = find(source, name)
    if path is None:
        return False
    console.step(f"Running the hook {name}")
    from taxiway.process import run as run_program  # noqa: PLC0415  # only where there is a hook

    result = run_program([path], env=environment(path, environ, source), cwd=source, capture=name not in _AT_START)
    if result.status:
        raise HookFailedError(name, os.path.relpath(path, source), result.status, result.output)
    return True


def run_once(source: str, name: str, environ: Mapping[str, str], marker: str) -> None:
    """Run a hook once for each container; the marker is written after it succeeded."""
    if find(source, name) is None or os.path.exists(marker):
        return
    run(source, name, environ)
    with open(marker, "w", encoding="ascii"):
        pass
