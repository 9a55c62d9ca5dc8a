"""`make run` and `make stop`: a sample beside the one that may be running, built from this checkout."""

import os
import re
import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

import harness
import pytest
from harness import ROOT, Output

SCRIPT = str(ROOT / "scripts" / "run-sample.sh")
SAMPLE = "examples/django-polls"
# What a run reads of the checkout.
READ_BY_RUN = ("examples", "scripts", "s2i", "certs", "requirements", "src")
STEP = re.compile(r"==> (.+) \((\d+\.\d) s\)")


@dataclass(frozen=True)
class Sample:
    """A sample with a name and a port of its own."""

    name: str

    @property
    def image(self) -> str:
        return f"localhost/{self.name}"

    def call(self, action: str) -> Output:
        """Call the script in the environment that the tests were started in."""
        own = {name: value for name, value in os.environ.items() if name.startswith(("TAXIWAY_CACHE", "PIP_"))}
        env = {**own, "APP": SAMPLE, "SAMPLE_NAME": self.name, "PORT": str(harness.free_port())}
        return harness.run(SCRIPT, action, env=env)

    def image_id(self) -> str:
        return harness.podman("image", "inspect", "--format={{.Id}}", self.image).text.strip()


def container_id(name: str) -> str:
    """The container of that name, whether it runs or not; empty if there is none."""
    return harness.podman("ps", "--all", "--quiet", f"--filter=name=^{name}$").text.strip()


def steps(output: str) -> list[str]:
    """The steps that were announced, each with its duration."""
    lines = [line for line in output.splitlines() if line.startswith("==>")]
    found = [STEP.fullmatch(line) for line in lines]
    assert None not in found, output
    return [step[1] for step in found if step]


def page(output: str) -> tuple[int, str]:
    """Ask the address that was printed."""
    found = re.search(r"^(http://localhost:\d+/) ", output, re.MULTILINE)
    assert found, output
    with urlopen(found[1], timeout=30) as response:
        return response.status, response.read().decode()


def untracked_files() -> set[str]:
    """What of the checkout git doesn't have, or ignores; bytecode apart, which the tests make themselves."""
    argv = ("git", "-C", str(ROOT), "ls-files", "--others", "--", *READ_BY_RUN)
    listed = subprocess.run(argv, check=True, capture_output=True, text=True).stdout.splitlines()
    return {path for path in listed if "__pycache__" not in path}


def cache() -> Path:
    """Where scripts/lib.sh keeps state."""
    cache_root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get("TAXIWAY_CACHE") or cache_root / "taxiway")


@pytest.fixture(scope="module")
def sample() -> Iterator[Sample]:
    it = Sample(f"taxiway-test-{uuid.uuid4().hex[:12]}")
    yield it
    harness.podman("rm", "--force", "--time=1", it.name, check=False)
    harness.podman("rmi", "--force", it.image, check=False)
    (cache() / f"sample-{it.name}").unlink(missing_ok=True)


def test_run_again_and_stop(sample: Sample) -> None:
    untracked, developers_own = untracked_files(), container_id("taxiway-sample")

    first = sample.call("run").text
    done = steps(first)
    assert done[0] == "container engine"
    assert done[-3:] == [f"s2i build {SAMPLE} into {sample.image}", f"start {sample.image}", "wait for the first page"]
    status, body = page(first)
    assert status == 200
    assert "What do you think?" in body
    image, container = sample.image_id(), container_id(sample.name)

    second = sample.call("run").text
    for name in (harness.BUILDER, harness.RUNTIME, sample.image):
        assert f"{name} is up to date\n" in second
    assert steps(second) == ["container engine", f"start {sample.image}", "wait for the first page"]
    assert page(second)[0] == 200
    assert sample.image_id() == image
    assert container_id(sample.name) != container

    assert f"make stop SAMPLE_NAME={sample.name} " in second
    assert steps(sample.call("stop").text) == [f"stop {sample.name}"]
    assert container_id(sample.name) == ""
    assert f"no container named {sample.name}" in sample.call("stop").text

    assert untracked_files() - untracked == set()
    assert container_id("taxiway-sample") == developers_own


def test_image_has_the_source_and_nothing_else_of_the_checkout(sample: Sample) -> None:
    """What lies in the image is what git has, and what the build made of it."""
    if harness.podman("image", "exists", sample.image, check=False).status:
        sample.call("run")
    find = ("find", ".", "-type", "f", "-not", "-path", "*/__pycache__/*", "-not", "-path", "./staticfiles/*")
    in_image = harness.podman("run", "--rm", "--network=none", sample.image, *find).text.splitlines()
    argv = ("git", "-C", str(ROOT / SAMPLE), "ls-files")
    in_git = subprocess.run(argv, check=True, capture_output=True, text=True).stdout.splitlines()
    assert sorted(in_image) == sorted(f"./{path}" for path in in_git)
