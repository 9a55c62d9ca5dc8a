"""Images made to harm whoever reads them: an error in bounded time and memory, never a crash or a hang.

AUDIT_MUTATIONS sets how many mutated archives are read; `make fuzz` reads more of them.
"""

import gzip
import os
import random
import re
import tarfile
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from saved_images import Row, directory, docker_files, file, hard_link, layer_tar, link, oci_files, read, tar

from taxiway.audit.limits import Limits
from taxiway.audit.rules import RULES
from taxiway.audit.rules.rule import check
from taxiway.audit.tar import shown
from taxiway.errors import BadImageError, ImageTooLargeError, TaxiwayError

MUTATIONS = int(os.environ.get("AUDIT_MUTATIONS", "2000"))
SMALL = Limits(unpacked_bytes=1 << 20, entries=1000, name_bytes=1 << 16)
CAPABILITY = {"SCHILY.xattr.security.capability": "\x01\x02"}
SEED_LAYERS: list[list[Row]] = [
    [
        directory("etc"),
        file("etc/passwd", "root:x:0:0:root:/root:/bin/sh\napp:x:1001:0::/:\n"),
        file("etc/sudoers", "app ALL=(ALL) NOPASSWD: ALL\n"),
        link("lib", "usr/lib"),
        file("lib/" + 30 * "long/" + "name", "x", pax_headers=CAPABILITY),
        hard_link("bin/sh", "etc/passwd"),
        file("dev/null", type=tarfile.CHRTYPE, devmajor=1, devminor=3),
        file("var/lib/dpkg/info/a.md5sums", 32 * "0" + "  etc/passwd\n"),
    ],
    [file("etc/.wh.passwd"), file("usr/.wh..wh..opq"), directory("usr/lib", mode=0o2775), file("usr/lib/caf\udce9")],
]


def image(layer: bytes) -> bytes:
    """Write an archive whose digests fit, so that only the layer itself can be refused."""
    return tar(docker_files([layer]))


def audit(archive: bytes) -> str:
    """Do what the command does; only expected errors may come of it. Returns the kind of error, without its numbers and names."""
    try:
        for finding in check(read(archive, RULES, limits=SMALL), RULES):
            shown(finding.path + finding.reason).encode()
    except TaxiwayError as error:
        str(error).encode()
        return re.sub(r"'.*'|\S*/\S*|[0-9a-f]{2,}", "", str(error).partition("\n")[0].partition(": ")[2])
    return "none"


def mend(layer: bytearray) -> None:
    """Put right the checksums of what may be headers, so that what is behind them is looked at."""
    for at in range(0, len(layer) - 511, 512):
        if any(layer[at : at + 512]):
            layer[at + 148 : at + 156] = b" " * 8
            layer[at + 148 : at + 156] = b"%06o\0 " % sum(layer[at : at + 512])


def mutate(data: bytes, randomly: random.Random) -> bytearray:
    """Change a few things, as tools for fuzzing do: bits, bytes, numbers, blocks that go, come twice or change places."""
    found = bytearray(data)
    for _ in range(randomly.choice((1, 1, 2, 5))):
        at = randomly.randrange(len(found) or 1)
        block = at // 512 * 512
        kind = randomly.randrange(8)
        if kind == 0:
            found[at : at + 1] = bytes([randomly.randrange(256)])
        elif kind == 1:
            del found[randomly.choice((at, block)) :]
        elif kind == 2:
            del found[block : block + 512]
        elif kind == 3:
            found[block:block] = found[block : block + 1024]
        elif kind == 4:
            found[block + 124 : block + 136] = randomly.choice(
                (b"77777777777\0", b"\xff" * 12, b"\x80" + b"\xff" * 11, b"-0000000001\0")
            )
        elif kind == 5:
            found[block + 156 : block + 157] = randomly.choice((b"L", b"K", b"x", b"g", b"S", b"1", b"2", b"5", b"\0"))
        elif kind == 6:
            found[block : block + 12] = randomly.choice(
                (b"../../../etc", b"/etc/.wh...\0", b"lib/\xff\xfe/lib\0", b"etc/passwd\0\0")
            )
        else:
            other = randomly.randrange(len(found) or 1) // 512 * 512
            found[block : block + 512], found[other : other + 512] = found[other : other + 512], found[block : block + 512]
    return found


def test_mutated_archives() -> None:
    """Damaged archives, and whole ones with damaged layers, end in findings or in an expected error."""
    layers = [layer_tar(rows) for rows in SEED_LAYERS]
    archives = [tar(docker_files(layers)), tar(oci_files(layers)), gzip.compress(tar(oci_files(layers, pack=bytes)))]
    outcomes: Counter[str] = Counter()
    for number in range(MUTATIONS):
        randomly = random.Random(number)  # noqa: S311
        if number % 2:
            outcome = audit(bytes(mutate(randomly.choice(archives), randomly)))
        else:
            layer = mutate(layers[number % 4 // 2], randomly)
            mend(layer)
            outcome = audit(tar((docker_files, oci_files)[number % 3 > 0]([layers[0], bytes(layer)])))
        outcomes[outcome] += 1
    assert outcomes["none"] > MUTATIONS / 10  # or nothing behind the reader was tried
    assert len(outcomes) > 20


@given(st.binary(max_size=2000))
@settings(max_examples=50, deadline=None)
def test_any_bytes(data: bytes) -> None:
    """Bytes without any form, as the archive, as a layer, as a compressed one and as a document."""
    audit(data)
    audit(image(data))
    audit(tar(oci_files([data], pack=lambda layer: b"\x1f\x8b\x08" + layer)))
    audit(tar({"manifest.json": data}))
    audit(tar(oci_files([data]) | {"index.json": data}))


def special(kind: bytes, **fields: Any) -> bytes:
    """Write one entry of any type."""
    return layer_tar([file("a", type=kind, **fields)])


def pax(records: bytes, size: int | None = None) -> bytes:
    """Write an extended header before a file."""
    info = tarfile.TarInfo("pax")
    info.type = b"x"
    info.size = len(records) if size is None else size
    return info.tobuf(tarfile.GNU_FORMAT) + records + bytes(-len(records) % 512) + layer_tar([file("a", "content")])


def sized(size: bytes) -> bytes:
    """Write a file whose header has this size."""
    layer = bytearray(layer_tar([file("a")]))
    layer[124:136] = size
    mend(layer)
    return bytes(layer)


CHAIN = [link(f"l{number}", f"l{number + 1}") for number in range(50)]


@pytest.mark.parametrize(
    ("layer", "text"),
    [
        (layer_tar([file("../etc/passwd")]), "the name ../etc/passwd leads out of a directory"),
        (layer_tar([file("a/../../b")]), "leads out of a directory"),
        (layer_tar([hard_link("a", "../../etc/passwd")]), "leads out of a directory"),
        (layer_tar([hard_link("a", "etc/passwd")]), "the hard link /a leads to no file: /etc/passwd"),
        (layer_tar([hard_link("a", "a")]), "leads to no file"),
        (layer_tar([directory("d"), hard_link("a", "d")]), "leads to no file"),
        (layer_tar([link("a", "b"), link("b", "a"), file("a/c")]), "symbolic links lead in circles at /a"),
        (layer_tar([link("a", "a/b"), file("a/c")]), "symbolic links lead in circles at /a"),
        (layer_tar([*CHAIN, file("l0/a")]), "symbolic links lead in circles"),
        (layer_tar([file("a"), file("a/b")]), "/a/b lies in something that isn't a directory"),
        (layer_tar([file("a"), file("a")]), "/a is there twice"),
        (layer_tar([link(".", "etc")]), "its root isn't a directory"),
        *((layer_tar([file(name)]), "names no file") for name in (".wh.", ".wh..", ".wh...", "etc/.wh...")),
        (special(b"S"), "an entry has the type b'S'"),
        (special(b"D"), "an entry has the type b'D'"),
        (pax(b"30 GNU.sparse.map=0,1,2,3,4,5\n"), "is a sparse file"),
        (pax(b"9 a=bcde\n", size=1 << 40), "an extended header has 1099511627776 bytes"),
        (pax(b"9 a=bcde\n" * 2), "has b'a' twice"),
        *(
            (pax(data), "a damaged record")
            for data in (b"0 a=b\n", b"5 a=b\n", b"99 a=b\n", b"6 a=bb", b"-6 a=b\n", b"6 abc\n", b"x")
        ),
        (pax(b"12 size=1e9\n"), "has b'1e9' as size"),
        (pax(b"11 size=-1\n"), "has b'-1' as size"),
        (pax(b"13 mtime=inf\n"), "has b'inf' as mtime"),
        (pax(b"11 path=\0a\n"), "or a zero byte"),
        (pax(b"5011 path=" + 5000 * b"a" + b"\n"), "a name has 5000 bytes"),
        (sized(b"77777777777\0"), "ends in the middle of a file"),
        (sized(b"\x80" + b"\xff" * 11), "ends in the middle of a file"),
        (sized(b"\xff" * 12), "has size -1"),
        (sized(b"-0000000001\0"), "where an octal number belongs"),
        (sized(b"12345678901\0"), "where an octal number belongs"),
        (layer_tar([file("a", "content")])[:700], "ends in the middle of a file"),
        (layer_tar([file("a", "content")])[:300], "ends in the middle of a header"),
        (layer_tar([file("a")]).replace(b"ustar", b"usage", 1), "a header's checksum is wrong"),
    ],
)
def test_bad_layers(layer: bytes, text: str) -> None:
    """What no engine could unpack, or would unpack elsewhere, is refused; the digests are right."""
    with pytest.raises(BadImageError) as raised:
        read(image(layer))
    assert text in str(raised.value)


def deep(paths: int) -> bytes:
    """Write files below directories of their own that have no entries."""
    return layer_tar([file(f"{number}/" + 500 * "d/" + "f") for number in range(paths)])


@pytest.mark.parametrize(
    ("make", "limits", "text"),
    [
        (lambda: deep(10), Limits(entries=2000), "more than 2000 files, directories and links"),
        (lambda: layer_tar([file("a" * 4000, pax_headers={"SCHILY.xattr.user.x": "v" * 5000})]), SMALL, None),
        (
            lambda: layer_tar([file(f"{n}", pax_headers={"SCHILY.xattr.user.x": "v" * 5000}) for n in range(20)]),
            SMALL,
            "bytes of names",
        ),
        (lambda: pax(b"9 a=bcde\n")[:1024] * 2000, Limits(entries=1000), "more than 1000 files"),
        (lambda: layer_tar([link("s", "d/" * 1000), *(file(f"s/{n}") for n in range(40))]), SMALL, "bytes of names"),
    ],
)
def test_small_things_that_become_large(make: Callable[[], bytes], limits: Limits, text: str | None) -> None:
    """What entries imply counts as well: directories that have none, paths through links, attributes."""
    if text is None:
        assert len(read(image(make()), limits=limits).tree) == 2
        return
    with pytest.raises(ImageTooLargeError) as raised:
        read(image(make()), limits=limits)
    assert text in str(raised.value)


def test_links_stay_in_the_image() -> None:
    """Links that lead out of the root, or from it, lead to places in the image."""
    rows = [file("etc/passwd", "x"), link("a", "../../../etc"), link("b", "/a/passwd"), link("c", "missing"), link("d", "d")]
    tree = read(image(layer_tar(rows))).tree
    assert [found and found.path for found in map(tree.resolve, ("/b", "/c", "/d", "/a/../b", "/b/x"))] == [
        "/etc/passwd",
        None,
        None,
        "/etc/passwd",
        None,
    ]


def test_names_are_shown_harmlessly() -> None:
    """Control characters and bytes that aren't UTF-8 reach no terminal."""
    assert shown("/caf\u00e9\udce9\x1b[2J\n\u202e") == r"/café\udce9\x1b[2J\n\u202e"


def test_members_of_nothing() -> None:
    """Thousands of empty gzip members in a row take as little time as they should."""
    archive = tar(oci_files([b""], pack=lambda layer: gzip.compress(layer) * 2000))
    assert len(read(archive).tree) == 1
    with pytest.raises(ImageTooLargeError, match="more than 1000 files"):
        read(archive, limits=Limits(entries=1000))
