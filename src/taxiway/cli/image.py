"""taxiway image."""

import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path

import click

from taxiway import console
from taxiway.assemble import resolve_settings, tell
from taxiway.cli import build_environment
from taxiway.dependencies.credentials import FILES
from taxiway.detect import look
from taxiway.errors import EngineFailedError
from taxiway.image import engines
from taxiway.image.dockerfile import BUILDER_IMAGE, RUNTIME_IMAGE, SCRIPTS, ImagePlan, parse_s2i_environment, render
from taxiway.plan import decide


@click.command("image", short_help="Build an image with Podman or Docker, without the s2i tool.")
@click.argument("name")
@click.argument("source", type=click.Path(path_type=Path, exists=True, file_okay=False), default=".")
@click.option("--builder-image", default=BUILDER_IMAGE, show_default=True, help="The image to build on.")
@click.option("--runtime-image", default=RUNTIME_IMAGE, show_default=True, help="The image to run on.")
@click.option("--on-builder", is_flag=True, help="Leave the application on the builder image, as a plain S2I build does.")
@click.option("--engine", type=click.Choice(engines.ENGINES), help="The container engine. Default: the first that answers.")
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
    engine: str | None,
    network: str | None,
    credentials: Path | None,
    print_dockerfile: bool,  # noqa: FBT001
) -> None:
    """Build the image NAME from SOURCE, with the same scripts and the same result as S2I.

    The application is built on the builder image and copied onto the small runtime image. .s2i/environment and the
    project's own .s2i/bin/assemble and .s2i/bin/run are honoured, as the s2i tool does.
    """
    settings = resolve_settings(build_environment(source), source)
    secrets = (
        {name: str((credentials / name).absolute()) for name in FILES if (credentials / name).is_file()} if credentials else {}
    )
    plan = _image_plan(source, builder_image, None if on_builder else runtime_image)
    text = render(replace(plan, secrets=tuple(secrets), credentials=settings.credentials, packages=settings.system_packages))
    if print_dockerfile:
        click.echo(text, nl=False)
        return
    tell(decide(look(source, settings), settings), console.detail)
    chosen = engines.find((engine,) if engine else engines.ENGINES)
    with tempfile.TemporaryDirectory() as directory:
        dockerfile = Path(directory, "Dockerfile")
        dockerfile.write_text(text, encoding="utf-8")
        argv = engines.build_command(
            chosen, image=name, dockerfile=str(dockerfile), context=str(source), network=network, secrets=secrets
        )
        console.command(argv)
        status = subprocess.run(argv, check=False).returncode
    if status:
        raise EngineFailedError(console.join(argv), f"exit status {status}")
    console.step(f"Built {name}. Start it: {chosen} run --rm -p 8080:8080 {name}")


def _image_plan(source: Path, builder: str, runtime: str | None) -> ImagePlan:
    environment = source / ".s2i" / "environment"
    own_assemble = source / ".s2i" / "bin" / "assemble"
    own_run = source / ".s2i" / "bin" / "run"
    return ImagePlan(
        builder=builder,
        runtime=runtime,
        environment=parse_s2i_environment(environment.read_text(encoding="utf-8")) if environment.is_file() else {},
        assemble="/tmp/src/.s2i/bin/assemble" if own_assemble.is_file() else f"{SCRIPTS}/assemble",  # noqa: S108
        run="/opt/app-root/src/.s2i/bin/run" if own_run.is_file() else f"{SCRIPTS}/run",
    )
