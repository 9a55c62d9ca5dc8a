"""Which rules an image is held against, and how bad it is to break one: for taxiway's own images, a platform, or a benchmark."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import get_args

from taxiway.audit.rules.rule import Profile, Rule, Severity

PROFILES: tuple[Profile, ...] = get_args(Profile)
SEVERITIES: tuple[Severity, ...] = get_args(Severity)
"""The worst first."""
ABOUT: Mapping[Profile, str] = {
    "taxiway": "all that an image built by taxiway satisfies; the default",
    "openshift": "OpenShift's guidelines for images, what restricted-v2 needs, and Red Hat's container certification",
    "kubernetes-restricted": 'what decides whether a pod starts under the Pod Security Standard "restricted"',
    "cis": "the CIS Docker Benchmark's section 4, images and build files",
}
# Where a profile takes a rule more, or less, seriously than the others do.
_OTHERS: Mapping[Profile, Mapping[str, Severity]] = {
    "taxiway": {},
    "openshift": {"M1": "warning", "M2": "warning", "M4": "warning", "M5": "warning"},  # the certification fails without
    "kubernetes-restricted": {"M6": "error"},  # without NET_BIND_SERVICE the server doesn't start
    "cis": {"M7": "warning"},
}


def severity(rule: Rule, profile: Profile) -> Severity:
    """Return how bad it is to break a rule."""
    return _OTHERS[profile].get(rule.id, rule.severity)


def choose(rules: Iterable[Rule], profile: Profile) -> list[Rule]:
    """Return the rules of a profile, with its severities."""
    return [replace(rule, severity=severity(rule, profile)) for rule in rules if profile in rule.profiles]


def is_as_bad_as(found: Severity, limit: Severity) -> bool:
    """Tell whether a severity is at least another."""
    return SEVERITIES.index(found) <= SEVERITIES.index(limit)
