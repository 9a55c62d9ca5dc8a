"""Images are read from all formats with the same result, and their digests are checked."""

import gzip
import io
import json
import os
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from saved_images import digest, directory, docker_files, file, hard_link, layer_tar, link, oci_files, read, tar, write_layout

from taxiway.audit.image import Digests, Image, Probe, scan
from taxiway.audit.limits import Limits
from taxiway.audit.reader import open_image
from taxiway.audit.rules import RULES
from taxiway.cli import audit, taxiway
from taxiway.errors import (
    AuditFailedError,
    BadImageError,
    ImageTooLargeError,
    NoSuchImageError,
    NoZstdError,
    SeveralImagesError,
    TaxiwayError,
)

LAYERS = [
    layer_tar([directory("etc"), file("etc/passwd", "root:x:0:0::/root:/bin/sh\n"), file("etc/netrc", "password hunter2")]),
    layer_tar([directory("etc"), file("etc/.wh.netrc"), file("etc/hosts", "::1 localhost\n", uid=1001, mode=0o664)]),
]


def summary(image: Image) -> list[tuple[str, int, int]]:
    return [(entry.path, entry.mode, entry.uid) for entry in image.tree.values()]


EXPECTED = [("/", 0o755, 0), ("/etc", 0o755, 0), ("/etc/hosts", 0o664, 1001), ("/etc/passwd", 0o644, 0)]


@pytest.mark.parametrize(
    "archive",
    [
        tar(docker_files(LAYERS)),
        gzip.compress(tar(docker_files(LAYERS))),
        tar(oci_files(LAYERS)),
        tar(oci_files(LAYERS, pack=bytes)),
        tar(oci_files(LAYERS, pack=lambda layer: gzip.compress(layer[:700]) + gzip.compress(layer[700:]))),
        tar(docker_files(LAYERS) | oci_files(LAYERS)),
    ],
    ids=["docker", "docker-compressed", "oci", "oci-uncompressed", "oci-gzip-members", "both"],
)
def test_archives(archive: bytes, tmp_path: Path) -> None:
    """Every kind of archive gives the same tree, from stdin and from a file."""
    (tmp_path / "image.tar").write_bytes(archive)
    with open_image(str(tmp_path / "image.tar")) as source:
        assert summary(scan(source)) == EXPECTED
    image = read(archive)
    assert summary(image) == EXPECTED
    assert [(layer.number, layer.created_by) for layer in image.layers] == [(1, "RUN step 1"), (2, "RUN step 2")]


def test_layout(tmp_path: Path) -> None:
    """A layout is read from its directory."""
    write_layout(tmp_path, oci_files(LAYERS))
    with open_image(str(tmp_path)) as source:
        assert summary(scan(source)) == EXPECTED


def test_removed_files_stay_in_their_layer() -> None:
    """What a later layer removes is looked at, and known to be removed."""
    content = Probe(lambda entry: 100 * entry.path.endswith("netrc"), lambda _, data: data)
    with open_image("-", stdin=io.BytesIO(tar(docker_files(LAYERS)))) as source:
        image = scan(source, [content])
    passwd, netrc = image.layers[0].entries[1:]
    assert image.fact(content, netrc) == b"password hunter2"
    assert (image.is_removed(netrc), image.is_removed(passwd)) == (True, False)


def test_probes() -> None:
    """Probes get what they want of a file: its first bytes, its digest; a hard link has the facts of its file."""
    layers = [layer_tar([file("a", b"x" * 2_000_000 + b"end"), hard_link("b", "a"), link("c", "b"), file("d", "small")])]
    start = Probe(lambda entry: 3 if entry.path != "/d" else 0, lambda entry, data: (entry.path, data))
    md5 = Digests("md5", lambda _: True)
    with open_image("-", stdin=io.BytesIO(tar(docker_files(layers)))) as source:
        image = scan(source, [start, md5, start])
    assert image.read(start, "/c") == image.fact(start, image.tree["/b"]) == ("/a", b"xxx")
    assert image.fact(md5, image.tree["/b"]) == "50deb7ed7223d0d44b04a4af6b8c0d0a"  # of md5sum
    assert image.read(start, "/d") is None


def changed(files: dict[str, bytes], name: str, **values: object) -> dict[str, bytes]:
    """Change values of a JSON document in an archive."""
    return files | {name: json.dumps(json.loads(files[name]) | values).encode()}


DOCKER = docker_files(LAYERS)
OCI = oci_files(LAYERS)
CONFIG, *BLOBS, MANIFEST = (name for name in OCI if name.startswith("blobs"))
TWO = json.dumps([*json.loads(DOCKER["manifest.json"]), *json.loads(DOCKER["manifest.json"])]).encode()


@pytest.mark.parametrize(
    ("archive", "error", "text"),
    [
        (tar({"hello": b""}), BadImageError, "it has neither oci-layout and index.json nor manifest.json"),
        (b"not an archive" * 100, BadImageError, "a header has b'"),
        (b"", BadImageError, "it has neither oci-layout"),
        (tar(docker_files(LAYERS))[:9000], BadImageError, "ends in the middle"),
        (tar(DOCKER | {"manifest.json": b"[{]"}), BadImageError, "it isn't the JSON that is expected"),
        (tar(DOCKER | {"manifest.json": b"[" * 100_000}), BadImageError, "it isn't the JSON that is expected"),
        (tar(DOCKER | {"manifest.json": b'[{"Config": "a", "Config": "b"}]'}), BadImageError, "the key 'Config' is there twice"),
        (tar(DOCKER | {"manifest.json": b"{}"}), BadImageError, "expected a JSON array"),
        (tar(DOCKER | {"manifest.json": TWO}), SeveralImagesError, "localhost/shop:1\n  localhost/shop:1"),
        (tar({name: data for name, data in DOCKER.items() if not name.endswith(".tar")}), BadImageError, "doesn't have it"),
        (layer_tar([file("a", b"1"), file("./a", b"2")]), BadImageError, "a is there twice"),
        (tar(OCI | {CONFIG: OCI[CONFIG] + b" "}), BadImageError, "its digest is sha256:"),
        (tar(OCI | {BLOBS[0]: OCI[BLOBS[0]] + b" "}), BadImageError, "its digest is sha256:"),
        (tar(OCI | {BLOBS[0]: OCI[BLOBS[1]]}), BadImageError, "its digest is sha256:"),
        (tar(OCI | {MANIFEST: b"{}"}), BadImageError, "its digest is sha256:"),
        (tar(changed(OCI, "index.json", manifests=[])), SeveralImagesError, "Found: none"),
        (tar(changed(OCI, "index.json", manifests=[{"digest": "sha256:../../etc"}])), BadImageError, "is no digest of the form"),
        (tar(changed(OCI, "index.json", manifests="all")), BadImageError, "'manifests' has another type than is expected"),
        (tar(oci_files([LAYERS[0] + b"x"], pack=lambda _: LAYERS[0])), BadImageError, "its digest is sha256:"),
        (
            tar(oci_files(LAYERS, pack=lambda layer: gzip.compress(layer)[:-9])),
            BadImageError,
            "its compressed data ends in the middle",
        ),
        (tar(oci_files(LAYERS, pack=lambda layer: b"BZh9" + layer)), BadImageError, "it is compressed with bzip2"),
    ],
    ids=range(21),
)
def test_what_is_refused(archive: bytes, error: type[TaxiwayError], text: str) -> None:
    """A damaged archive, or one that means two things, is told from an image."""
    with pytest.raises(error) as raised:
        read(archive)
    assert text in str(raised.value)


def test_layouts_lead_nowhere_else(tmp_path: Path) -> None:
    """A layout's links aren't followed, and its pipes not waited for."""
    write_layout(tmp_path, OCI)
    blob = tmp_path / BLOBS[0]
    content = blob.read_bytes()
    blob.unlink()
    (tmp_path / "elsewhere").write_bytes(content)
    blob.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BadImageError, match="couldn't be read"), open_image(str(tmp_path)) as source:
        scan(source)
    blob.unlink()
    os.mkfifo(blob)
    with pytest.raises(BadImageError, match="it isn't a file"), open_image(str(tmp_path)) as source:
        scan(source)


def test_architectures() -> None:
    """Of an image for several machines, one is chosen; attestations are no image."""
    rows = []
    files: dict[str, bytes] = {}
    for name in ("amd64", "arm64"):
        one = oci_files(LAYERS, config={"User": name})
        rows.append(json.loads(one["index.json"])["manifests"][0] | {"platform": {"architecture": name}})
        files |= one
    rows.append({"digest": digest(b""), "platform": {"architecture": "unknown"}})
    nested = json.dumps({"manifests": rows}).encode()
    index = {"manifests": [{"digest": digest(nested), "mediaType": "application/vnd.oci.image.index.v1+json"}]}
    files |= {f"blobs/{digest(nested).replace(':', '/')}": nested, "index.json": json.dumps(index).encode()}
    assert read(tar(files), architecture="arm64").config.user == "arm64"
    with pytest.raises(SeveralImagesError, match="--architecture amd64"):
        read(tar(files), architecture="s390x")


def test_no_such_file() -> None:
    """A path that isn't there isn't asked of the engine."""
    with pytest.raises(NoSuchImageError) as raised, open_image("./missing.tar"):
        pass
    assert str(raised.value) == (
        "Couldn't find the image ./missing.tar: there is no such file or directory.\n\n"
        "Give the name of an image that Podman or Docker has here, the path of a saved one\n"
        "(podman save --output FILE NAME), the directory of an OCI layout, or - for stdin."
    )


def test_zstd() -> None:
    """Layers in zstd are read, of several frames and with one that is to be skipped, as those with zstd:chunked have."""
    zstd = pytest.importorskip("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")

    def pack(layer: bytes) -> bytes:
        parts: list[bytes] = [zstd.compress(layer[:700]), zstd.compress(layer[700:])]
        return b"".join([*parts, b"\x50\x2a\x4d\x18", b"\4\0\0\0skip"])

    assert summary(read(tar(oci_files(LAYERS, pack=pack)))) == EXPECTED
    for bad, text in (
        (lambda layer: pack(layer)[:-40], "in the middle"),
        (lambda layer: pack(layer)[:50] + bytes(99), "is damaged"),
    ):
        with pytest.raises(BadImageError, match=text):
            read(tar(oci_files(LAYERS, pack=bad)))
    with pytest.raises(ImageTooLargeError, match="unpacks to more than 50 times its size"):
        read(tar(oci_files([bytes(10**6)], pack=zstd.compress)), limits=Limits(ratio=50, free_bytes=10_000))


def test_zstd_without_a_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a library for zstd, the message says how to do without."""
    for name in ("compression.zstd", "backports.zstd"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(NoZstdError, match="podman save --format docker-archive"):
        read(tar(oci_files(LAYERS, pack=lambda _: b"\x28\xb5\x2f\xfd")))


def test_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`taxiway audit` tells each finding with its layer and what to do, and fails if there are any."""
    monkeypatch.setattr(audit, "RULES", tuple(rule for rule in RULES if rule.id in {"U1", "U6", "F1"}))
    layers = [layer_tar([file("etc/passwd", mode=0o664)]), layer_tar([file("bin/\x1b[31m", mode=0o4755)])]
    (tmp_path / "shop.tar").write_bytes(tar(docker_files(layers, config={"User": "root"})))
    result = CliRunner().invoke(taxiway, ["audit", str(tmp_path / "shop.tar")])
    assert isinstance(result.exception, AuditFailedError)
    assert "error U1: USER is a number above 0\n  config.User: USER is 'root', expected a number above 0" in result.output
    assert "\n  /bin/\\x1b[31m: its mode is 4755, its owner 0:0" in result.output
    assert "in layer 2: RUN step 2" in result.output
    (tmp_path / "good.tar").write_bytes(tar(docker_files([layer_tar([file("etc/passwd")])])))
    result = CliRunner().invoke(taxiway, ["audit", str(tmp_path / "good.tar")])
    assert (result.exit_code, result.output.splitlines()[-1].rpartition(": ")[2]) == (0, "0 errors, 0 warnings, 0 notes")


@pytest.mark.parametrize(
    ("limits", "text"),
    [
        (Limits(unpacked_bytes=50_000), "more than 50000 bytes of content"),
        (Limits(ratio=50, free_bytes=50_000), "layer 1 of 1 unpacks to more than 50 times its size"),
        (Limits(entries=9), "more than 9 files, directories and links"),
        (Limits(name_bytes=400), "more than 400 bytes of names"),
    ],
)
def test_limits(limits: Limits, text: str) -> None:
    """A small archive of a lot is left before it is read to its end."""
    layer = layer_tar([file(f"{number}" + 50 * "x", bytes(20_000)) for number in range(10)])
    archive = tar(oci_files([layer]))
    assert len(archive) < 20_000
    assert len(read(archive).tree) == 11
    with pytest.raises(ImageTooLargeError) as raised:
        read(archive, limits=limits)
    assert text in str(raised.value)
    assert "--trusted" in str(raised.value)
