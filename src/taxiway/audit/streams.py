"""Bytes in chunks: read from a place in a file, decompressed within limits, checked against a digest."""

import hashlib
import importlib
import os
import zlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Protocol

from taxiway.audit.limits import Budget
from taxiway.errors import BadImageError, ImageTooLargeError, NoZstdError

CHUNK = 1 << 20
# A decompressor copies what it hasn't used yet at the end of each gzip member, and there may be thousands of them.
_PACKED_CHUNK = 1 << 15
_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
_OTHERS = {b"BZh": "bzip2", b"\xfd7zXZ\0": "xz"}


def file_chunks(descriptor: int, offset: int, size: int) -> Iterator[bytes]:
    """Read a part of a file; several readers don't disturb each other."""
    end = offset + size
    while offset < end and (chunk := os.pread(descriptor, min(CHUNK, end - offset), offset)):
        offset += len(chunk)
        yield chunk


def verified(chunks: Iterable[bytes], digest: str, what: str) -> Iterator[bytes]:
    """Pass chunks on, and compare the digest at their end.

    Args:
        chunks: The content.
        digest: As OCI writes it, such as "sha256:ab12...".
        what: Names the content in the message.

    Raises:
        BadImageError: It is the digest of something else.
    """
    algorithm, _, expected = digest.partition(":")
    found = hashlib.new(algorithm)
    for chunk in chunks:
        found.update(chunk)
        yield chunk
    if found.hexdigest() != expected:
        raise BadImageError(what, f"its digest is {algorithm}:{found.hexdigest()}, expected {digest}")


def digest_of(data: bytes) -> str:
    """Return a digest as OCI writes it."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def is_packed(start: bytes) -> bool:
    """Tell a compressed stream by its first bytes."""
    return start.startswith((_GZIP, _ZSTD, *_OTHERS))


class _Decompressor(Protocol):
    """What zlib's decompressors do, and with a little help those for zstd."""

    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def unpack(self, data: bytes) -> Iterator[bytes]: ...


class _Gzip:
    def __init__(self) -> None:
        self._zlib = zlib.decompressobj(wbits=31)

    @property
    def eof(self) -> bool:
        return self._zlib.eof

    @property
    def unused_data(self) -> bytes:
        return self._zlib.unused_data

    def unpack(self, data: bytes) -> Iterator[bytes]:
        while data and not self._zlib.eof:
            if piece := self._zlib.decompress(data, CHUNK):
                yield piece
            data = self._zlib.unconsumed_tail


class _Zstd:
    def __init__(self, make: Callable[[], Any]) -> None:
        self._zstd = make()

    @property
    def eof(self) -> bool:
        return bool(self._zstd.eof)

    @property
    def unused_data(self) -> bytes:
        return bytes(self._zstd.unused_data)

    def unpack(self, data: bytes) -> Iterator[bytes]:
        while not self._zstd.eof and (data or not self._zstd.needs_input):
            if piece := self._zstd.decompress(data, CHUNK):
                yield piece
            data = b""


def _zstd_module() -> Any:
    """Python 3.14 has zstd; for older ones the same module can be installed."""
    for name in ("compression.zstd", "backports.zstd"):
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    raise NoZstdError


def _decompressor(start: bytes, what: str) -> Callable[[], _Decompressor] | None:
    if start.startswith(_GZIP):
        return _Gzip
    if start.startswith(_ZSTD):
        module = _zstd_module()
        options = {
            module.DecompressionParameter.window_log_max: 27
        }  # 128 MiB, the most that Docker's and Podman's libraries take
        return lambda: _Zstd(lambda: module.ZstdDecompressor(options=options))
    for magic, name in _OTHERS.items():
        if start.startswith(magic):
            raise BadImageError(what, f"it is compressed with {name}, expected gzip, zstd or nothing")
    return None


def unpacked(chunks: Iterator[bytes], budget: Budget, what: str) -> Iterator[bytes]:
    """Decompress gzip and zstd, told by their first bytes as the engines do; anything else passes as it is.

    Raises:
        BadImageError: It is damaged, or ends in the middle.
        ImageTooLargeError: It unpacks to more than the limits have.
        NoZstdError: This Python can't read zstd.
    """
    first = next(chunks, b"")
    make = _decompressor(first, what)
    pieces = _decompress(first, chunks, make, budget, what) if make else _unchanged(first, chunks)
    total = 0
    for read, piece in pieces:
        total += len(piece)
        budget.unpack(len(piece))
        if total - budget.limits.free_bytes > read * budget.limits.ratio:
            raise ImageTooLargeError(f"{what} unpacks to more than {budget.limits.ratio} times its size")
        yield piece


def _unchanged(first: bytes, chunks: Iterator[bytes]) -> Iterator[tuple[int, bytes]]:
    read = len(first)
    yield read, first
    for chunk in chunks:
        read += len(chunk)
        yield read, chunk


def _decompress(
    first: bytes, chunks: Iterator[bytes], make: Callable[[], _Decompressor], budget: Budget, what: str
) -> Iterator[tuple[int, bytes]]:
    """Yield pairs: bytes read so far, and a piece of what they hold."""
    read = 0
    one = make()
    fresh = True  # at the start of a member or frame, where the stream may end
    try:
        for chunk in _first_then(first, chunks):
            for start in range(0, len(chunk), _PACKED_CHUNK):
                data = chunk[start : start + _PACKED_CHUNK]
                read += len(data)
                while data:
                    fresh = False
                    for piece in one.unpack(data):
                        yield read, piece
                    data = b""
                    if one.eof:
                        budget.entry(0)  # there may be a member of a few bytes for each of nothing
                        data, one, fresh = one.unused_data, make(), True
    except (zlib.error, EOFError, ValueError) as error:
        raise BadImageError(what, f"its compression is damaged: {error}") from error
    except Exception as error:
        if type(error).__name__ != "ZstdError":  # of a module that may not be there
            raise
        raise BadImageError(what, f"its compression is damaged: {error}") from error
    if not fresh:
        raise BadImageError(what, "its compressed data ends in the middle")


def _first_then(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def grouped(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Join small chunks, so that handing them to another thread doesn't cost more than it gains."""
    waiting: list[bytes] = []
    size = 0
    for chunk in chunks:
        waiting.append(chunk)
        size += len(chunk)
        if size >= CHUNK:
            yield b"".join(waiting)
            waiting, size = [], 0
    yield b"".join(waiting)


def ahead(chunks: Iterator[bytes], executor: ThreadPoolExecutor) -> Iterator[bytes]:
    """Get the next chunk in another thread while this one is worked on: zlib and hashlib let other threads run."""
    future: Future[bytes | None] = executor.submit(next, chunks, None)
    while (chunk := future.result()) is not None:
        future = executor.submit(next, chunks, None)
        yield chunk
