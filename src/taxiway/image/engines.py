"""The container engines, by their command lines: Podman, Docker or Buildah, whichever answers."""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence

from taxiway.errors import NoEngineError

ENGINES = ("podman", "docker")
BUILDERS = (*ENGINES, "buildah")
"""Those that can build; Buildah runs nothing."""
_PLUG_IN_SINCE = 23  # Docker's release notes: BuildKit is the default builder, by buildx


def ask(argv: Sequence[str]) -> "subprocess.CompletedProcess[str]":
    """Run a command for what it says."""
    return subprocess.run(argv, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)


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
        result = ask([name, "info"])
        if result.returncode == 0:
            return name
        tried.append(f"{name} info: {(result.stderr.strip().splitlines() or ['no answer'])[-1]}")
    raise NoEngineError(tried)


def docker_has_mounts(*, asked: bool, environ: Mapping[str, str] = os.environ) -> bool:
    """Tell whether Docker knows `RUN --mount`: only BuildKit does, a plug-in of its client from version 23 on.

    Older clients bring it themselves, but use it only if they are told; that is done where something has to be mounted (`asked`).
    """
    if environ.get("DOCKER_BUILDKIT") == "0":
        return False
    if ask(["docker", "buildx", "version"]).returncode == 0:
        return True
    version = ask(["docker", "version", "--format", "{{.Client.Version}}"]).stdout.partition(".")[0]
    return asked and version.isdecimal() and int(version) < _PLUG_IN_SINCE


def digest(engine: str, image: str) -> str:
    """Return the digest of a local image's manifest; empty where the engine doesn't know one."""
    argv = {
        "podman": ["image", "inspect", "--format", "{{.Digest}}", image],
        "docker": ["image", "inspect", "--format", "{{index .RepoDigests 0}}", image],
        "buildah": ["inspect", "--type", "image", "--format", "{{.FromImageDigest}}", image],
    }[engine]
    result = ask([engine, *argv])
    found = result.stdout.strip().rpartition("@")[2]
    return found if result.returncode == 0 and found.startswith("sha256:") else ""


def build_command(
    engine: str,
    *,
    images: Sequence[str],
    dockerfile: str,
    context: str,
    network: str | None = None,
    platform: str | None = None,
    secrets: Mapping[str, str] | None = None,
    timestamp_s: int | None = None,
    target: str | None = None,
    id_file: str | None = None,
    cached: bool = True,
) -> list[str]:
    """Write the command that builds an image from a Dockerfile beside its context, with secrets by their files; pure."""
    pull = {"podman": ["--pull=never"], "docker": ["--pull=false", "--force-rm"], "buildah": ["--pull-never", "--layers"]}[engine]
    named = {"network": network, "platform": platform, "timestamp": timestamp_s, "target": target, "iidfile": id_file}
    options = [f"--{name}={value}" for name, value in named.items() if value is not None] + ["--no-cache"] * (not cached)
    given = [f"--secret=id={name},src={path}" for name, path in (secrets or {}).items()]
    tags = [word for image in images for word in ("--tag", image)]
    return [engine, "build", *pull, *options, *given, *tags, "--file", dockerfile, context]


def platform_of(engine: str, image: str) -> str | None:
    """Return the platform that an image is for, such as linux/amd64; None: the engine hasn't got it."""
    if engine == "buildah":
        result = ask(["buildah", "inspect", "--type=image", "--format={{.OCIv1.OS}}/{{.OCIv1.Architecture}}", image])
    else:
        result = ask([engine, "image", "inspect", "--format={{.Os}}/{{.Architecture}}", image])
    return result.stdout.strip() if result.returncode == 0 else None


def id_of(engine: str, image: str) -> str | None:
    """Return an image's ID; None: the engine hasn't got it."""
    if engine == "buildah":
        result = ask(["buildah", "inspect", "--type=image", "--format={{.FromImageID}}", image])
    else:
        result = ask([engine, "image", "inspect", "--format={{.Id}}", image])
    return result.stdout.strip() if result.returncode == 0 else None


def push_command(engine: str, image: str, *, insecure: bool) -> list[str]:
    """Write the command that pushes an image; Docker's service has its own list of registries without TLS. Pure."""
    return [engine, "push", *["--tls-verify=false"] * (insecure and engine != "docker"), image]


def registry_of(image: str) -> str | None:
    """Return the registry in an image's name; None where it has none. Source: the distribution project's reference grammar."""
    first, slash, _ = image.partition("/")
    return first if slash and ("." in first or ":" in first) else None


def save_command(engine: str, image: str) -> list[str]:
    """Write the command that sends an image to stdout, in the format that both engines have; pure."""
    kind = ["--format=docker-archive"] if engine == "podman" else []
    return [engine, "save", *kind, "--", image]
