"""Making an installed distribution the same whichever installer wrote it, and fit for another machine.

What uv and pip write by themselves differs in few places, none of which the application needs: their own names, their way of
writing a console script, the path of the directory that something was installed from, the order of RECORD.
"""

import json
import re
from collections.abc import Iterable
from configparser import RawConfigParser
from pathlib import Path

from taxiway.dependencies import records
from taxiway.dependencies.records import Distribution
from taxiway.layout import Layout

INSTALLER = "taxiway\n"
_OF_UV = ("uv_cache.json", "uv_build.json")  # uv's notes on local directories, with times

_SCRIPT = """\
#!{python}
import sys

from {module} import {name}

if __name__ == "__main__":
    sys.exit({attribute}())
"""


def finish(distributions: Iterable[Distribution], layout: Layout) -> None:
    """Rewrite what depends on the installer, and RECORD with it."""
    for distribution in distributions:
        changed: dict[Path, str | None] = {distribution.metadata / name: None for name in _OF_UV}
        changed[distribution.metadata / "INSTALLER"] = INSTALLER
        changed[distribution.metadata / "direct_url.json"] = direct_url(_text(distribution.metadata / "direct_url.json"))
        for name, text in console_scripts(_text(distribution.metadata / "entry_points.txt"), layout.python).items():
            changed[Path(layout.bin, name)] = text
        _rewrite(distribution, changed)


def _rewrite(distribution: Distribution, changed: dict[Path, str | None]) -> None:
    entries = {entry.path: entry for entry in distribution.entries()}
    site_packages = distribution.site_packages
    root = site_packages.parents[2]  # of the virtual environment: lib/pythonX.Y/site-packages
    for path, text in changed.items():
        inside = path.is_relative_to(site_packages)
        relative = str(path.relative_to(site_packages)) if inside else f"../../../{path.relative_to(root)}"
        entries.pop(relative, None)
        if text is None:
            path.unlink(missing_ok=True)
        elif path.exists():  # a script that its wheel left out stays out
            path.write_text(text, encoding="utf-8")
            entries[relative] = records.entry(relative, text.encode())
    for script in (site_packages / relative for relative in entries if relative.startswith("../../../bin/")):
        script.chmod(script.stat().st_mode | 0o111)  # uv leaves that to the wheel
    records.write(distribution, list(entries.values()))


def console_scripts(entry_points: str, python: str) -> dict[str, str]:
    """Write the scripts of an entry_points.txt, by their names; pure.

    Format: the packaging specification "Entry points".
    """
    parser = RawConfigParser(delimiters=("=",), strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # names are case-sensitive
    parser.read_string(entry_points)
    found = {}
    for section in ("console_scripts", "gui_scripts"):
        for script, reference in parser.items(section) if parser.has_section(section) else ():
            module, _, attribute = re.sub(r"\s*\[.*", "", reference).partition(":")
            name = attribute.split(".")[0].strip()
            found[script] = _SCRIPT.format(python=python, module=module.strip(), name=name, attribute=attribute.strip())
    return found


def direct_url(text: str) -> str | None:
    """Return a direct_url.json (PEP 610) in one form, without a password; None where it leads to a path of the build; pure."""
    data = json.loads(text or "{}")
    url = data.get("url", "")
    if not url or url.startswith("file:"):
        return None
    if "archive_info" in data:
        data["archive_info"] = {}  # pip writes the archive's hash, uv doesn't; PEP 610 asks for neither, and the lock has it
    data["url"] = re.sub(r"://[^/@]*:[^/@]*@", "://", url)
    return json.dumps(data, sort_keys=True) + "\n"


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""
