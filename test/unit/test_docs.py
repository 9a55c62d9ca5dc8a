"""The documentation states what the code does: settings, errors, and links that lead somewhere."""

import inspect
import os
import re
from pathlib import Path

import click
import pytest

from taxiway import errors
from taxiway.cli import GROUPS, taxiway
from taxiway.errors import TaxiwayError
from taxiway.settings import SETTINGS, Setting

ROOT = Path(__file__).parents[2]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]


def rows(page: str, header: str) -> list[str]:
    """The rows of a page's table, by its header."""
    lines = (ROOT / "docs" / page).read_text(encoding="utf-8").splitlines()
    start = lines.index(header) + 2
    end = next(number for number, line in enumerate(lines[start:], start) if not line.startswith("|"))
    return lines[start:end]


def shown_default(setting: Setting) -> str:
    if setting.default in (None, "", ()):
        return "none"
    if isinstance(setting.default, bool):
        return f"`{str(setting.default).lower()}`"
    return f"`{setting.default}`"


def settings_row(setting: Setting) -> str:
    names = (setting.variable, *setting.platform, *(name.lstrip("!").partition("=")[0] for name in setting.peers))
    variables = ", ".join(f"`{name}`" for name in names)
    return f"| `{setting.name}` | {variables} | {setting.kind.expected} | {shown_default(setting)} | {setting.help} |"


def test_settings() -> None:
    found = rows("settings.md", "| setting | environment variables | value | default | meaning |")
    assert found == [settings_row(setting) for setting in SETTINGS]


def test_when_settings_are_read() -> None:
    """Each setting stands once in the table of the times."""
    named = [name for row in rows("settings.md", "| when | settings |") for name in re.findall("`([a-z-]+)`", row)]
    assert sorted(named) == sorted(setting.name for setting in SETTINGS)


def test_errors() -> None:
    kinds = [
        kind
        for _, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, TaxiwayError) and kind is not TaxiwayError
    ]
    found = rows("errors.md", "| code | status | meaning | what to do |")
    documented = [tuple(cell.strip(" `") for cell in row.split("|")[1:3]) for row in found]
    expected = sorted((kind.exit_status, kind.code) for kind in kinds)
    assert documented == [(code, str(status)) for status, code in expected]


def anchors(text: str) -> set[str]:
    """The anchors that GitHub makes of headings."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_commands() -> None:
    """docs/cli.md has the commands as the help has them; `UPDATE_CLI=1 pytest test/unit/test_docs.py` writes it."""
    path = ROOT / "docs" / "cli.md"
    text = path.read_text(encoding="utf-8")
    context = click.Context(taxiway)
    tables = []
    for group, names in GROUPS.items():
        commands = [(name, taxiway.get_command(context, name)) for name in names]
        table = [f"| `taxiway {name}` | {command.short_help} |" for name, command in commands if command]
        tables.append("\n".join([f"## {group}", "", "| command | |", "| --- | --- |", *table]))
    begin, end = "<!-- the commands -->\n", "<!-- end of the commands -->\n"
    head, _, rest = text.partition(begin)
    expected = head + begin + "\n" + "\n\n".join(tables) + "\n\n" + end + rest.partition(end)[2]
    if os.environ.get("UPDATE_CLI"):
        path.write_text(expected, encoding="utf-8")
    assert expected == path.read_text(encoding="utf-8"), "type: UPDATE_CLI=1 pytest test/unit/test_docs.py"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        is_broken = "://" not in link and (
            not target.exists() or (anchor and anchor not in anchors(target.read_text(encoding="utf-8")))
        )
        if is_broken:
            broken.append(link)
    assert broken == []


def test_migrating_names_tests_that_there_are() -> None:
    """Each row of docs/migrating.md is shown by a test, or says why it is different."""
    named = re.findall(r"`(test_\w+\.py)::(\w+)`", (ROOT / "docs" / "migrating.md").read_text(encoding="utf-8"))
    assert len(named) > 60
    there = {
        (path.name, test)
        for path in (ROOT / "test").glob("*/test_*.py")
        for test in re.findall(r"^def (\w+)\(", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert sorted(set(named) - there) == []
