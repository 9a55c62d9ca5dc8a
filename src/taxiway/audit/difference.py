"""`taxiway diff`: what two images differ in, path by path, and what such differences usually come from.

A build that is done twice should give the same digest (reproducible-builds.org, "Definitions"). Where it doesn't, the names and
the bytes of what differs tell much about the cause: a time, an order, a random number, a log.
"""

import re
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from fnmatch import fnmatchcase
from typing import Any

from taxiway.audit.documents import Config
from taxiway.audit.image import Digests, Image, Probe
from taxiway.audit.tar import FILE, Entry

CONTENT = Digests("sha256", lambda _: True)
_START = 1 << 16  # bytes of a differing file that are looked at
_BYTECODE_HEADER = 16  # PEP 552: magic, flags, then time and size, or a hash
_GZIP_TIME = slice(4, 8)  # RFC 1952, MTIME
_TIME = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?|\b(Mon|Tue|Wed|Thu|Fri|Sat|Sun),? .{4,10}\d\d:\d\d:\d\d|\b1[5-9]\d{8}(\.\d+)?\b"
)
_TEMPORARY = re.compile(r"/(var/)?tmp/[\w.-]+")
_RANDOM = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b|\b[0-9a-f]{16,}\b")
# By the path, the first that fits: what makes such files differ.
_PLACES = (
    ("*.dist-info/RECORD", "hash values of files that differ"),
    ("*.dist-info/direct_url.json", "where the package was installed from"),
    ("/etc/machine-id", "a random number of this machine"),
    ("/etc/ssh/ssh_host_*", "a random key"),
    ("/etc/hostname", "the name of the machine"),
    ("/etc/hosts", "the name of the machine"),
    ("/etc/resolv.conf", "the name servers of the machine"),
    ("/etc/shadow*", "the day on which a password was set"),
    ("/var/cache/ldconfig/*", "ldconfig's cache, with inode numbers"),
    ("/var/log/*", "a log"),
    ("*.log", "a log"),
    ("/var/cache/*", "a cache"),
    ("*/.cache/*", "a cache"),
    ("/var/lib/apt/*", "apt's lists"),
    ("/tmp/*", "a temporary file"),  # noqa: S108
    ("/var/tmp/*", "a temporary file"),  # noqa: S108
)


@dataclass(frozen=True, kw_only=True)
class Difference:
    """What differs at one place."""

    path: str
    """In the image, or of the configuration: "config.created"."""
    what: str
    """Such as "content", "mode 0644, 0664", "only in the first"."""
    cause: str
    """Where that usually comes from; empty: nothing is known."""
    made_by: str
    """The instruction of the second image whose layer has it, of the first where the second lacks it."""

    def as_data(self) -> dict[str, str]:
        """Return it for JSON."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def starts(paths: Iterable[str]) -> Probe[bytes]:
    """Return the probe that reads how these files begin, for `explain`."""
    wanted = frozenset(paths)
    return Probe(lambda entry: _START if entry.path in wanted else 0, lambda _, data: data)


def compare(one: Image, other: Image) -> list[Difference]:
    """List what two images differ in; both have to be scanned with `CONTENT`. Causes are told as far as paths tell them."""
    found = list(_configuration(one.config, other.config))
    for path in sorted({*one.tree, *other.tree}):
        before, after = one.tree.get(path), other.tree.get(path)
        if what := list(_what(one, before, other, after)):
            image, entry = (other, after) if after else (one, before)
            step = image.layers[entry.layer].created_by if entry and image.layers else ""
            found.append(Difference(path=path, what=", ".join(what), cause=_by_attributes(path, what), made_by=step))
    if not any(difference.path.startswith("/") for difference in found):
        found += _archives(one, other)
    return found


def explain(difference: Difference, before: bytes, after: bytes) -> Difference:
    """Add the cause that the first bytes of both files tell, where there is one."""
    if difference.cause or "content" not in difference.what:
        return difference
    cause = next((cause for tells in _BYTES if (cause := tells(difference.path, before, after))), "")
    return Difference(path=difference.path, what=difference.what, cause=cause, made_by=difference.made_by)


def with_contents(difference: Difference) -> bool:
    """Tell whether the bytes of both files may tell more."""
    return not difference.cause and "content" in difference.what


def _configuration(one: Config, other: Config) -> Iterator[Difference]:
    for field in fields(Config):
        before, after = getattr(one, field.name), getattr(other, field.name)
        if before == after or field.name == "diff_ids":
            continue
        what = _named(before, after) if isinstance(before, Mapping) else f"{_text(before)}, {_text(after)}"
        cause = "the time of the build; --timestamp, or SOURCE_DATE_EPOCH, sets it" if field.name == "created" else ""
        yield Difference(path=f"config.{field.name}", what=what, cause=cause, made_by="")


def _named(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    names = sorted(name for name in {*before, *after} if before.get(name) != after.get(name))
    return "; ".join(f"{name}: {_text(before.get(name, ''))}, {_text(after.get(name, ''))}" for name in names)


def _text(value: object) -> str:
    text = str(value) or "nothing"
    return text if len(text) <= 80 else f"{text[:77]}..."  # noqa: PLR2004


def _what(one: Image, before: Entry | None, other: Image, after: Entry | None) -> Iterator[str]:
    if before is None or after is None:
        yield "only in the second" if before is None else "only in the first"
        return
    if before.kind != after.kind:
        yield f"{before.kind}, {after.kind}"
        return
    if before.kind == FILE and one.fact(CONTENT, before) != other.fact(CONTENT, after):
        yield "content" if before.size == after.size else f"content ({before.size}, {after.size} bytes)"
    if before.link != after.link and before.kind != FILE:
        yield f"leads to {before.link}, {after.link}"
    if before.mode != after.mode:
        yield f"mode {before.mode:04o}, {after.mode:04o}"
    if (before.uid, before.gid) != (after.uid, after.gid):
        yield f"owner {before.uid}:{before.gid}, {after.uid}:{after.gid}"
    if before.mtime != after.mtime:
        yield f"time {before.mtime}, {after.mtime}"
    if before.xattrs != after.xattrs:
        yield "extended attributes"


def _by_attributes(path: str, what: list[str]) -> str:
    kinds = {text.split()[0].rstrip(",") for text in what}
    for pattern, cause in _PLACES:
        if fnmatchcase(path, pattern):
            return cause
    if kinds == {"time"}:
        return "the time of the build; SOURCE_DATE_EPOCH sets it"
    if kinds == {"mode"}:
        return "the umask of the machine where the source was checked out"
    if kinds == {"owner"}:
        return "the user of the build: COPY --chown sets it"
    if kinds == {"only"} and path.endswith(".pyc"):
        return "bytecode that something compiled when it was run, such as a hook"
    return ""


def _bytecode(path: str, before: bytes, after: bytes) -> str:
    if not path.endswith(".pyc") or min(len(before), len(after)) < _BYTECODE_HEADER:
        return ""
    flags = [struct.unpack_from("<I", data, 4)[0] for data in (before, after)]
    if before[_BYTECODE_HEADER:] == after[_BYTECODE_HEADER:] and 0 in flags:
        return "bytecode with the time of its source (PEP 552): compile with --invalidation-mode unchecked-hash"
    return "bytecode of a source that differs, or made by another Python, or in another order of set literals: PYTHONHASHSEED"


def _gzip(_: str, before: bytes, after: bytes) -> str:
    if before[:2] != b"\x1f\x8b" or after[:2] != b"\x1f\x8b" or before[_GZIP_TIME] == after[_GZIP_TIME]:
        return ""
    return "the time in gzip's header: gzip -n leaves it out"


def _zip(_: str, before: bytes, after: bytes) -> str:
    both_are = before[:4] == after[:4] == b"PK\x03\x04"
    return "the times in a zip archive" if both_are and before[10:14] != after[10:14] else ""


def _lines(_: str, before: bytes, after: bytes) -> str:
    try:
        lines = [data.decode("utf-8").splitlines() for data in (before, after)]
    except UnicodeDecodeError:
        return ""
    if sorted(lines[0]) == sorted(lines[1]):
        return "the order of its lines: of a set, or of a directory's files"
    differing = [[line for line in found if line not in set(others)] for found, others in (lines, lines[::-1])]
    for pattern, cause in (
        (_TIME, "a time"),
        (_TEMPORARY, "the name of a temporary file or directory"),
        (_RANDOM, "a random number, or a hash of something that differs"),
    ):
        plain = [[pattern.sub("", line) for line in found] for found in differing]
        if plain[0] == plain[1] and plain[0]:
            found = pattern.search(differing[1][0])
            return f"{cause}: {found[0]}" if found else cause
    return ""


_BYTES: tuple[Callable[[str, bytes, bytes], str], ...] = (_bytecode, _gzip, _zip, _lines)


def _archives(one: Image, other: Image) -> Iterator[Difference]:
    """Name the layers whose archives differ though what they hold is the same."""
    if len(one.layers) != len(other.layers):
        what = f"{len(one.layers)} layers, {len(other.layers)}"
        yield Difference(path="layers", what=what, cause="the same files in other layers", made_by="")
        return
    for before, after in zip(one.layers, other.layers, strict=True):
        if before.digest == after.digest:
            continue
        orders = [[entry.path for entry in layer.entries] for layer in (before, after)]
        cause = "the order of its files" if sorted(orders[0]) == sorted(orders[1]) and orders[0] != orders[1] else ""
        hidden = "files that later layers replaced, or what the format alone keeps, such as parts of seconds"
        yield Difference(path=f"layer {after.number}", what="its archive", cause=cause or hidden, made_by=after.created_by)
