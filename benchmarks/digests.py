"""Share of test/apps whose images have the same digest when they are built again, elsewhere and without a cache."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import harness
import measure
from harness import podman

TAXIWAY = str(Path(sys.executable).with_name("taxiway"))
OTHER = {"TZ": "Asia/Tokyo", "LC_ALL": "tr_TR.UTF-8", "PYTHONHASHSEED": "7"}


def build(source: Path, image: str, *options: str, **environ: str) -> str:
    """Build an image; gives its ID, or the end of the log."""
    options = (f"--builder-image={harness.BUILDER}", f"--runtime-image={harness.RUNTIME}", *options)
    env = {**os.environ, **harness.environ(), "SOURCE_DATE_EPOCH": "1700000000", **environ}
    result = subprocess.run(
        [TAXIWAY, "image", image, str(source), *options], capture_output=True, text=True, check=False, env=env
    )
    if result.returncode:
        return (result.stdout + result.stderr)[-300:]
    return podman("inspect", "--format={{.Id}}", image).text.strip()


def of_own_images() -> Iterator[tuple[str, str]]:
    """Build the builder and the runtime image of this commit, and once more without a cache, with a base image made anew."""
    prefixes = [f"{harness.PREFIX}-{number}" for number in (1, 2)]
    for prefix, refresh in zip(prefixes, ("", "1"), strict=True):
        env = {"IMAGE_PREFIX": prefix, "REFRESH": refresh}
        harness.run(str(harness.ROOT / "scripts/images.sh"), "builder", "runtime", env=env)
    for image in (harness.BUILDER, harness.RUNTIME):
        names = [image.replace(harness.PREFIX, prefix, 1) for prefix in prefixes]
        ids = {podman("inspect", "--format={{.Id}}", name).text for name in names}
        yield image, "same" if len(ids) == 1 else "differs"
        latest = [name.replace(f":{harness.SUITE}", ":latest") for name in names]
        podman("rmi", "--force", *names, *latest, check=False)


def main() -> None:
    """Print which cases differ, in half an hour; the names of some may be given after the benchmark's in CASES."""
    asked = os.environ.get("CASES", "").split()
    cases = [
        case
        for case in sorted(path.parent.name for path in harness.APPS.glob("*/expect.toml"))
        if harness.read_expectation(case)["build"]["status"] == "ok" and (not asked or case in asked)
    ]
    rows: list[tuple[str, str]] = []
    for case in cases:
        with TemporaryDirectory() as directory:
            source = harness.copy_app(harness.APPS / case, Path(directory) / "source")
            elsewhere = Path(directory) / "in another" / "place"
            shutil.copytree(source, elsewhere)
            for entry in elsewhere.rglob("*"):
                entry.chmod(entry.stat().st_mode & 0o700)
            variables = [f"--env={k}={v}" for k, v in harness.read_expectation(case)["build"].get("env", {}).items()]
            names = [f"localhost/taxiway-bench/digests-{case}-{number}" for number in (1, 2)]
            found = [build(source, names[0], *variables), build(elsewhere, names[1], "--refresh", *variables, **OTHER)]
            rows.append((case, "same" if found[0] == found[1] and len(found[0]) == 64 else f"differs: {found}"))
            print(*rows[-1], file=sys.stderr)
            podman("rmi", "--force", *names, check=False)
    if not asked:
        rows += list(of_own_images())
    same = sum(result == "same" for _, result in rows)
    measure.table("Images, built twice", ("", "digest"), [*rows, ("all", f"{same} of {len(rows)} the same")])
