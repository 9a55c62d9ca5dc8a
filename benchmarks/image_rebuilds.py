"""Rebuilding with taxiway image after a source-only change, against a Dockerfile by hand: requirements, source, static files."""

import time
from pathlib import Path
from tempfile import TemporaryDirectory

import harness
import measure
from harness import BUILDER, RUNTIME, podman

ROUNDS = 5
CASES = {"Django sample (4 packages)": measure.SAMPLE, "93 packages": measure.ROOT / "benchmarks" / "apps" / "large"}
IMAGE = "localhost/taxiway-bench/image"
PLAIN = "localhost/taxiway-bench/plain"
# On the same base, in four layers; nothing is compressed, described, compared or the same twice.
BY_HAND = f"""\
FROM {BUILDER}
COPY --chown=1001:0 requirements.txt /tmp/
RUN /opt/taxiway/bin/python -m pip --python /opt/app-root/bin/python install --no-cache-dir --requirement /tmp/requirements.txt
COPY --chown=1001:0 . /opt/app-root/src
RUN if [ -f manage.py ]; then python manage.py collectstatic --noinput; fi && python -m compileall -q .
"""


def build_s(source: Path, image: str) -> float:
    """Build after a change of the source; seconds."""
    (source / "changed.txt").write_text(str(time.time_ns()))
    started = time.perf_counter()
    if image == PLAIN:
        podman("build", "--pull=never", "--tag", image, "--file", str(source.parent / "Dockerfile"), str(source))
    else:
        harness.taxiway("image", image, str(source), f"--builder-image={BUILDER}", f"--runtime-image={RUNTIME}")
    return time.perf_counter() - started


def main() -> None:
    """Print the comparison."""
    rows = []
    for title, app in CASES.items():
        with TemporaryDirectory() as directory:
            source = harness.copy_app(app, Path(directory) / "source")
            (Path(directory) / "Dockerfile").write_text(BY_HAND)
            for image in (IMAGE, PLAIN):
                build_s(source, image)
            medians = measure.alternately(
                {image: lambda image=image: build_s(source, image) for image in (IMAGE, PLAIN)},  # type: ignore[misc]  # noqa: B023
                ROUNDS,
            )
        podman("rmi", "--force", IMAGE, PLAIN, check=False)
        rows.append((title, f"{medians[IMAGE]:.1f}", f"{medians[PLAIN]:.1f}", f"{medians[IMAGE] / medians[PLAIN]:.2f}"))
    measure.table(
        f"Rebuild after a source-only change (medians of {ROUNDS})", ("", "taxiway image, s", "by hand, s", "ratio"), rows
    )
