"""The Dockerfile by which `taxiway image` builds: the same scripts and the same contract as an S2I build."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

BUILDER_IMAGE = "localhost/taxiway-builder:latest"
RUNTIME_IMAGE = "localhost/taxiway-runtime:latest"
SCRIPTS = "/usr/libexec/s2i"
_SYSTEM = "/opt/system-packages"
_STATUS = "/opt/runtime-packages"


@dataclass(frozen=True, kw_only=True)
class ImagePlan:
    """What an image is built from."""

    builder: str
    runtime: str | None
    """None: the application stays on the builder image, as with a plain S2I build."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables of the build that stay in the image."""
    secrets: tuple[str, ...] = ()
    """Files of credentials that are mounted for the build; the engine is told where they are."""
    credentials: str = ""
    """Where the build looks for them."""
    packages: tuple[str, ...] = ()
    """Debian packages that the application needs."""
    assemble: str = f"{SCRIPTS}/assemble"
    run: str = f"{SCRIPTS}/run"


def render(plan: ImagePlan) -> str:
    """Write the Dockerfile; pure."""
    variables = [f"ENV {name}={_quote(value)}" for name, value in plan.environment.items()]
    mounts = [f"--mount=type=secret,id={name},target={plan.credentials}/{name},uid=1001" for name in plan.secrets]
    build = [
        f"FROM {plan.builder} AS build",
        *(_install(plan.packages, plan.runtime) if plan.packages else ()),
        *variables,
        "COPY --chown=1001:0 . /tmp/src",
        f"RUN {' '.join((*mounts, plan.assemble))}",
    ]
    if plan.runtime is None:
        return "\n".join([*build, f"CMD {json.dumps([plan.run])}", ""])
    runtime = [
        "",
        f"FROM {plan.runtime}",
        *([f"COPY --from=build {_SYSTEM}/ /"] if plan.packages else ()),
        *variables,
        "COPY --from=build --chown=1001:0 /opt/app-root /opt/app-root",
        f"CMD {json.dumps([plan.run])}",
        "",
    ]
    return "\n".join([*build, *runtime])


def _install(packages: Sequence[str], runtime: str | None) -> list[str]:
    """Install Debian packages in the builder stage, and set aside what of them the runtime image lacks: it has no apt."""
    names = " ".join(packages)
    apt = f"apt-get update && apt-get install --yes --no-install-recommends {names} && rm -rf /var/lib/apt/lists/*"
    aside = [f"COPY --from={runtime} /var/lib/dpkg/status {_STATUS}", f"RUN taxiway system-packages {_STATUS} {_SYSTEM} {names}"]
    return ["USER 0", f"RUN {apt}", *(aside if runtime else []), "USER 1001"]


def parse_s2i_environment(text: str) -> dict[str, str]:
    """Read .s2i/environment as the s2i tool does: NAME=value lines, no quotes removed, nothing expanded; pure."""
    pairs = (line.partition("=") for line in text.splitlines() if not line.startswith("#") and "=" in line)
    return {name.strip(): value.strip() for name, _, value in pairs if name.strip()}


def _quote(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$")
    return f'"{escaped}"'
