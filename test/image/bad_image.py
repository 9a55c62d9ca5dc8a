"""The deliberately bad image of test/bad-image, and which of its faults a tool finds."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import harness

DOCKERFILE = harness.ROOT / "test" / "bad-image" / "Dockerfile"
# Of hadolint: how an instruction is written, whatever it does.
_STYLE = {"DL3003", "DL3008", "DL3059", "DL4006"}


class Fault(NamedTuple):
    """A fault that the Dockerfile plants."""

    rule: str
    subject: str
    """The path of the finding, or its end."""
    lines: range
    """The lines of the instruction that plants it."""


def planted(text: str) -> list[Fault]:
    """Read the lines `# fault RULE SUBJECT`; each is about the instruction below."""
    lines = text.splitlines()
    found: list[Fault] = []
    for number, line in enumerate(lines, 1):
        if match := re.fullmatch(r"# fault (\w+) (\S+)", line):
            first = next(n for n in range(number, len(lines) + 1) if not lines[n - 1].startswith("#"))
            last = next(n for n in range(first, len(lines) + 1) if not lines[n - 1].endswith("\\"))
            found.append(Fault(match[1], match[2], range(first, last + 1)))
    return found


def build(image: str) -> None:
    """Build it with layers, so that a removed file stays in one."""
    base = f"localhost/taxiway-base:{harness.SUITE}"
    options = ("--layers", "--pull=never", f"--build-arg=BASE_IMAGE={base}", f"--tag={image}")
    harness.podman("build", *options, str(DOCKERFILE.parent))


def found_by_audit(image: str) -> set[tuple[str, str]]:
    """Rule and path of all that `taxiway audit` finds."""
    text = harness.run(
        sys.executable,
        "-m",
        "taxiway",
        "--quiet",
        "audit",
        image,
        "--format=json",
        check=False,
        env={"PYTHONPATH": str(harness.ROOT / "src")},
    ).text
    document = json.loads(text[: text.rindex("}") + 1])  # the error comes after it
    return {(finding["rule"], finding["path"]) for finding in document["findings"]}


def missed_by_audit(found: set[tuple[str, str]]) -> list[Fault]:
    """The faults that aren't among these findings."""
    return [
        fault
        for fault in planted(DOCKERFILE.read_text())
        if not any(rule == fault.rule and path.endswith(fault.subject) for rule, path in found)
    ]


def found_by_hadolint() -> list[Fault]:
    """The faults in whose instruction hadolint complains of more than its style; in its favour, of whatever it is."""
    program = Path(sys.executable).with_name("hadolint")
    argv = [str(program), "--format=json", "--no-fail", str(DOCKERFILE)]
    answer = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    lines = {row["line"] for row in json.loads(answer) if row["code"] not in _STYLE}
    return [fault for fault in planted(DOCKERFILE.read_text()) if lines & set(fault.lines)]
