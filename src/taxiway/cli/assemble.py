"""taxiway assemble."""

import os
from pathlib import Path

import click

from taxiway.assemble import assemble, assemble_dependencies
from taxiway.build import layers
from taxiway.errors import LayersDifferError
from taxiway.layout import ARTIFACTS, UPLOAD, Layout


@click.command("assemble", short_help="Build the application in an image (S2I's assemble).")
@click.option(
    "--source",
    type=click.Path(path_type=Path),
    default=Path(UPLOAD),
    show_default=True,
    help="Where the uploaded source is.",
)
@click.option(
    "--artifacts",
    type=click.Path(path_type=Path),
    default=Path(ARTIFACTS),
    show_default=True,
    help="Where an incremental build put what save-artifacts wrote; may be absent.",
)
@click.option("--dependencies-only", is_flag=True, help="Install the dependencies alone, for a layer of their own.")
@click.option("--home", default=".", help="With --dependencies-only: the application's directory, relative to the source.")
@click.option("--package", "packages", multiple=True, help="With --dependencies-only: a server package to install as well.")
@click.option("--tentative", is_flag=True, help="With --dependencies-only: leave all as it was if it fails.")
@click.option("--layer", type=click.Path(), help="Move what the build adds to this directory.")
@click.option("--may-remove", is_flag=True, help="With --layer: list there what the build takes away.")
def command(  # noqa: PLR0917
    source: Path,
    artifacts: Path,
    dependencies_only: bool,  # noqa: FBT001
    home: str,
    packages: tuple[str, ...],
    tentative: bool,  # noqa: FBT001
    layer: str | None,
    may_remove: bool,  # noqa: FBT001
) -> None:
    """Build the application in an image: what S2I's assemble script runs.

    The source is moved to /opt/app-root/src, its requirements are installed into /opt/app-root, the hooks pre-build and
    build run, Django's static files are collected, everything is compiled to bytecode and opened to group 0,
    and the launch plan is written.

    The options are for Dockerfiles with layers, such as `taxiway image` writes.
    """
    layout = Layout.from_environ(os.environ)
    if dependencies_only:
        assemble_dependencies(source, layout, os.environ, home=home, packages=packages, tentative=tentative)
        return
    before = layers.look(layout.app_root) if layer else None
    assemble(source, artifacts, layout, os.environ)
    if layer and before:
        removed = layers.separate(before, layout.app_root, layer)
        if may_remove:
            layers.write_removed(removed, layer)
        elif removed:
            raise LayersDifferError(removed)
