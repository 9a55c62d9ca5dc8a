"""What `taxiway audit` says: profiles, waivers, formats, statuses, documentation."""

import json
import re
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import jsonschema
import pytest
import xmlschema
from click.testing import CliRunner, Result
from saved_images import docker_files, file, layer_tar, tar
from test_docs import ROOT, rows

from taxiway.audit import profiles, report, waivers
from taxiway.audit.image import Layer
from taxiway.audit.report import Report
from taxiway.audit.rules import EVERY, RULES
from taxiway.audit.rules.rule import Finding, Rule
from taxiway.audit.waivers import Waiver
from taxiway.cli import audit as cli_audit
from taxiway.cli import taxiway
from taxiway.errors import AuditFailedError, BadAuditTableError, NoSuchImageError

SCHEMAS = ROOT / "test" / "schemas" / "reports"
TODAY = date(2030, 6, 15)
ALL = (*EVERY, *waivers.RULES)
BY_ID = {rule.id: rule for rule in ALL}


def finding(rule: str, path: str, layer: int = 0) -> Finding:
    made_by = Layer(number=layer, digest=f"sha256:{layer}", created_by=f"RUN step {layer}", entries=())
    return Finding(rule=BY_ID[rule], path=path, layer=made_by if layer else None, reason="it is so", fix="change it")


def waiver(rule: str, path: str = "*", expires: date = TODAY) -> Waiver:
    return Waiver(rule=rule, path=path, reason="the page shows it", expires=expires, origin=f"waiver of {rule}")


def made(*found: Finding, **fields: Any) -> Report:
    return Report(image="shop:1", digest="sha256:1", profile="taxiway", rules=ALL, findings=found, layers=2, files=5, **fields)


# --- profiles


def test_profiles() -> None:
    """Each rule is in taxiway's or one of its own; severities differ where a profile says so."""
    assert {rule.id for rule in profiles.choose(ALL, "taxiway")} == set(BY_ID) - {"M7"}
    for profile in profiles.PROFILES:
        assert {rule.id for rule in profiles.choose(ALL, profile)} <= set(BY_ID) - ({"M7"} if profile != "cis" else set())
    assert {rule.id for rule in profiles.choose(ALL, "kubernetes-restricted")} >= {"U1", "M6", "R2"}
    chosen = {rule.id: rule.severity for rule in profiles.choose(RULES, "openshift")}
    assert (chosen["M1"], BY_ID["M1"].severity) == ("warning", "note")
    assert [rule.id for rule in profiles.choose(RULES, "cis") if rule.id == "M7"] == ["M7"]
    assert len(BY_ID) == len(ALL), "an ID is there twice"


def test_severities() -> None:
    assert profiles.is_as_bad_as("error", "warning")
    assert profiles.is_as_bad_as("note", "note")
    assert not profiles.is_as_bad_as("note", "warning")


# --- waivers


@pytest.mark.parametrize(
    ("given", "left", "waived"),
    [
        ([], ["S6 /src/.git", "S6 /src/.env"], []),
        ([waiver("S6", "/src/.git")], ["S6 /src/.env"], ["/src/.git"]),
        ([waiver("S6")], [], ["/src/.git", "/src/.env"]),
        ([waiver("S6", "/src/*")], [], ["/src/.git", "/src/.env"]),
        ([waiver("S3")], ["S6 /src/.git", "S6 /src/.env", "W2 waiver of S3"], []),
        ([waiver("R1")], ["S6 /src/.git", "S6 /src/.env"], []),  # not looked at, so not unused
        ([waiver("S6", expires=date(2030, 6, 14))], ["S6 /src/.git", "S6 /src/.env", "W1 waiver of S6"], []),
    ],
)
def test_waivers(given: list[Waiver], left: list[str], waived: list[str]) -> None:
    """They cover a rule at paths until the end of a day; then they are findings themselves."""
    found = [finding("S6", "/src/.git"), finding("S6", "/src/.env")]
    rest, accepted = waivers.apply(found, given, TODAY, RULES)
    assert [f"{one.rule.id} {one.path}" for one in rest] == left
    assert [one.finding.path for one in accepted] == waived


GOOD = {"rule": "S6", "path": "/src/*", "reason": "the page shows it", "expires": TODAY}


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ([], "audit is no table"),
        ({"profiles": "cis"}, "profiles: there is no such key"),
        ({"profile": "pci"}, "profile: 'pci', expected one of taxiway, openshift"),
        ({"fail-on": "info"}, "fail-on: 'info', expected one of error, warning, note"),
        ({"max-size": "big"}, "max-size: 'big', expected a number of bytes"),
        ({"waivers": {}}, "waivers: expected an array of tables"),
        ({"waivers": ["S6"]}, "waiver 1: expected a table"),
        ({"waivers": [GOOD, GOOD | {"rule": "S66"}]}, "waiver 2: rule: 'S66', expected the ID of a rule"),
        ({"waivers": [GOOD | {"reason": " "}]}, "waiver 1: reason: ' ', expected why"),
        ({"waivers": [GOOD | {"expires": "2030-01-31"}]}, "waiver 1: expires: '2030-01-31', expected a date without quotes"),
        ({"waivers": [{"rule": "S6", "reason": "x"}]}, "waiver 1: expires: None"),
        ({"waivers": [GOOD | {"path": 3}]}, "waiver 1: path: 3"),
        ({"waivers": [GOOD | {"until": TODAY}]}, "waiver 1: until: there is no such key"),
    ],
)
def test_bad_table(table: object, problem: str) -> None:
    with pytest.raises(BadAuditTableError) as caught:
        waivers.read({"audit": table}, "pyproject.toml", BY_ID)
    assert problem in str(caught.value)


def test_table() -> None:
    table = waivers.read({"audit": {"profile": "cis", "fail-on": "note", "max-size": "2G", "waivers": [GOOD]}}, "x.toml", BY_ID)
    assert (table.profile, table.fail_on, table.most_bytes) == ("cis", "note", 2_000_000_000)
    assert table.waivers == (Waiver(**GOOD, origin="waiver 1 in x.toml"),)  # type: ignore[arg-type]
    assert waivers.read({}, "x.toml", BY_ID) == waivers.Table()


@pytest.mark.parametrize(("value", "size"), [(5, 5), ("400M", 400_000_000), ("1gb", 10**9), ("7k", 7000)])
def test_sizes(value: object, size: int) -> None:
    assert waivers.parse_size(value) == size


@pytest.mark.parametrize("value", [0, -1, True, "M", "", "4T"])
def test_no_sizes(value: object) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # its text is told to nobody
        waivers.parse_size(value)


# --- formats

HOSTILE = "/srv/\x1b]0;x\x07<&>\"'%2e \udc80ä"
REPORTS = {
    "nothing": made(),
    "one": made(finding("F1", "/bin/su", 2)),
    "all": made(
        finding("F1", "/bin/su", 2),
        finding("M1", "config.Labels.x"),
        finding("F1", HOSTILE, 1),
        finding("W1", "waiver 1 in pyproject.toml"),
        waived=(waivers.Waived(finding=finding("S6", "/src/.git"), waiver=waiver("S6")),),
        unchecked={"R4": "there is no shell in the image"},
    ),
}


def test_text() -> None:
    """The worst first, each rule once, its findings by layer."""
    assert list(report.text(REPORTS["all"])) == [
        "error F1: No file has the setuid or setgid bit",
        "  /bin/su: it is so",
        "     in layer 2: RUN step 2",
        "  /srv/\\x1b]0;x\\x07<&>\"'%2e \\udc80ä: it is so",
        "     in layer 1: RUN step 1",
        f"  why: {BY_ID['F1'].source}",
        "  fix: change it",
        "",
        "error W1: No waiver has expired",
        "  waiver 1 in pyproject.toml: it is so",
        f"  why: {BY_ID['W1'].source}",
        "  fix: change it",
        "",
        "note M1: Labels of Kubernetes, OpenShift and S2I are there",
        "  config.Labels.x: it is so",
        f"  why: {BY_ID['M1'].source}",
        "  fix: change it",
        "",
        "waived S6: /src/.git: the page shows it (until 2030-06-15)",
        "not checked R4: there is no shell in the image",
        f"shop:1: 2 layers, 5 files, {len(ALL)} rules: 3 errors, 0 warnings, 1 note, 1 waived",
    ]


def test_text_cuts_long_commands() -> None:
    long = Finding(
        rule=BY_ID["F1"], path="/x", reason="y", fix="z",
        layer=Layer(number=1, digest="", created_by="RUN " + "word  " * 500, entries=()),
    )  # fmt: skip
    line = list(report.text(made(long)))[2]
    assert line.startswith("     in layer 1: RUN word word")
    assert line.endswith("...")
    assert len(line) < 400


@pytest.mark.parametrize("name", REPORTS)
def test_sarif(name: str) -> None:
    """It is valid by OASIS's schema, and has what GitHub asks for."""
    document = json.loads(report.sarif(REPORTS[name]))
    schema = json.loads((SCHEMAS / "sarif-2.1.0-rtm.5.json").read_text())
    jsonschema.validate(document, schema)
    (run,) = document["runs"]
    declared = run["tool"]["driver"]["rules"]
    shown = REPORTS[name]
    assert len(run["results"]) == len(shown.findings) + len(shown.waived)
    for result in run["results"]:
        assert declared[result["ruleIndex"]]["id"] == result["ruleId"]
        (place,) = result["locations"]
        assert re.fullmatch(r"[A-Za-z0-9._~/%-]+", place["physicalLocation"]["artifactLocation"]["uri"])
    suppressed = [result["ruleId"] for result in run["results"] if "suppressions" in result]
    assert suppressed == [one.finding.rule.id for one in shown.waived]


def test_schema_refuses() -> None:
    """The check of the format isn't empty."""
    schema = json.loads((SCHEMAS / "sarif-2.1.0-rtm.5.json").read_text())
    document = json.loads(report.sarif(REPORTS["one"]))
    document["runs"][0]["results"][0]["level"] = "critical"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, schema)


@pytest.mark.parametrize("name", REPORTS)
def test_junit(name: str) -> None:
    """It is valid by the schema of Jenkins' plug-in; a test for each rule."""
    text = report.junit(REPORTS[name], "warning")
    xmlschema.XMLSchema(str(SCHEMAS / "junit-10.xsd")).validate(text)
    suite = ET.fromstring(text)[0]  # noqa: S314  # written above
    failed = [case.get("name", "")[:2] for case in suite if case.find("failure") is not None]
    expected = {"nothing": [], "one": ["F1"], "all": ["F1", "W1"]}
    assert failed == expected[name]
    assert (suite.get("tests"), suite.get("failures")) == (str(len(ALL)), str(len(failed)))
    skipped = {case.get("name", "")[:2] for case in suite if case.find("skipped") is not None}
    assert skipped == ({"R4"} if name == "all" else set())


def test_json() -> None:
    document = json.loads(report.as_json(REPORTS["all"]))
    assert document["format"] == 1
    assert document["summary"] == {"errors": 3, "warnings": 0, "notes": 1, "waived": 1}
    assert document["findings"][0] == {
        "rule": "F1",
        "severity": "error",
        "title": "No file has the setuid or setgid bit",
        "path": "/bin/su",
        "layer": {"number": 2, "digest": "sha256:2", "command": "RUN step 2"},
        "reason": "it is so",
        "fix": "change it",
    }
    assert document["waived"][0]["waiver"] == {"reason": "the page shows it", "expires": "2030-06-15"}
    assert document["unchecked"] == {"R4": "there is no shell in the image"}


# --- the command


@pytest.fixture
def audit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Run `taxiway audit` on an image with one error and one note, in a project."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cli_audit, "RULES", tuple(rule for rule in RULES if rule.id in {"U1", "S3", "M2"}))
    layers = [layer_tar([file("root/.netrc", "machine h login l password hunter22"), file("licenses/x", "x")])]
    labels = dict.fromkeys(("name", "vendor", "version", "release", "summary", "description"), "x")
    (tmp_path / "shop.tar").write_bytes(tar(docker_files(layers, config={"Labels": labels})))

    def run(*options: str, project: str = "") -> Result:
        (tmp_path / "pyproject.toml").write_text(project)
        return CliRunner().invoke(taxiway, ["audit", "shop.tar", *options])

    return run


WAIVER = '[[tool.taxiway.audit.waivers]]\nrule = "S3"\npath = "/root/.netrc"\nreason = "x"\n'


@pytest.mark.parametrize(
    ("options", "project", "fails"),
    [
        ((), "", True),
        ((), WAIVER + "expires = 9999-01-31\n", False),
        ((), WAIVER + "expires = 2001-01-31\n", True),
        (("--profile", "kubernetes-restricted"), "", False),
        ((), '[tool.taxiway.audit]\nprofile = "kubernetes-restricted"\n', False),
        (("--profile", "taxiway"), '[tool.taxiway.audit]\nprofile = "kubernetes-restricted"\n', True),
        (("--fail-on", "note"), WAIVER + "expires = 9999-01-31\n", True),
        (("--profile", "kubernetes-restricted", "--max-size", "10"), "", True),
        ((), '[tool.taxiway.audit]\nprofile = "kubernetes-restricted"\nmax-size = 10\n', True),
    ],
)
def test_status(audit: Callable[..., Result], options: tuple[str, ...], project: str, fails: bool) -> None:  # noqa: FBT001
    """It fails by what counts: options, then the project's table, then the defaults."""
    result = audit(*options, project=project)
    assert isinstance(result.exception, AuditFailedError) is fails, result.output


def test_values_that_must_be_nowhere(audit: Callable[..., Result], tmp_path: Path) -> None:
    (tmp_path / "values").write_text("hunter22\n")
    result = audit("--absent", "values")
    assert "error S7:" in result.output
    assert "hunter22" not in result.output


@pytest.mark.parametrize(
    ("form", "options", "start"),
    [
        ("json", ("--format", "json"), "{"),
        ("json", ("--json",), "{"),
        ("sarif", ("--format", "sarif"), "{"),
        ("junit", ("--format", "junit"), "<?xml"),
    ],
)
def test_formats(audit: Callable[..., Result], form: str, options: tuple[str, ...], start: str, tmp_path: Path) -> None:
    """Stdout has the document and nothing else; with --output a file has it, and stdout the text."""
    document = audit(*options).stdout
    assert document.startswith(start)
    if form != "junit":
        json.loads(document)
    result = audit("--format", form, "--output", "report")
    assert (tmp_path / "report").read_text() == document
    assert "error S3: No file of credentials, in any layer" in result.stdout


@pytest.mark.programs
def test_run_needs_an_engine_s_image(audit: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A saved image can't be started."""
    program = tmp_path / "bin" / "podman"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\n[ "$1" = info ]\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    result = audit("--run")
    assert isinstance(result.exception, NoSuchImageError)
    assert "--run starts containers, and podman has no such image" in str(result.exception)


@pytest.mark.parametrize(
    ("option", "text"),
    [
        (("--env", "X"), "expected NAME=VALUE, found X"),
        (("--max-size", "4T"), "with K, M or G"),
        (("--slow-path", "a b"), "begins with /, escaped"),
        (("--slow-path", "/a b"), "found '/a b'"),
    ],
)
def test_wrong_options(audit: Callable[..., Result], option: tuple[str, ...], text: str) -> None:
    result = audit(*option)
    assert result.exit_code == 2
    assert text in result.output


# --- documentation


def row(rule: Rule) -> str:
    """A rule's row of the table in docs/audit.md."""
    words = [profiles.severity(rule, profile) if profile in rule.profiles else "" for profile in profiles.PROFILES]
    return f"| {' | '.join((rule.id, rule.title, *words, rule.source))} |".replace("  ", " ")


def test_documented_rules() -> None:
    header = f"| rule | what has to be so | {' | '.join(profiles.PROFILES)} | why, and who says so |"
    assert rows("audit.md", header) == [
        row(rule) for rule in sorted(ALL, key=lambda r: ("UFSMCRW".index(r.id[0]), int(r.id[1:])))
    ]


def test_documented_profiles() -> None:
    assert rows("audit.md", "| profile | what |") == [f"| `{name}` | {what} |" for name, what in profiles.ABOUT.items()]
