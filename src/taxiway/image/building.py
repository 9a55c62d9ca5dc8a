"""Running an engine's build: its output passed on, its end kept for the message, and nothing left behind by an interruption."""

import os
import re
import signal
import subprocess
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import NoReturn

from taxiway import console
from taxiway.process import Result, plain

_KEPT_LINES = 500
_GRACE_S = 20  # for an engine that is busy without a container: it may be writing a layer
_POLL_S = 0.1
_BUILDKIT = re.compile(r"#\d+ (\d+\.\d+( |$))?")
_TOLD = re.compile(r"---> [A-Z]|\[?\d*/?\d*\]? ?STEP |Step |(warning|error|Error): ")  # on a terminal, where others pass by


def run(engine: str, argv: Sequence[str]) -> Result:
    """Run a command of an engine.

    Raises:
        KeyboardInterrupt: It was interrupted, also by SIGTERM; the engine has removed what it had begun.
    """
    before = signal.signal(signal.SIGTERM, _interrupt)
    # A session of its own: Podman and Buildah die of a terminal's SIGINT without removing their containers, which go on.
    process = subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    tail: deque[str] = deque(maxlen=_KEPT_LINES)
    try:
        for raw in process.stdout or ():
            line = line_of(raw)
            tail.append(line)
            if console.is_live() and not _TOLD.match(line):
                console.status(line)
            else:
                console.say(line)
        status = process.wait()
    except KeyboardInterrupt:
        console.step("Interrupted: waiting for the engine to clean up")
        _stop(engine, process)
        raise
    finally:
        signal.signal(signal.SIGTERM, before)
    return Result(status, "\n".join(tail))


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001  # what signal handlers get
    raise KeyboardInterrupt


def _stop(engine: str, process: "subprocess.Popen[str]") -> None:
    """End a build: what runs in its containers is killed, of which the engine notes that the build failed."""
    if engine == "docker":
        process.send_signal(signal.SIGINT)  # its service then does so
    deadline = time.monotonic() + _GRACE_S
    while process.poll() is None:
        if time.monotonic() > deadline:
            process.terminate()
        for pid in _contained(process.pid):
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(_POLL_S)


def _contained(engine: int) -> Iterator[int]:
    """Walk the processes below an engine that have another process namespace: those in containers."""
    children: dict[int, list[int]] = {}
    for place in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            parent = (place / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[1]
            children.setdefault(int(parent), []).append(int(place.name))
    waiting = [engine]
    while waiting:
        for pid in children.get(waiting.pop(), ()):
            waiting.append(pid)
            with suppress(OSError):
                if Path(f"/proc/{pid}/ns/pid").readlink() != Path(f"/proc/{engine}/ns/pid").readlink():
                    yield pid


def line_of(raw: str) -> str:
    """Return a line as the build wrote it: without control characters, and BuildKit's number and time before it; pure."""
    return _BUILDKIT.sub("", plain(raw), count=1)


def own_error(output: str) -> str:
    """Return what taxiway itself said at last in the build, with its code; empty: it said nothing. Pure."""
    found = re.findall(r"^error: (.*?\n\n\[[a-z]+(?:-[a-z]+)+\])$", output, re.MULTILINE | re.DOTALL)
    return found[-1].rpartition("\nerror: ")[2] if found else ""


# What engines and programs in their containers say of what isn't the application's fault, and what to do about it.
_ADVICE = (
    (
        r"no space left on device|disk quota exceeded",
        "The disk is full. {engine} system df tells what takes it, {engine} system prune removes what nothing uses.",
    ),
    (
        r"UnknownIssuer|certificate verify failed|CERTIFICATE_VERIFY_FAILED|signed by unknown authority",
        "The network has a certificate authority of its own. Name its file in SSL_CERT_FILE; Docker needs BuildKit for that.",
    ),
    (
        r"dns error|name resolution|failed to lookup address|network is unreachable",
        "The build has no network. Where the engine has no bridge: --network=host. To build without one: --no-network",
    ),
    (
        r"No such option '--(dependencies-only|layer)",
        "The builder image is of an older taxiway than this one. Build it again, or do without layers: --one-layer",
    ),
    (
        r"exec format error",
        "This machine can't run programs of that platform. Install an emulator: apt-get install qemu-user-static",
    ),
)
_OF_THE_ENGINE = re.compile(r"rlimit|cgroup|newuidmap|subuid|OCI runtime|docker\.sock|storage driver", re.IGNORECASE)


def hit_a_removal(output: str) -> bool:
    """Tell whether the engine looked at an image that another process had just removed, and gave up; pure.

    Podman and Buildah look at all images for a cached layer: https://github.com/containers/buildah/issues/5674
    """
    return re.search(r"(layer|image) not known|locating item named", "\n".join(output.splitlines()[-2:])) is not None


def advice(output: str, engine: str) -> str:
    """Say what to do about what an engine said; empty where that isn't known. Pure."""
    for pattern, text in _ADVICE:
        if re.search(pattern, output, re.IGNORECASE):
            return text.format(engine=engine)
    if _OF_THE_ENGINE.search("\n".join(output.splitlines()[-3:])):
        return f"{engine} can't run containers as this machine is. Why, and what to type: taxiway doctor"
    return ""
