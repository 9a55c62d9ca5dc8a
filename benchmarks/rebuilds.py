"""Rebuilding with the real s2i after a source-only change: clean, and with what save-artifacts keeps."""

import time
from pathlib import Path
from tempfile import TemporaryDirectory

import harness
import measure
from harness import podman

ROUNDS = 3
CASES = {"Django sample (4 packages)": measure.SAMPLE, "75 packages": measure.ROOT / "benchmarks" / "apps" / "large"}


def build_s(source: Path, image: str, *options: str) -> float:
    """Build after a change of the source; seconds."""
    (source / "changed.txt").write_text(str(time.time_ns()))
    started = time.perf_counter()
    harness.s2i_build(source, image, "--copy", *options)
    return time.perf_counter() - started


def main() -> None:
    """Print the comparison."""
    rows = []
    for title, app in CASES.items():
        image = "localhost/taxiway-bench/rebuild"
        with TemporaryDirectory() as directory:
            source = harness.copy_app(app, Path(directory) / "source")
            build_s(source, image)
            medians = measure.alternately(
                {
                    "clean": lambda: build_s(source, image),  # noqa: B023  # called before the loop goes on
                    "incremental": lambda: build_s(source, image, "--incremental"),  # noqa: B023
                },
                ROUNDS,
            )
        podman("rmi", "--force", image, check=False)
        ratio = medians["incremental"] / medians["clean"]
        rows.append((title, f"{medians['clean']:.1f}", f"{medians['incremental']:.1f}", f"{ratio:.2f}"))
    measure.table(
        f"s2i build after a source-only change (medians of {ROUNDS})", ("", "clean, s", "incremental, s", "ratio"), rows
    )
