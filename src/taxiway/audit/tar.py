"""The tar format, as layers have it: headers to entries.

Of our own, because tarfile takes several times as long for a header, follows GNU sparse maps, and believes sizes before it
has seen them. Sources: POSIX pax (ustar and extended headers), GNU tar's manual ("Basic Tar Format"), and where these leave a
choice Go's archive/tar, which Docker, Podman and umoci use.
"""

import os
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Final, NamedTuple, Protocol

from taxiway.audit.limits import Budget
from taxiway.errors import BadImageError

FILE: Final = "file"
DIRECTORY: Final = "directory"
SYMLINK: Final = "symlink"
HARD_LINK: Final = "hard link"
CHARACTER_DEVICE: Final = "character device"
BLOCK_DEVICE: Final = "block device"
FIFO: Final = "fifo"

BLOCK = 512
_META_BYTES = 1 << 20  # of an extended header: the limit of Go's archive/tar
_PATH_BYTES = 4096  # PATH_MAX of Linux
_MOST_ID = (1 << 32) - 1
_ZEROS = bytes(BLOCK)
_KINDS = {
    b"0": FILE,
    b"\0": FILE,
    b"7": FILE,
    b"1": HARD_LINK,
    b"2": SYMLINK,
    b"3": CHARACTER_DEVICE,
    b"4": BLOCK_DEVICE,
    b"5": DIRECTORY,
    b"6": FIFO,
}
_TIME = re.compile(rb"-?[0-9]{1,18}(\.[0-9]*)?")
_XATTR = b"SCHILY.xattr."


class Entry(NamedTuple):
    """A file, directory, link or device of a layer."""

    path: str
    """From the image's root, such as "/etc/passwd"; bytes that aren't UTF-8 as surrogates, see `shown`."""
    kind: str
    mode: int
    """Permission bits with setuid, setgid and sticky."""
    uid: int
    gid: int
    size: int
    """Bytes; 0 for what isn't a file."""
    mtime: int
    """Seconds since 1970."""
    link: str
    """Target of a symbolic link as it is written; of a hard link, a path from the root; of a device, "MAJOR:MINOR"."""
    xattrs: tuple[tuple[str, bytes], ...]
    layer: int
    """Index in the image's layers, from 0."""
    inode: int
    """The content's number in this image; hard links share it. -1 where there is no content."""


class Reading(Protocol):
    """Where tar blocks come from."""

    def take(self, size: int) -> bytes:
        """Return so many bytes, or fewer at the end."""

    def follow(self, size: int) -> None:
        """Let the next bytes be a member's content, of which a reader may take as much as it wants."""

    def finish(self) -> None:
        """Pass over what is left of the content, and its padding."""


class Stream:
    """A tar stream from chunks, read once from start to end."""

    def __init__(self, chunks: Iterator[bytes], what: str) -> None:
        self._chunks = chunks
        self._what = what
        self._chunk = b""
        self._at = 0
        self.left = 0
        """Bytes of the member's content that haven't been taken."""
        self._padding = 0

    def take(self, size: int) -> bytes:
        """Return so many bytes, or fewer at the end."""
        end = self._at + size
        if end <= len(self._chunk):
            data = self._chunk[self._at : end]
            self._at = end
            return data
        pieces = [self._chunk[self._at :]]
        missing = end - len(self._chunk)
        self._chunk, self._at = b"", 0
        for chunk in self._chunks:
            if len(chunk) >= missing:
                self._chunk, self._at = chunk, missing
                pieces.append(chunk[:missing])
                break
            pieces.append(chunk)
            missing -= len(chunk)
        return b"".join(pieces)

    def skip(self, size: int) -> None:
        """Pass over so many bytes."""
        end = self._at + size
        while end > len(self._chunk):
            end -= len(self._chunk)
            self._chunk = next(self._chunks, b"")
            if not self._chunk:
                raise BadImageError(self._what, "it ends in the middle of a file")
        self._at = end

    def follow(self, size: int) -> None:
        """Let the next bytes be a member's content, of which a reader may take as much as it wants."""
        self.left = size
        self._padding = -size % BLOCK

    def content(self, size: int) -> bytes:
        """Take bytes of the member's content."""
        size = min(size, self.left)
        data = self.take(size)
        self.left -= size
        if len(data) < size:
            raise BadImageError(self._what, "it ends in the middle of a file")
        return data

    def pieces(self) -> Iterator[memoryview]:
        """Take the rest of the member's content without copying it."""
        while self.left:
            if self._at == len(self._chunk):
                self._chunk, self._at = next(self._chunks, b""), 0
                if not self._chunk:
                    raise BadImageError(self._what, "it ends in the middle of a file")
            piece = memoryview(self._chunk)[self._at : self._at + self.left]
            self._at += len(piece)
            self.left -= len(piece)
            yield piece

    def finish(self) -> None:
        """Pass over what is left of the content, and its padding."""
        self.skip(self.left + self._padding)
        self.left = self._padding = 0

    def drain(self) -> None:
        """Pass over what follows the last entry, so that digests are of all bytes."""
        for _ in self._chunks:
            pass


class FileReading:
    """A tar file that can be read at any place: content is passed over without reading it."""

    def __init__(self, descriptor: int, what: str) -> None:
        self._descriptor = descriptor
        self._size = os.fstat(descriptor).st_size
        self._what = what
        self.position = 0
        self._next = 0

    def take(self, size: int) -> bytes:
        """Return so many bytes, or fewer at the end."""
        data = os.pread(self._descriptor, size, self.position)
        self.position += len(data)
        return data

    def skip(self, size: int) -> None:
        """Pass over so many bytes."""
        self.position += size
        if self.position > self._size:
            raise BadImageError(self._what, "it ends in the middle of a file")

    def follow(self, size: int) -> None:
        """Let the next bytes be a member's content."""
        self._next = size + -size % BLOCK

    def finish(self) -> None:
        """Pass over the content, and its padding."""
        self.skip(self._next)


def read_entries(stream: Reading, what: str, budget: Budget, *, layer: int = 0, inode: int = 0) -> Iterator[Entry]:
    """Yield the entries of a tar stream; the content of each may be taken from the stream before the next.

    Args:
        stream: Where the blocks come from.
        what: Names the archive in messages.
        budget: What is left of the limits.
        layer: The entries' index of the layer.
        inode: The first file's number.

    Raises:
        BadImageError: It isn't in the format, or a name leaves the image's root.
        ImageTooLargeError: A limit is reached.
    """
    pax: dict[bytes, bytes] = {}
    try:
        while True:
            header = stream.take(BLOCK)
            if not header or (header == _ZEROS and stream.take(BLOCK) in {b"", _ZEROS}):
                return
            _check(header)
            size = _number(header[124:136])
            kind = header[156:157]
            if kind in b"xgLK":
                budget.entry(0)
                meta = _meta(stream, size)
                if kind == b"x":
                    pax = _pax(meta)
                elif kind != b"g":  # Go's archive/tar doesn't apply global headers either
                    pax.setdefault(b"path" if kind == b"L" else b"linkpath", meta.partition(b"\0")[0])
                continue
            entry = _entry(header, kind, size, pax, layer=layer, inode=inode)
            budget.entry(len(entry.path) + len(entry.link) + sum(len(name) + len(value) for name, value in entry.xattrs))
            pax = {}
            inode += entry.kind == FILE
            stream.follow(entry.size)
            yield entry
            stream.finish()
    except _FormatError as error:
        raise BadImageError(what, str(error)) from error


class _FormatError(Exception):
    """Something that isn't tar; the caller knows where."""


def _check(header: bytes) -> None:
    if len(header) < BLOCK:
        raise _FormatError("it ends in the middle of a header")
    if sum(header) - sum(header[148:156]) + 8 * 32 != _number(header[148:156]):
        raise _FormatError("a header's checksum is wrong")


def _meta(stream: Reading, size: int) -> bytes:
    if not 0 <= size <= _META_BYTES:
        raise _FormatError(f"an extended header has {size} bytes, expected {_META_BYTES} at most")
    data = stream.take(size + -size % BLOCK)[:size]
    if len(data) < size:
        raise _FormatError("it ends in the middle of an extended header")
    return data


@lru_cache(maxsize=4096)  # owners and modes are the same in most headers
def _number(field: bytes) -> int:
    """Read a number: octal digits, or GNU's base 256 with the first bit set."""
    if field[0] & 0x80:
        value = int.from_bytes(field, "big") & ((1 << (8 * len(field) - 1)) - 1)
        return value - (1 << (8 * len(field) - 1)) if field[0] & 0x40 else value
    digits = field.strip(b" \0").partition(b"\0")[0]
    if not digits:
        return 0
    try:
        if digits.isdigit():
            return int(digits, 8)
    except ValueError:
        pass
    raise _FormatError(f"a header has {field!r} where an octal number belongs")


def _decimal(pax: Mapping[bytes, bytes], key: bytes, otherwise: int) -> int:
    digits = pax.get(key)
    if digits is None:
        return otherwise
    if not digits.isdigit() or len(digits) > 19:  # noqa: PLR2004 # 64 bits
        raise _FormatError(f"an extended header has {digits[:40]!r} as {key.decode()}")
    return int(digits)


def _pax(data: bytes) -> dict[bytes, bytes]:
    """Read records of the form "LENGTH KEY=VALUE" and a newline, where LENGTH counts itself."""
    records: dict[bytes, bytes] = {}
    at = 0
    while at < len(data):
        digits, _, _ = data[at : at + 8].partition(b" ")
        end = at + int(digits) if digits.isdigit() else 0
        key, equals, value = data[at + len(digits) + 1 : end - 1].partition(b"=")
        if not at < end <= len(data) or data[end - 1 : end] != b"\n" or not equals or not key:
            raise _FormatError("an extended header has a damaged record")
        if key in records:
            raise _FormatError(f"an extended header has {key[:40]!r} twice")
        records[key] = value
        at = end
    return records


def _entry(header: bytes, kind: bytes, size: int, pax: Mapping[bytes, bytes], *, layer: int, inode: int) -> Entry:
    if kind not in _KINDS:
        raise _FormatError(f"an entry has the type {kind!r}, such as a sparse file or a part of one, which layers don't have")
    name = header[:100].partition(b"\0")[0]
    if header[257:263] == b"ustar\0" and header[345]:
        prefix = header[345:476] if header[508:512] == b"tar\0" else header[345:500]  # star keeps times behind it
        name = prefix.partition(b"\0")[0] + b"/" + name
    link = header[157:257].partition(b"\0")[0]
    uid, gid, mtime = _number(header[108:116]), _number(header[116:124]), _number(header[136:148])
    xattrs: tuple[tuple[str, bytes], ...] = ()
    if pax:
        name, link = pax.get(b"path", name), pax.get(b"linkpath", link)
        size, uid, gid = _decimal(pax, b"size", size), _decimal(pax, b"uid", uid), _decimal(pax, b"gid", gid)
        if b"mtime" in pax:
            if not _TIME.fullmatch(pax[b"mtime"]):
                raise _FormatError(f"an extended header has {pax[b'mtime'][:40]!r} as mtime")
            mtime = int(pax[b"mtime"].partition(b".")[0])
        xattrs = _xattrs(pax)
    kind_name = DIRECTORY if kind == b"\0" and name.endswith(b"/") else _KINDS[kind]
    if size < 0 or not 0 <= uid <= _MOST_ID or not 0 <= gid <= _MOST_ID:
        raise _FormatError(f"{shown(_text(name))} has size {size}, owner {uid} and group {gid}")
    is_file = kind_name == FILE
    return Entry(
        path=_path(name),
        kind=kind_name,
        mode=_number(header[100:108]) & 0o7777,
        uid=uid,
        gid=gid,
        size=size if is_file else 0,
        mtime=mtime,
        link=_link(kind_name, header, link),
        xattrs=xattrs,
        layer=layer,
        inode=inode if is_file else -1,
    )


def _link(kind: str, header: bytes, raw: bytes) -> str:
    if kind == HARD_LINK:
        return _path(raw)
    if kind in {CHARACTER_DEVICE, BLOCK_DEVICE}:
        return f"{_number(header[329:337])}:{_number(header[337:345])}"
    return _text(raw) if kind == SYMLINK else ""


def _xattrs(pax: Mapping[bytes, bytes]) -> tuple[tuple[str, bytes], ...]:
    found = []
    for key, value in pax.items():
        if key.startswith(_XATTR):
            found.append((_text(key.removeprefix(_XATTR)), value))
        elif key.startswith(b"GNU.sparse."):
            raise _FormatError("an entry is a sparse file, which layers don't have")
    return tuple(sorted(found))


def _text(raw: bytes) -> str:
    if len(raw) > _PATH_BYTES or b"\0" in raw:
        raise _FormatError(f"a name has {len(raw)} bytes, or a zero byte; Linux has {_PATH_BYTES} at most")
    return raw.decode("utf-8", "surrogateescape")


def _path(raw: bytes) -> str:
    """Write a name as a path from the image's root; engines take absolute names as such too."""
    parts = [part for part in _text(raw).split("/") if part not in {"", "."}]
    if ".." in parts:
        raise _FormatError(f"the name {shown(_text(raw))} leads out of a directory")
    return "/" + "/".join(parts)


def shown(name: str) -> str:
    """Write a name of the image so that it can't control a terminal: other characters as escapes."""
    if name.isprintable():
        return name
    return "".join(char if char.isprintable() else char.encode("unicode_escape", "surrogatepass").decode() for char in name)
