"""`taxiway audit` on real images: one with planted faults, of which it finds all, and ours, in which it finds nothing."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import bad_image
import harness
import pytest
from harness import BUILDER, ROOT, RUNTIME, TEST_IMAGES, podman


def test_every_planted_fault_is_found() -> None:
    """Also by path; hadolint sees few of them in the Dockerfile."""
    image = f"{TEST_IMAGES}-bad:1"
    try:
        bad_image.build(image)
        found = bad_image.found_by_audit(image)
    finally:
        podman("rmi", "--force", image, check=False)
    planted = bad_image.planted(bad_image.DOCKERFILE.read_text())
    assert len(planted) >= 20
    assert len({fault.rule for fault in planted}) >= 20
    assert bad_image.missed_by_audit(found) == []
    assert 0 < len(bad_image.found_by_hadolint()) < len(planted) / 2


@pytest.fixture(scope="module")
def application(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An application on the runtime image, built by a Dockerfile as docs/dockerfile.md has it."""
    image = f"{TEST_IMAGES}-audited:1"
    source = harness.copy_app(harness.APPS / "plain-wsgi", tmp_path_factory.mktemp("app") / "source")
    dockerfile = (
        f"FROM {BUILDER} AS build\nCOPY --chown=1001:0 . /tmp/src\nRUN /usr/libexec/s2i/assemble\n"
        f"FROM {RUNTIME}\nCOPY --from=build --chown=1001:0 /opt/app-root /opt/app-root\nCMD /usr/libexec/s2i/run\n"
    )
    revision = "--label=org.opencontainers.image.revision=0123456789abcdef0123456789abcdef01234567"
    try:
        harness.podman_build(dockerfile, image, source, revision, *harness.certificates())
        yield image
    finally:
        podman("rmi", "--force", image, check=False)


def audit(image: str, *options: str) -> harness.Output:
    """Run this checkout's `taxiway audit`, in a project without a table of its own."""
    argv = (sys.executable, "-m", "taxiway", "audit", image, "--fail-on=note", *options)
    return harness.run(*argv, check=False, env={"PYTHONPATH": str(ROOT / "src")}, cwd=ROOT / "docs")


@pytest.mark.parametrize(("image", "profile"), [(BUILDER, "taxiway"), (RUNTIME, "taxiway"), (RUNTIME, "openshift")])
def test_nothing_is_found_in_our_images(image: str, profile: str) -> None:
    """Not even a note; the other profiles have fewer rules (test/unit/test_audit_report.py)."""
    result = audit(image, f"--profile={profile}")
    assert result.status == 0, result.text


def test_nothing_is_found_in_an_application(application: str, tmp_path: Path) -> None:
    """Neither in its files, nor when it is started; the document for CI says so too."""
    result = audit(application, "--run", "--slow-path=/slow?seconds=2", "--format=sarif", f"--output={tmp_path / 'audit.sarif'}")
    assert result.status == 0, result.text
    assert "not checked" not in result.text
    (run,) = json.loads((tmp_path / "audit.sarif").read_text())["runs"]
    assert run["results"] == []
    assert {"R1", "R7", "S4", "C6"} <= {rule["id"] for rule in run["tool"]["driver"]["rules"]}
    assert podman("ps", "--all", "--quiet", f"--filter=ancestor={application}").text == ""  # other tests have their own


def test_a_path_that_is_not_slow(application: str) -> None:
    result = audit(application, "--run", "--slow-path=/")
    assert result.status == 0
    assert "R5: / answered within 0.5 s, before SIGTERM: it isn't slow" in result.text
