"""The container engines, by their command lines: Podman, Docker or Buildah, whichever answers."""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence

from taxiway.errors import NoEngineError

ENGINES = ("podman", "docker")
BUILDERS = (*ENGINES, "buildah")
"""Those that can build; Buildah runs nothing."""


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
        result = _ask(name, "info")
        if result.returncode == 0:
            return name
        tried.append(f"{name} info: {(result.stderr.strip().splitlines() or ['no answer'])[-1]}")
    raise NoEngineError(tried)


def has_mounts(engine: str, environ: Mapping[str, str] = os.environ) -> bool:
    """Tell whether the engine knows `RUN --mount`: of Docker only BuildKit does, which is a plug-in of its client."""
    return engine != "docker" or (environ.get("DOCKER_BUILDKIT") != "0" and _ask("docker", "buildx", "version").returncode == 0)


def _ask(*argv: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(argv, capture_output=True, text=True, check=False)


def build_command(
    engine: str,
    *,
    images: Sequence[str],
    dockerfile: str,
    context: str,
    network: str | None = None,
    secrets: Mapping[str, str] | None = None,
) -> list[str]:
    """Write the command that builds an image from a Dockerfile beside its context, with secrets by their files; pure."""
    pull = {"podman": ["--pull=never"], "docker": ["--pull=false"], "buildah": ["--pull-never", "--layers"]}[engine]
    networks = [f"--network={network}"] if network else []
    given = [f"--secret=id={name},src={path}" for name, path in (secrets or {}).items()]
    tags = [word for image in images for word in ("--tag", image)]
    return [engine, "build", *pull, *networks, *given, *tags, "--file", dockerfile, context]


def environment(engine: str, secrets: Mapping[str, str] | None, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for the build: before Docker 23, secrets have to be asked for with BuildKit; pure."""
    return {**environ, **({"DOCKER_BUILDKIT": "1"} if engine == "docker" and secrets else {})}


def save_command(engine: str, image: str) -> list[str]:
    """Write the command that sends an image to stdout, in the format that both engines have; pure."""
    kind = ["--format=docker-archive"] if engine == "podman" else []
    return [engine, "save", *kind, "--", image]
