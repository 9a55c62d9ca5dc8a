"""What the benchmarks share: the sample application's images, medians, tables. Containers are those of the image tests."""

import shutil
import statistics
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import harness

ROOT = Path(__file__).resolve().parents[1]
SAMPLE = ROOT / "examples" / "django-polls"
MULTI_STAGE = f"""\
FROM {harness.BUILDER} AS build
{{variables}}
COPY --chown=1001:0 . /tmp/src
RUN /usr/libexec/s2i/assemble
FROM {harness.RUNTIME}
{{variables}}
COPY --from=build --chown=1001:0 /opt/app-root /opt/app-root
"""


@contextmanager
def sample_image(name: str, *, bare: bool = False, env: Mapping[str, str] | None = None) -> Iterator[str]:
    """Build the Django sample on the runtime image; it is removed in the end."""
    with TemporaryDirectory() as directory:
        source = harness.copy_app(SAMPLE, Path(directory) / "source")
        if bare:  # without hooks and environment files: the server alone
            shutil.rmtree(source / ".taxiway")
        variables = "\n".join(f"ENV {key}={value}" for key, value in (env or {}).items())
        harness.podman_build(MULTI_STAGE.format(variables=variables), name, source)
    try:
        yield name
    finally:
        harness.podman("rmi", "--force", name, check=False)


def alternately(ways: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, float]:
    """Measure each way once in every round, after one round that doesn't count; gives medians in seconds."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name, measure_once in ways.items():
            seconds = measure_once()
            if number:
                times[name].append(seconds)
    return {name: statistics.median(values) for name, values in times.items()}


def table(title: str, head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a Markdown table."""
    print(f"\n### {title}\n")
    for row in (head, ["---"] * len(head), *rows):
        print("| " + " | ".join(str(cell) for cell in row) + " |")
    sys.stdout.flush()
