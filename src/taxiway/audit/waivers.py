"""Findings that are accepted for a time: `[[tool.taxiway.audit.waivers]]`."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from fnmatch import fnmatchcase
from typing import Any

from taxiway.audit.profiles import PROFILES, SEVERITIES
from taxiway.audit.rules.rule import Finding, Profile, Rule, Severity
from taxiway.errors import BadAuditTableError


@dataclass(frozen=True, kw_only=True)
class Waiver:
    """Findings that are accepted."""

    rule: str
    path: str
    """A pattern as of a shell, in which * also stands for slashes."""
    reason: str
    expires: date
    """The last day on which it counts."""
    origin: str
    """Where it stands."""

    def covers(self, finding: Finding) -> bool:
        """Tell whether a finding is one of these."""
        return finding.rule.id == self.rule and fnmatchcase(finding.path, self.path)


@dataclass(frozen=True, kw_only=True)
class Table:
    """What `[tool.taxiway.audit]` says."""

    profile: Profile | None = None
    fail_on: Severity | None = None
    most_bytes: int | None = None
    waivers: tuple[Waiver, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Waived:
    """A finding, and why it is accepted."""

    finding: Finding
    waiver: Waiver


def _none(_: object) -> Iterable[Any]:
    return ()


EXPIRED = Rule(
    id="W1",
    title="No waiver has expired",
    severity="error",
    source="a waiver is for a time; what it was for has to be looked at again",
    profiles=frozenset(PROFILES),
    fix="mend what it was for, and remove it; or give it another date, with the reason",
    check=_none,
)
UNUSED = Rule(
    id="W2",
    title="Every waiver is of use",
    severity="note",
    source="one that covers nothing today may cover something worse tomorrow",
    profiles=frozenset(PROFILES),
    fix="remove it",
    check=_none,
)
RULES = (EXPIRED, UNUSED)


def read(project: Mapping[str, Any], origin: str, known: Iterable[str]) -> Table:
    """Read the table `audit`; pure.

    Args:
        project: The table `[tool.taxiway]`.
        origin: Where that was read, for messages.
        known: The rules that there are.

    Raises:
        BadAuditTableError: It has something else than it may have; all is listed.
    """
    table = project.get("audit", {})
    problems: list[str] = []
    if not isinstance(table, Mapping):
        raise BadAuditTableError(origin, ["audit is no table"])
    problems += [f"{key}: there is no such key" for key in table if key not in {"profile", "fail-on", "max-size", "waivers"}]
    profile, fail_on, most = table.get("profile"), table.get("fail-on"), table.get("max-size")
    if profile is not None and profile not in PROFILES:
        problems.append(f"profile: {profile!r}, expected one of {', '.join(PROFILES)}")
    if fail_on is not None and fail_on not in SEVERITIES:
        problems.append(f"fail-on: {fail_on!r}, expected one of {', '.join(SEVERITIES)}")
    most_bytes = _bytes(most, problems) if most is not None else None
    rows = table.get("waivers", [])
    waivers: list[Waiver] = []
    if not isinstance(rows, list):
        problems.append("waivers: expected an array of tables, [[tool.taxiway.audit.waivers]]")
        rows = []
    for number, row in enumerate(rows, 1):
        if waiver := _waiver(row, f"waiver {number} in {origin}", set(known), f"waiver {number}", problems):
            waivers.append(waiver)
    if problems:
        raise BadAuditTableError(origin, problems)
    return Table(profile=profile, fail_on=fail_on, most_bytes=most_bytes, waivers=tuple(waivers))


def _bytes(value: object, problems: list[str]) -> int | None:
    try:
        return parse_size(value)
    except ValueError:
        problems.append(f'max-size: {value!r}, expected a number of bytes, or one with K, M or G: "400M"')
        return None


def parse_size(value: object) -> int:
    """Read a number of bytes: 400000000, "400M", "1G", in powers of 1000 as engines tell sizes; pure.

    Raises:
        ValueError: It is none.
    """
    text = str(value).upper().removesuffix("B")
    number: int = int(text.rstrip("KMG")) * 1000 ** ("KMG".find(text[-1:]) + 1)
    if isinstance(value, bool) or number < 1:
        raise ValueError
    return number


def _waiver(row: object, origin: str, known: set[str], name: str, problems: list[str]) -> Waiver | None:
    before = len(problems)
    if not isinstance(row, Mapping):
        problems.append(f"{name}: expected a table")
        return None
    problems += [f"{name}: {key}: there is no such key" for key in row if key not in {"rule", "path", "reason", "expires"}]
    rule, path, reason, expires = row.get("rule"), row.get("path", "*"), row.get("reason"), row.get("expires")
    if rule not in known:
        problems.append(f"{name}: rule: {rule!r}, expected the ID of a rule, such as S6")
    if not isinstance(path, str):
        problems.append(f"{name}: path: {path!r}, expected a pattern, such as /opt/app-root/src/*")
    if not isinstance(reason, str) or not reason.strip():
        problems.append(f"{name}: reason: {reason!r}, expected why this is accepted")
    if not isinstance(expires, date) or isinstance(expires, datetime):
        problems.append(f"{name}: expires: {expires!r}, expected a date without quotes: 2030-01-31")
    if len(problems) > before:
        return None
    return Waiver(rule=str(rule), path=str(path), reason=str(reason), expires=expires, origin=origin)  # type: ignore[arg-type]  # a date


def apply(
    findings: Sequence[Finding], waivers: Sequence[Waiver], today: date, rules: Iterable[Rule]
) -> tuple[list[Finding], list[Waived]]:
    """Part the findings that are accepted from the others; pure.

    An expired waiver covers nothing, and is a finding itself. So is an unused one, unless its rule wasn't looked at.
    """
    valid = [waiver for waiver in waivers if waiver.expires >= today]
    left: list[Finding] = []
    waived: list[Waived] = []
    for finding in findings:
        waiver = next((waiver for waiver in valid if waiver.covers(finding)), None)
        if waiver:
            waived.append(Waived(finding=finding, waiver=waiver))
        else:
            left.append(finding)
    looked_at = {rule.id for rule in rules}
    used = {id(one.waiver) for one in waived}
    for waiver in waivers:
        if waiver.expires < today:
            left.append(_about(waiver, EXPIRED, f"it was for {waiver.rule}, {waiver.reason}, until {waiver.expires}"))
        elif id(waiver) not in used and waiver.rule in looked_at:
            left.append(_about(waiver, UNUSED, f"nothing breaks {waiver.rule} at {waiver.path}"))
    return left, waived


def _about(waiver: Waiver, rule: Rule, reason: str) -> Finding:
    return Finding(rule=rule, path=waiver.origin, layer=None, reason=reason, fix=rule.fix)
