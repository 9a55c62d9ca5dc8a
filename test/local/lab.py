"""What the tests of the laptop share: a copy of an application, and taxiway run in it as a user would."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import harness

TAXIWAY = (sys.executable, "-m", "taxiway")
_STOP_S = 30
_BUILD_S = 180


def environ(data: Path, **more: str) -> dict[str, str]:
    """An environment in which all that taxiway makes is below a directory; downloads are shared, in uv's own cache."""
    own = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("TAXIWAY_", "PYTHON")) and name not in {"PORT", "APP_ROOT", "VIRTUAL_ENV"}
    }
    return {**own, "PYTHONPATH": str(harness.ROOT / "src"), "XDG_DATA_HOME": str(data), "TMPDIR": str(data), "CI": "1", **more}


def copy_case(case: str, target: Path, data: Path) -> Path:
    """Copy a case of test/apps; what it would keep in a container's own /tmp goes below a directory of the test."""
    source = harness.copy_app(harness.APPS / case, target)
    for path in filter(Path.is_file, source.rglob("*")):
        content = path.read_bytes()
        if b"/tmp/" in content:
            path.write_bytes(content.replace(b"/tmp/", f"{data}/".encode()))
    return source


def run(*arguments: str, source: Path, env: Mapping[str, str], check: bool = True) -> harness.Output:
    """Run taxiway in an application's directory."""
    done = subprocess.run(
        [*TAXIWAY, *arguments],
        cwd=source,
        env=dict(env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        text=True,
        errors="replace",
    )
    assert not check or done.returncode == 0, done.stdout[-6000:]
    return harness.Output(done.returncode, done.stdout)


@dataclass
class Server(harness.Container):
    """A server that `taxiway start` became, reached as a container is."""

    process: "subprocess.Popen[bytes] | None" = None
    log: Path = Path()

    def logs(self) -> str:
        """What it printed."""
        return self.log.read_text(errors="replace")

    def is_running(self) -> bool:
        """Whether it runs."""
        return self.process is not None and self.process.poll() is None

    def exit_status(self) -> int:
        """Exit status of the ended process."""
        assert self.process
        return self.process.wait(_STOP_S)

    def wait(self, path: str = "/") -> harness.Answer:
        """Wait until it answers; what has to be built first takes its own time."""
        harness.wait_for(lambda: True if "(Ctrl-C stops it)" in self.logs() or not self.is_running() else None, _BUILD_S)
        return super().wait(path)

    @property
    def leader(self) -> int:
        """The process that taxiway was, and the server's parent is; it leads the process group."""
        assert self.process
        return self.process.pid

    def interrupt(self) -> int:
        """Do what a terminal does at Ctrl-C: SIGINT for the whole foreground process group. Returns the exit status."""
        os.killpg(self.leader, signal.SIGINT)
        status = self.exit_status()
        deadline = time.monotonic() + _STOP_S
        while left := group(self.leader):
            assert time.monotonic() < deadline, f"still running: {left}\n{self.logs()[-3000:]}"
            time.sleep(0.05)
        return status


def group(leader: int) -> list[str]:
    """The command lines of the processes of a group, zombies left out."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
            if int(fields[2]) == leader and fields[0] != "Z":
                found.append(path.with_name("cmdline").read_text().replace("\0", " "))
        except (OSError, ProcessLookupError):
            continue
    return found


@contextmanager
def start(*arguments: str, source: Path, env: Mapping[str, str]) -> Iterator[Server]:
    """Run `taxiway start` in an application's directory, in a process group of its own; whatever is left of it is killed."""
    port = harness.free_port()
    log = source.parent / f"{source.name}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*TAXIWAY, "start", "--port", str(port), *arguments],
            cwd=source,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            process_group=0,
        )
    try:
        yield Server(source.name, port, process=process, log=log)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def files(source: Path) -> dict[str, float]:
    """The files of a source, with their time of change."""
    return {str(path.relative_to(source)): path.stat().st_mtime for path in sorted(source.rglob("*")) if path.is_file()}
