"""What a rule is, and what it finds."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from taxiway.audit.image import AnyProbe, Image, Layer
from taxiway.audit.tar import Entry

Severity = Literal["error", "warning", "note"]  # as SARIF calls them
Profile = Literal["taxiway", "openshift", "kubernetes-restricted", "cis"]


class Hit(NamedTuple):
    """What a rule's function yields for each thing that is wrong."""

    reason: str
    """A clause without a full stop: "its mode is 4755"."""
    entry: Entry | None = None
    """The file it is about, of the tree or of a layer; None: it is about the configuration."""
    path: str = ""
    """Where there is no entry, what it is about: "config.User", "/etc/passwd"."""
    fix: str = ""
    """What to do, where that isn't the rule's own text."""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """Something that an image has to satisfy."""

    id: str
    title: str
    """What has to be so: "No file has setuid or setgid bits"."""
    severity: Severity
    source: str
    """Why, and who says so."""
    profiles: frozenset[Profile]
    fix: str
    """What to change in the Dockerfile or the project."""
    check: Callable[[Image], Iterable[Hit]]
    probes: tuple[AnyProbe, ...] = ()
    """What it wants to know of the bytes of files."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A rule that an image breaks, and where."""

    rule: Rule
    path: str
    """In the image, or of the configuration: "config.User"."""
    layer: Layer | None
    """None: the configuration."""
    reason: str
    fix: str


def probes_of(rules: Iterable[Rule]) -> list[AnyProbe]:
    """Return what these rules want to know."""
    return [probe for rule in rules for probe in rule.probes]


def check(image: Image, rules: Sequence[Rule]) -> list[Finding]:
    """Hold an image against rules; it has to be scanned with their probes."""
    return [
        Finding(
            rule=rule,
            path=hit.entry.path if hit.entry else hit.path,
            layer=image.layers[hit.entry.layer] if hit.entry and image.layers else None,
            reason=hit.reason,
            fix=hit.fix or rule.fix,
        )
        for rule in rules
        for hit in rule.check(image)
    ]
