"""taxiway sbom."""

import json
import os
import sys
from pathlib import Path

import click

from taxiway.errors import NothingInstalledError
from taxiway.image import engines
from taxiway.layout import Layout
from taxiway.sbom import document, inventory, provenance, store
from taxiway.sbom.image import reading

JSON, XML, SLSA = "cyclonedx-json", "cyclonedx-xml", "slsa"


@click.command("sbom", short_help="Print the bill of materials of an image, or of this environment.")
@click.argument("image", required=False)
@click.option("--format", "form", type=click.Choice([JSON, XML, SLSA]), default=JSON, show_default=True, help="What to write.")
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="A file to write to, in place of stdout.")
@click.option("--scan", is_flag=True, help="List what is seen now, whatever is stored.")
@click.option("--engine", type=click.Choice(engines.ENGINES), help="Whose images to look for. Default: the first that answers.")
@click.option("--architecture", metavar="NAME", help="Of an image for several, such as arm64. Default: this machine's.")
@click.option(
    "--update", is_flag=True, hidden=True, help="Write the image's own document anew; apt calls this in the builder image."
)
def command(
    image: str | None, *, form: str, output: Path | None, scan: bool, update: bool, engine: str | None, architecture: str | None
) -> None:
    """Print what IMAGE consists of, as CycloneDX 1.6, or where it came from, as an in-toto statement with SLSA provenance.

    IMAGE is a local one's name, a saved one (docker or OCI archive, OCI layout), or - for stdin. Without it: the container that
    this runs in, or the virtual environment, VIRTUAL_ENV or .venv.
    """
    if update:
        store.update_image_document(os.environ)
        return
    if image:
        with reading(image, sys.stdin.buffer, engine=engine, architecture=architecture) as found:
            text = found.statement(os.environ, scan=scan) if form == SLSA else _in_form(found.bill(os.environ, scan=scan), form)
    else:
        text = _of_here(form, scan=scan)
    if output:
        output.write_text(text, encoding="utf-8")
    else:
        click.echo(text, nl=False)


def _of_here(form: str, *, scan: bool) -> str:
    files = inventory.Directory()
    layout = Layout.from_environ(os.environ)
    about = store.subject(Path(layout.source))
    if files.read(store.IMAGE):
        bill = store.bill(about, files, layout.app_root, os.environ, scan=scan)
        stored = files.read(layout.provenance)
        if form == SLSA and stored and not scan:
            return stored.decode()
    else:
        prefix = Path(os.environ.get("VIRTUAL_ENV") or ".venv").absolute()
        packages = inventory.application_packages(files, str(prefix))
        if not packages:
            raise NothingInstalledError(str(prefix))
        about = store.subject(Path.cwd())
        bill = document.write(about, packages, {}, os.environ)
    return _in_form(bill, form)


def _in_form(bill: str, form: str) -> str:
    if form == SLSA:
        came_from = provenance.source(Path.cwd(), os.environ)
        return provenance.statement(came_from=came_from, locks={}, materials=json.loads(bill), image={}, bill=bill, allowed={})
    return (
        document.to_xml(bill)
        if form == XML
        else json.dumps(json.loads(bill), indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    )
