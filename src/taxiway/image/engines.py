"""The container engines, by their command lines: Podman or Docker, whichever answers."""

import shutil
import subprocess
from collections.abc import Mapping, Sequence

from taxiway.errors import NoEngineError

ENGINES = ("podman", "docker")


def find(engines: Sequence[str] = ENGINES) -> str:
    """Return the first engine that answers; a client without its service doesn't count.

    Raises:
        NoEngineError: None does.
    """
    tried = []
    for name in engines:
        if shutil.which(name) is None:
            tried.append(f"{name}: no such command")
            continue
        result = subprocess.run([name, "info"], capture_output=True, text=True, check=False)
        if result.returncode == 0:
            return name
        tried.append(f"{name} info: {(result.stderr.strip().splitlines() or ['no answer'])[-1]}")
    raise NoEngineError(tried)


def build_command(
    engine: str,
    *,
    image: str,
    dockerfile: str,
    context: str,
    network: str | None = None,
    secrets: Mapping[str, str] | None = None,
) -> list[str]:
    """Write the command that builds an image from a Dockerfile beside its context, with secrets by their files; pure."""
    pull = "--pull=never" if engine == "podman" else "--pull=false"
    networks = [f"--network={network}"] if network else []
    given = [f"--secret=id={name},src={path}" for name, path in (secrets or {}).items()]
    return [engine, "build", pull, *networks, *given, "--tag", image, "--file", dockerfile, context]


def save_command(engine: str, image: str) -> list[str]:
    """Write the command that sends an image to stdout, in the format that both engines have; pure."""
    kind = ["--format=docker-archive"] if engine == "podman" else []
    return [engine, "save", *kind, "--", image]
