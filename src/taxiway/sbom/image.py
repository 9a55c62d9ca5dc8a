"""Reading an image for its bill of materials, without running anything of it: the auditor's reader."""

import contextlib
import json
import posixpath
from collections.abc import Iterator, Mapping
from typing import IO

from taxiway.audit.image import Image, Probe, scan
from taxiway.audit.limits import Limits
from taxiway.audit.reader import open_image
from taxiway.audit.tar import DIRECTORY, Entry
from taxiway.layout import APP_ROOT, Layout
from taxiway.sbom import provenance, store
from taxiway.sbom.document import Subject

_MOST = 32 * 1024 * 1024  # bytes of one file: the largest of these, a RECORD or a bill of materials, have a few MB
_ENDINGS = (
    ".dist-info/METADATA",
    ".dist-info/RECORD",
    "/copyright",
    "/lib/dpkg/status",
    "/lib/os-release",
    "/etc/os-release",
    "/pyvenv.cfg",
    "/wheelhouse/servers.txt",
    "/wheelhouse/backends.txt",
    "/.taxiway/sbom.cdx.json",
    "/.taxiway/provenance.json",
    store.IMAGE,
)


def _wanted(entry: Entry) -> int:
    path = entry.path
    is_wanted = path.endswith(_ENDINGS) or ".dist-info/sboms/" in path or path.startswith("/var/lib/dpkg/status.d/")
    return _MOST if is_wanted else 0


_CONTENT: Probe[bytes] = Probe(_wanted, lambda _, content: content)


class ImageFiles:
    """The files of an image, as `inventory.Files`."""

    def __init__(self, image: Image) -> None:
        self._image = image
        self._names: dict[str, list[str]] = {}
        for path in image.tree:
            directory, name = posixpath.split(path)
            if name:
                self._names.setdefault(directory, []).append(name)

    def read(self, path: str) -> bytes | None:
        """Return a file's content."""
        return self._image.read(_CONTENT, path)

    def names(self, directory: str) -> list[str]:
        """List a directory, sorted."""
        entry = self._image.tree.resolve(directory)
        return sorted(self._names.get(entry.path, ())) if entry else []


class Reading:
    """An image that has been read."""

    def __init__(self, image: Image) -> None:
        self.files = ImageFiles(image)
        self._image = image
        self._app_root = image.config.variables.get("APP_ROOT") or APP_ROOT

    def bill(self, environ: Mapping[str, str], *, scan: bool) -> str:
        """Return its bill of materials; see `store.bill`."""
        labels = self._image.config.labels
        name = labels.get("org.opencontainers.image.title") or posixpath.basename(self._image.name) or "image"
        about = Subject(name=name, version=labels.get("org.opencontainers.image.version", ""), kind="container")
        metadata = [path for path, entry in self._image.tree.items() if path.endswith(".dist-info") and entry.kind == DIRECTORY]
        return store.bill(about, self.files, self._app_root, environ, scan=scan, metadata=metadata)

    def statement(self, environ: Mapping[str, str], *, scan: bool) -> str:
        """Return its provenance, about the image's digest: the stored one, or else one of what is seen and its labels say."""
        stored = None if scan else self.files.read(Layout(self._app_root, "").provenance)
        return provenance.about_image(stored.decode() if stored else self._seen(environ), self._image.name, self._image.digest)

    def _seen(self, environ: Mapping[str, str]) -> str:
        labels = self._image.config.labels
        bill = self.bill(environ, scan=True)
        url = labels.get("org.opencontainers.image.source") or labels.get("io.openshift.build.source-location", "")
        came_from = provenance.Source(
            url=provenance.checked_url(url),
            commit=labels.get("org.opencontainers.image.revision") or labels.get("io.openshift.build.commit.id", ""),
        )
        return provenance.statement(came_from=came_from, locks={}, materials=json.loads(bill), image={}, bill=bill, allowed={})


@contextlib.contextmanager
def reading(reference: str, stdin: IO[bytes], *, engine: str | None, architecture: str | None) -> Iterator[Reading]:
    """Read an image; see `audit.reader.open_image`."""
    limits = Limits()
    with open_image(reference, stdin=stdin, engine=engine, architecture=architecture, limits=limits) as source:
        yield Reading(scan(source, [_CONTENT], limits))
