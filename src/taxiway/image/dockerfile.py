"""The Dockerfile by which `taxiway image` builds: the same scripts and the same contract as an S2I build, in layers.

Dependencies are installed from the files that decide them, before the source is there. So what follows a change of the source
alone is one small layer, and the engine finds the others in its cache, as a registry does.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from taxiway import console
from taxiway.build.layers import REMOVED
from taxiway.layout import APP_ROOT, UPLOAD

BUILDER_IMAGE = "localhost/taxiway-builder:latest"
RUNTIME_IMAGE = "localhost/taxiway-runtime:latest"
SCRIPTS = "/usr/libexec/s2i"
_SYSTEM = "/opt/system-packages"
_STATUS = "/opt/runtime-packages"
_LAYER = "/tmp/layer"  # noqa: S108  # in the stage of the build alone
_CACHE = "/tmp/cache"  # noqa: S108
DEPENDENCIES_TIME_S = 315_532_800  # 1980-01-01, the first day of zip archives, wheels among them
_CREATED = "io.taxiway.created"
_BUILD = "FROM dependencies AS build"
_CONTINUED = " \\\n      "
_SECRETS = "/run/secrets"  # where engines put a secret that has no other place


@dataclass(frozen=True, kw_only=True)
class Layers:
    """What the layer of the dependencies is made from; what follows of it is in the source's."""

    inputs: tuple[str, ...] = ()
    """Files and directories of the source, the latter with a slash at the end."""
    home: str = "."
    """The application's directory, relative to the source."""
    packages: tuple[str, ...] = ()
    """Server packages that the dependencies don't bring."""
    tentative: bool = False
    """Whether something of the source may decide too what is installed, such as a hook that runs before."""
    may_remove: bool = False
    """Whether something of the source may take files away that the dependencies brought."""


@dataclass(frozen=True, kw_only=True)
class ImagePlan:
    """What an image is built from."""

    builder: str
    runtime: str | None
    """None: the application stays on the builder image, as with a plain S2I build."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables of the build that stay in the image."""
    build_environment: Mapping[str, str] = field(default_factory=dict)
    """Variables of the build alone."""
    credentials: tuple[str, ...] = ()
    """Files of credentials that are mounted for the build; the engine is told where they are."""
    credentials_place: str = ""
    """Where the build looks for them."""
    source: Mapping[str, str] = field(default_factory=dict)
    """Variables that tell the last step of the build where the source came from."""
    secrets: tuple[str, ...] = ()
    """What is mounted for the build's hooks, by its names in /run/secrets."""
    packages: tuple[str, ...] = ()
    """Debian packages that the application needs."""
    labels: Mapping[str, str] = field(default_factory=dict)
    layers: Layers | None = None
    """None: all in one."""
    immutable: bool = False
    """Whether what is copied belongs to root."""
    cache: bool = False
    """Whether the engine keeps what the installer downloads for the next build."""
    assemble: str = f"{SCRIPTS}/assemble"
    run: str = f"{SCRIPTS}/run"


@dataclass(frozen=True, kw_only=True)
class Step:
    """One of the engine's builds on the way to an image that has the same digest each time."""

    dockerfile: str
    """Where it needs what an earlier step made, its name in braces stands for the ID."""
    target: str | None
    """The stage that is built, and the name of what it makes; None: the image itself."""
    timestamp_s: int
    """The time that files and image get, in seconds since 1970."""
    only_images: bool = False
    """Whether it takes nothing but what images have: the same names then make the same image again."""


def render(plan: ImagePlan) -> str:
    """Write the Dockerfile; pure."""
    stages, base, final = _parts(plan)
    return "\n".join([*stages, *[""] * bool(base), *base, *final, ""])


def steps(plan: ImagePlan, created_s: int) -> tuple[Step, ...]:
    """Write the builds by which the image comes out the same each time; pure.

    Podman and Buildah give one time to all that a build makes (`--timestamp`). The dependencies' layer gets a time that doesn't
    depend on the source, so that it stays the same when only that changes. They take layers from their cache whatever time those
    have; so what goes into the image has a label before it that by-hand builds of the Dockerfile don't have, and the last step,
    which only copies, uses no cache.

    Args:
        plan: What the image is built from.
        created_s: The time of the source, in seconds since 1970.
    """
    variables = {"SOURCE_DATE_EPOCH": str(created_s)}
    stages, base, final = _parts(plan, (f'LABEL {_CREATED}="{DEPENDENCIES_TIME_S}"',), variables)
    if not base:
        stages, _, final = _parts(plan, (f'LABEL {_CREATED}="{created_s}"',), variables)
        return (Step(dockerfile="\n".join([*stages, *final, ""]), target=None, timestamp_s=created_s),)
    before: list[Step] = []

    def step(target: str, lines: Sequence[str], **more: bool) -> None:
        before.append(Step(dockerfile=_named([*lines, ""], before), target=target, timestamp_s=DEPENDENCIES_TIME_S, **more))

    if plan.layers:
        at = stages.index(_BUILD)
        step("dependencies", stages[: at - 1])
        if base[0] != "FROM dependencies":
            # Files that dependencies have and Debian packages brought are theirs before the build begins.
            lines = [line.replace("--from=build ", "--from=dependencies ") for line in base[1:]]
            step("base", [f"{base[0]} AS base", *lines], only_images=not any(line.startswith("RUN ") for line in lines))
        first = before[-1].target
        step("build", stages[at:])
    else:
        first, text = "base", [*stages, "", f"{base[0]} AS base", *base[1:]]
        step("base", text)
        before.append(replace(before[0], target="build"))
    last = _named([f"FROM {first}", *final, ""], before)
    return (*before, Step(dockerfile=last, target=None, timestamp_s=created_s))


def _named(lines: Sequence[str], before: Sequence[Step]) -> str:
    """Let lines refer to what earlier steps made, by names in braces."""
    text = "\n".join(lines)
    for step in before:
        text = re.sub(rf"^(FROM |COPY --from=){step.target}(?=\s)", rf"\1{{{step.target}}}", text, flags=re.MULTILINE)
    return text


def _parts(
    plan: ImagePlan, mark: tuple[str, ...] = (), more: Mapping[str, str] | None = None
) -> tuple[list[str], list[str], list[str]]:
    """Write the stages that build, the beginning of the last one, up to the dependencies, and its end."""
    variables = [f"ENV {name}={_quote(value)}" for name, value in plan.environment.items()]
    owner = "0:0" if plan.immutable else "1001:0"
    # A stage more where it is to be immutable: what a step of the build writes belongs to the user that it runs as.
    last = plan.runtime or (plan.builder if plan.immutable else None)
    begin = [*mark * (last is None), *(_install(plan.packages, plan.runtime) if plan.packages else ()), *variables]
    base: list[str] = []
    if last is not None:
        base = [f"FROM {last}", *mark]
        if plan.packages:
            base += [f"COPY --from=build {_SYSTEM}/ /"] if plan.runtime else _install(plan.packages, None)
        base += variables
    if plan.layers:
        stages = [f"FROM {plan.builder} AS dependencies", *begin, *_dependencies(plan, plan.layers)]
        options = (f"--layer={_LAYER}", *_may_remove(plan.layers))
        stages += ["", _BUILD, *_source(plan, *options, more=more)]
        base = [*base, f"COPY --from=dependencies --chown={owner} {APP_ROOT} {APP_ROOT}"] if base else ["FROM dependencies"]
        final = [f"COPY --from=build --chown={owner} {_LAYER} {APP_ROOT}"]
    else:
        stages = [f"FROM {plan.builder} AS build", *begin, *_source(plan, more=more)]
        final = [f"COPY --from=build --chown={owner} {APP_ROOT} {APP_ROOT}"] * bool(base)
    final += ["USER 0"] * plan.immutable
    if plan.layers and plan.layers.may_remove:
        final += [f"RUN cd {APP_ROOT} && xargs --null rm -rf {REMOVED} <{REMOVED}"]
    if plan.immutable:  # what lies there in the image below belongs to others
        final += ["RUN taxiway assemble-runtime --in-place", "USER 1001"]
    return stages, base, [*final, *labels(plan), f"CMD {json.dumps([plan.run])}"]


def labels(plan: ImagePlan) -> list[str]:
    """Write the labels, as one instruction: engines make an image of each; pure."""
    pairs = [f"{_quote(name)}={_quote(value)}" for name, value in plan.labels.items()]
    return [f"LABEL {_CONTINUED.join(pairs)}"] if pairs else []


def mounts(plan: ImagePlan, secrets: Sequence[str] = ()) -> list[str]:
    """Write the options of a RUN for what the build is given but the image isn't; pure."""
    places = {name: f"{plan.credentials_place}/{name}" for name in plan.credentials}
    places |= {name: f"{_SECRETS}/{name}" for name in secrets}
    return [f"--mount=type=secret,id={name},target={place},uid=1001" for name, place in places.items()]


def _dependencies(plan: ImagePlan, layers: Layers) -> list[str]:
    """Write the step that installs the dependencies."""
    copies: dict[str, list[str]] = {}
    for path in layers.inputs:
        place = path if path.endswith("/") else "".join(path.rpartition("/")[:2])
        copies.setdefault(place, []).append(path)
    options = [f"--home={layers.home}"] * (layers.home != ".")
    options += [*(f"--package={name}" for name in layers.packages), *["--tentative"] * layers.tentative]
    return [
        *(f"COPY --chown=1001:0 {_words([*paths, f'{UPLOAD}/{place}'])}" for place, paths in copies.items()),
        _run(plan, "--dependencies-only", *options),
    ]


def _source(plan: ImagePlan, *options: str, more: Mapping[str, str] | None = None) -> list[str]:
    return [f"COPY --chown=1001:0 . {UPLOAD}", _run(plan, *options, secrets=plan.secrets, more={**(more or {}), **plan.source})]


def _may_remove(layers: Layers) -> list[str]:
    return ["--may-remove"] * layers.may_remove


def _run(plan: ImagePlan, *options: str, secrets: Sequence[str] = (), more: Mapping[str, str] | None = None) -> str:
    words = mounts(plan, secrets)
    variables = {**(more or {}), **plan.build_environment}
    if plan.cache:
        words.append(f"--mount=type=cache,id=taxiway,target={_CACHE},uid=1001,gid=0")
        variables = {"UV_CACHE_DIR": f"{_CACHE}/uv"} | variables
    words += [f"{name}={console.quote(value)}" for name, value in variables.items()]
    return f"RUN {' '.join((*words, plan.assemble, *map(console.quote, options)))}"


def _words(words: Sequence[str]) -> str:
    """Write the names of a COPY; those with blanks have to be quoted."""
    return json.dumps(words) if any(" " in word for word in words) else " ".join(words)


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
