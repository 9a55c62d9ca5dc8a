"""taxiway plan."""

import json
from pathlib import Path

import click

from taxiway import console
from taxiway.assemble import resolve_settings, server_distributions, tell
from taxiway.cli import build_environment
from taxiway.detect import look
from taxiway.plan import decide


@click.command("plan", short_help="Show what would be built and started, and why.")
@click.argument("source", type=click.Path(path_type=Path, exists=True, file_okay=False), default=".")
@click.option("--json", "as_json", is_flag=True, help="Write the plan as JSON.")
def command(source: Path, *, as_json: bool) -> None:
    """Show what would be built and started from SOURCE, with the origin of each choice; nothing is changed."""
    settings = resolve_settings(build_environment(source), source)
    facts = look(source, settings)
    plan = decide(facts, settings)
    if as_json:
        click.echo(json.dumps(plan.as_data(), indent=2))
        return
    tell(plan, console.say)
    for line in plan.unpinned:
        console.say(f"not pinned: {line}")
    added = server_distributions(plan, lambda name: bool(facts.requirements and facts.requirements.find(name)))
    if added:
        console.say(f"from the builder image: {', '.join(added)}")
    if plan.framework == "django":
        console.say(f"Django with {plan.django_settings}; collectstatic: {'yes' if plan.collectstatic else 'no'}")
