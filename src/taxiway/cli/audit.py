"""taxiway audit."""

import sys

import click

from taxiway import console
from taxiway.audit.image import scan
from taxiway.audit.limits import UNLIMITED, Limits
from taxiway.audit.reader import open_image
from taxiway.audit.rules import RULES
from taxiway.audit.rules.rule import Finding, check, probes_of
from taxiway.audit.tar import shown
from taxiway.errors import AuditFailedError
from taxiway.image import engines


@click.command("audit", short_help="Check an image against rules for security and operation.")
@click.argument("image")
@click.option("--engine", type=click.Choice(engines.ENGINES), help="Whose images to look for. Default: the first that answers.")
@click.option("--architecture", metavar="NAME", help="Of an image for several, such as arm64. Default: this machine's.")
@click.option("--trusted", is_flag=True, help="Read without limits of size and number.")
def command(image: str, engine: str | None, architecture: str | None, trusted: bool) -> None:  # noqa: FBT001
    """Hold IMAGE against rules: a local one by its name, a saved one (docker or OCI archive, OCI layout), or - for stdin.

    Nothing of it is run. Every layer is looked at, also what later layers removed.

    \b
    podman save shop | taxiway audit -
    """
    limits = UNLIMITED if trusted else Limits()
    with open_image(image, stdin=sys.stdin.buffer, engine=engine, architecture=architecture, limits=limits) as source:
        found = scan(source, probes_of(RULES), limits)
    findings = check(found, RULES)
    for finding in findings:
        _tell(finding, len(found.layers))
    console.say(f"{image}: {len(found.layers)} layers, {len(found.tree)} files, {len(RULES)} rules, {len(findings)} findings")
    if findings:
        raise AuditFailedError(len(findings))


def _tell(finding: Finding, layers: int) -> None:
    console.say(f"{finding.rule.severity} {finding.rule.id}: {shown(finding.path)}: {shown(finding.reason)}")
    if finding.layer:
        console.detail(f"layer {finding.layer.number} of {layers}: {shown(finding.layer.created_by)[:200] or 'no history'}")
    console.detail(f"fix: {shown(finding.fix)}")
