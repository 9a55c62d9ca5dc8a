"""The Dockerfile by which `taxiway image` builds: the same scripts and the same contract as an S2I build."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

BUILDER_IMAGE = "localhost/taxiway-builder:latest"
RUNTIME_IMAGE = "localhost/taxiway-runtime:latest"
SCRIPTS = "/usr/libexec/s2i"


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
    assemble: str = f"{SCRIPTS}/assemble"
    run: str = f"{SCRIPTS}/run"


def render(plan: ImagePlan) -> str:
    """Write the Dockerfile; pure."""
    variables = [f"ENV {name}={_quote(value)}" for name, value in plan.environment.items()]
    mounts = [f"--mount=type=secret,id={name},target={plan.credentials}/{name},uid=1001" for name in plan.secrets]
    build = [
        f"FROM {plan.builder} AS build",
        *variables,
        "COPY --chown=1001:0 . /tmp/src",
        f"RUN {' '.join((*mounts, plan.assemble))}",
    ]
    if plan.runtime is None:
        return "\n".join([*build, f"CMD {json.dumps([plan.run])}", ""])
    runtime = [
        "",
        f"FROM {plan.runtime}",
        *variables,
        "COPY --from=build --chown=1001:0 /opt/app-root /opt/app-root",
        f"CMD {json.dumps([plan.run])}",
        "",
    ]
    return "\n".join([*build, *runtime])


def parse_s2i_environment(text: str) -> dict[str, str]:
    """Read .s2i/environment as the s2i tool does: NAME=value lines, no quotes removed, nothing expanded; pure."""
    pairs = (line.partition("=") for line in text.splitlines() if not line.startswith("#") and "=" in line)
    return {name.strip(): value.strip() for name, _, value in pairs if name.strip()}


def _quote(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$")
    return f'"{escaped}"'
