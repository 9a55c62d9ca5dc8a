"""taxiway diff."""

import contextlib

import click

from taxiway import console
from taxiway.audit.difference import CONTENT, Difference, compare, explain, starts, with_contents
from taxiway.audit.image import scan
from taxiway.audit.limits import UNLIMITED, Limits
from taxiway.audit.reader import open_image
from taxiway.audit.tar import shown
from taxiway.cli import json_option
from taxiway.errors import ImagesDifferError
from taxiway.image import engines

_SHOWN = 50


@click.command("diff", short_help="Tell what two images differ in, and why.")
@click.argument("one", metavar="IMAGE")
@click.argument("other", metavar="IMAGE")
@click.option("--engine", type=click.Choice(engines.ENGINES), help="Whose images to look for. Default: the first that answers.")
@click.option("--architecture", metavar="NAME", help="Of images for several, such as arm64. Default: this machine's.")
@click.option("--trusted", is_flag=True, help="Read without limits of size and number.")
@json_option
@click.option("--all", "everything", is_flag=True, help=f"List all differences, not the first {_SHOWN}.")
def command(*, one: str, other: str, engine: str | None, architecture: str | None, trusted: bool, everything: bool) -> None:
    """Compare two images, each a local one by its name, or a saved one: file by file, with the likely cause of each difference.

    The same source and lock give the same image: where they don't, this says what is in the way. Ends with 1 if they differ.

    \b
    taxiway image shop-again && taxiway diff shop shop-again
    """
    limits = UNLIMITED if trusted else Limits()

    with contextlib.ExitStack() as stack:
        sources = [
            stack.enter_context(open_image(name, engine=engine, architecture=architecture, limits=limits))
            for name in (one, other)
        ]
        before, after = (scan(source, [CONTENT], limits) for source in sources)
        found = compare(before, after)
        if unclear := [difference.path for difference in found if with_contents(difference)]:
            probe = starts(unclear)
            contents = [scan(source, [probe], limits) for source in sources]
            found = [explain(d, *(image.read(probe, d.path) or b"" for image in contents)) for d in found]
    if console.is_json():
        differences = [difference.as_data() for difference in found]
        console.data_as_json({"digests": [before.digest, after.digest], "differences": differences})
    else:
        _tell(found if everything else found[:_SHOWN], len(found))
    if found and console.is_json():  # the differences are the document; an error would be a second one
        click.get_current_context().exit(ImagesDifferError.exit_status)
    if found:
        raise ImagesDifferError(len(found))
    if console.is_json():
        return
    if before.digest == after.digest:
        console.say(f"The images are the same: {before.digest}")
    else:
        console.say(f"Files and configuration are the same, the digests aren't: {before.digest}, {after.digest}")
        console.detail("saved in different formats, or the engine noted its own intermediate images in the history")


def _tell(differences: list[Difference], count: int) -> None:
    for difference in differences:
        console.say(f"{shown(difference.path)}: {shown(difference.what)}")
        if difference.cause:
            console.detail(f"likely: {shown(difference.cause)}")
        if difference.made_by:
            console.detail(f"made by: {shown(difference.made_by)[:160]}")
    if count > len(differences):
        console.say(f"... and {count - len(differences)} more: --all")
