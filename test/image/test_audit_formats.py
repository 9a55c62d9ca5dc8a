"""Images as engines keep and save them are all read the same, and as a container of them sees its files."""

import gzip
import io
import os
from pathlib import Path

import harness
import pytest
from saved_images import directory, docker_files, file, hard_link, layer_tar, link, tar

from taxiway.audit import tar as kinds
from taxiway.audit.image import Image, scan
from taxiway.audit.reader import open_image
from taxiway.errors import NoSuchImageError

CAPABILITY = "\1\0\0\2\0 " + 14 * "\0"  # cap_net_raw, as setcap writes it
FIRST = [
    directory("bin"),
    file("bin/ping", "x", mode=0o4755, pax_headers={"SCHILY.xattr.security.capability": CAPABILITY}),
    hard_link("bin/ping6", "bin/ping"),
    file("secret", "hunter2"),
]
SECOND = [file(".wh.secret"), link("sbin", "bin"), directory("data"), file(f"data/{'long' * 60}", mode=0o664, uid=1001)]
ARCHIVE = tar(docker_files([layer_tar(FIRST), layer_tar(SECOND)], config={"Cmd": ["/bin/ping"]}))
KINDS = {"f": kinds.FILE, "d": kinds.DIRECTORY, "l": kinds.SYMLINK}
# What the engine mounts or writes for each container.
ENGINES_OWN = (
    "/dev",
    "/proc",
    "/sys",
    "/run",
    "/etc/ssl/certs",
    "/etc/hosts",
    "/etc/hostname",
    "/etc/resolv.conf",
    "/etc/mtab",
    "/etc/passwd",
)

Described = list[tuple[object, ...]]


def described(image: Image) -> Described:
    rows: Described = [(entry.path, entry.kind, entry.mode, entry.uid, entry.size, entry.xattrs) for entry in image.tree.values()]
    return [*rows, *((layer.digest, layer.created_by) for layer in image.layers), (image.config.command,)]


def opened(reference: str, stdin: bytes = b"", engine: str | None = None) -> Described:
    with open_image(reference, stdin=io.BytesIO(stdin), engine=engine) as source:
        return described(scan(source))


@pytest.fixture(autouse=True)
def _engine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in harness.environ().items():
        monkeypatch.setenv(name, value)


def test_podman(tmp_path: Path) -> None:
    """By name, and saved in each of Podman's formats; compressed by it, and by hand."""
    archive = tmp_path / "image.tar"
    archive.write_bytes(ARCHIVE)
    expected = opened(str(archive))
    assert ("/bin/ping6", kinds.FILE, 0o4755, 0, 1, (("security.capability", CAPABILITY.encode()),)) in expected
    assert "/secret" not in [row[0] for row in expected]
    name = harness.podman("load", "--quiet", f"--input={archive}").text.strip().rpartition(" ")[2]
    try:
        assert opened(name, engine="podman") == expected
        for form in ("docker-archive", "oci-archive", "oci-dir"):
            saved = tmp_path / form
            harness.podman("save", "--quiet", f"--format={form}", f"--output={saved}", name)
            assert opened(str(saved)) == expected
            if saved.is_file():
                assert opened("-", stdin=gzip.compress(saved.read_bytes())) == expected
    finally:
        harness.podman("rmi", "--force", name)


def test_an_image_that_the_engine_lacks() -> None:
    """The engine's own message is told, with what may be named."""
    with pytest.raises(NoSuchImageError, match=r"localhost/no-such:1: .*not known") as raised:
        opened("localhost/no-such:1", engine="podman")
    assert "the path of a saved one" in str(raised.value)


@pytest.mark.docker
def test_docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By name, and saved by Docker."""
    (tmp_path / "image.tar").write_bytes(ARCHIVE.replace(b"shop:1", b"shop:2"))
    script = str(harness.ROOT / "scripts" / "docker-engine.sh")
    harness.run(script, "start")
    for line in harness.run(script, "env").text.splitlines():
        monkeypatch.setenv(*line.split("=", 1))
    environ = {name: value for name, value in os.environ.items() if name in {"PATH", "DOCKER_HOST"}}
    harness.run("docker", "load", "--input", str(tmp_path / "image.tar"), env=environ)
    try:
        expected = opened(str(tmp_path / "image.tar"))
        assert opened("localhost/shop:2", engine="docker") == expected
        harness.run("docker", "save", "--output", str(tmp_path / "saved.tar"), "localhost/shop:2", env=environ)
        assert opened(str(tmp_path / "saved.tar")) == expected
    finally:
        harness.run("docker", "rmi", "--force", "localhost/shop:2", env=environ)


def test_as_a_container_sees_it() -> None:
    """The merged layers of the runtime image have what `find` lists in a container of it."""
    lists = "find / -xdev -printf '%y %m %U %G %s %p\\n'"
    listed = harness.podman("run", "--rm", "--user=0", "--entrypoint=sh", harness.RUNTIME, "-c", lists).text.splitlines()
    seen = {}
    for line in listed:
        kind, mode, uid, gid, size, path = line.split(" ", 5)
        seen[path] = (KINDS[kind], int(mode, 8), int(uid), int(gid), int(size) if kind == "f" else 0) if kind in KINDS else None
    with open_image(harness.RUNTIME, engine="podman") as source:
        tree = scan(source).tree
    found = {path: (entry.kind, entry.mode, entry.uid, entry.gid, entry.size) for path, entry in tree.items()}
    for path in {*seen, *found}:
        if path != "/" and not path.startswith(ENGINES_OWN):
            assert seen.get(path) == found.get(path), path
