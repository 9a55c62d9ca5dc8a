"""The same source, lock and builder image give the same image; where they don't, `taxiway diff` says why."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import harness
import pytest
from harness import podman

HOSTILE = {"TZ": "Asia/Tokyo", "LC_ALL": "tr_TR.UTF-8", "LANG": "tr_TR.UTF-8", "PYTHONHASHSEED": "7"}
IMAGES = (f"--builder-image={harness.BUILDER}", f"--runtime-image={harness.RUNTIME}")
TAXIWAY = str(harness.ROOT / ".venv" / "bin" / "taxiway")
COMMITTED = "2025-05-05T05:05:05Z"


def commit(source: Path) -> None:
    git = ("git", "-c", "user.name=A User", "-c", "user.email=user@example.com", "-C", str(source))
    for argv in (("init", "--quiet"), ("add", "--all"), ("commit", "--quiet", "--message=First")):
        harness.run(*git, *argv, env={"GIT_COMMITTER_DATE": COMMITTED, "GIT_AUTHOR_DATE": COMMITTED})


def build(source: Path, image: str, *options: str, prefix: tuple[str, ...] = (), **environ: str) -> str:
    """Build an image; gives the log. `prefix` is a command that runs the build."""
    network = () if harness.environ().get("ENGINE_PUBLISH") == "yes" else ("--network=host",)
    return harness.run(*prefix, TAXIWAY, "image", image, str(source), *IMAGES, *network, *options, env=environ).text


def diff(one: str, other: str) -> tuple[int, list[dict[str, str]]]:
    """Compare two images; gives the exit status and the differences."""
    result = subprocess.run(
        [TAXIWAY, "diff", "--json", one, other],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **harness.environ()},
    )
    return result.returncode, json.loads(result.stdout)["differences"]


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """A source, and its image by Podman."""
    source = harness.copy_app(harness.APPS / "django-gunicorn", tmp_path_factory.mktemp("first") / "source")
    commit(source)
    image = f"{harness.TEST_IMAGES}/digests-first"
    assert "the image's time: 2025-05-05 05:05:05 UTC (the commit)" in build(source, image)
    yield source, image
    podman("rmi", "--force", image, check=False)


@pytest.fixture(scope="module")
def path() -> str:
    """A PATH on which there is Buildah."""
    tool = Path(harness.run(str(harness.ROOT / "scripts" / "debian-tool.sh"), "buildah").text.splitlines()[-1])
    return f"{tool.parent}:{os.environ['PATH']}"


@pytest.mark.parametrize("engine", ["podman", "buildah"])
def test_same_digest(first: tuple[Path, str], engine: str, path: str, image_name: str, tmp_path: Path) -> None:
    """In another directory, with another's files, umask, locale, time zone, hash seed, on one CPU, without any cache."""
    elsewhere = tmp_path / "a longer" / "way" / "polls"
    shutil.copytree(first[0], elsewhere)
    for entry in elsewhere.rglob("*"):
        if ".git" not in entry.parts:
            os.chown(entry, 1234, 1234, follow_symlinks=False)
            entry.chmod(entry.stat().st_mode & 0o700)
            os.utime(entry, (1_000_000_000, 1_000_000_000))
    log = build(elsewhere, image_name, f"--engine={engine}", "--refresh", prefix=("taskset", "0x1"), PATH=path, **HOSTILE)
    assert diff(first[1], image_name) == (0, []), log
    found = [podman("inspect", "--format={{.Id}} {{.RootFS.Layers}}", image).text for image in (first[1], image_name)]
    assert found[0] == found[1]


def test_a_changed_source_leaves_the_dependencies_alone(first: tuple[Path, str], image_name: str, tmp_path: Path) -> None:
    source = tmp_path / "source"
    shutil.copytree(first[0], source)
    with (source / "manage.py").open("a") as file:
        file.write("# a change\n")
    build(source, image_name)
    layers = [json.loads(podman("inspect", "--format={{json .RootFS.Layers}}", image).text) for image in (first[1], image_name)]
    assert layers[0][:-1] == layers[1][:-1]
    assert layers[0][-1] != layers[1][-1]


def test_a_hook_that_writes_the_time_is_found(image_name: str, tmp_path: Path) -> None:
    source = harness.copy_app(harness.APPS / "plain-wsgi", tmp_path / "source")
    hook = source / ".taxiway" / "hooks" / "build"
    hook.parent.mkdir(parents=True)
    hook.write_text("#!/bin/sh\ndate --rfc-3339=seconds >built.txt\necho $SOURCE_DATE_EPOCH >source.txt\n")
    hook.chmod(0o755)
    other = f"{image_name}-again"
    try:
        for image in (image_name, other):
            build(source, image, "--refresh", SOURCE_DATE_EPOCH="1700000000")
        status, differences = diff(image_name, other)
        assert status == 1
        assert [difference["path"] for difference in differences if difference["path"].startswith("/")] == [
            "/opt/app-root/src/built.txt"
        ]
        named = next(difference for difference in differences if difference["path"].endswith("built.txt"))
        assert named["cause"].startswith("a time: 20")
        assert podman("run", "--rm", image_name, "cat", "source.txt").text == "1700000000\n"
    finally:
        podman("rmi", "--force", other, check=False)
