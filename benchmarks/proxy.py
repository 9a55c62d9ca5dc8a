"""What the middleware about proxies costs: hello world with and without it, under gunicorn and uvicorn.

Needs wrk (Debian's package). Each round asks every variant for a moment, in turns; what counts is the median of the rounds'
ratios, and the CPU time of the server for a request, which a busy machine changes less.
"""

import os
import re
import shutil
import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import harness
import measure

ROUNDS = int(os.environ.get("ROUNDS", "30"))
SECONDS = 1
APP = measure.ROOT / "benchmarks" / "apps" / "proxied"
VARIANTS = {"without": "bare", "nobody trusted (default)": "none", "proxy trusted": "trusting"}
SERVERS = {
    "gunicorn": ("proxied:application", "--worker-class=gthread", "--threads=4", "--keep-alive=75", "--forwarded-allow-ips="),
    "uvicorn": (
        "proxied:asgi_application",
        "--no-proxy-headers",
        "--no-access-log",
        "--timeout-keep-alive=75",
        "--interface=asgi3",
    ),
}
IMAGE = f"localhost/{harness.PREFIX}-bench/proxied"
CONTAINERFILE = f"""\
FROM {harness.BUILDER}
RUN uv pip install --no-index --find-links=/opt/taxiway/wheelhouse --python=/opt/app-root/bin/python gunicorn uvicorn
COPY proxied.py /opt/app-root/src/
ENV PYTHONPATH=/opt/app-root/src
"""


@contextmanager
def serving(server: str, variant: str) -> Iterator[harness.Container]:
    """Start a server with one process."""
    application, *options = SERVERS[server]
    port = harness.free_port()
    bind = (f"--bind=127.0.0.1:{port}",) if server == "gunicorn" else ("--host=127.0.0.1", f"--port={port}")
    runtime = 'export PYTHONPATH="$PYTHONPATH:$(echo /opt/taxiway/lib/python3*/site-packages/taxiway/_runtime)"; exec "$@"'
    command = ("sh", "-c", runtime, "sh", f"/opt/app-root/bin/{server}", application, *bind, *options)
    with harness.container(IMAGE, "--network=host", command=command, env={"BENCH_VARIANT": variant}) as container:
        container.port = port
        container.wait()
        yield container


def processes(container: harness.Container) -> list[Path]:
    """The threads of a container, as directories of /proc."""
    pids = harness.podman("top", container.name, "hpid").text.split()[1:]
    return [thread for pid in pids for thread in Path(f"/proc/{pid}/task").iterdir()]


def cpu_us(threads: list[Path]) -> float:
    """CPU time of threads so far; /proc/PID/stat would count in hundredths of a second."""
    return sum(int((thread / "schedstat").read_text(encoding="ascii").split()[0]) for thread in threads) / 1000


def ask(container: harness.Container) -> int:
    """Load a server for a moment; the number of requests that were answered."""
    url = f"http://127.0.0.1:{container.port}/"
    said = harness.run("wrk", "--threads=1", "--connections=4", f"--duration={SECONDS}s", f"--script={APP}/proxied.lua", url).text
    if "Non-2xx" in said:
        raise RuntimeError(said)
    return int(re.search(r"(\d+) requests in", said)[1])  # type: ignore[index]  # wrk always says it


def main() -> None:
    """Print the comparison."""
    if not shutil.which("wrk"):
        raise SystemExit("this needs wrk: apt-get install wrk")
    with TemporaryDirectory() as directory:
        harness.podman_build(CONTAINERFILE, IMAGE, harness.copy_app(APP, Path(directory) / "source"))
    try:
        for server in SERVERS:
            compare(server)
    finally:
        harness.podman("rmi", "--force", IMAGE, check=False)


def compare(server: str) -> None:
    """Measure the variants of one server in turns."""
    rates: dict[str, list[float]] = {name: [] for name in VARIANTS}
    costs: dict[str, list[float]] = {name: [] for name in VARIANTS}
    with ExitStack() as stack:
        containers = {name: stack.enter_context(serving(server, variant)) for name, variant in VARIANTS.items()}
        for container in containers.values():
            ask(container)  # warms up, and starts all threads
        threads = {name: processes(container) for name, container in containers.items()}
        for number in range(ROUNDS):
            for name in sorted(containers, reverse=bool(number % 2)):
                before, started = cpu_us(threads[name]), time.perf_counter()
                count = ask(containers[name])
                rates[name].append(count / (time.perf_counter() - started))
                costs[name].append((cpu_us(threads[name]) - before) / count)
    base = next(iter(VARIANTS))
    rows = []
    for name in VARIANTS:
        ratio = statistics.median(mine / other for mine, other in zip(rates[name], rates[base], strict=True))
        cost = statistics.median(mine / other for mine, other in zip(costs[name], costs[base], strict=True))
        medians = (f"{statistics.median(values[name]):.0f}" for values in (rates, costs))
        rows.append((name, next(medians), f"{ratio:.3f}", next(medians), f"{cost:.3f}"))
    measure.table(f"{server}, hello world, {ROUNDS} rounds", ("", "requests/s", "ratio", "CPU, µs/request", "ratio"), rows)
