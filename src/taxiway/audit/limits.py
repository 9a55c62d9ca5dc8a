"""How much an image may make the auditor read and keep: images are untrusted input."""

from dataclasses import dataclass

from taxiway.errors import ImageTooLargeError

GIB = 1 << 30
DOCUMENT_BYTES = 8 << 20  # of a manifest, an index or a configuration; registries take manifests of 4 MiB
BLOBS = 10_000  # members of an archive; a layer has three in Docker's oldest format
LAYERS = 500  # Docker makes 127 at most
MANIFESTS = 100  # that are looked at while searching an index for the one image


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one image may hold; the defaults are several times what the largest images in use have."""

    unpacked_bytes: int = 32 * GIB
    """Of all layers together, and of an archive."""
    ratio: int = 200
    """Unpacked bytes by packed ones, in what goes beyond `free_bytes`. Programs come to 3, gzip's most is 1032."""
    free_bytes: int = 256 << 20
    """Unpacked bytes of a stream that may have any ratio: a file full of zeros is no attack."""
    entries: int = 500_000
    """Of all layers together."""
    name_bytes: int = 128 << 20
    """Paths, link targets and extended attributes together."""


_NONE = 1 << 62
UNLIMITED = Limits(unpacked_bytes=_NONE, ratio=_NONE, free_bytes=_NONE, entries=_NONE, name_bytes=_NONE)


class Budget:
    """What is left of the limits."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._bytes = limits.unpacked_bytes
        self._entries = limits.entries
        self._names = limits.name_bytes

    def unpack(self, size: int) -> None:
        """Take bytes of content.

        Raises:
            ImageTooLargeError: There are none left.
        """
        self._bytes -= size
        if self._bytes < 0:
            raise ImageTooLargeError(f"more than {self.limits.unpacked_bytes} bytes of content")

    def entry(self, name_bytes: int) -> None:
        """Take an entry of an archive, with so many bytes of names.

        Raises:
            ImageTooLargeError: There are none left.
        """
        self._entries -= 1
        self._names -= name_bytes
        if self._entries < 0:
            raise ImageTooLargeError(f"more than {self.limits.entries} files, directories and links")
        if self._names < 0:
            raise ImageTooLargeError(f"more than {self.limits.name_bytes} bytes of names")
