"""Which distributions a lock has only because others need them: such a one doesn't say what the application wants.

Where nothing tells, everything counts as asked for: it is installed anyway.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from taxiway.dependencies.formats import requirements_txt
from taxiway.dependencies.pins import Pin, PinnedList

_MANIFESTS = ("pyproject.toml", "Pipfile")


def look(source: Path, pinned: PinnedList) -> frozenset[str]:
    """Return the normalized names of what only others ask for."""
    if pinned.format == requirements_txt.NAME:
        texts: dict[str, list[str]] = {}
        for pin in pinned.pins:
            if pin.file not in texts:
                texts[pin.file] = (source / pin.file).read_text(encoding="utf-8", errors="replace").splitlines()
        return frozenset(pin.name for pin in pinned.pins if _is_via_others(pin, texts[pin.file]))
    for name in _MANIFESTS:
        manifest = (source / pinned.file).with_name(name)
        if manifest.is_file() and (asked := frozenset(_asked(tomllib.loads(manifest.read_text(encoding="utf-8"))))):
            return frozenset(pin.name for pin in pinned.pins) - asked
    return frozenset()


def _is_via_others(pin: Pin, lines: list[str]) -> bool:
    """Tell by pip-compile's and uv's comments: `# via quart`, but `# via -r requirements.in` or `# via me (pyproject.toml)`."""
    words: list[str] = []
    for line in lines[pin.line :]:
        comment = re.fullmatch(r"\s+#(.*)", line)
        if comment:
            words += comment[1].split()
        elif not line.startswith((" ", "\t")):
            break
    return words[:1] == ["via"] and not any(word.startswith(("-r", "(")) for word in words)


def _asked(manifest: Mapping[str, Any]) -> Iterator[str]:
    """Give the names in a pyproject.toml (PEP 621, PEP 735, Poetry's own) or a Pipfile, of all extras and groups."""
    project, tool = manifest.get("project", {}), manifest.get("tool", {}).get("poetry", {})
    optional = project.get("optional-dependencies", {})
    groups = manifest.get("dependency-groups", {})
    for line in (*project.get("dependencies", ()), *(line for lines in (*optional.values(), *groups.values()) for line in lines)):
        if isinstance(line, str) and (name := re.match(r"[A-Za-z0-9._-]+", line)):
            yield canonicalize_name(name[0])
    tables = [tool.get("dependencies", {}), *(group.get("dependencies", {}) for group in tool.get("group", {}).values())]
    tables += [table for name, table in manifest.items() if name not in {"project", "tool", "dependency-groups", "requires"}]
    for table in tables:
        yield from (canonicalize_name(name) for name in table if isinstance(table, Mapping))
