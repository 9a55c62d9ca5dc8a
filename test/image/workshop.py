"""A container of the builder image in which assemble runs several times, and the address at which it reaches this machine."""

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness import BUILDER, podman


def gateway() -> str:
    """This machine's address in containers."""
    return str(json.loads(podman("network", "inspect", "podman").text)[0]["subnets"][0]["gateway"])


@dataclass(frozen=True)
class Workshop:
    """A container of the builder image, in which assemble runs several times."""

    name: str

    def sh(self, command: str) -> str:
        """Run a command."""
        return podman("exec", self.name, "bash", "-euc", command).text

    def assemble(self, source: Path, env: str = "") -> str:
        """Upload a source and build it; the log."""
        self.copy(source, "/tmp/src")
        return self.sh(f"{env} /usr/libexec/s2i/assemble")

    def copy(self, source: Path, target: str) -> None:
        """Copy a directory into it, for its own user."""
        upload = f"/tmp/upload-{uuid.uuid4().hex}"
        podman("cp", str(source), f"{self.name}:{upload}")
        self.sh(f"rm -rf {target}; cp -r {upload} {target}")

    def tree(self) -> str:
        """All that is installed, with modes and hashes."""
        return self.sh(
            "cd /opt/app-root; find bin lib share include etc -not -type d -printf '%M %l %p\\n' 2>/dev/null | LC_ALL=C sort;"
            "find bin lib share include etc -type f 2>/dev/null | LC_ALL=C sort | xargs -d '\\n' sha256sum"
        )


@contextmanager
def workshop(*options: str) -> Iterator[Workshop]:
    """Start one; it is removed in the end."""
    name = f"taxiway-test-{uuid.uuid4().hex[:12]}"
    podman("run", "--detach", f"--name={name}", *options, BUILDER, "sleep", "600")
    try:
        yield Workshop(name)
    finally:
        podman("rm", "--force", "--time=0", name, check=False)
