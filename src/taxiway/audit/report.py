"""What an audit found, as text for people and in the formats of CI systems. Pure functions."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree as ET

from taxiway import __version__
from taxiway.audit.image import Layer
from taxiway.audit.profiles import SEVERITIES, is_as_bad_as
from taxiway.audit.rules.rule import Finding, Rule, Severity
from taxiway.audit.tar import shown
from taxiway.audit.waivers import Waived

FORMATS = ("text", "json", "sarif", "junit")
_COMMAND_CHARACTERS = 300
"""Of the command that made a layer; there may be a script in it."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """What an audit found."""

    image: str
    digest: str
    profile: str
    rules: tuple[Rule, ...]
    """Those that were looked at."""
    findings: tuple[Finding, ...]
    waived: tuple[Waived, ...] = ()
    unchecked: Mapping[str, str] | None = None
    """Rules that couldn't be looked at, by ID, and why."""
    layers: int = 0
    files: int = 0

    def count(self, severity: Severity) -> int:
        """Return how many findings have a severity."""
        return sum(finding.rule.severity == severity for finding in self.findings)

    def failures(self, fail_on: Severity) -> int:
        """Return how many findings are at least as bad."""
        return sum(is_as_bad_as(finding.rule.severity, fail_on) for finding in self.findings)

    @property
    def summary(self) -> str:
        """Say it in a line."""
        counts = ", ".join(_plural(self.count(severity), severity) for severity in SEVERITIES)
        waived = f", {len(self.waived)} waived" * bool(self.waived)
        what = f"{_plural(self.layers, 'layer')}, {_plural(self.files, 'file')}, {_plural(len(self.rules), 'rule')}"
        return f"{self.image}: {what}: {counts}{waived}"


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' * (count != 1)}"


def _command(layer: Layer) -> str:
    command = " ".join(shown(layer.created_by).split())
    return command if len(command) <= _COMMAND_CHARACTERS else f"{command[:_COMMAND_CHARACTERS]}..."


def _where(layer: Layer | None) -> str:
    return f"layer {layer.number}: {_command(layer) or 'no history'}" if layer else "configuration"


def text(report: Report) -> Iterator[str]:
    """Write lines for people: the worst first, what belongs together under its rule and layer."""
    order = sorted(report.findings, key=lambda finding: SEVERITIES.index(finding.rule.severity))
    for rule, of_rule in groupby(order, key=lambda finding: finding.rule):
        yield f"{rule.severity} {rule.id}: {rule.title}"
        fixes: dict[str, None] = {}
        for layer, of_layer in groupby(of_rule, key=lambda finding: finding.layer):
            for finding in of_layer:
                yield f"  {shown(finding.path)}: {shown(finding.reason)}"
                fixes[finding.fix] = None
            if layer:
                yield f"     in {_where(layer)}"
        yield f"  why: {rule.source}"
        yield from (f"  fix: {shown(fix)}" for fix in fixes)
        yield ""
    for one in report.waived:
        finding, waiver = one.finding, one.waiver
        yield f"waived {finding.rule.id}: {shown(finding.path)}: {waiver.reason} (until {waiver.expires})"
    for rule_id, reason in (report.unchecked or {}).items():
        yield f"not checked {rule_id}: {shown(reason)}"
    yield report.summary


def as_json(report: Report) -> str:
    """Write a document of taxiway's own; its keys stay as they are in format 1."""
    document = {
        "format": 1,
        "image": report.image,
        "digest": report.digest,
        "profile": report.profile,
        "summary": {**{f"{severity}s": report.count(severity) for severity in SEVERITIES}, "waived": len(report.waived)},
        "findings": [_finding(finding) for finding in report.findings],
        "waived": [
            {**_finding(one.finding), "waiver": {"reason": one.waiver.reason, "expires": one.waiver.expires.isoformat()}}
            for one in report.waived
        ],
        "unchecked": dict(report.unchecked or {}),
        "rules": [rule.id for rule in report.rules],
    }
    return json.dumps(document, indent=2)


def _finding(finding: Finding) -> dict[str, Any]:
    layer = finding.layer
    return {
        "rule": finding.rule.id,
        "severity": finding.rule.severity,
        "title": finding.rule.title,
        "path": shown(finding.path),
        "layer": {"number": layer.number, "digest": layer.digest, "command": shown(layer.created_by)} if layer else None,
        "reason": shown(finding.reason),
        "fix": shown(finding.fix),
    }


def sarif(report: Report) -> str:
    """Write SARIF 2.1.0 (OASIS), which GitHub's code scanning and many editors read.

    A path is told as a relative URI below the base IMAGE: GitHub takes no others. Waived findings are suppressed results.
    """
    indexes = {rule.id: index for index, rule in enumerate(report.rules)}
    rules = [
        {
            "id": rule.id,
            "shortDescription": {"text": rule.title},
            "fullDescription": {"text": f"{rule.title}. {rule.source}."},
            "help": {"text": f"{rule.fix}."},
            "defaultConfiguration": {"level": rule.severity},
            "properties": {"tags": ["security"] if rule.id[0] in "UFSR" else ["image"]},
        }
        for rule in report.rules
    ]
    results = [_result(finding, indexes) for finding in report.findings]
    for one in report.waived:
        why = f"{one.waiver.reason} (until {one.waiver.expires})"
        result = _result(one.finding, indexes)
        results.append({**result, "suppressions": [{"kind": "external", "justification": why}]})
    run = {
        "tool": {"driver": {"name": "taxiway audit", "version": __version__, "rules": rules}},
        "originalUriBaseIds": {"IMAGE": {"description": {"text": f"The root of the image {report.image}, {report.digest}"}}},
        "properties": {"image": report.image, "digest": report.digest, "profile": report.profile},
        "results": results,
    }
    return json.dumps({"$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0", "runs": [run]}, indent=2)


def _result(finding: Finding, indexes: Mapping[str, int]) -> dict[str, Any]:
    path = shown(finding.path)
    return {
        "ruleId": finding.rule.id,
        "ruleIndex": indexes[finding.rule.id],
        "level": finding.rule.severity,
        "message": {"text": f"{path}: {shown(finding.reason)} ({_where(finding.layer)}). Fix: {shown(finding.fix)}"},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": quote(path.lstrip("/") or ".", safe="/"), "uriBaseId": "IMAGE"},
                    "region": {"startLine": 1},  # GitHub wants one
                },
                "logicalLocations": [{"fullyQualifiedName": _where(finding.layer)}],
            }
        ],
        # Without the layer's number: another instruction before it makes no other finding.
        "partialFingerprints": {"rulePath/v1": f"{finding.rule.id}:{path}"},
    }


def junit(report: Report, fail_on: Severity) -> str:
    """Write JUnit's XML, as Jenkins, GitLab and others read it: a test for each rule, which fails where a finding counts."""
    suites = ET.Element("testsuites", name=f"taxiway audit {report.image}")
    unchecked = report.unchecked or {}
    failed = skipped = 0
    suite = ET.SubElement(suites, "testsuite")
    for rule in report.rules:
        case = ET.SubElement(suite, "testcase", classname=f"audit.{report.profile}", name=f"{rule.id} {rule.title}")
        found = [finding for finding in report.findings if finding.rule.id == rule.id]
        lines = [f"{finding.path}: {finding.reason} ({_where(finding.layer)})" for finding in found]
        lines += [f"{one.finding.path}: waived: {one.waiver.reason}" for one in report.waived if one.finding.rule.id == rule.id]
        told = "\n".join(map(shown, lines))
        if found and is_as_bad_as(rule.severity, fail_on):
            failed += 1
            failure = ET.SubElement(case, "failure", type=rule.severity, message=_plural(len(found), "finding"))
            failure.text = f"{told}\nwhy: {rule.source}\nfix: {found[0].fix}"
        elif rule.id in unchecked:
            skipped += 1
            ET.SubElement(case, "skipped", message=shown(unchecked[rule.id]))
        elif told:
            ET.SubElement(case, "system-out").text = told
    counts = {"tests": len(report.rules), "failures": failed, "errors": 0, "skipped": skipped}
    suite.attrib |= {"name": shown(report.image), **{name: str(count) for name, count in counts.items()}}
    ET.indent(suites)
    return ET.tostring(suites, encoding="unicode", xml_declaration=True)
