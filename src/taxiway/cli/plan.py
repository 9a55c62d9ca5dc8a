"""taxiway plan."""

from pathlib import Path

import click

from taxiway import console
from taxiway.assemble import resolve_settings, server_distributions, tell
from taxiway.cli import build_environment, json_option
from taxiway.detect import look
from taxiway.plan import decide


@click.command("plan", short_help="Show what would be built and started, and why.")
@click.argument("source", type=click.Path(path_type=Path, exists=True, file_okay=False), default=".")
@json_option
def command(source: Path) -> None:
    """Show what would be built and started from SOURCE, with the origin of each choice; nothing is changed."""
    settings = resolve_settings(build_environment(source), source)
    facts = look(source, settings)
    plan = decide(facts, settings)
    if console.is_json():
        console.data_as_json(plan.as_data())
        return
    tell(plan, console.data)
    for line in plan.unpinned:
        console.data(f"not pinned: {line}")
    added = server_distributions(plan, lambda name: bool(facts.requirements and facts.requirements.find(name)))
    if added:
        console.data(f"from the builder image: {', '.join(added)}")
    if plan.framework == "django":
        console.data(f"Django with {plan.django_settings}; collectstatic: {'yes' if plan.collectstatic else 'no'}")
