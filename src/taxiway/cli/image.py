"""taxiway image."""

import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import click

from taxiway import console, environment, hooks, process
from taxiway.assemble import resolve_settings, server_distributions, tell
from taxiway.cli import build_environment
from taxiway.dependencies import inputs, wheelhouse
from taxiway.dependencies.credentials import CERTIFICATE, FILES, SYSTEM_BUNDLE
from taxiway.detect import AppFacts, look
from taxiway.errors import (
    EngineFailedError,
    NoBuilderImageError,
    NoBuildKitError,
    NoRegistryError,
    NoSourceToImageError,
    NoWheelhouseError,
    PushFailedError,
    WrongPlatformError,
)
from taxiway.image import building, context, dockerfile, engines, remembered, times
from taxiway.image.dockerfile import BUILDER_IMAGE, RUNTIME_IMAGE, SCRIPTS, ImagePlan, Layers, parse_s2i_environment
from taxiway.image.labels import labels
from taxiway.layout import APP_ROOT, UPLOAD
from taxiway.plan import BuildPlan, decide
from taxiway.sbom import provenance
from taxiway.settings import Settings

# Where a certificate authority of the machine's own is named, or installed (Debian).
_BUNDLES = ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_INSTALLED = Path("/usr/local/share/ca-certificates")
_ATTEMPTS = 3  # of a build that meets the removal of an image
_SHORTEST = 6  # of a secret that is hidden in the output; shorter ones would be found everywhere


def _pairs(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    """Split NAME=VALUE; a value with a second line would end its instruction in the Dockerfile."""
    for value in values:
        if not re.fullmatch(r"[^=\n]+=[^\n]*", value):
            raise click.BadParameter(f"{value!r} isn't NAME=VALUE on one line", ctx, param)
    return dict(value.split("=", 1) for value in values)


def _files(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    """Split id=NAME,src=FILE, as the engines have it."""
    found = {}
    for value in values:
        parts = dict(part.partition("=")[::2] for part in value.split(","))
        file = Path(parts.get("src") or parts.get("source") or "")
        if not re.fullmatch(r"[\w.-]+", parts.get("id", "")) or not file.is_file():
            raise click.BadParameter(f"{value!r} isn't id=NAME,src=FILE with a file that is there", ctx, param)
        found[parts["id"]] = str(file.absolute())
    return found


@dataclass(frozen=True, kw_only=True)
class Options:
    """What the command line says."""

    name: str
    source: Path
    tags: tuple[str, ...]
    builder_image: str
    runtime_image: str
    on_builder: bool
    one_layer: bool
    env: Mapping[str, str]
    build_env: Mapping[str, str]
    labels: Mapping[str, str]
    credentials: Path | None
    secrets: Mapping[str, str]
    engine: str | None
    platform: str | None
    network: str | None
    no_network: bool
    push: bool
    insecure_registry: bool
    refresh: bool
    s2i: bool
    print_dockerfile: bool

    @property
    def images(self) -> tuple[str, ...]:
        """All names of the image."""
        return (self.name, *self.tags)


@click.command("image", short_help="Build an image with Podman, Docker or Buildah, without the s2i tool.")
@click.argument("name")
@click.argument("source", type=click.Path(path_type=Path, exists=True, file_okay=False), default=".")
@click.option("--tag", "-t", "tags", multiple=True, metavar="NAME", help="One more name of the image. May be repeated.")
@click.option("--builder-image", default=BUILDER_IMAGE, show_default=True, help="The image to build on.")
@click.option("--runtime-image", default=RUNTIME_IMAGE, show_default=True, help="The image to run on.")
@click.option("--on-builder", is_flag=True, help="Leave the application on the builder image, as a plain S2I build does.")
@click.option("--one-layer", is_flag=True, help="Don't keep the dependencies in a layer of their own.")
@click.option(
    "--env", "-e", callback=_pairs, multiple=True, metavar="NAME=VALUE", help="A variable of the build that stays in the image."
)
@click.option(
    "--build-env",
    callback=_pairs,
    multiple=True,
    metavar="NAME=VALUE",
    help="A variable of the build alone. It isn't for secrets.",
)
@click.option("--label", "labels", callback=_pairs, multiple=True, metavar="NAME=VALUE", help="A label of the image.")
@click.option(
    "--credentials",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="A directory of netrc, pip.conf, uv.toml and ca.crt, mounted for the build alone.",
)
@click.option(
    "--secret",
    "secrets",
    callback=_files,
    multiple=True,
    metavar="id=NAME,src=FILE",
    help="A file that hooks find as /run/secrets/NAME.",
)
@click.option("--engine", type=click.Choice(engines.BUILDERS), help="The container engine. Default: the first that answers.")
@click.option("--platform", metavar="OS/ARCH", help="The platform to build for; the images to build from have to be of it.")
@click.option("--network", help="The engine's network for the build, such as host where there is no bridge.")
@click.option("--no-network", is_flag=True, help="Build without a network, from the source's wheelhouse.")
@click.option("--push", is_flag=True, help="Push all names to their registries, with the engine's credentials.")
@click.option("--insecure-registry", is_flag=True, help="The registry has no TLS, or a certificate that isn't trusted.")
@click.option("--refresh", is_flag=True, help="Build all anew, with nothing of the engine's and the installer's caches.")
@click.option("--s2i", is_flag=True, help="Let the s2i tool write the Dockerfile; the application stays on the builder image.")
@click.option("--print-dockerfile", "-f", is_flag=True, help="Print the Dockerfile that would be used; build nothing.")
def command(**given: Any) -> None:
    """Build the image NAME from SOURCE, with the same scripts and the same result as S2I.

    The application is built on the builder image and copied onto the small runtime image, its dependencies in a layer of
    their own: a change of the source alone rebuilds and pushes the source's layer. .s2i/environment and the project's own
    .s2i/bin/assemble and .s2i/bin/run are honoured, as the s2i tool does; .dockerignore and .s2iignore name what is left out.

    \b
    taxiway image localhost/shop
    taxiway image registry.example.org/shop:1 --tag registry.example.org/shop:latest --push
    taxiway image localhost/shop --secret id=npm-token,src=token.txt --no-network
    """
    options = Options(**given)
    _refuse(options)
    environ = {**build_environment(options.source), **options.env, **options.build_env}
    settings = resolve_settings(environ, options.source)
    with tempfile.TemporaryDirectory() as temporary:
        directory = Path(temporary, "source")
        directory.mkdir()
        count, left_out = context.copy(options.source, directory, keep_git=settings.keep_git)
        facts = look(directory, settings)
        plan = decide(facts, settings)
        if options.no_network:
            _refuse_downloads(directory, facts, settings)
        engine = _engine(options)
        has_mounts = engine != "docker"
        if not has_mounts and not options.print_dockerfile:
            has_mounts = engines.docker_has_mounts(asked=bool(options.credentials or options.secrets))
            os.environ["DOCKER_BUILDKIT"] = str(int(has_mounts))
        secrets = dict(_given(options, has_mounts=has_mounts))
        image = _image_plan(options, directory, settings, facts, plan)
        image = replace(
            image, credentials=tuple(name for name in secrets if name in FILES), cache=has_mounts and not options.refresh
        )
        image = replace(image, labels={**_labels(options, directory, settings, engine, image), **options.labels})
        file = Path(temporary, "Dockerfile")
        if options.s2i:
            _write_by_s2i(options, image, file)
            directory = file.parent
        else:
            file.write_text(dockerfile.render(image), encoding="utf-8")
        if options.print_dockerfile:
            click.echo(file.read_text(encoding="utf-8"), nl=False)
            return
        tell(plan, console.detail)
        console.detail(f"source: {count} files" + f"; left out: {', '.join(left_out)}" * bool(left_out))
        if image.assemble.startswith(UPLOAD):
            console.detail("one layer, because of .s2i/bin/assemble: what that does isn't known before")
        command = partial(
            engines.build_command,
            engine,
            context=str(directory),
            network="none" if options.no_network else options.network,
            platform=options.platform,
            secrets=secrets,
        )
        if options.s2i or engine == "docker":
            _build(engine, command(images=options.images, dockerfile=str(file), cached=not options.refresh))
        else:
            created_s, origin = times.of_source(
                options.source, directory, provenance.source(Path(os.devnull), image.source).commit, os.environ
            )
            console.detail(f"the image's time: {datetime.fromtimestamp(created_s, UTC):%Y-%m-%d %H:%M:%S} UTC ({origin})")
            _build_in_steps(engine, command, options, dockerfile.steps(image, created_s), Path(temporary))
    for name in options.images if options.push else ():
        _push(engine, name, options)
    console.step(
        f"Built {options.name}. Start it: {'podman' if engine == 'buildah' else engine} run --rm -p 8080:8080 {options.name}"
    )


def _refuse(options: Options) -> None:
    if options.network and options.no_network:
        raise click.UsageError("--network and --no-network can't both be given.")
    for name in options.images if options.push else ():
        if engines.registry_of(name) is None:
            raise NoRegistryError(name)


def _refuse_downloads(source: Path, facts: AppFacts, settings: Settings) -> None:
    """Refuse a build without a network that needs one."""
    if settings.system_packages:
        raise click.UsageError("--no-network can't install system-packages: build with a builder image that has them.")
    needed = [pin for pin in facts.requirements.applicable if not pin.is_local] if facts.requirements else []
    if needed and wheelhouse.find(source) is None:
        raise NoWheelhouseError(needed[0].file)


def _engine(options: Options) -> str:
    """Find the engine, and see whether it has what is built from."""
    if options.print_dockerfile:
        return options.engine or engines.BUILDERS[0]
    engine = engines.find((options.engine,) if options.engine else engines.BUILDERS)
    for image in (options.builder_image, *[options.runtime_image] * (not options.on_builder and not options.s2i)):
        platform = engines.platform_of(engine, image)
        if platform is None:
            raise NoBuilderImageError(image, engine)
        if options.platform and platform.split("/")[:2] != options.platform.split("/")[:2]:
            raise WrongPlatformError(image, platform, options.platform)
    return engine


def _given(options: Options, *, has_mounts: bool) -> Iterator[tuple[str, str]]:
    """Give the files that are mounted for the build, by their names."""
    asked = ["--credentials"] * bool(options.credentials) + ["--secret"] * bool(options.secrets)
    if asked and not has_mounts:
        raise NoBuildKitError(asked)
    bundle = None if options.print_dockerfile or not has_mounts else _authorities(os.environ)
    if bundle:
        console.detail(f"certificates of this machine: {bundle}")
        yield CERTIFICATE, bundle
    if options.credentials:
        yield from (
            (name, str((options.credentials / name).absolute())) for name in FILES if (options.credentials / name).is_file()
        )
    for name, file in options.secrets.items():
        console.hide(
            line for line in Path(file).read_text(encoding="utf-8", errors="replace").split("\n") if len(line) >= _SHORTEST
        )
        yield name, file


def _authorities(environ: Mapping[str, str]) -> str | None:
    """Return the file of certificates of a machine that has an authority of its own."""
    for name in _BUNDLES:
        if environ.get(name) and Path(environ[name]).is_file():
            return str(Path(environ[name]).absolute())
    return SYSTEM_BUNDLE if any(_INSTALLED.glob("**/*.crt")) else None


def _came_from(source: Path) -> provenance.Source:
    """Find out where a source came from; one with changes isn't the commit, and a commit is the same on any branch."""
    found = replace(provenance.source(source, {}), reference="")
    if found.commit:
        argv = ["git", "-C", str(source), "status", "--porcelain"]
        status = process.output(argv, env=os.environ, cwd=source)
        if status.status or status.output.strip():
            console.detail(f"the source has changes that aren't committed, so {found.commit[:12]} isn't given as its revision")
            return replace(found, commit="")
    return found


def _labels(options: Options, source: Path, settings: Settings, engine: str, image: ImagePlan) -> dict[str, str]:
    base = image.runtime or image.builder
    return labels(
        source,
        provenance.source(Path(os.devnull), image.source),  # a changed source isn't its commit
        immutable=settings.immutable,
        writable=settings.writable,
        on_builder=image.runtime is None,
        base={"base.name": base, "base.digest": "" if options.print_dockerfile else engines.digest(engine, base)},
    )


def _image_plan(options: Options, source: Path, settings: Settings, facts: AppFacts, plan: BuildPlan) -> ImagePlan:
    own_assemble, own_run = (source / ".s2i" / "bin" / script for script in ("assemble", "run"))
    file = source / ".s2i" / "environment"
    written = parse_s2i_environment(file.read_text(encoding="utf-8")) if file.is_file() else {}
    return ImagePlan(
        builder=options.builder_image,
        runtime=None if options.on_builder else options.runtime_image,
        environment={**written, **options.env},
        build_environment=options.build_env,
        credentials_place=settings.credentials,
        secrets=tuple(options.secrets),
        packages=settings.system_packages,
        immutable=settings.immutable,
        source=provenance.variables(_came_from(options.source)),
        layers=None if options.one_layer or own_assemble.is_file() else _layers(source, facts, plan),
        assemble=f"{UPLOAD}/.s2i/bin/assemble" if own_assemble.is_file() else f"{SCRIPTS}/assemble",
        run=f"{APP_ROOT}/src/.s2i/bin/run" if own_run.is_file() else f"{SCRIPTS}/run",
    )


def _layers(source: Path, facts: AppFacts, plan: BuildPlan) -> Layers | None:
    """Decide what the layer of the dependencies is made from; None where there would be nothing in it."""
    pinned = facts.requirements
    # Where only the import shows what the application speaks, the server is chosen after it.
    packages = server_distributions(plan, facts.requires) if plan.interface else []
    if not packages and not (pinned and any(not inputs.is_in_place(pin) for pin in pinned.applicable)):
        return None
    has_hook = {name: hooks.find(str(source), name) is not None for name in ("pre-build", "build")}
    return Layers(
        inputs=tuple(path + "/" * (source / path).is_dir() for path in inputs.paths(source, pinned)),
        home=facts.home,
        packages=tuple(packages),
        tentative=has_hook["pre-build"] or bool(environment.files(str(source), environment.BUILD)),
        may_remove=any(has_hook.values()),
    )


def _write_by_s2i(options: Options, image: ImagePlan, file: Path) -> None:
    """Let the s2i tool write the Dockerfile and its context; what it has no options for is added."""
    tool = shutil.which("s2i")
    if tool is None:
        raise NoSourceToImageError("no such command")
    source, variables = str(options.source), [f"--env={name}={value}" for name, value in options.env.items()]
    argv = [tool, "build", source, options.builder_image, options.name, "--copy", *variables, "--as-dockerfile", str(file)]
    if not options.print_dockerfile:
        console.command(argv)
    result = engines.ask(argv)
    if result.returncode:
        raise NoSourceToImageError((result.stderr.strip().splitlines() or [f"exit status {result.returncode}"])[-1])
    words = [
        *dockerfile.mounts(image, image.secrets),
        *(f"{name}={console.quote(value)}" for name, value in options.build_env.items()),
    ]
    text = file.read_text(encoding="utf-8").replace("\nRUN ", f"\nRUN {' '.join([*words, ''])}")
    file.write_text("\n".join([text.rstrip(), *dockerfile.labels(image), ""]), encoding="utf-8")


def _build(engine: str, argv: list[str]) -> None:
    console.command(argv)
    for _ in range(_ATTEMPTS):
        result = building.run(engine, argv)
        if not (result.status and building.hit_a_removal(result.output)):
            break
        console.step(f"{engine} met an image that is just being removed; once more")
    if result.status:
        raise EngineFailedError(
            f"{engine} build",
            result.reason,
            result.output,
            building.advice(result.output, engine),
            building.own_error(result.output),
        )


def _build_in_steps(
    engine: str, command: Callable[..., list[str]], options: Options, steps: Sequence[dockerfile.Step], directory: Path
) -> None:
    """Let the engine make one part after the other; begin again if another process has removed what the parts before gave."""
    made: dict[str, str] = {}
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            for step in steps:
                _build_step(engine, command, options, step, made, directory, cached=step.target is not None or len(steps) == 1)
        except EngineFailedError:
            if attempt == _ATTEMPTS or all(engines.id_of(engine, identifier) for identifier in made.values()):
                raise
            console.step(f"Another process removed what {engine} had built so far; once more")
            made.clear()
        else:
            return


def _build_step(  # noqa: PLR0917
    engine: str,
    command: Callable[..., list[str]],
    options: Options,
    step: dockerfile.Step,
    made: dict[str, str],
    directory: Path,
    *,
    cached: bool,
) -> None:
    """Make one part, and note its ID; the last has none, but the image's names."""
    text = step.dockerfile
    for name, identifier in made.items():
        text = text.replace(f"{{{name}}}", identifier)
    images = (options.builder_image, options.runtime_image)
    key = None
    if step.only_images and not options.refresh:
        key = remembered.key(
            (engine, options.platform, step.timestamp_s, text, *(engines.id_of(engine, name) for name in images))
        )
        if (known := remembered.find(key, os.environ)) and engines.id_of(engine, known):
            console.detail(f"{step.target}: {known[:12]}, made before of the same images")
            made[str(step.target)] = known
            return
    file, id_file = directory / f"Dockerfile.{step.target or 'image'}", directory / "id"
    file.write_text(text, encoding="utf-8")
    argv = command(
        images=() if step.target else options.images,
        dockerfile=str(file),
        timestamp_s=step.timestamp_s,
        target=step.target,
        id_file=str(id_file),
        cached=not options.refresh and cached,
    )
    _build(engine, argv)
    if step.target:
        made[step.target] = id_file.read_text(encoding="ascii").strip().removeprefix("sha256:")
        if key:
            remembered.keep(key, made[step.target], os.environ)


def _push(engine: str, name: str, options: Options) -> None:
    argv = engines.push_command(engine, name, insecure=options.insecure_registry)
    with console.step(f"Pushing {name}"):
        console.command(argv)
        result = building.run(engine, argv)
        if result.status:
            raise PushFailedError(name, engine, result.reason, result.output)
