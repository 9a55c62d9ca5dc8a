"""Where an image is: archives of Docker and OCI, OCI layouts, stdin and the local engine, made into one kind of source.

Formats: OCI image layout and image specification 1.1; `docker save`, whose manifest.json is described in Docker's image
specification 1.2. An archive with both, as Docker makes since version 25, is read as OCI: that has digests for everything.
"""

import contextlib
import os
import platform
import posixpath
import stat
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from taxiway import process
from taxiway.audit import streams, tar
from taxiway.audit.documents import Config, Reader, checked_digest, parse, read_config
from taxiway.audit.limits import BLOBS, DOCUMENT_BYTES, LAYERS, MANIFESTS, Budget, Limits
from taxiway.errors import BadImageError, ImageTooLargeError, NoSuchImageError, SeveralImagesError
from taxiway.image import engines

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}  # as `uname` and Go call them
_INDEX_DEPTH = 4
_SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.zst", ".oci")


@dataclass(frozen=True, kw_only=True)
class LayerSource:
    """A layer before it is read."""

    diff_id: str
    """Digest of its unpacked bytes."""
    chunks: Callable[[], Iterator[bytes]]
    """Opens it, still packed."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """An image before its layers are read."""

    name: str
    """As the user called it."""
    digest: str
    """Of the manifest, or, in an archive of Docker's own format, of the configuration: the image ID."""
    config: Config
    annotations: dict[str, str]
    layers: tuple[LayerSource, ...]


class _Files(Protocol):
    """The files of a layout or an archive, by their paths in it."""

    def names(self) -> frozenset[str]: ...

    def chunks(self, name: str) -> Iterator[bytes]: ...


class _Directory:
    """A layout on disk. It may be somebody else's, so no link of it is followed and no device opened."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def names(self) -> frozenset[str]:
        return frozenset(name for name in ("oci-layout", "index.json", "manifest.json") if (self._path / name).exists())

    def chunks(self, name: str) -> Iterator[bytes]:
        try:
            descriptor = os.open(self._path / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError as error:
            raise BadImageError(name, f"couldn't be read: {error.strerror}") from error
        try:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                raise BadImageError(name, "it isn't a file")
            yield from streams.file_chunks(descriptor, 0, found.st_size)
        finally:
            os.close(descriptor)


class _Archive:
    """A tar file, of which only the headers are read at first."""

    def __init__(self, descriptor: int, what: str) -> None:
        self._descriptor = descriptor
        self._files: dict[str, tuple[int, int]] = {}
        self._links: dict[str, str] = {}
        reading = tar.FileReading(descriptor, what)
        for entry in tar.read_entries(reading, what, Budget(Limits(entries=BLOBS))):
            name = entry.path.removeprefix("/")
            if name in self._files or name in self._links:
                raise BadImageError(what, f"{tar.shown(name)} is there twice")
            if entry.kind == tar.FILE:
                self._files[name] = (reading.position, entry.size)
            elif entry.kind == tar.SYMLINK:  # docker save before version 25: a layer that another image has too
                self._links[name] = posixpath.normpath(posixpath.join(posixpath.dirname(name), entry.link))
            elif entry.kind == tar.HARD_LINK:
                self._links[name] = entry.link.removeprefix("/")

    def names(self) -> frozenset[str]:
        return frozenset(self._files)

    def chunks(self, name: str) -> Iterator[bytes]:
        place = self._files.get(name) or self._files.get(self._links.get(name, ""))
        if place is None:
            raise BadImageError(tar.shown(name)[:200], "the archive doesn't have it")
        return streams.file_chunks(self._descriptor, *place)


@contextlib.contextmanager
def open_image(
    reference: str,
    *,
    stdin: IO[bytes] | None = None,
    engine: str | None = None,
    architecture: str | None = None,
    limits: Limits | None = None,
) -> Iterator[Source]:
    """Find an image and read its documents.

    Args:
        reference: "-" for stdin, a file or a directory, or else the name of an image that the local engine has.
        stdin: What "-" stands for.
        engine: Podman or Docker; the first that answers otherwise.
        architecture: Of images for several, such as "arm64"; this machine's otherwise.
        limits: How much may be read.

    Raises:
        BadImageError: It isn't an image, is damaged, or has another digest than it says.
        ImageTooLargeError: A limit is reached.
        NoSuchImageError: There is neither such a file nor such an image.
        SeveralImagesError: There are several, and nothing says which.
    """
    budget = Budget(limits or Limits())
    path = Path(reference)
    with contextlib.ExitStack() as stack:
        files: _Files
        if reference == "-" and stdin is not None:
            files = _Archive(stack.enter_context(_spooled(_reads(stdin), budget, "stdin")).fileno(), "stdin")
        elif path.is_dir():
            files = _Directory(path)
        elif path.exists():
            files = _open_file(path, budget, stack)
        elif reference.startswith((".", "/")) or reference.endswith(_SUFFIXES):
            raise NoSuchImageError(reference, "there is no such file or directory")
        else:
            files = _Archive(stack.enter_context(_saved(reference, engine)).fileno(), reference)
        names = files.names()
        if {"oci-layout", "index.json"} <= names:
            yield _oci(files, reference, architecture)
        elif "manifest.json" in names:
            yield _docker(files, reference)
        else:
            raise BadImageError(
                reference, "it has neither oci-layout and index.json nor manifest.json; expected an image that was saved"
            )


def _open_file(path: Path, budget: Budget, stack: contextlib.ExitStack) -> _Archive:
    try:
        file = stack.enter_context(path.open("rb", buffering=0))
        start = os.pread(file.fileno(), 6, 0) if stat.S_ISREG(os.fstat(file.fileno()).st_mode) else None
    except OSError as error:
        raise NoSuchImageError(str(path), error.strerror or str(error)) from error
    if start is None or streams.is_packed(start):  # `docker save | gzip`, a named pipe
        return _Archive(stack.enter_context(_spooled(_reads(file), budget, str(path))).fileno(), str(path))
    return _Archive(file.fileno(), str(path))


def _reads(file: IO[bytes]) -> Iterator[bytes]:
    while chunk := file.read(streams.CHUNK):
        yield chunk


def _temporary() -> IO[bytes]:
    """Return a file without a name. /var/tmp, as Podman uses: /tmp may be memory."""
    directory = os.environ.get("TMPDIR") or ("/var/tmp" if os.access("/var/tmp", os.W_OK) else None)  # noqa: S108
    return tempfile.TemporaryFile(dir=directory)


@contextlib.contextmanager
def _spooled(chunks: Iterator[bytes], budget: Budget, what: str) -> Iterator[IO[bytes]]:
    """Keep a stream in a file: the list of layers may come behind the layers."""
    with _temporary() as file:
        for chunk in streams.unpacked(chunks, budget, what):
            file.write(chunk)
        file.flush()
        yield file


@contextlib.contextmanager
def _saved(name: str, engine: str | None) -> Iterator[IO[bytes]]:
    """Let the engine save an image; layers aren't compressed for that."""
    chosen = engines.find((engine,) if engine else engines.ENGINES)
    with _temporary() as file:
        result = process.output_to(file, engines.save_command(chosen, name), env=os.environ, cwd="/")
        if result.status:
            raise NoSuchImageError(name, (result.output.strip().splitlines() or [result.reason])[-1])
        yield file


def _document(files: _Files, name: str, digest: str | None = None) -> bytes:
    chunks = files.chunks(name)
    data = bytearray()
    for chunk in streams.verified(chunks, digest, name) if digest else chunks:
        data += chunk
        if len(data) > DOCUMENT_BYTES:
            raise BadImageError(name, f"it has more than {DOCUMENT_BYTES} bytes")
    return bytes(data)


def _oci(files: _Files, reference: str, architecture: str | None) -> Source:
    wanted = architecture or _ARCHITECTURES.get(platform.machine(), platform.machine())
    found = _manifests(files, _document(files, "index.json"), "index.json", 0, [MANIFESTS])
    if len(found) > 1:
        found = [row for row in found if row[1] in {wanted, ""}] or found
    if len({digest for digest, _, _ in found}) != 1:
        raise SeveralImagesError(reference, [f"{name or digest} {architecture}".strip() for digest, architecture, name in found])
    digest = found[0][0]
    what = _blob(digest)
    manifest = Reader(parse(_document(files, what, digest), what), what)
    config_digest = manifest.reader("config").digest()
    name = _blob(config_digest)
    config = read_config(parse(_document(files, name, config_digest), name), name)
    rows = manifest.readers("layers")
    for row in rows:
        if "+encrypted" in row.text("mediaType"):
            raise BadImageError(what, "its layers are encrypted")

    def opened(digest: str) -> Callable[[], Iterator[bytes]]:
        return lambda: streams.verified(files.chunks(_blob(digest)), digest, _blob(digest))

    layers = _layers(config, [opened(row.digest()) for row in rows], what)
    return Source(name=reference, digest=digest, config=config, annotations=manifest.strings("annotations"), layers=layers)


def _blob(digest: str) -> str:
    return "blobs/" + digest.replace(":", "/")


def _manifests(files: _Files, data: bytes, what: str, depth: int, left: list[int]) -> list[tuple[str, str, str]]:
    """Return digest, architecture and name of every image that an index has, or an index in it."""
    if depth == _INDEX_DEPTH:
        raise BadImageError(what, "an index in an index, too many times")
    found: list[tuple[str, str, str]] = []
    for row in Reader(parse(data, what), what).readers("manifests"):
        left[0] -= 1
        if left[0] < 0:
            raise ImageTooLargeError(f"more than {MANIFESTS} manifests")
        digest = row.digest()
        name = row.strings("annotations").get("org.opencontainers.image.ref.name", "")
        architecture = row.reader("platform").text("architecture")
        if architecture == "unknown":  # BuildKit's attestations
            continue
        if row.text("mediaType").endswith(("image.index.v1+json", "manifest.list.v2+json")):
            found += _manifests(files, _document(files, _blob(digest), digest), _blob(digest), depth + 1, left)
        else:
            found.append((digest, architecture, name))
    return found


def _docker(files: _Files, reference: str) -> Source:
    what = "manifest.json"
    rows = parse(_document(files, what), what)
    if not isinstance(rows, list):
        raise BadImageError(what, "expected a JSON array")
    images = [Reader(row, what) for row in rows]
    if len(images) != 1:
        raise SeveralImagesError(reference, [" ".join(image.texts("RepoTags")) or image.text("Config") for image in images])
    name = images[0].text("Config")
    data = _document(files, posixpath.normpath(name))
    digest = streams.digest_of(data)
    if (stated := checked_digest(f"sha256:{posixpath.basename(name).removesuffix('.json')}", what)) != digest:
        raise BadImageError(tar.shown(name), f"its digest is {digest}, expected {stated}")
    config = read_config(parse(data, name), name)

    def opened(name: str) -> Callable[[], Iterator[bytes]]:
        return lambda: files.chunks(posixpath.normpath(name))

    layers = _layers(config, [opened(name) for name in images[0].texts("Layers")], what)
    return Source(name=reference, digest=digest, config=config, annotations={}, layers=layers)


def _layers(config: Config, chunks: list[Callable[[], Iterator[bytes]]], what: str) -> tuple[LayerSource, ...]:
    if len(chunks) != len(config.diff_ids):
        raise BadImageError(what, f"it has {len(chunks)} layers, and the configuration {len(config.diff_ids)}")
    if len(chunks) > LAYERS:
        raise ImageTooLargeError(f"{len(chunks)} layers, more than {LAYERS}")
    return tuple(LayerSource(diff_id=digest, chunks=opened) for digest, opened in zip(config.diff_ids, chunks, strict=True))
