"""What bill of materials and provenance take of a build, and memory of a threaded server by glibc's number of arenas."""

import re
import statistics
import textwrap

import harness
import measure
from harness import podman

ROUNDS = 3
CASES = {"Django sample (4 packages)": measure.SAMPLE, "75 packages": measure.ROOT / "benchmarks" / "apps" / "large"}
STEP = re.compile(r"Writing bill of materials and provenance.*\n.*?([0-9.]+) s")
# The first build, and one after a change of the source, from what save-artifacts keeps.
SCRIPT = """
set -e
build() { cp -r /app /tmp/src; date +%s.%N; /usr/libexec/s2i/assemble; date +%s.%N; echo =====; }
build
mkdir /tmp/artifacts; /usr/libexec/s2i/save-artifacts | tar -x -C /tmp/artifacts; rm -r /opt/app-root/.taxiway
build
"""
# Middle-sized buffers, as parsers, templates and drivers make them; small objects are in arenas of Python's own.
APPLICATION = """
import random, zlib

def application(environ, start_response):
    rows = [bytes(random.randrange(600, 100_000)) for _ in range(400)]
    body = zlib.compress(b"".join(rows[:40]))
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
"""
LOAD = """
import http.client, os, subprocess, sys, threading, time

def load():
    connection = http.client.HTTPConnection("127.0.0.1", 9911)
    for _ in range(60):
        connection.request("GET", "/")
        connection.getresponse().read()

argv = [sys.executable, "-m", "gunicorn", "--bind=127.0.0.1:9911", "--threads=16", "--log-level=error", "app:application"]
server = subprocess.Popen(argv, cwd="/tmp")
while True:
    try:
        http.client.HTTPConnection("127.0.0.1", 9911).connect()
        break
    except OSError:
        time.sleep(0.1)
clients = [threading.Thread(target=load) for _ in range(16)]
for client in clients:
    client.start()
for client in clients:
    client.join()
worker = open(f"/proc/{server.pid}/task/{server.pid}/children").read().split()[0]
print(next(line.split()[1] for line in open(f"/proc/{worker}/status") if line.startswith("VmRSS")))
server.terminate()
"""


def shares() -> None:
    """Print what the step takes of a build."""
    rows = []
    for title, app in CASES.items():
        found: dict[str, list[float]] = {"first": [], "rebuild": []}
        for _ in range(ROUNDS):
            options = (f"--volume={app}:/app:ro", *harness.certificates())
            text = podman("run", "--rm", *options, harness.BUILDER, "sh", "-c", SCRIPT).text
            for name, part in zip(found, text.split("====="), strict=False):
                times = [float(line) for line in part.split("\n") if re.fullmatch(r"\d{10}\.\d+", line)]
                step = STEP.search(part)
                if step is None:
                    raise RuntimeError(part)
                found[name].append(float(step[1]) / (times[1] - times[0]))
        rows.append((title, *(f"{statistics.median(values):.3f}" for values in found.values())))
    measure.table(
        f"Share of bill of materials and provenance in a build (medians of {ROUNDS})", ("", "first build", "changed source"), rows
    )


def arenas() -> None:
    """Print the memory of a worker with 16 threads."""
    rows = []
    for value in ("", "2"):
        script = (
            f"cat >/tmp/app.py <<'END'\n{APPLICATION}\nEND\ncat >/tmp/load.py <<'END'\n{textwrap.dedent(LOAD)}\nEND\n"
            "uv pip install --quiet --no-index --find-links /opt/taxiway/wheelhouse --python /opt/app-root/bin/python gunicorn\n"
            "python /tmp/load.py"
        )
        options = [f"--env=MALLOC_ARENA_MAX={value}"] * bool(value)
        sizes = [
            int(podman("run", "--rm", "--network=none", *options, harness.BUILDER, "sh", "-c", script).text.split()[-1]) // 1024
            for _ in range(ROUNDS)
        ]
        rows.append((f"MALLOC_ARENA_MAX={value}" if value else "not set", str(statistics.median(sizes))))
    measure.table(f"Memory of a worker with 16 threads after 960 requests (medians of {ROUNDS})", ("", "MiB"), rows)


def main() -> None:
    """Print both."""
    shares()
    arenas()
