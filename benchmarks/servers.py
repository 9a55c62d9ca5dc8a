"""Each server through taxiway against the same server started by hand: throughput, time to the first 200, memory.

Both have the same processes, threads, keep-alive and access log. The aims: at least 0.97 of the throughput, at most 1.10 of the
time to the first 200. Where the processors are busy, throughput is one divided by the processor time of a request, which depends
less on what else the machine does: on a busy one, go by that.
"""

import math
import os
import re
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import harness
import measure
from harness import Container, podman
from server_matrix import SERVERS

APPS = ("hello", "page")
ROUNDS = int(os.environ.get("ROUNDS", "15"))
START_ROUNDS = 7
SECONDS = 1
PROCESSES, THREADS = 2, 4
MODULES = {"hello": "hello world", "page": "Django page"}
SIZE = {"TAXIWAY_PROCESSES": str(PROCESSES), "TAXIWAY_THREADS": str(THREADS)}
PACKAGES = ("django==5.2.8", "paste==3.10.1")
# The same server as a careful person starts it, with the settings of taxiway's that a request or a start can notice.
# One socket for IPv4 and IPv6, but for uvicorn, whose single process can't have it. Waitress has no access log: its application
# gets Paste's.
BY_HAND = {
    "mod_wsgi": (
        "mod_wsgi-express start-server --application-type module {module} --callable-object {name} --server-root /tmp/m "
        "--port 8080 --processes {processes} --threads {threads} --log-to-terminal --access-log --keep-alive-timeout 75 "
        "--locale C.UTF-8"
    ),
    "gunicorn": (
        "gunicorn --bind [::]:8080 --worker-class {worker} --workers {processes} --threads {threads} "
        "--keep-alive 75 --timeout 60 --worker-tmp-dir /dev/shm --access-logfile - --no-control-socket {module}:{name}"
    ),
    "uwsgi": (
        "uwsgi --http-socket [::]:8080 --processes {processes} --threads {threads} --enable-threads "
        "--master --need-app --harakiri 60 --auto-procname --lazy-apps --single-interpreter --thunder-lock "
        "--buffer-size 65535 --module {module}:{name}"
    ),
    "waitress": "waitress-serve --listen=*:8080 --threads={threads} --call logged:{module}",
    "uvicorn": "uvicorn --host 0.0.0.0 --port 8080 --workers {processes} --timeout-keep-alive 75 {module}:{name}",
    "hypercorn": "hypercorn --bind [::]:8080 --workers {processes} --keep-alive 75 --access-logfile - {module}:{name}",
    "granian": "granian --interface asgi --host :: --port 8080 --workers {processes} --backlog 2048 --access-log {module}:{name}",
}


@contextmanager
def images() -> Iterator[dict[str, str]]:
    """An image for each interface, with all servers and Django."""
    lines = re.findall(r"^([a-z0-9-]+==\S+)", (harness.ROOT / "requirements" / "servers.txt").read_text(), re.MULTILINE)
    built = {interface: f"localhost/{harness.PREFIX}-bench/servers-{interface.lower()}" for interface in ("WSGI", "ASGI")}
    with TemporaryDirectory() as folder:
        source = harness.copy_app(harness.ROOT / "benchmarks" / "apps" / "hello", Path(folder) / "source")
        (source / "requirements.txt").write_text("\n".join([*lines, *PACKAGES]) + "\n")
        try:
            for interface, image in built.items():
                assemble = f"RUN TAXIWAY_APP=hello:{interface.lower()} /usr/libexec/s2i/assemble"
                stages = [f"FROM {harness.BUILDER}", "COPY --chown=1001:0 . /tmp/src", assemble]
                stages += [f"FROM {harness.RUNTIME}", "COPY --from=0 /opt/app-root /opt/app-root"]
                harness.podman_build("\n".join(stages), image, source)
            yield built
        finally:
            for image in built.values():
                podman("rmi", "--force", image, check=False)


def ways(server: str, interface: str, app: str) -> dict[str, tuple[Mapping[str, str], Sequence[str]]]:
    """Variables and command of both ways."""
    worker = "gthread" if interface == "WSGI" else "asgi"
    # Waitress's own command has one; uvicorn's keeps answers back for 40 ms with several, because accepted sockets then have
    # no TCP_NODELAY: asyncio sets it where a socket knows that it is TCP, and one that is passed to a process doesn't.
    processes = 1 if server in {"waitress", "uvicorn"} else PROCESSES
    command = BY_HAND[server].format(module=app, name=interface.lower(), worker=worker, processes=processes, threads=THREADS)
    through = {**SIZE, "TAXIWAY_PROCESSES": str(processes), "TAXIWAY_SERVER": server, "TAXIWAY_APP": f"{app}:{interface.lower()}"}
    return {"by hand": ({"PYTHONPATH": "/opt/app-root/src"}, command.split()), "through taxiway": (through, ())}


def load(wrk: str, running: Container, usage: Path) -> tuple[float, float]:
    """Ask for a while; answers per second, and the processor time of one in ms, of all that runs in the container."""
    before = processor_ms(usage)
    report = harness.run(
        wrk, "--threads=1", "--connections=8", f"--duration={SECONDS}s", f"http://127.0.0.1:{running.port}/"
    ).text
    used = processor_ms(usage) - before
    if "Non-2xx" in report:
        raise AssertionError(report)
    count = int(re.findall(r"(\d+) requests in", report)[0])
    return count / SECONDS, used / count


def usage_of(running: Container) -> Path:
    """The kernel's account of a container's processor time: nothing else can say what ended processes took."""
    pid = podman("inspect", "--format={{.State.Pid}}", running.name).text.strip()
    for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        number, controllers, path = line.split(":", 2)
        if "cpuacct" in controllers.split(","):
            return Path(f"/sys/fs/cgroup/cpuacct{path}/cpuacct.usage")
        if number == "0" and (found := Path(f"/sys/fs/cgroup{path}/cpu.stat")).is_file():
            return found
    raise FileNotFoundError("no control group counts processor time")


def processor_ms(usage: Path) -> float:
    """Read it: nanoseconds of version 1, or microseconds of version 2."""
    text = usage.read_text()
    return int(text.split()[1]) / 1e3 if usage.name == "cpu.stat" else int(text) / 1e6


def memory_mib(running: Container) -> float:
    """Proportional set size of all processes, but for PID 1."""
    script = (
        "import glob, os, re; print(sum(int(re.findall(r'Pss: +(\\d+)', open(p).read())[0]) "
        "for p in glob.glob('/proc/[0-9]*/smaps_rollup') if p.split('/')[2] not in ('1', str(os.getpid()))))"
    )
    return int(running.execute("/usr/bin/python3", "-c", script)) / 1024


def serve(image: str, server: str, interface: str, app: str, wrk: str) -> list[str]:
    """Compare both ways in turns: geometric means, whose quotient is the mean of the rounds' ratios, with its error.

    Rounds differ, by a factor of two and more: each opens new connections, and which of the processes accept them is chance.
    """
    found: dict[str, list[tuple[float, float]]] = {}
    with ExitStack() as stack:
        running = {
            way: stack.enter_context(harness.container(image, *harness.ARBITRARY_USER, env=env, command=command))
            for way, (env, command) in ways(server, interface, app).items()
        }
        usage = {}
        for way, each in running.items():
            each.wait()
            usage[way] = usage_of(each)
            load(wrk, each, usage[way])
        for number in range(ROUNDS):
            for way in list(running)[:: 1 if number % 2 else -1]:  # neither is always the first one
                found.setdefault(way, []).append(load(wrk, running[way], usage[way]))
        sizes = [memory_mib(each) for each in running.values()]
    (hand_rates, hand_costs), (rates, costs) = (tuple(zip(*found[way], strict=True)) for way in ("by hand", "through taxiway"))
    return [
        f"{server}, {interface}",
        MODULES[app],
        *(f"{statistics.geometric_mean(each):.0f}" for each in (hand_rates, rates)),
        ratio(rates, hand_rates),
        *(f"{statistics.geometric_mean(each):.3f}" for each in (hand_costs, costs)),
        ratio(hand_costs, costs),
        *(f"{value:.0f}" for value in sizes),
    ]


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> str:
    """Return the mean of the ratios of rounds, and twice its standard error."""
    logarithms = [math.log(mine / other) for mine, other in zip(ours, theirs, strict=True)]
    mean = math.exp(statistics.mean(logarithms))
    return f"{mean:.2f} ± {2 * mean * statistics.stdev(logarithms) / math.sqrt(len(logarithms)):.2f}"


def time_to_answer(image: str, env: Mapping[str, str], command: Sequence[str]) -> float:
    """Seconds from the engine's command to the first 200."""
    started = time.perf_counter()
    with harness.container(image, *harness.ARBITRARY_USER, env=env, command=command) as running:
        while True:
            try:
                if running.get("/").status == 200:
                    return time.perf_counter() - started
            except OSError:
                time.sleep(0.005)


def main() -> None:
    """Print a table for throughput and memory, and one for starts: 15 minutes; SERVERS="gunicorn uvicorn" asks for some only."""
    only = os.environ.get("SERVERS", "").split()
    servers = [row for row in SERVERS if not only or row[0] in only]
    wrk = harness.run(str(harness.ROOT / "scripts" / "wrk.sh")).text.splitlines()[-1]
    with images() as built:
        rows = []
        for server, interface in servers:
            for app in APPS:
                rows.append(serve(built[interface], server, interface, app, wrk))
                print(*rows[-1], sep="; ", flush=True)
        head: tuple[str, ...] = ("server", "answer", "requests/s by hand", "through taxiway", "ratio")
        head += ("processor ms by hand", "through taxiway", "ratio", "MiB by hand", "through taxiway")
        measure.table(f"Throughput, wrk with 8 connections, {ROUNDS} rounds of {SECONDS} s", head, rows)
        starts = []
        for server, interface in servers:
            both = ways(server, interface, "page")
            image = built[interface]
            calls = {way: partial(time_to_answer, image, *each) for way, each in both.items()}
            times = measure.alternately(calls, START_ROUNDS)
            quotient = f"{times['through taxiway'] / times['by hand']:.2f}"
            starts.append((f"{server}, {interface}", f"{times['by hand']:.3f}", f"{times['through taxiway']:.3f}", quotient))
            print(starts[-1], flush=True)
        measure.table(
            f"Django page, to the first 200 (medians of {START_ROUNDS})",
            ("server", "by hand, s", "through taxiway, s", "ratio"),
            starts,
        )
