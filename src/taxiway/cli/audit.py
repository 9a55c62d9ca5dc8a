"""taxiway audit."""

import re
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import click

from taxiway import console
from taxiway.audit import behaviour, profiles, report, waivers
from taxiway.audit.behaviour import Containers, Options, Verdict
from taxiway.audit.image import Image, scan
from taxiway.audit.limits import UNLIMITED, Limits
from taxiway.audit.reader import open_image
from taxiway.audit.report import Report
from taxiway.audit.rules import EVERY, RULES, content, files, running, secrets
from taxiway.audit.rules.rule import Profile, Rule, Severity, check, probes_of
from taxiway.cli import json_option
from taxiway.configuration import read_project
from taxiway.errors import AuditFailedError, NoSuchImageError
from taxiway.image import engines


def _size(_: click.Context, __: click.Parameter, value: str | None) -> int | None:
    try:
        return None if value is None else waivers.parse_size(value)
    except ValueError:
        raise click.BadParameter("expected a number of bytes, or one with K, M or G: 400M") from None


def _path(_: click.Context, __: click.Parameter, value: str) -> str:
    if value and not re.fullmatch(r"/[!-~]*", value):
        raise click.BadParameter(
            f"expected a path that begins with /, escaped as in a URL, such as /reports?year=1; found {value!r}"
        )
    return value


def _variables(_: click.Context, __: click.Parameter, value: tuple[str, ...]) -> dict[str, str]:
    pairs = [pair.partition("=") for pair in value]
    if bad := [name for name, equals, _ in pairs if not name or not equals]:
        raise click.BadParameter(f"expected NAME=VALUE, found {bad[0]}")
    return {name: text for name, _, text in pairs}


@click.command("audit", short_help="Check an image against rules for security and operation.")
@click.argument("image")
@click.option("--profile", type=click.Choice(profiles.PROFILES), help="Which rules. Default: taxiway, all of them.")
@click.option(
    "--fail-on", type=click.Choice(profiles.SEVERITIES), help="The least severity that ends with status 1. Default: warning."
)
@click.option("--format", "form", type=click.Choice(report.FORMATS), help="What to write. Default: text.")
@json_option
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="Write it into a file; the text is told as well.")
@click.option(
    "--project",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    default=".",
    help="Whose [tool.taxiway.audit] counts, with its waivers. Default: the current directory.",
)
@click.option("--max-size", callback=_size, metavar="SIZE", help="The most that the layers may have, unpacked, such as 400M.")
@click.option(
    "--absent", type=click.File(encoding="utf-8"), help="A file of values, one a line, that must be nowhere in the image."
)
@click.option("--run", "runs", is_flag=True, help="Start containers too, under a cluster's restrictions.")
@click.option(
    "--env", callback=_variables, multiple=True, metavar="NAME=VALUE", help="With --run: a variable that the start needs."
)
@click.option(
    "--grace", type=click.IntRange(1, 3600), default=30, show_default=True, help="With --run: seconds from SIGTERM to SIGKILL."
)
@click.option(
    "--slow-path",
    callback=_path,
    default="",
    metavar="PATH",
    help="With --run: takes a second or more to answer; asked for when SIGTERM comes.",
)
@click.option("--engine", type=click.Choice(engines.ENGINES), help="Whose images to look for. Default: the first that answers.")
@click.option("--architecture", metavar="NAME", help="Of an image for several, such as arm64. Default: this machine's.")
@click.option("--trusted", is_flag=True, help="Read without limits of size and number.")
def command(  # noqa: PLR0917
    image: str,
    profile: Profile | None,
    fail_on: Severity | None,
    form: str | None,
    output: Path | None,
    project: Path,
    max_size: int | None,
    absent: Iterable[str] | None,
    runs: bool,  # noqa: FBT001
    env: dict[str, str],
    grace: int,
    slow_path: str,
    engine: str | None,
    architecture: str | None,
    trusted: bool,  # noqa: FBT001
) -> None:
    """Hold IMAGE against rules: a local one by its name, a saved one (docker or OCI archive, OCI layout), or - for stdin.

    Nothing of it is run, but with --run. Every layer is looked at, also what later layers removed. Ends with 0 if nothing is
    found that counts, with 1 if something is, with another status if the image can't be read.

    \b
    podman save shop | taxiway audit -
    taxiway audit shop:1 --profile openshift --format sarif --output audit.sarif
    """
    table = waivers.read(*read_project(project), (rule.id for rule in EVERY))
    profile = profile or table.profile or "taxiway"
    fail_on = fail_on or table.fail_on or "warning"
    rules = profiles.choose((*RULES, *_made(max_size or table.most_bytes, absent)), profile)
    limits = UNLIMITED if trusted else Limits()
    with open_image(image, stdin=sys.stdin.buffer, engine=engine, architecture=architecture, limits=limits) as source:
        found = scan(source, probes_of(rules), limits)
    findings = check(found, rules)
    unchecked: dict[str, str] = {}
    if runs:
        chosen = profiles.choose(running.RULES, profile)
        options = Options(env=env, grace_s=grace, writable=tuple(files.declared(found)), slow_path=slow_path)
        verdicts = _run(Containers(engines.find((engine,) if engine else engines.ENGINES), image, options), found)
        more, unchecked = running.findings(verdicts, chosen)
        findings += more
        told = {verdict.rule for verdict in verdicts}  # a builder image runs no server, an application is no builder
        rules += [rule for rule in chosen if rule.id in told]
    left, waived = waivers.apply(findings, table.waivers, datetime.now(tz=UTC).date(), rules)
    result = Report(
        image=image,
        digest=found.digest,
        profile=profile,
        rules=(*rules, *waivers.RULES),
        findings=tuple(left),
        waived=tuple(waived),
        unchecked=unchecked,
        layers=len(found.layers),
        files=len(found.tree),
    )
    _write(result, "json" if console.is_json() else form or "text", output, fail_on)
    if count := result.failures(fail_on):
        raise AuditFailedError(count)


def _made(most_bytes: int | None, absent: Iterable[str] | None) -> list[Rule]:
    """Make the rules that need a value."""
    size = [content.size_budget(most_bytes)] if most_bytes else []
    return [*size, secrets.canary(secrets.read_values(absent))] if absent else size


def _run(containers: Containers, image: Image) -> list[Verdict]:
    if containers.command("image", "inspect", containers.image).returncode:
        raise NoSuchImageError(containers.image, f"--run starts containers, and {containers.engine} has no such image")
    with console.step(f"Start {containers.image} in several ways"):
        return list(behaviour.examine(containers, image.config))


def _write(result: Report, form: str, output: Path | None, fail_on: Severity) -> None:
    if form == "text":
        document = "\n".join(report.text(result))
    elif form == "junit":
        document = report.junit(result, fail_on)
    else:
        document = {"json": report.as_json, "sarif": report.sarif}[form](result)
    if output is None:
        console.data(document)
        return
    output.write_text(f"{document}\n", encoding="utf-8")
    for line in report.text(result):
        console.say(line)
