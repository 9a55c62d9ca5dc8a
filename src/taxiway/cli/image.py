"""taxiway image."""

import os
import subprocess
import tempfile
from pathlib import Path

import click

from taxiway import console, environment, hooks
from taxiway.assemble import resolve_settings, server_distributions, tell
from taxiway.cli import build_environment
from taxiway.dependencies import inputs
from taxiway.dependencies.credentials import FILES
from taxiway.detect import AppFacts, look
from taxiway.errors import EngineFailedError
from taxiway.image import context, engines
from taxiway.image.dockerfile import BUILDER_IMAGE, RUNTIME_IMAGE, SCRIPTS, ImagePlan, Layers, parse_s2i_environment, render
from taxiway.layout import APP_ROOT, UPLOAD
from taxiway.plan import BuildPlan, decide


@click.command("image", short_help="Build an image with Podman or Docker, without the s2i tool.")
@click.argument("name")
@click.argument("source", type=click.Path(path_type=Path, exists=True, file_okay=False), default=".")
@click.option("--builder-image", default=BUILDER_IMAGE, show_default=True, help="The image to build on.")
@click.option("--runtime-image", default=RUNTIME_IMAGE, show_default=True, help="The image to run on.")
@click.option("--on-builder", is_flag=True, help="Leave the application on the builder image, as a plain S2I build does.")
@click.option("--one-layer", is_flag=True, help="Don't keep the dependencies in a layer of their own.")
@click.option("--engine", type=click.Choice(engines.BUILDERS), help="The container engine. Default: the first that answers.")
@click.option("--network", help="The engine's network for the build, such as host where there is no bridge.")
@click.option(
    "--credentials",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="A directory of netrc, pip.conf, uv.toml and ca.crt, mounted for the build alone.",
)
@click.option("--print-dockerfile", "-f", is_flag=True, help="Print the Dockerfile that would be used; build nothing.")
def command(  # noqa: PLR0917
    name: str,
    source: Path,
    builder_image: str,
    runtime_image: str,
    on_builder: bool,  # noqa: FBT001
    one_layer: bool,  # noqa: FBT001
    engine: str | None,
    network: str | None,
    credentials: Path | None,
    print_dockerfile: bool,  # noqa: FBT001
) -> None:
    """Build the image NAME from SOURCE, with the same scripts and the same result as S2I.

    The application is built on the builder image and copied onto the small runtime image, its dependencies in a layer of
    their own. .s2i/environment and the project's own .s2i/bin/assemble and .s2i/bin/run are honoured, as the s2i tool does.
    """
    settings = resolve_settings(build_environment(source), source)
    given = (
        {file: str((credentials / file).absolute()) for file in FILES if (credentials / file).is_file()} if credentials else {}
    )
    with tempfile.TemporaryDirectory() as directory:
        copied = Path(directory, "source")
        copied.mkdir()
        count, left_out = context.copy(source, copied, keep_git=settings.keep_git)
        facts = look(copied, settings)
        plan = decide(facts, settings)
        own_assemble, own_run = (copied / ".s2i" / "bin" / script for script in ("assemble", "run"))
        chosen = engine or "podman" if print_dockerfile else engines.find((engine,) if engine else engines.BUILDERS)
        image = ImagePlan(
            builder=builder_image,
            runtime=None if on_builder else runtime_image,
            environment=_s2i_environment(copied),
            credentials=tuple(given),
            credentials_place=settings.credentials,
            packages=settings.system_packages,
            layers=None if one_layer or own_assemble.is_file() else _layers(copied, facts, plan),
            cache=engines.has_mounts(chosen),
            assemble=f"{UPLOAD}/.s2i/bin/assemble" if own_assemble.is_file() else f"{SCRIPTS}/assemble",
            run=f"{APP_ROOT}/src/.s2i/bin/run" if own_run.is_file() else f"{SCRIPTS}/run",
        )
        text = render(image)
        if print_dockerfile:
            click.echo(text, nl=False)
            return
        tell(plan, console.detail)
        console.detail(f"source: {count} files" + f"; left out: {', '.join(left_out)}" * bool(left_out))
        if own_assemble.is_file():
            console.detail("one layer, because of .s2i/bin/assemble: what that does isn't known before")
        dockerfile = Path(directory, "Dockerfile")
        dockerfile.write_text(text, encoding="utf-8")
        argv = engines.build_command(
            chosen, images=[name], dockerfile=str(dockerfile), context=str(copied), network=network, secrets=given
        )
        console.command(argv)
        status = subprocess.run(argv, env=engines.environment(chosen, given, os.environ), check=False).returncode
    if status:
        raise EngineFailedError(console.join(argv), f"exit status {status}")
    console.step(f"Built {name}. Start it: {chosen} run --rm -p 8080:8080 {name}")


def _s2i_environment(source: Path) -> dict[str, str]:
    file = source / ".s2i" / "environment"
    return parse_s2i_environment(file.read_text(encoding="utf-8")) if file.is_file() else {}


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
