"""What is installed, as it was asked for; what is asked for now; and the difference.

Written after an installation, so that the next build changes only what changed: nothing, some pins, or, where that can't be told
apart, everything.
"""

import hashlib
import json
import os
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from taxiway.dependencies.pins import Pin, PinnedList
from taxiway.layout import Layout

RECIPE = "2"  # raise it when the same requirements would be installed differently
_NAMED = 5  # of the reasons, in a line of output


@dataclass(frozen=True, kw_only=True)
class State:
    """A set of dependencies, described by what was asked for."""

    basis: Mapping[str, str]
    """What makes a set another one altogether, by the words in which a change is reported."""
    pins: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """By distribution: its version, empty where that isn't known, and what it is installed from."""


@dataclass(frozen=True, kw_only=True)
class Changes:
    """From what is installed to what is asked for."""

    reasons: tuple[str, ...] = ()
    """In words; empty: nothing changed."""
    from_scratch: bool = False
    gone: frozenset[str] = frozenset()
    """Distributions that aren't wanted any more, in any version."""
    new: frozenset[str] = frozenset()
    """Distributions to install, in place of what is there of these names."""

    def __str__(self) -> str:
        more = f" and {len(self.reasons) - _NAMED} more" * (len(self.reasons) > _NAMED)
        return ", ".join(self.reasons[:_NAMED]) + more


def describe(pinned: PinnedList | None, layout: Layout) -> State:
    """Describe the set that a list asks for, on this machine."""
    pins = pinned.applicable if pinned else ()
    basis = {
        "the requirements": "" if is_exact(pinned) else _digest(*(pinned.contents if pinned else ())),
        "the requirements' options": "\n".join(pinned.options) if pinned else "",
        "the Python": interpreter(layout),
        "the architecture": platform.machine(),
        "taxiway's way of installing": RECIPE,
    }
    return State(basis=basis, pins={key(pin): (pin.version or "", _digest(*_sources(pin, layout))) for pin in pins})


def is_exact(pinned: PinnedList | None) -> bool:
    """Tell whether a list says for each distribution what is installed, so that one can be exchanged without the others."""
    return pinned is None or (
        pinned.complete and not pinned.unpinned and len({key(p) for p in pinned.applicable}) == len(pinned.applicable)
    )


def key(pin: Pin) -> str:
    """Return what a pin is called in a state."""
    return pin.name or pin.requirement


def _sources(pin: Pin, layout: Layout) -> list[str]:
    """List what decides which files a pin installs: its line, and its content where that lies in the source."""
    lines = [pin.requirement, *sorted(pin.hashes)]
    if pin.is_local and pin.url:
        top = Path(layout.source, pin.url.removeprefix("file:"))
        files = [top] if top.is_file() else sorted(path for path in top.rglob("*") if path.is_file())
        if pin.editable:  # its modules are used where they are
            files = [path for path in files if path.parent == top and path.name in {"pyproject.toml", "setup.cfg", "setup.py"}]
        lines += [f"{path.relative_to(top)} {hashlib.sha256(path.read_bytes()).hexdigest()}" for path in files]
    return lines


def _digest(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()


def interpreter(layout: Layout) -> str:
    """Return the version of the application's interpreter, from its virtual environment's configuration (PEP 405)."""
    for line in Path(layout.app_root, "pyvenv.cfg").read_text(encoding="utf-8").splitlines():
        name, _, value = line.partition("=")
        if name.strip() in {"version", "version_info"}:
            return value.strip()
    return "unknown"


def compare(installed: State | None, wanted: State) -> Changes:
    """Say what has to change; pure."""
    if installed is None:
        return Changes(reasons=("nothing was installed before",), from_scratch=True)
    reasons = tuple(f"{words} changed" for words, value in wanted.basis.items() if installed.basis.get(words) != value)
    if reasons:
        return Changes(reasons=reasons, from_scratch=True)
    new = {name for name, source in wanted.pins.items() if installed.pins.get(name) != source}
    gone = installed.pins.keys() - wanted.pins.keys()
    words = [_words(name, installed.pins.get(name), wanted.pins.get(name)) for name in sorted(new | gone)]
    # A URL or path without a name doesn't tell what it has installed; what is installed in place for the first time has nothing.
    nameless = any(not _is_name(name) for name in new | gone if name in installed.pins or not name.startswith("-e "))
    return Changes(reasons=tuple(words), from_scratch=nameless, gone=frozenset(gone), new=frozenset(new))


def _is_name(text: str) -> bool:
    return all(character.isalnum() or character == "-" for character in text)


def _words(name: str, before: tuple[str, str] | None, after: tuple[str, str] | None) -> str:
    if after is None:
        return f"{name} removed"
    if before is None:
        return f"{name} {after[0]} added".replace("  ", " ")
    if before[0] != after[0]:
        return f"{name} {before[0] or '?'} -> {after[0] or '?'}"
    return f"other files of {name} {after[0]}".rstrip()


def read(layout: Layout) -> State | None:
    """Read what is installed; None where that isn't known, as after an installation that failed."""
    try:
        data = json.loads(Path(layout.dependencies).read_text(encoding="utf-8"))
        return State(
            basis=dict(data["basis"]), pins={name: (version, source) for name, (version, source) in data["pins"].items()}
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def write(state: State, layout: Layout) -> None:
    """Store what is installed now."""
    _store(asdict(state), layout)


def begin(layout: Layout) -> None:
    """Store that a change has begun: until it is written, what is there is worth nothing."""
    _store({}, layout)


def _store(data: object, layout: Layout) -> None:
    os.makedirs(layout.state, exist_ok=True)
    Path(layout.dependencies).write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")
