"""Installing a lock of about 90 packages with hashes, bytecode included: taxiway against plain pip, and what a rebuild costs.

Cold installations are measured twice: from the package index, where the network decides, and from a mirror of the same files on
this machine, where the installers do. Processor time is what counts of a run on a busy machine; its load is printed.
Each way runs in a container of the builder image of its own; the ways alternate. The application is the Django sample with the
requirements of apps/large, so that there is something to collect. pip compiles all files; taxiway leaves out directories named
`tests`.
"""

import hashlib
import os
import re
import statistics
import time
import uuid
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import harness
import measure
from harness import BUILDER, podman
from package_index import PackageIndex
from workshop import gateway

ROUNDS = int(os.environ.get("ROUNDS", "3"))
INDEX, MIRROR = "the package index", "a mirror on this machine"
REQUIREMENTS = measure.ROOT / "benchmarks" / "apps" / "large" / "requirements.txt"
# Another version of a small package, and the hash of its wheel.
PIN = "idna==3.10 --hash=sha256:946d195a0d259cbba61165e88e65941f16e9b36ea6ddb97f00452bae8b1287d3\n"
STEPS = {
    "uv: download, unpack, link": "Installing the dependencies",
    "bytecode": "Compiling the dependencies to bytecode",
}


class Mirror(PackageIndex):
    """As large indexes are: metadata beside the wheels (PEP 658), and connections that stay open."""

    protocol = "HTTP/1.1"

    def link(self, file: Path) -> str:
        """The line of a project's page for a file, with its hash and that of its metadata."""
        if file.suffix == ".metadata":
            return ""
        metadata = file.with_name(f"{file.name}.metadata")
        beside = f' data-core-metadata="sha256={sha256(metadata)}"' if metadata.is_file() else ""
        return f'<a href="/files/{file.name}#sha256={sha256(file)}"{beside}>{file.name}</a>\n'


def sha256(file: Path) -> str:
    """The hash of a file."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


@contextmanager
def mirror(directory: Path, source: Path) -> Iterator[PackageIndex]:
    """Download the lock's files once, and serve them."""
    directory.mkdir()
    with builder(source, "--user=0", f"--volume={directory}:/files") as name:
        download = "/opt/taxiway/bin/python -m pip download --quiet --no-deps --require-hashes --dest /files"
        timed(name, f"{download} --requirement /app/requirements.txt")
    for wheel in directory.glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            member = next(m for m in archive.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", m))
            wheel.with_name(f"{wheel.name}.metadata").write_bytes(archive.read(member))
    with Mirror(directory, gateway()).serving() as index:
        yield index


@contextmanager
def builder(source: Path, *options: str) -> Iterator[str]:
    """A container of the builder image with the source in /app."""
    name = f"taxiway-bench-{uuid.uuid4().hex[:12]}"
    podman("run", "--detach", f"--name={name}", f"--volume={source}:/app:ro", *options, BUILDER, "sleep", "3600")
    try:
        yield name
    finally:
        podman("rm", "--force", "--time=0", name, check=False)


def timed(name: str, command: str) -> tuple[float, str]:
    """Run a command in the container; seconds, and what it printed."""
    seconds, _, text = timed_both(name, command)
    return seconds, text


def timed_both(name: str, command: str) -> tuple[float, float, str]:
    """Run a command in the container; seconds, those of processors, and what it printed."""
    text = podman("exec", name, "bash", "-euc", f"TIMEFORMAT='took %R %U %S'; time {{ {command}; }}").text
    real, user, system = map(float, text.rsplit("took ", 1)[1].split())
    return real, user + system, text


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


def with_pip(source: Path, of: str, *options: str) -> dict[str, float]:
    """Plain pip, of a virtual environment as `python3 -m venv` makes it."""
    with builder(source, *options) as name:
        podman("exec", name, "python3", "-m", "venv", "/tmp/venv")  # noqa: S108
        command = "/tmp/venv/bin/pip install --no-cache-dir --quiet --require-hashes --requirement /app/requirements.txt"  # noqa: S108
        seconds, processor, _ = timed_both(name, command)
        return {f"pip, {of}": seconds, f"pip, {of}, processor": processor}


# As in a new container: what collectstatic made before isn't there.
UPLOAD = "rm -rf /tmp/src /opt/app-root/src/staticfiles; cp -r /app /tmp/src;"


def cold(name: str, of: str) -> dict[str, float]:
    """The first assemble in a container, and its steps."""
    podman("exec", name, "sh", "-c", UPLOAD)
    seconds, processor, log = timed_both(name, "/usr/libexec/s2i/assemble 2>&1")
    found = {f"taxiway, {of}": seconds, f"taxiway, {of}, processor": processor}
    return found | {f"{title}, {of}": step_s(log, step) for title, step in STEPS.items()}


def from_mirror(source: Path, index: PackageIndex) -> dict[str, float]:
    """Both, cold, with nothing of a network but the loopback interface's bridge."""
    options = (f"--env=PIP_INDEX_URL={index.url}", f"--env=PIP_TRUSTED_HOST={gateway()}")
    found = with_pip(source, MIRROR, *options)
    with builder(source, *options) as name:
        return found | cold(name, MIRROR)


def with_taxiway(source: Path) -> dict[str, float]:
    """Assemble: cold, unchanged, with another source, with another pin, and what the source alone would cost."""
    with builder(source) as name:
        found = cold(name, INDEX)
        started = time.perf_counter()
        image = podman("commit", "--quiet", name).text.strip()
        found["commit"] = time.perf_counter() - started
        podman("rmi", "--force", image, check=False)

        podman("exec", name, "sh", "-c", f"{UPLOAD} echo '# changed' >>/tmp/src/polls/views.py")
        found["source changed"], log = timed(name, "/usr/libexec/s2i/assemble 2>&1")
        expect("Dependencies: unchanged, already installed", log)
        if "uv pip" in log:
            raise RuntimeError(log)
        podman("exec", name, "sh", "-c", UPLOAD)
        alone = "cp -r /tmp/src/. /opt/app-root/src; python manage.py collectstatic --noinput"
        found["copy and collectstatic alone"] = timed(name, alone)[0]

        podman("exec", name, "sh", "-c", f"{UPLOAD} cp /tmp/src/changed.txt /tmp/src/requirements.txt")
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
        with mirror(Path(directory) / "mirror", source) as index:
            for number in range(ROUNDS):
                found = with_pip(source, INDEX) | with_taxiway(source) | from_mirror(source, index)
                rounds.append(found)
                load = os.getloadavg()[0]
                print(f"round {number + 1}, load {load:.1f}:", {k: round(v, 1) for k, v in found.items()}, flush=True)
    median = {key: statistics.median(found[key] for found in rounds) for key in rounds[0]}
    rows = []
    for of in (INDEX, MIRROR):
        pip, taxiway = (f"{tool}, {of}" for tool in ("pip", "taxiway"))
        rows.append((f"`pip install --require-hashes`, {of}", f"{median[pip]:.1f}", f"{median[f'{pip}, processor']:.1f}", "1"))
        ratio = f"{median[pip] / median[taxiway]:.1f} x faster"
        rows.append(
            (f"`taxiway assemble`, cold, {of}", f"{median[taxiway]:.1f}", f"{median[f'{taxiway}, processor']:.1f}", ratio)
        )
    alone, changed, unchanged = median["copy and collectstatic alone"], median["one pin changed"], median["source changed"]
    more = f"{median[f'pip, {INDEX}'] / changed:.0f} x faster"
    rows.append(("`taxiway assemble`, one pin changed", f"{changed:.2f}", "", more))
    more = f"{unchanged / alone:.2f} x the line below"
    rows.append(("`taxiway assemble`, source changed: no installer runs", f"{unchanged:.2f}", "", more))
    rows.append(("copying the source and `collectstatic`, nothing else", f"{alone:.2f}", "", ""))
    measure.table(f"Lock of about 90 packages, bytecode included (medians of {ROUNDS})", ("", "s", "processor s", "ratio"), rows)
    parts = [(title, *(f"{median[f'{title}, {of}']:.1f}" for of in (INDEX, MIRROR))) for title in STEPS]
    parts.append(("commit", f"{median['commit']:.1f}", ""))
    measure.table("Where the time of a cold build goes, in seconds", ("", INDEX, MIRROR), parts)
