"""What `taxiway audit --run` makes of what it sees in containers; test/image/test_audit_run.py starts real ones."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from taxiway.audit import behaviour
from taxiway.audit.behaviour import Containers, Options, Outcome, Verdict
from taxiway.audit.documents import Config
from taxiway.audit.rules import running

TCP = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:46A0 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1001        0 1 1 0 100 0 0 10 0
   1: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1001        0 2 1 0 100 0 0 10 0
   2: 0100007F:46A0 0100007F:D2F0 01 00000000:00000000 00:00000000 00000000  1001        0 3 1 0 20 4 30 10 -1
  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when
   0: 00000000000000000000000000000000:46A0 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000
"""


def test_sockets() -> None:
    """Those that listen, of both families; connections don't count."""
    assert behaviour.sockets(TCP) == {"00000000": {18080}, "0100007F": {8080}, "0" * 32: {18080}}
    assert behaviour.sockets("") == {}


@pytest.mark.parametrize(
    ("listening", "text"),
    [
        ({"00000000": {18080}, "0" * 32: {18080}}, ""),
        ({"0" * 32: {18080}}, ""),  # of both families
        ({"00000000": {18080}}, "it listens on IPv4 only"),
        ({"0100007F": {18080}}, "it listens on the loopback interface"),
        ({"00000000": {8080}, "0" * 32: {8080}}, "PORT=18080 isn't honoured: it listens on 8080"),
        ({"0" * 32: {18080, 80}}, "it listens on a privileged port too: 80"),
    ],
)
def test_ports(listening: dict[str, set[int]], text: str) -> None:
    assert behaviour.wrong_ports(listening, 18080).startswith(text)
    assert bool(behaviour.wrong_ports(listening, 18080)) is bool(text)


def test_zombies() -> None:
    assert behaviour.zombies("1 (dumb-init) S 0 1\n7 (a) b) Z 1 7\n8 (sleep) S 1 8\n") == ["a) b"]


def test_written() -> None:
    changes = "C /etc\nA /tmp/x\nC /srv\nC /srv/app\nA /srv/app/log.txt\nD /srv/old\nA /srv/data/x\nA /run/lock\nA /tmpfile\n"
    assert behaviour.written(changes, (*behaviour.DECLARED, "/srv/data")) == ["/srv/app/log.txt", "/srv/old", "/tmpfile"]


def test_restrictions_of_the_engines() -> None:
    """Podman would add a passwd entry, and more writable directories than Kubernetes has."""
    podman, docker = behaviour.restrictions("podman"), behaviour.restrictions("docker")
    assert podman["user"] == ("--user=1000680000:0", "--passwd=false")
    assert docker["user"] == ("--user=1000680000:0",)
    assert set(podman["read-only"]) - set(docker["read-only"]) == {"--read-only-tmpfs=false"}
    assert podman.keys() == docker.keys()


class FakeContainers(Containers):
    """Containers that don't start where an option is given, or at all."""

    def __init__(self, *fatal: str) -> None:
        super().__init__("podman", "shop:1", Options())
        self.fatal = fatal
        self.starts: list[tuple[str, ...]] = []

    @contextmanager
    def started(self, *options: str, port: int = behaviour.PORT) -> Iterator[str]:
        self.starts.append(options)
        if any(text in option for option in (*options, "always") for text in self.fatal):
            raise Outcome("it ended with 1: no")
        yield f"name {port}"

    def wait_until_listening(self, name: str) -> dict[str, set[int]]:
        assert name
        return {"0" * 32: {behaviour.PORT}}


CONFIG = Config(
    user="1001", environment=(), labels={}, entrypoint=(), command=("run",), working_directory="/srv", ports=(), volumes=(),
    stop_signal="", healthcheck=(), architecture="amd64", history=(), diff_ids=(),
)  # fmt: skip


@pytest.mark.parametrize(
    ("fatal", "seen"),
    [
        (("--user",), {"R1": "as user 1000680000, group 0, without an entry in /etc/passwd: it ended with 1: no"}),
        (("--read-only",), {"R2": "with a read-only root file system and a /tmp: it ended with 1: no"}),
        (
            ("--cap-drop", "--network"),
            {"R2": "without capabilities: it ended with 1: no", "R8": "without a network: it ended with 1: no"},
        ),
        (("always",), {"R1": "it doesn't start at all: it ended with 1: no"}),
    ],
)
def test_the_restriction_at_fault(fatal: tuple[str, ...], seen: dict[str, str]) -> None:
    """Where the start under all of them fails, each is tried alone; the other rules can't be looked at then."""
    verdicts = list(behaviour.examine(FakeContainers(*fatal), CONFIG))
    assert {verdict.rule: verdict.seen for verdict in verdicts if verdict.seen} == seen
    assert {verdict.rule for verdict in verdicts if verdict.unknown} >= {"R3", "R4", "R5", "R6", "R7"}


def test_restrictions_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that only all of them make is told as such."""
    containers = FakeContainers()
    every = sum(map(len, behaviour.restrictions("podman").values()))

    @contextmanager
    def started(*options: str, port: int = 0) -> Iterator[str]:
        if len(options) == every:
            raise Outcome("it ended with 2: both")
        yield f"name {port}"

    monkeypatch.setattr(containers, "started", started)
    seen = {verdict.rule: verdict.seen for verdict in behaviour.examine(containers, CONFIG) if verdict.seen}
    assert seen == {"R2": "each restriction alone is no hindrance, all of them together are: it ended with 2: both"}


def test_findings() -> None:
    """Of the profile's rules alone; what couldn't be looked at is no finding."""
    verdicts = [
        Verdict(rule="R1"),
        Verdict(rule="R4", unknown="no shell"),
        Verdict(rule="R5", seen="it hangs"),
        Verdict(rule="R8", seen="x"),
    ]
    chosen = [rule for rule in running.RULES if rule.id != "R8"]
    found, unchecked = running.findings(verdicts, chosen)
    assert [(one.rule.id, one.reason) for one in found] == [("R5", "it hangs")]
    assert unchecked == {"R4": "no shell"}
