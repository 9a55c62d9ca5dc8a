"""taxiway verify."""

import click

from taxiway import console
from taxiway.actions import act
from taxiway.cli import json_option
from taxiway.cli.local import environ, project_option
from taxiway.dependencies import records
from taxiway.errors import FilesDifferError
from taxiway.layout import Layout


@click.command("verify", short_help="Run the hook verify, or check the installed files.")
@click.option("--files", is_flag=True, help="Compare every installed file with the hash in its package's RECORD.")
@project_option
@json_option
def command(*, files: bool, project: str | None) -> None:
    """Run the application's own check, the hook verify, in the environment of a start.

    With --files: read every file of the installed dependencies, and compare it with the hash that its package's RECORD
    has. Ends with an error that lists what differs.
    """
    env = environ(project)
    if files:
        verify_files(Layout.from_environ(env))
        return
    act("verify", env)


def verify_files(layout: Layout) -> None:
    """Rehash every installed file.

    Raises:
        FilesDifferError: Some aren't what was installed.
    """
    found = records.distributions(layout)
    problems = [line for distribution in found for line in records.differences(distribution)]
    if problems:
        raise FilesDifferError(problems)
    console.step(f"{len(found)} packages have the files that were installed")
    if console.is_json():
        console.data_as_json({"packages": len(found), "differences": []})
