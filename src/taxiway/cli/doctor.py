"""taxiway doctor."""

import os
import sys
from itertools import groupby
from pathlib import Path

import click

from taxiway import console
from taxiway.cli import build_environment, json_option
from taxiway.doctor import MISSING, OK, WRONG, Finding, checks, machine, project
from taxiway.errors import ProblemsFoundError

_STYLES = {OK: "32", MISSING: "33", WRONG: "1;31"}


@click.command("doctor", short_help="Tell what is missing on this machine for what, and the command that adds it.")
@click.argument("source", type=click.Path(path_type=Path, exists=True, file_okay=False), default=".")
@click.option(
    *("--for", "needed"),
    multiple=True,
    type=click.Choice(list(checks.AREAS)),
    help="Fail where something is missing for this, too; repeatable.",
)
@click.option("--offline", is_flag=True, help="Ask no package index.")
@json_option
def command(source: Path, *, needed: tuple[str, ...], offline: bool) -> None:
    """Tell what is missing on this machine for which feature, and what to type; and what a build would say of SOURCE.

    What is missing is told: without a container engine, for example, all but images works. What is wrong, because it is there
    and doesn't do its work, also makes this command end with 1.
    """
    with console.step("Looking at this machine"):
        findings = checks.check(machine.look(os.environ, index=not offline))
    if project.is_one(source):
        findings += project.check(source, build_environment(source))
    if console.is_json():
        console.data_as_json([finding._asdict() for finding in findings])
    else:
        _tell(findings)
    if failing := checks.failing(findings, needed):
        raise ProblemsFoundError([finding.text for finding in failing])


def _tell(findings: list[Finding]) -> None:
    order = list(checks.AREAS)
    for area, group in groupby(sorted(findings, key=lambda finding: order.index(finding.area)), key=lambda finding: finding.area):
        console.data(f"\n{checks.AREAS[area]}")
        for finding in group:
            console.data(f"  {console.paint(f'{finding.state:<7}', _STYLES[finding.state], sys.stdout)}  {finding.text}")
            if finding.fix:
                console.data(f"           {finding.fix}")
    console.data("")
