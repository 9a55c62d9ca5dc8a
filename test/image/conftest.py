"""Fixtures of the image tests. `make image-test` prepares engine, images and s2i before."""

from collections.abc import Callable, Iterator
from pathlib import Path

import harness
import pytest


@pytest.fixture(scope="session", autouse=True)
def _images() -> None:
    """Fail early, with the command to type, where the images are missing."""
    for image in (harness.BUILDER, harness.RUNTIME):
        if harness.podman("image", "exists", image, check=False).status:
            pytest.exit(f"{image} is missing; type: make images", returncode=2)


class _NoImagesLeft:
    """Removes the untagged images that builds leave when their name goes to a newer one."""

    def __init__(self) -> None:
        self.before = untagged()

    def pytest_sessionfinish(self) -> None:
        for image in untagged() - self.before:
            harness.podman("rmi", image, check=False)  # one that others are built on stays


def pytest_configure(config: pytest.Config) -> None:
    """Clean up once, after all workers of pytest-xdist; and not in a second checkout, where they may belong to the first."""
    if not hasattr(config, "workerinput") and harness.PREFIX == "taxiway":
        config.pluginmanager.register(_NoImagesLeft())


def untagged() -> set[str]:
    """The IDs of images without a name."""
    return set(harness.podman("images", "--filter=dangling=true", "--quiet", "--no-trunc").text.split())


@pytest.fixture(scope="session")
def build_case(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], str]]:
    """Build a case of test/apps with the real s2i, once in a session; gives the image's name."""
    built: dict[str, str] = {}

    def build(case: str) -> str:
        if case not in built:
            source = harness.copy_app(harness.APPS / case, tmp_path_factory.mktemp(case) / "source")
            image = f"{harness.TEST_IMAGES}/{case}"
            options = [f"--env={k}={v}" for k, v in harness.read_expectation(case)["build"].get("env", {}).items()]
            log = harness.s2i_build(source, image, *options).text
            for text in harness.read_expectation(case)["build"].get("log", []):
                assert text in log
            built[case] = image
        return built[case]

    yield build
    for image in built.values():
        harness.podman("rmi", "--force", image, check=False)


@pytest.fixture
def app_source(tmp_path: Path) -> Callable[[str], Path]:
    """Copy a case of test/apps to a directory of its own."""
    return lambda case: harness.copy_app(harness.APPS / case, tmp_path / case)


@pytest.fixture
def image_name(request: pytest.FixtureRequest) -> Iterator[str]:
    """A name for an image that is removed after the test."""
    name = f"{harness.TEST_IMAGES}/{request.node.name.lower().translate(str.maketrans('[]_', '---'))}".rstrip("-")
    yield name
    harness.podman("rmi", "--force", name, check=False)
