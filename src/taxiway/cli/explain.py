"""taxiway explain."""

import textwrap
from difflib import get_close_matches
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from taxiway import assemble, catalogue, console
from taxiway.cli import build_environment, json_option
from taxiway.detect import look
from taxiway.errors import UnknownTopicError
from taxiway.plan import decide
from taxiway.settings import SETTINGS, Setting, sources

_WIDTH = 100
_DETECTED = {"app": "app", "server": "server", "dependencies": "dependencies"}  # settings that a plan decides


def _complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG001
    found = {entry.code: entry.summary for entry in catalogue.entries().values()} | {s.name: s.help for s in SETTINGS}
    return [CompletionItem(name, help=text) for name, text in found.items() if name.startswith(incomplete)]


@click.command("explain", short_help="Explain an error's code, or where a setting's value comes from.")
@click.argument("topic", metavar="[CODE|SETTING]", required=False, shell_complete=_complete)
@click.argument("source", type=click.Path(path_type=Path, exists=True, file_okay=False), default=".")
@json_option
def command(topic: str | None, source: Path) -> None:
    """Explain the CODE that an error ends with: what it means, what to do, its exit status; without one, list them all.

    A SETTING is explained for the application in SOURCE: its value, where that comes from, and what else could set it, the
    strongest first.
    """
    found = catalogue.entries()
    settings = {setting.name: setting for setting in SETTINGS}
    if topic is None:
        _list(found)
    elif topic in found:
        _tell_error(found[topic])
    elif topic in settings:
        _tell_setting(settings[topic], source)
    else:
        raise UnknownTopicError(topic, get_close_matches(topic, [*found, *settings], n=3))


def _list(found: dict[str, catalogue.Entry]) -> None:
    if console.is_json():
        console.data_as_json([entry._asdict() for entry in found.values()])
        return
    width = max(map(len, found))
    for entry in found.values():
        console.data(f"{entry.code:<{width}}  {entry.exit_status}  {entry.summary}")


def _tell_error(entry: catalogue.Entry) -> None:
    if console.is_json():
        console.data_as_json(entry._asdict())
        return
    console.data(f"{entry.code}: {entry.summary}\n")
    for title, text in (
        ("Meaning", entry.meaning),
        ("What to do", entry.advice),
        ("Exit status", str(entry.exit_status)),
        ("Documentation", ", ".join(entry.pages)),
    ):
        console.data(_row(title, text))


def _tell_setting(setting: Setting, source: Path) -> None:
    """Tell what decides a setting; where that is what the source shows, this too."""
    chosen = assemble.resolve_settings(build_environment(source), source)
    value, origin = getattr(chosen, setting.name.replace("-", "_")), chosen.origins[setting.name]
    considered = sources(setting, *assemble.sources_of(build_environment(source), source))
    decided, passed_over = "", tuple[str, ...]()
    if setting.name in _DETECTED:
        plan = decide(look(source, chosen), chosen)
        found = {"app": plan.app, "server": plan.server, "dependencies": plan.requirements}[setting.name]
        decided = f"{found} ({plan.origins[setting.name]})" if found else "none"
        passed_over = {"app": plan.passed_over, "dependencies": plan.locks_passed_over}.get(setting.name, ())
    if console.is_json():
        console.data_as_json(
            {
                "setting": setting.name,
                "value": value,
                "origin": origin,
                "decided": decided,
                "passed_over": passed_over,
                "considered": dict(considered),
            }
        )
        return
    console.data(f"{setting.name}: {setting.help}\n")
    console.data(_row("Value", f"{_shown(value)} ({origin})"))
    if decided:
        console.data(_row("Decided", decided))
    for other in passed_over:
        console.data(_row("Passed over", other))
    console.data(_row("Expected", setting.kind.expected))
    console.data(_row("Sources", "the strongest first; a start's own options come before them"))
    width = max(len(name) for name, _ in considered)
    for name, given in considered:
        console.data(f"  {'->' if name == origin else '  '} {name:<{width}}  {_shown(given)}")
    console.data(f"\n{_row('Documentation', 'docs/settings.md')}")


def _shown(value: object) -> str:
    return "-" if value in (None, "", ()) else " ".join(value) if isinstance(value, tuple) else str(value)


def _row(title: str, text: str) -> str:
    return textwrap.fill(text, _WIDTH, initial_indent=f"{title + ':':<15}", subsequent_indent=" " * 15, break_on_hyphens=False)
