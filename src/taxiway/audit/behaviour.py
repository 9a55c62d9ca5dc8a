"""`taxiway audit --run`: what an image does when it is started under the restrictions of a cluster.

One start under all restrictions answers most rules. Only where it fails, each restriction is tried alone, to name the one at
fault. Containers and volumes are removed, whatever happens.

What is seen is read from /proc in the container (proc(5)), so that it works without a network, and with no more tools in the
image than `cat` and `sh`.
"""

import http.client
import json
import re
import select
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from taxiway.audit.documents import Config

T = TypeVar("T")
USER, OTHER_USER = 1000680000, 1000690000
"""As OpenShift's ranges give them; without an entry in /etc/passwd."""
PORT = 18080
"""Another than any image's own, to see whether PORT is honoured."""
DECLARED = ("/tmp", "/var/tmp", "/run", "/dev", "/proc", "/sys", "/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/etc/mtab")  # noqa: S108
"""Where a container may write, and what engines put there."""
_POLL_S = 0.1
_IN_FLIGHT_S = 0.5
"""How long a request has been sent before SIGTERM: longer than what lies in a queue, shorter than what is called slow."""
_REAP_S = 3
"""How long a zombie may be seen; a process is one for a moment, always."""


class Outcome(Exception):  # noqa: N818  # an answer, not an error of this program
    """The container isn't as it has to be; the text is what was seen."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What came of one rule."""

    rule: str
    seen: str = ""
    """What is wrong; empty: nothing is."""
    unknown: str = ""
    """Why it couldn't be looked at."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """How the containers are started."""

    start_timeout_s: float = 60
    grace_s: int = 30
    """Between SIGTERM and SIGKILL: Kubernetes' terminationGracePeriodSeconds."""
    env: Mapping[str, str] = field(default_factory=dict)
    """What the application needs to start."""
    writable: tuple[str, ...] = ()
    """Directories that the image declares as written."""
    slow_path: str = ""
    """Where the application takes a while to answer: a request to it is in flight at SIGTERM; empty: none is."""


# Restrictions by name: Podman's and Docker's options. Pod Security "restricted" and OpenShift's restricted-v2.
def restrictions(engine: str) -> dict[str, tuple[str, ...]]:
    """Return the engine's options for each restriction."""
    podman = engine == "podman"  # it would add a passwd entry, and writable directories
    return {
        "user": (f"--user={USER}:0", *(("--passwd=false",) if podman else ())),
        "read-only": ("--read-only", *(("--read-only-tmpfs=false",) if podman else ()), "--tmpfs=/tmp:rw,mode=1777"),
        "capabilities": ("--cap-drop=ALL",),
        "privileges": ("--security-opt=no-new-privileges",),
        "network": ("--network=none",),
    }


_RULES = {"user": "R1", "read-only": "R2", "capabilities": "R2", "privileges": "R2", "network": "R8"}
_NAMES = {
    "user": f"as user {USER}, group 0, without an entry in /etc/passwd",
    "read-only": "with a read-only root file system and a /tmp",
    "capabilities": "without capabilities",
    "privileges": "with no-new-privileges",
    "network": "without a network",
}


class Containers:
    """The containers of one examination, by the engine's command line."""

    def __init__(self, engine: str, image: str, options: Options) -> None:
        self.engine = engine
        self.image = image
        self.options = options

    def command(self, *argv: str) -> subprocess.CompletedProcess[str]:
        """Run the engine's command."""
        return subprocess.run([self.engine, *argv], capture_output=True, text=True, errors="replace", check=False)

    @contextmanager
    def started(self, *options: str, port: int = PORT) -> Iterator[str]:
        """Start a container; gives its name. It is removed in the end."""
        name = f"taxiway-audit-{uuid.uuid4().hex[:12]}"
        variables = [f"--env={key}={value}" for key, value in {**self.options.env, "PORT": str(port)}.items()]
        try:
            done = self.command("run", "--detach", "--pull=never", f"--name={name}", *variables, *options, self.image)
            if done.returncode:
                raise Outcome(f"the engine couldn't start it: {_last(done.stderr)}")
            yield name
        finally:
            at_once = ("--time=0",) if self.engine == "podman" else ()  # Docker's rm doesn't wait
            self.command("rm", "--force", *at_once, "--volumes", name)

    def status(self, name: str) -> int | None:
        """Return the exit status of a container, None while it runs."""
        state = json.loads(self.command("inspect", "--format={{json .State}}", name).stdout or "{}")
        return None if state.get("Running") else int(state.get("ExitCode", -1))

    def read(self, name: str, script: str) -> str:
        """Run a shell script in a container; empty where there is no shell."""
        done = self.command("exec", name, "sh", "-c", script)
        return done.stdout if done.returncode == 0 else ""

    def listening(self, name: str) -> dict[str, set[int]]:
        """Return the ports that a container listens on, by address."""
        return sockets(self.read(name, "cat /proc/net/tcp /proc/net/tcp6"))

    def wait_until_listening(self, name: str) -> dict[str, set[int]]:
        """Wait until a container listens on some port.

        Raises:
            Outcome: It ended, or didn't listen in time.
        """

        def ask() -> dict[str, set[int]] | None:
            found = self.listening(name)
            if not found and (status := self.status(name)) is not None:
                logs = self.command("logs", name)
                raise Outcome(f"it ended with {status}: {_last(logs.stderr + logs.stdout)}")
            return found or None

        found = _wait(ask, self.options.start_timeout_s)
        if found is None:
            raise Outcome(f"it listened on no port in {self.options.start_timeout_s:g} s")
        time.sleep(_POLL_S)  # the other address family comes a moment later
        return self.listening(name)


def examine(containers: Containers, config: Config) -> Iterator[Verdict]:
    """Start the image in several ways, and say what came of each rule.

    Args:
        containers: The engine and the image.
        config: The image's configuration.
    """
    if config.is_builder:
        yield from _examine_builder(containers)
        return
    limits = restrictions(containers.engine)
    everything = [option for options in limits.values() for option in options]
    try:
        with containers.started(*everything) as name:
            ports = containers.wait_until_listening(name)
            yield from (Verdict(rule=rule) for rule in ("R1", "R2", "R8"))
            yield Verdict(rule="R6", seen=wrong_ports(ports, PORT))
            yield _reaping(containers, name)
            stopping = _stopping(containers, name)
    except Outcome as outcome:
        yield from _each_alone(containers, limits, str(outcome))
        return
    asks = bool(containers.options.slow_path) and not stopping.seen
    yield _finishing(containers, limits["user"], config.stop_signal) if asks else stopping
    alone = (*limits["user"], *limits["network"])
    yield _same_volume(containers, alone, config.working_directory)
    yield _written(containers, alone)


def _examine_builder(containers: Containers) -> Iterator[Verdict]:
    limits = restrictions(containers.engine)
    done = containers.command(
        "run", "--rm", "--pull=never", *(o for options in limits.values() for o in options), containers.image
    )
    seen = (
        ""
        if done.returncode == 0 and done.stdout.strip()
        else f"it ended with {done.returncode}: {_last(done.stderr) or 'no output'}"
    )
    yield from (Verdict(rule=rule, seen=seen) for rule in ("R1", "R2", "R8", "R10"))


def _each_alone(containers: Containers, limits: Mapping[str, tuple[str, ...]], everything: str) -> Iterator[Verdict]:
    """Try each restriction by itself; first of all none."""
    seen: dict[str, list[str]] = {}
    for name in ("", *limits):
        try:
            with containers.started(*limits.get(name, ())) as container:
                containers.wait_until_listening(container)
        except Outcome as outcome:
            if not name:
                yield Verdict(rule="R1", seen=f"it doesn't start at all: {outcome}")
                yield from (Verdict(rule=f"R{number}", unknown="it doesn't start") for number in range(2, 9))
                return
            seen.setdefault(_RULES[name], []).append(f"{_NAMES[name]}: {outcome}")
    if not seen:
        seen["R2"] = [f"each restriction alone is no hindrance, all of them together are: {everything}"]
    for rule in ("R1", "R2", "R8"):
        yield Verdict(rule=rule, seen="; ".join(seen.get(rule, ())))
    yield from (Verdict(rule=rule, unknown="it doesn't start under the restrictions") for rule in ("R3", "R4", "R5", "R6", "R7"))


def _reaping(containers: Containers, name: str) -> Verdict:
    """Leave a process without its parent; whoever is process 1 then has to ask for its end."""
    if not containers.read(name, "(sleep 0.2 &) && echo left"):
        return Verdict(rule="R4", unknown="there is no shell in the image")

    def gone() -> bool | None:
        return not zombies(containers.read(name, "cat /proc/[0-9]*/stat 2>/dev/null; true")) or None

    time.sleep(2 * _POLL_S)
    if _wait(gone, _REAP_S) is None:
        return Verdict(rule="R4", seen="a process whose parent has ended stays as a zombie: process 1 doesn't reap it")
    return Verdict(rule="R4")


def _stopping(containers: Containers, name: str) -> Verdict:
    containers.command("stop", f"--time={containers.options.grace_s}", name)
    status = containers.status(name)
    if status in {0, 143}:
        return Verdict(rule="R5")
    late = status == 137  # noqa: PLR2004  # 128 + SIGKILL
    what = (
        f"it was still running {containers.options.grace_s} s after SIGTERM" if late else f"it ended with {status} after SIGTERM"
    )
    return Verdict(rule="R5", seen=what)


def _finishing(containers: Containers, user: Sequence[str], stop_signal: str) -> Verdict:
    """Let SIGTERM come while a request is being answered; it takes the engine's own network, and a port on 127.0.0.1."""
    path, grace_s = containers.options.slow_path, containers.options.grace_s
    try:
        with containers.started(*user, f"--publish=127.0.0.1::{PORT}") as name:
            containers.wait_until_listening(name)
            host, _, port = containers.command("port", name, f"{PORT}/tcp").stdout.strip().partition(":")
            if not port.isdecimal():
                return Verdict(rule="R5", unknown=f"no request could be sent: {containers.engine} published no port")
            connection = http.client.HTTPConnection(host, int(port), timeout=grace_s)
            connection.request("GET", path, headers={"Host": "localhost"})
            if select.select([connection.sock], [], [], _IN_FLIGHT_S)[0]:
                return Verdict(rule="R5", unknown=f"{path} answered within {_IN_FLIGHT_S:g} s, before SIGTERM: it isn't slow")
            containers.command("kill", f"--signal={stop_signal or 'SIGTERM'}", name)
            return Verdict(rule="R5", seen=_cut_off(connection, path))
    except (OSError, Outcome) as error:
        return Verdict(rule="R5", unknown=f"no request could be sent: {error}")


def _cut_off(connection: http.client.HTTPConnection, path: str) -> str:
    """Say what is wrong with the answer to a request that was in flight; empty: nothing."""
    try:
        answer = connection.getresponse()
        answer.read()
    except (OSError, http.client.HTTPException) as error:
        return f"a request to {path} that was in flight at SIGTERM got no whole answer: {error or type(error).__name__}"
    if answer.status >= http.client.INTERNAL_SERVER_ERROR:
        return f"a request to {path} that was in flight at SIGTERM got {answer.status} {answer.reason}"
    return ""


def _same_volume(containers: Containers, user: Sequence[str], directory: str) -> Verdict:
    """Start as one user and then as another, with one volume on the working directory."""
    if directory in {"", "/"}:
        return Verdict(rule="R3", unknown="the image has no working directory of its own for a volume")
    volume = f"taxiway-audit-{uuid.uuid4().hex[:12]}"
    other = [option.replace(str(USER), str(OTHER_USER)) for option in user]
    try:
        for options in (user, other):
            with containers.started(*options, f"--volume={volume}:{directory}") as name:
                containers.wait_until_listening(name)
                containers.command("stop", f"--time={containers.options.grace_s}", name)
    except Outcome as outcome:
        return Verdict(rule="R3", seen=f"on a volume at {directory}, as user {USER} and then {OTHER_USER}: {outcome}")
    finally:
        containers.command("volume", "rm", "--force", volume)
    return Verdict(rule="R3")


def _written(containers: Containers, user: Sequence[str]) -> Verdict:
    try:
        with containers.started(*user) as name:
            containers.wait_until_listening(name)
            changes = containers.command("diff", name).stdout
    except Outcome as outcome:
        return Verdict(rule="R7", unknown=str(outcome))
    found = written(changes, (*DECLARED, *containers.options.writable))
    return Verdict(rule="R7", seen=f"it writes into the root file system: {', '.join(found[:10])}" if found else "")


def sockets(text: str) -> dict[str, set[int]]:
    """Read /proc/net/tcp and tcp6: the ports in the state LISTEN (0A), by address as it stands there; pure."""
    found: dict[str, set[int]] = {}
    for line in text.splitlines():
        match = re.match(r"\s*\d+: ([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4}) \S+ 0A ", line)
        if match:
            found.setdefault(match[1], set()).add(int(match[2], 16))
    return found


_ANY_IPV4, _ANY_IPV6 = "0" * 8, "0" * 32


def wrong_ports(listening: Mapping[str, set[int]], port: int) -> str:
    """Say what is wrong with the ports, given that PORT asks for one; empty: nothing; pure."""
    everywhere = sorted({number for numbers in listening.values() for number in numbers})
    if port not in everywhere:
        return f"PORT={port} isn't honoured: it listens on {', '.join(map(str, everywhere))}"
    on = {address for address, numbers in listening.items() if port in numbers}
    if not on & {_ANY_IPV4, _ANY_IPV6}:
        return "it listens on the loopback interface, or on one address, only"
    if _ANY_IPV6 not in on:
        return "it listens on IPv4 only; a pod may have an IPv6 address alone"
    if low := [number for number in everywhere if number < 1024]:  # noqa: PLR2004  # privileged ports
        return f"it listens on a privileged port too: {low[0]}"
    return ""


def zombies(text: str) -> list[str]:
    """Read /proc/PID/stat of all processes; the names of zombies; pure."""
    return re.findall(r"^\d+ \((.*)\) Z ", text, re.MULTILINE)


def written(changes: str, declared: Sequence[str]) -> list[str]:
    """Return the files that `podman diff` tells of outside of declared directories; pure. Directories on the way don't count."""
    paths = [line[2:] for line in changes.splitlines() if line[:2] in {"A ", "C ", "D "}]
    kept = [path for path in paths if not any(path == place or path.startswith(f"{place.rstrip('/')}/") for place in declared)]
    return [path for path in kept if path != "/etc" and not any(other.startswith(f"{path}/") for other in paths)]


def _wait(ask: Callable[[], T | None], timeout_s: float) -> T | None:
    deadline = time.monotonic() + timeout_s
    while (answer := ask()) is None and time.monotonic() < deadline:
        time.sleep(_POLL_S)
    return answer


def _last(text: str) -> str:
    """Return the line of a program's output that tells most: the last that speaks of an error, or the last one."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    telling = [line for line in lines if re.search("error|denied|failed", line, re.IGNORECASE)] or lines
    return telling[-1][:300] if telling else "no output"
