"""What two images differ in, and the causes that are told."""

import gzip
import io
import json
import struct
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from saved_images import Layer, directory, docker_files, file, layer_tar, link, tar

from taxiway.audit.difference import CONTENT, Difference, compare, explain
from taxiway.audit.image import Image, scan
from taxiway.audit.reader import open_image
from taxiway.cli import taxiway
from taxiway.errors import ImagesDifferError


def archive(*layers: Layer, **options: Any) -> bytes:
    return tar(docker_files([layer_tar(layer) for layer in layers], **options))


def differences(one: bytes, other: bytes) -> list[Difference]:
    return compare(*map(contents, (one, other)))


def contents(image: bytes) -> Image:
    with open_image("-", stdin=io.BytesIO(image)) as source:
        return scan(source, [CONTENT])


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (file("a", "x"), file("a", "y"), ("/a", "content", "")),
        (file("a", "x"), file("a", "yy"), ("/a", "content (1, 2 bytes)", "")),
        (file("a"), file("a", mtime=5), ("/a", "time 0, 5", "the time of the build; SOURCE_DATE_EPOCH sets it")),
        (
            file("a"),
            file("a", mode=0o600),
            ("/a", "mode 0644, 0600", "the umask of the machine where the source was checked out"),
        ),
        (file("a"), file("a", uid=7), ("/a", "owner 0:0, 7:0", "the user of the build: COPY --chown sets it")),
        (file("a"), file("a", uid=7, mtime=5), ("/a", "owner 0:0, 7:0, time 0, 5", "")),
        (file("a"), directory("a"), ("/a", "file, directory", "")),
        (link("a", "b"), link("a", "c"), ("/a", "leads to b, c", "")),
        (
            file("p-1.dist-info/RECORD", "1"),
            file("p-1.dist-info/RECORD", "2"),
            (None, "content", "hash values of files that differ"),
        ),
        (file("x.log", "1"), file("x.log", "2"), ("/x.log", "content", "a log")),
        (file("a"), file("b.pyc"), ("/a", "only in the first", "")),
    ],
)
def test_compare(before: Any, after: Any, expected: tuple[str | None, str, str]) -> None:
    found = differences(archive([before]), archive([after]))[0]
    path, what, cause = expected
    assert (found.what, found.cause) == (what, cause)
    assert path in {None, found.path}
    assert found.made_by == "RUN step 1"


def test_the_layer_that_has_it_is_named() -> None:
    below = [file("same")]
    found = differences(archive(below, [file("new")]), archive(below, [file("other")]))
    assert [(d.path, d.what, d.made_by) for d in found] == [
        ("/new", "only in the first", "RUN step 2"),
        ("/other", "only in the second", "RUN step 2"),
    ]


def test_configuration() -> None:
    one = archive([file("a")], config={"Env": ["A=1"], "Labels": {"same": "x", "b": "1"}})
    other = archive([file("a")], config={"Env": ["A=2"], "Labels": {"same": "x", "b": "2"}})
    assert [(d.path, d.what) for d in differences(one, other)] == [
        ("config.environment", "(('A', '1'),), (('A', '2'),)"),
        ("config.labels", "b: 1, 2"),
    ]


def test_order_of_files() -> None:
    rows = [file("a"), file("b")]
    found = differences(archive(rows), archive(rows[::-1]))
    assert [(d.path, d.what, d.cause) for d in found] == [("layer 1", "its archive", "the order of its files")]
    assert differences(archive(rows), archive(rows)) == []


def pyc(flags: int, time: int, code: bytes = b"code") -> bytes:
    return b"\xcb\r\r\n" + struct.pack("<II", flags, time) + b"\0\0\0\0" + code


@pytest.mark.parametrize(
    ("path", "before", "after", "cause"),
    [
        (
            "/a.pyc",
            pyc(0, 1),
            pyc(0, 2),
            "bytecode with the time of its source (PEP 552): compile with --invalidation-mode unchecked-hash",
        ),
        (
            "/a.pyc",
            pyc(1, 1, b"one"),
            pyc(1, 1, b"two"),
            "bytecode of a source that differs, or made by another Python, or in another order of set literals: PYTHONHASHSEED",
        ),
        ("/a", gzip.compress(b"x", mtime=1), gzip.compress(b"x", mtime=2), "the time in gzip's header: gzip -n leaves it out"),
        ("/a", b"PK\x03\x04......1234", b"PK\x03\x04......5678", "the times in a zip archive"),
        ("/a", b"x\ny\n", b"y\nx\n", "the order of its lines: of a set, or of a directory's files"),
        ("/a", b"built 2026-11-22 10:00:01", b"built 2026-11-23 11:00:02", "a time: 2026-11-23 11:00:02"),
        ("/a", b"same\nat 1763800000.5", b"same\nat 1763800001.25", "a time: 1763800001.25"),
        ("/a", b"in /tmp/tmpab12/x", b"in /tmp/tmpzz99/x", "the name of a temporary file or directory: /tmp/tmpzz99"),
        (
            "/a",
            b"id 0f1e2d3c-0000-4000-8000-000000000000",
            b"id 0f1e2d3c-0000-4000-8000-0000000000ff",
            "a random number, or a hash of something that differs: 0f1e2d3c-0000-4000-8000-0000000000ff",
        ),
        ("/a", b"one", b"two", ""),
        ("/a", b"\xff\xfe", b"\xff\xfd", ""),
    ],
)
def test_explain(path: str, before: bytes, after: bytes, cause: str) -> None:
    difference = Difference(path=path, what="content", cause="", made_by="")
    assert explain(difference, before, after).cause == cause


def test_known_causes_stay() -> None:
    difference = Difference(path="/x.log", what="content", cause="a log", made_by="")
    assert explain(difference, b"x\ny", b"y\nx") is difference


def save(tmp_path: Path, *images: bytes) -> list[str]:
    paths = [tmp_path / f"{number}.tar" for number in range(len(images))]
    for path, image in zip(paths, images, strict=True):
        path.write_bytes(image)
    return list(map(str, paths))


def test_command(tmp_path: Path) -> None:
    one, other = (archive([file("etc/built", f"at 2026-11-22 10:00:0{number}\n")]) for number in (1, 2))
    result = CliRunner().invoke(taxiway, ["diff", *save(tmp_path, one, other)])
    assert result.stdout == "/etc/built: content\n     likely: a time: 2026-11-22 10:00:02\n     made by: RUN step 1\n"
    assert isinstance(result.exception, ImagesDifferError)
    assert str(result.exception) == "The images differ in 1 places.\n\nThey stand above, each with its likely cause."
    assert result.exception.exit_status == 1


def test_command_for_programs(tmp_path: Path) -> None:
    one, other = archive([file("a", "1")]), archive([file("a", "2")])
    result = CliRunner().invoke(taxiway, ["diff", "--json", *save(tmp_path, one, other)])
    data = json.loads(result.stdout)
    assert data["differences"] == [{"path": "/a", "what": "content", "cause": "", "made_by": "RUN step 1"}]
    assert len(set(data["digests"])) == 2


def test_the_same(tmp_path: Path) -> None:
    image = archive([file("a", "1")])
    result = CliRunner().invoke(taxiway, ["diff", *save(tmp_path, image, image)])
    assert result.exit_code == 0
    assert result.stdout.startswith("The images are the same: sha256:")


def test_many_differences_are_cut(tmp_path: Path) -> None:
    one, other = (archive([file(f"f{number:03}", text) for number in range(60)]) for text in "ab")
    paths = save(tmp_path, one, other)
    assert CliRunner().invoke(taxiway, ["diff", *paths]).stdout.endswith("... and 10 more: --all\n")
    assert CliRunner().invoke(taxiway, ["diff", "--all", *paths]).stdout.count("content") == 60


def test_only_the_digest_differs(tmp_path: Path) -> None:
    step = {"created_by": "RUN x", "created": "2026-01-01T00:00:00Z"}
    one, other = (archive([file("a")], history=[step | {"author": name}]) for name in ("a", "b"))
    result = CliRunner().invoke(taxiway, ["diff", *save(tmp_path, one, other)])
    assert result.exit_code == 0
    assert result.stdout.startswith("Files and configuration are the same, the digests aren't: sha256:")
