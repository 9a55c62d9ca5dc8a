"""taxiway and warpdrive 0.34.0 (PyPI) side by side on this machine: a new environment, a build again, and a start.

The same Django project, the same Python, gunicorn for both, without containers. warpdrive's tool virtualenv is installed with it.
Downloads of both are in caches before anything is measured.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import harness
import measure
from starts import LIMIT_S, answers

ROUNDS = 5
APP = harness.APPS / "warpdrive-django"
WARPDRIVE = ("warpdrive==0.34.0", "virtualenv", "setuptools")
TAXIWAY = Path(sys.executable).with_name("taxiway")


class Tool:
    """One of the two: its commands in a shell, with a home of its own."""

    def __init__(self, home: Path, source: Path, path: Path, activate: str, name: str) -> None:
        self.home, self.source, self.activate, self.name = home, source, activate, name
        self.environ = {
            **{
                key: value
                for key, value in os.environ.items()
                if not key.startswith(("VIRTUAL_ENV", "XDG_", "TAXIWAY_", "WARPDRIVE"))
            },
            "HOME": str(home),
            "PATH": f"{path}:{os.environ['PATH']}",
            "UV_CACHE_DIR": str(home.parent / "uv-cache"),
            "PIP_CACHE_DIR": str(home.parent / "pip-cache"),
        }

    def new(self) -> float:
        """Make the environment and build in it, from nothing; seconds."""
        shutil.rmtree(self.home, ignore_errors=True)
        self.home.mkdir()
        return self.build()

    def build(self) -> float:
        """Build; seconds."""
        started = time.perf_counter()
        harness.run("bash", "-euc", f"{self.activate}\n{self.name} build", cwd=self.source, env=self.environ)
        return time.perf_counter() - started

    def start(self) -> float:
        """Start, ask until the first 200, and stop; seconds to the answer."""
        port = harness.free_port()
        environ = {**self.environ, "PORT": str(port), "WARPDRIVE_HTTP_PORT": str(port), "WEB_CONCURRENCY": "1"}
        script = f"{self.activate}\nexec {self.name} start"
        started = time.perf_counter()
        with (self.home / "log").open("w+") as log:
            process = subprocess.Popen(
                ["bash", "-euc", script], cwd=self.source, env=environ, stdout=log, stderr=log, start_new_session=True
            )
            try:
                while not answers(port):
                    if time.perf_counter() - started > LIMIT_S or process.poll() is not None:
                        log.seek(0)
                        raise RuntimeError(log.read())
                    time.sleep(0.005)
                return time.perf_counter() - started
            finally:
                os.killpg(process.pid, signal.SIGTERM)
                process.wait()


def main() -> None:
    """Print both tools' medians and their ratio."""
    with TemporaryDirectory() as directory:
        top = Path(directory)
        harness.run(sys.executable, "-m", "venv", str(top / "warpdrive"))
        harness.run(str(top / "warpdrive/bin/pip"), "install", "--quiet", *WARPDRIVE)
        tools = []
        for name, path, activate in (
            ("warpdrive", top / "warpdrive/bin", 'eval "$(warpdrive activate quay)"'),
            ("taxiway", TAXIWAY.parent, ""),
        ):
            source = harness.copy_app(APP, top / f"source-{name}")
            (source / ".warpdrive/server_type").write_text("gunicorn\n")
            (source / ".warpdrive/server_args").unlink()  # mod_wsgi's
            tools.append(Tool(top / f"home-{name}", source, path, activate, name))
        measured = {
            "a new environment, built; downloads in a cache": Tool.new,
            "built again, nothing changed": Tool.build,
            "start, to the first 200": Tool.start,
        }
        rows = []
        for title, way in measured.items():
            medians = measure.alternately({tool.name: partial(way, tool) for tool in tools}, ROUNDS)
            old, new = medians["warpdrive"], medians["taxiway"]
            rows.append((title, f"{old:.2f}", f"{new:.2f}", f"{old / new:.1f}"))
        measure.table(
            f"warpdrive 0.34.0 and taxiway, a Django project under gunicorn (medians of {ROUNDS})",
            ("", "warpdrive, s", "taxiway, s", "ratio"),
            rows,
        )
