"""Installing a lock of about 90 packages with hashes, bytecode included: taxiway against plain pip, and what a rebuild costs.

Each way runs in a container of the builder image of its own; the ways alternate. The application is the Django sample with the
requirements of apps/large, so that there is something to collect. pip compiles all files; taxiway leaves out directories named
`tests`.
"""

import re
import statistics
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import harness
import measure
from harness import BUILDER, podman

ROUNDS = 3
REQUIREMENTS = measure.ROOT / "benchmarks" / "apps" / "large" / "requirements.txt"
# Another version of a small package, and the hash of its wheel.
PIN = "idna==3.10 --hash=sha256:946d195a0d259cbba61165e88e65941f16e9b36ea6ddb97f00452bae8b1287d3\n"
STEPS = {
    "uv: download, unpack, link": "Installing the dependencies",
    "bytecode": "Compiling the dependencies to bytecode",
}


@contextmanager
def builder(source: Path) -> Iterator[str]:
    """A container of the builder image with the source in /app."""
    name = f"taxiway-bench-{uuid.uuid4().hex[:12]}"
    podman("run", "--detach", f"--name={name}", f"--volume={source}:/app:ro", BUILDER, "sleep", "3600")
    try:
        yield name
    finally:
        podman("rm", "--force", "--time=0", name, check=False)


def timed(name: str, command: str) -> tuple[float, str]:
    """Run a command in the container; seconds, and what it printed."""
    text = podman("exec", name, "bash", "-euc", f"TIMEFORMAT='took %R'; time {{ {command}; }}").text
    return float(text.rsplit("took ", 1)[1]), text


def step_s(log: str, title: str) -> float:
    """The seconds that assemble printed for a step."""
    lines = iter(log.split(f"---> {title}", 1)[1].splitlines()[1:])
    last = ""
    for line in lines:
        if line.startswith("--->"):
            break
        last = line
    return float(last.split()[-2])


def expect(text: str, log: str) -> None:
    """Refuse to measure something else than is said."""
    if text not in log:
        raise RuntimeError(f"{text!r} isn't in:\n{log}")


def with_pip(source: Path) -> dict[str, float]:
    """Plain pip, of a virtual environment as `python3 -m venv` makes it."""
    with builder(source) as name:
        podman("exec", name, "python3", "-m", "venv", "/tmp/venv")  # noqa: S108
        command = "/tmp/venv/bin/pip install --no-cache-dir --quiet --require-hashes --requirement /app/requirements.txt"  # noqa: S108
        return {"pip": timed(name, command)[0]}


def with_taxiway(source: Path) -> dict[str, float]:
    """Assemble: cold, unchanged, with another source, with another pin, and what the source alone would cost."""
    found = {}
    # As in a new container: what collectstatic made before isn't there.
    upload = "rm -rf /tmp/src /opt/app-root/src/staticfiles; cp -r /app /tmp/src;"
    with builder(source) as name:
        podman("exec", name, "sh", "-c", upload)
        found["taxiway, cold"], log = timed(name, "/usr/libexec/s2i/assemble 2>&1")
        found |= {title: step_s(log, step) for title, step in STEPS.items()}
        started = time.perf_counter()
        image = podman("commit", "--quiet", name).text.strip()
        found["commit"] = time.perf_counter() - started
        podman("rmi", "--force", image, check=False)

        podman("exec", name, "sh", "-c", f"{upload} echo '# changed' >>/tmp/src/polls/views.py")
        found["source changed"], log = timed(name, "/usr/libexec/s2i/assemble 2>&1")
        expect("Dependencies: unchanged, already installed", log)
        if "uv pip" in log:
            raise RuntimeError(log)
        podman("exec", name, "sh", "-c", upload)
        alone = "cp -r /tmp/src/. /opt/app-root/src; python manage.py collectstatic --noinput"
        found["copy and collectstatic alone"] = timed(name, alone)[0]

        podman("exec", name, "sh", "-c", f"{upload} cp /tmp/src/changed.txt /tmp/src/requirements.txt")
        found["one pin changed"], log = timed(name, "/usr/libexec/s2i/assemble 2>&1")
        expect("-> 3.10)", log)
    return found


def main() -> None:
    """Print the comparison."""
    rounds: list[dict[str, float]] = []
    with TemporaryDirectory() as directory:
        source = harness.copy_app(measure.SAMPLE, Path(directory) / "source")
        (source / "requirements.in").unlink()  # of another lock
        lock = REQUIREMENTS.read_text()
        (source / "requirements.txt").write_text(lock)
        (source / "changed.txt").write_text(re.sub(r"^idna==.*\n( .*\n)+", PIN, lock, flags=re.MULTILINE))
        source.chmod(0o755)
        Path(directory).chmod(0o755)
        for number in range(ROUNDS):
            rounds.append(with_pip(source) | with_taxiway(source))
            print(f"round {number + 1}:", {key: round(value, 1) for key, value in rounds[-1].items()}, flush=True)
    medians = {key: statistics.median(found[key] for found in rounds) for key in rounds[0]}
    pip, alone = medians["pip"], medians["copy and collectstatic alone"]
    rows = [
        ("pip install --require-hashes", f"{pip:.1f}", "1"),
        ("taxiway assemble, cold", f"{medians['taxiway, cold']:.1f}", f"{pip / medians['taxiway, cold']:.1f} x faster"),
        (
            "taxiway assemble, one pin changed",
            f"{medians['one pin changed']:.1f}",
            f"{pip / medians['one pin changed']:.1f} x faster",
        ),
        (
            "taxiway assemble, source changed",
            f"{medians['source changed']:.1f}",
            f"{medians['source changed'] / alone:.2f} x the line below",
        ),
        ("copy and collectstatic alone", f"{alone:.1f}", ""),
    ]
    measure.table(f"Lock of about 90 packages, bytecode included (medians of {ROUNDS})", ("", "s", "ratio"), rows)
    parts = [(title, f"{medians[title]:.1f}") for title in (*STEPS, "commit")]
    measure.table("Where the time of a cold build goes", ("", "s"), parts)
