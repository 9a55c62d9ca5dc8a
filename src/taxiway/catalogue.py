"""The catalogue of errors, for `taxiway explain`: the table of docs/errors.md, which is installed with taxiway."""

import re
from pathlib import Path
from typing import NamedTuple

from taxiway import errors
from taxiway.errors import TaxiwayError

PAGE = "docs/errors.md"
_ROW = re.compile(r"^\| `([a-z-]+)` \| (\d+) \| (.*) \| (.*) \|$", re.MULTILINE)
_LINK = re.compile(r"\[([^]]+)\]\(([^)]+)\)")


class Entry(NamedTuple):
    """One row of the catalogue."""

    code: str
    exit_status: int
    summary: str
    """What kind of failure it is."""
    meaning: str
    advice: str
    pages: tuple[str, ...]
    """The documentation that the row links to, and its own."""


def entries() -> dict[str, Entry]:
    """Read the catalogue; by code."""
    return parse(_page().read_text(encoding="utf-8"))


def parse(page: str) -> dict[str, Entry]:
    """Read the table of the page; pure."""
    kinds = {kind.code: kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, TaxiwayError)}
    found = {}
    for code, status, meaning, advice in _ROW.findall(page):
        links = [f"docs/{target}" for _, target in _LINK.findall(meaning + advice)]
        summary = (kinds[code].__doc__ or "") if code in kinds else ""
        found[code] = Entry(code, int(status), summary, _plain(meaning), _plain(advice), (*links, PAGE))
    return found


def _plain(cell: str) -> str:
    """Write a cell for a terminal: of a link to a page its name, of another its text."""
    text = _LINK.sub(lambda link: f"docs/{link[1]}" if link[1].endswith(".md") else link[1], cell)
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."


def _page() -> Path:
    package = Path(__file__).parent
    installed = package / "_docs" / "errors.md"
    return installed if installed.is_file() else package.parents[1] / PAGE  # the latter in a checkout
