"""`taxiway audit --run` on images that misbehave: each rule R finds what is wrong, and nothing stays behind."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import harness
import pytest
from harness import BUILDER, ROOT, RUNTIME, TEST_IMAGES, podman

# `lazy` starts under all restrictions and does the rest wrong; `abrupt` too, but stops as soon as it is told to; `picky` starts
# without restrictions only.
PROGRAM = """\
import errno, os, pathlib, pwd, signal, socket, sys, time
mode = os.environ["MODE"]
address = ("127.0.0.1", int(os.environ["PORT"]))
if mode == "lazy":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        os.close(os.open("state", os.O_CREAT | os.O_RDWR, 0o600))  # another user can't open it again
    except OSError as error:
        if error.errno != errno.EROFS:
            raise
elif mode == "abrupt":
    address = ("", address[1])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
else:
    pwd.getpwuid(os.getuid())
    pathlib.Path("state").write_text("x")
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect(("192.0.2.1", 9))
server = socket.create_server(address)
while True:
    time.sleep(1)
"""
DOCKERFILE = f"""\
FROM {RUNTIME}
USER 0
RUN mkdir --mode=2775 /srv/data
COPY program.py /srv/
USER 1001
WORKDIR /srv/data
ENTRYPOINT []
CMD ["python3", "/srv/program.py"]
"""


@pytest.fixture(scope="module")
def misbehaving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An image whose program does what MODE says."""
    image = f"{TEST_IMAGES}-misbehaving:1"
    context = tmp_path_factory.mktemp("misbehaving") / "context"
    context.mkdir()
    (context / "program.py").write_text(PROGRAM)
    try:
        harness.podman_build(DOCKERFILE, image, context)
        yield image
    finally:
        podman("rmi", "--force", image, check=False)


def volumes() -> set[str]:
    """The volumes that audits have made."""
    return {name for name in podman("volume", "ls", "--quiet").text.split() if name.startswith("taxiway-audit")}


def running(image: str, output: Path, *options: str) -> tuple[dict[str, str], set[str]]:
    """Audit an image with --run; what the rules R saw, and those that couldn't be looked at."""
    argv = (sys.executable, "-m", "taxiway", "audit", image, "--run", "--format=json", f"--output={output}", *options)
    before = volumes()
    harness.run(*argv, check=False, env={"PYTHONPATH": str(ROOT / "src")}, cwd=ROOT / "docs")
    document = json.loads(output.read_text())
    assert podman("ps", "--all", "--quiet", f"--filter=ancestor={image}", "--filter=name=taxiway-audit").text == ""
    harness.wait_for(lambda: volumes() <= before or None, 60)  # those of other tests come and go
    return {f["rule"]: f["reason"] for f in document["findings"] if f["rule"][0] == "R"}, set(document["unchecked"])


def test_a_program_that_only_starts(misbehaving: str, tmp_path: Path) -> None:
    seen, unchecked = running(misbehaving, tmp_path / "report", "--env=MODE=lazy", "--grace=2")
    assert seen.keys() == {"R3", "R4", "R5", "R6", "R7"}
    assert "as user 1000680000 and then 1000690000: it ended with 1: PermissionError" in seen["R3"]
    assert "stays as a zombie" in seen["R4"]
    assert seen["R5"] == "it was still running 2 s after SIGTERM"
    assert "loopback" in seen["R6"]
    assert seen["R7"] == "it writes into the root file system: /srv/data/state"
    assert unchecked == set()


def test_a_program_that_leaves_requests_unanswered(misbehaving: str, tmp_path: Path) -> None:
    seen, unchecked = running(misbehaving, tmp_path / "report", "--env=MODE=abrupt", "--slow-path=/report")
    assert seen["R5"].startswith("a request to /report that was in flight at SIGTERM got no whole answer: ")
    assert unchecked == set()


def test_a_program_that_does_not_start_under_restrictions(misbehaving: str, tmp_path: Path) -> None:
    """Each restriction at fault is named, with what the program said."""
    seen, unchecked = running(misbehaving, tmp_path / "report", "--env=MODE=picky", "--grace=1")
    assert seen.keys() == {"R1", "R2", "R8"}
    assert "as user 1000680000, group 0, without an entry in /etc/passwd: it ended with 1: KeyError" in seen["R1"]
    assert "with a read-only root file system and a /tmp: it ended with 1: OSError: [Errno 30]" in seen["R2"]
    assert "without a network: it ended with 1: OSError: [Errno 101]" in seen["R8"]
    assert unchecked == {"R3", "R4", "R5", "R6", "R7"}


def test_a_program_that_does_not_start(misbehaving: str, tmp_path: Path) -> None:
    seen, unchecked = running(misbehaving, tmp_path / "report")
    assert seen == {"R1": "it doesn't start at all: it ended with 1: KeyError: 'MODE'"}
    assert unchecked == {f"R{number}" for number in range(2, 9)}


def test_builder(tmp_path: Path) -> None:
    """It prints its usage under all restrictions; that is all it does."""
    assert running(BUILDER, tmp_path / "report") == ({}, set())
