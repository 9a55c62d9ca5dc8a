"""How long `taxiway audit` takes, and how much memory, by the image's size."""

import gzip
import io
import multiprocessing
import os
import random
import statistics
import sys
import sysconfig
import tarfile
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import measure

sys.path.insert(0, str(measure.ROOT / "test" / "unit"))
import saved_images

MB = 1000 * 1000
SIZES_MB = (100, 300, 1000)
LAYERS = 5
FILE_BYTES = 25_000  # as in the builder image: 312 MB in 12,000 files, directories and links
ROUNDS = 3


TEXT_SHARE = 0.2  # of the bytes, as there: text is searched for secrets
DIRECTORIES = ("usr/lib", "opt/app-root/lib/python3.13/site-packages")


def layer(size: int, number: int) -> bytes:
    """Make a layer of many files: programs, one half of each easy to compress, and text from Python's library."""
    randomly = random.Random(number)  # noqa: S311 # the same image each time
    noise = randomly.randbytes(4 * MB)
    text = b"".join(path.read_bytes() for path in sorted(Path(sysconfig.get_path("stdlib")).glob("*.py")))
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        while buffer.tell() < size:
            half = int(randomly.expovariate(2 / FILE_BYTES))
            start = randomly.randrange(3 * MB)
            is_text = randomly.random() < TEXT_SHARE
            data = text[start : start + 2 * half] if is_text else noise[start : start + half] + bytes(half)
            folder = f"{DIRECTORIES[number % 2]}/{number}/{randomly.randrange(200)}"
            add(archive, f"{folder}/{buffer.tell()}.{'py' if is_text else 'so'}", data)
    return buffer.getvalue()


def add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    archive.addfile(info, io.BytesIO(data))


def audited(path: Path) -> tuple[float, float, float]:
    """Run the command; gives seconds, those of the processor, and the most MB of memory."""
    quiet = [(os.POSIX_SPAWN_OPEN, descriptor, "/dev/null", os.O_WRONLY, 0) for descriptor in (1, 2)]
    started = time.perf_counter()
    process = os.posix_spawn(
        sys.executable, [sys.executable, "-m", "taxiway", "audit", str(path)], os.environ, file_actions=quiet
    )
    _, status, usage = os.wait4(process, 0)
    if os.waitstatus_to_exitcode(status) not in {0, 1}:  # 1: findings
        sys.exit(f"taxiway audit {path} failed")
    return time.perf_counter() - started, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / MB


def save(size_mb: int, path: Path) -> None:
    """Write an image in both formats: PATH.docker and PATH.oci."""
    layers = [layer(size_mb * MB // LAYERS, number) for number in range(LAYERS)]
    for suffix, files in (
        (".docker", saved_images.docker_files(layers)),
        (".oci", saved_images.oci_files(layers, pack=lambda data: gzip.compress(data, 6))),
    ):
        with tarfile.open(path.with_suffix(suffix), "w") as archive:
            for name, data in files.items():
                add(archive, name, data)


def main() -> None:
    """Print seconds and memory by size and format."""
    rows = []
    with TemporaryDirectory(dir="/var/tmp") as directory:
        path = Path(directory, "image")
        for size in SIZES_MB:
            # In a process of its own: Linux counts the memory of who starts a program as the program's.
            maker = multiprocessing.get_context("spawn").Process(target=save, args=(size, path))
            maker.start()
            maker.join()
            for suffix, form in ((".docker", "docker archive, uncompressed"), (".oci", "OCI archive, gzip")):
                results = [audited(path.with_suffix(suffix)) for _ in range(ROUNDS)]
                seconds, processor, memory = map(statistics.median, zip(*results, strict=True))
                rows.append((size, form, f"{seconds:.1f}", f"{processor:.1f}", f"{memory:.0f}"))
    measure.table("taxiway audit", ("MB of layers", "as", "s", "s of processor time", "MB of memory"), rows)
