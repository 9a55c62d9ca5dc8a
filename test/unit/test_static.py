"""Static files: what of a request decides, Apache's rules, and the compressed variants. The answers themselves: test/image."""

import gzip
import os
import re
from pathlib import Path

import pytest
from trees import Tree

from taxiway.build import static_files
from taxiway.servers import apache_static
from taxiway_runtime import static
from taxiway_runtime.static import StaticFiles, accepted_encodings, byte_range, media_type


@pytest.mark.parametrize("name", ["HASHED", "IMMUTABLE", "SHORT", "TYPES", "DEFAULT_TYPE", "ENCODINGS"])
def test_apache_is_told_the_same(name: str) -> None:
    assert getattr(apache_static, name) == getattr(static, name)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("base.0123456789ab.css", True),  # Django's; all digits would do, too
        ("base.012345678901.css", True),
        ("main.3f2a1b9c.chunk.js", True),
        ("index-3f2a1b9c44d5.js", True),
        ("report-20240131.pdf", False),
        ("page.abcdefab.html", False),
        ("app.3f2a1b9.js", False),
        ("3f2a1b9c", False),
        ("jquery-3.7.1.min.js", False),
    ],
)
def test_names_with_a_hash(name: str, expected: bool) -> None:  # noqa: FBT001
    assert bool(re.search(static.HASHED, name)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", None),
        ("bytes=0-0", (0, 1)),
        ("bytes = 2 - 4", (2, 5)),
        ("bytes=2-", (2, 10)),
        ("bytes=-3", (7, 10)),
        ("bytes=-30", (0, 10)),
        ("bytes=5-99", (5, 10)),
        ("bytes=10-", (10, 10)),
        ("bytes=20-", (20, 10)),
        ("bytes=-0", (10, 10)),
        ("bytes=-", None),
        ("bytes=5-2", None),
        ("bytes=0-1,3-4", None),
        ("bytes=" + "9" * 5000 + "-", None),
        ("lines=0-1", None),
    ],
)
def test_byte_range(text: str, expected: tuple[int, int] | None) -> None:
    assert byte_range(text, 10) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {""}),
        ("gzip, deflate, br", {"gzip", "deflate", "br"}),
        ("GZIP;q=0.5,br;q=0", {"gzip"}),
        ("br; q = 0.000", set[str]()),
        ("br;q=0.01", {"br"}),
        ("*", {"*"}),
    ],
)
def test_accepted_encodings(text: str, expected: set[str]) -> None:
    assert accepted_encodings(text) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.css", "text/css; charset=utf-8"),
        ("a.PNG", "image/png"),
        ("a.js.map", "application/json"),
        ("a.html.unknown", "text/html; charset=utf-8"),
        ("css", "application/octet-stream"),
    ],
)
def test_media_type(name: str, expected: str) -> None:
    StaticFiles((), "")  # reads the types
    assert media_type(f"/srv/{name}") == expected


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/static/a.css", "public"),
        ("/static/admin/a.css", "admin"),  # the longer prefix
        ("//static//a.css", "public"),
        ("/static/none", "404"),
        ("/static/..", "404"),
        ("/static/../top.txt", "404"),
        ("/static/\0", "404"),
        ("/static/" + "x" * 300, "404"),
        ("/static", "application"),
        ("/static/docs/", "index"),
        ("/static//docs", "301 ./docs/"),
        ("/static/docs/a:\udcff", "301 ./a%3A%FF/"),
        ("/static/links/", "404"),
        ("/static/links", "404"),
        ("/guide", "301 ./guide/"),
        ("/guide/", "guide"),
        ("//evil.example/..", "application"),
        ("/", "application"),
        ("/top.txt", "top"),
        ("/.top", "application"),
        ("/none", "application"),
    ],
)
def test_places(path: str, found: str, tree: Tree) -> None:
    top = tree({"public/a.css": "public", "admin/a.css": "admin", "top/top.txt": "top", "top/.top": "", "public/admin/b": ""})
    tree(
        {
            "public/docs/index.html": "index",
            "public/docs/a:\udcff/index.html": "",
            "guide/index.html": "guide",
            "top/index.html": "",
        }
    )
    (top / "public/links").symlink_to("docs")
    files = StaticFiles(
        [("/static", f"{top}/public"), ("/", f"{top}/top"), ("/static/admin/", f"{top}/admin"), ("/guide", f"{top}/guide")],
        "/none",
    )
    answer = files.answer("GET", path, lambda _: "")
    if answer is None:
        assert found == "application"
    elif answer.file is None:
        location = "".join(f" {value}" for name, value in answer.headers if name == "Location")
        assert answer.status[:3] + location == found
    else:
        with answer.file:
            assert answer.file.read().decode() == found


def test_compress(tree: Tree, capsys: pytest.CaptureFixture[str]) -> None:
    text = "body { color: red }\n" * 100
    top = tree({"s/a.css": text, "s/b.png": text, "s/.git/c": text, "s/d.txt": "small", "s/x.css.gz": text})
    (top / "s/link.css").symlink_to("a.css")
    os.utime(top / "s/a.css", ns=(1, 1_500_000_000_000_000_000))
    variants = top / "variants"
    said = static_files.compress([f"{top}/s"], variants)
    assert said.startswith("1 of 2 files, 1 KiB to 0 KiB")
    assert capsys.readouterr().err == f"warning: {top}/s/link.css is a symbolic link and won't be served.\n"
    variant = variants / "gzip" / str(top / "s/a.css").lstrip("/")
    assert gzip.decompress(variant.read_bytes()).decode() == text
    assert variant.read_bytes()[4:8] == bytes(4)  # no time in the header: the same file again gives the same image
    assert variant.stat().st_mtime_ns == 1_500_000_000_000_000_000
    written = [path for path in (variants / "gzip").rglob("*") if path.is_file()]
    assert written == [variant]
    static_files.compress([], variants)
    assert list(variants.iterdir()) == []


def test_compress_again(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is right stays, also where a file is newer; what isn't is made anew; what has no file any more goes."""
    text = "body { color: red }\n" * 100
    top = tree(
        {
            f"s/{name}": text
            for name in ("same.css", "newer.css", "changed.css", "damaged.css", "gone/a.css", "f.css", "d.css/x.css")
        }
    )
    variants = top / "variants"

    def variant(name: str) -> Path:
        return variants / "gzip" / str(top / "s" / name).lstrip("/")

    static_files.compress([f"{top}/s"], variants)
    before = variant("same.css").stat().st_ino
    os.utime(top / "s/newer.css", ns=(1, 1_500_000_000_000_000_000))
    (top / "s/changed.css").write_text(text.upper())
    variant("damaged.css").write_bytes(variant("damaged.css").read_bytes()[:-9])
    for name in ("gone/a.css", "f.css", "d.css/x.css"):
        (top / "s" / name).unlink()
    for name in ("gone", "d.css"):
        (top / "s" / name).rmdir()
    tree({"s/f.css/y.css": text, "s/d.css": text})
    compressed: list[bytes] = []
    compress = gzip.compress

    def counted(content: bytes, *, mtime: int) -> bytes:
        compressed.append(content)
        return compress(content, mtime=mtime)

    monkeypatch.setattr(gzip, "compress", counted)
    said = static_files.compress([f"{top}/s"], variants)
    assert said.startswith("6 of 6 files")
    assert said.endswith(", 2 of them as before")
    assert len(compressed) == 4
    names = {"same.css", "newer.css", "changed.css", "damaged.css", "f.css/y.css", "d.css"}
    assert {path for path in (variants / "gzip").rglob("*") if path.is_file()} == set(map(variant, names))
    assert not variant("gone").exists()
    assert variant("same.css").stat().st_ino == before
    assert variant("newer.css").stat().st_mtime_ns == 1_500_000_000_000_000_000
    for name in names:
        assert gzip.decompress(variant(name).read_bytes()) == (top / "s" / name).read_bytes()
    (top / "s/changed.css").write_text("short")
    static_files.compress([f"{top}/s"], variants)
    assert not variant("changed.css").exists()


def test_a_redirect_keeps_the_query_and_nothing_that_could_end_a_header(tree: Tree) -> None:
    top = tree({"docs/index.html": ""})
    answer = StaticFiles([("/docs/", f"{top}/docs")], "/none").answer(
        "GET", "/docs", lambda _: "", "x=%2F&y=//b\r\nSet-Cookie: a\xe9"
    )
    assert answer
    assert answer.status == "301 Moved Permanently"
    assert ("Location", "./docs/?x=%2F&y=//b%0D%0ASet-Cookie:%20a%C3%A9") in answer.headers
