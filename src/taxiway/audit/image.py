"""An image as rules see it, and the one pass over its layers that makes it."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar, overload

from taxiway.audit import streams, tar
from taxiway.audit.documents import Config
from taxiway.audit.limits import Budget, Limits
from taxiway.audit.reader import Source
from taxiway.audit.tar import FILE, HARD_LINK, Entry
from taxiway.audit.tree import Tree, merge
from taxiway.errors import BadImageError

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Probe(Generic[T]):
    """What a rule wants to know of the bytes of files. One value may serve several rules: it is asked once.

    Facts are kept for the whole run, so they are to be small: a finding rather than the content, where that can be long.
    """

    wants: Callable[[Entry], int]
    """How many bytes of a file, from its start, at most; 0: nothing. Called for every file of every layer: be quick."""
    look: Callable[[Entry, bytes], T | None]
    """Makes the fact of these bytes; None: there is none to keep."""


@dataclass(frozen=True, eq=False)
class Digests:
    """Hash values of whole files, in hexadecimal."""

    algorithm: str
    """As hashlib calls it."""
    wants: Callable[[Entry], bool]


AnyProbe = Probe[Any] | Digests


@dataclass(frozen=True, kw_only=True)
class Layer:
    """A layer that has been read."""

    number: int
    """From 1, the lowest."""
    digest: str
    """Of the unpacked bytes (diff_id)."""
    created_by: str
    """The line of the history that made it."""
    entries: tuple[Entry, ...] = field(repr=False)
    """In their order, whiteouts and hard links among them."""


@dataclass(frozen=True, kw_only=True)
class Image:
    """An image that has been read."""

    name: str
    digest: str
    config: Config
    annotations: Mapping[str, str]
    layers: tuple[Layer, ...]
    tree: Tree = field(repr=False)
    """What a container sees."""
    facts: Mapping[AnyProbe, Mapping[int, Any]] = field(repr=False)
    """What the probes found, by the entries' `inode`; see `fact`."""

    @overload
    def fact(self, probe: Probe[T], entry: Entry) -> T | None: ...

    @overload
    def fact(self, probe: Digests, entry: Entry) -> str | None: ...

    def fact(self, probe: AnyProbe, entry: Entry) -> Any:
        """Return what a probe found in a file, of a layer or of the tree; None if nothing, or if it didn't want it."""
        return self.facts[probe].get(entry.inode)

    def read(self, probe: Probe[T], path: str) -> T | None:
        """Return what a probe found in the file that a path leads to."""
        entry = self.tree.resolve(path)
        return self.fact(probe, entry) if entry else None

    def is_removed(self, entry: Entry) -> bool:
        """Tell whether an entry of a layer is gone from what a container sees, or replaced; the layer still has it."""
        there = self.tree.resolve(entry.path)
        return there is None or there.inode != entry.inode


def scan(source: Source, probes: Sequence[AnyProbe] = (), limits: Limits | None = None) -> Image:
    """Read all layers of an image, once.

    Args:
        source: Where they are.
        probes: What to find out about contents.
        limits: How much may be read and kept.

    Raises:
        BadImageError: A layer is damaged, or has another digest than the configuration says.
        ImageTooLargeError: A limit is reached.
    """
    budget = Budget(limits or Limits())
    pass_ = _Pass(tuple(dict.fromkeys(probes)))
    commands = [step.created_by for step in source.config.history if not step.empty]
    layers: list[Layer] = []
    with ThreadPoolExecutor(1) as executor:
        for index, layer in enumerate(source.layers):
            what = f"layer {index + 1} of {len(source.layers)}"
            chunks = streams.verified(streams.unpacked(layer.chunks(), budget, what), layer.diff_id, what)
            stream = tar.Stream(streams.ahead(streams.grouped(chunks), executor), what)
            entries = pass_.layer(stream, what, budget, index)
            created_by = commands[index] if index < len(commands) else ""
            layers.append(Layer(number=index + 1, digest=layer.diff_id, created_by=created_by, entries=entries))
    return Image(
        name=source.name,
        digest=source.digest,
        config=source.config,
        annotations=source.annotations,
        layers=tuple(layers),
        tree=merge((layer.entries for layer in layers), limits),
        facts=pass_.facts,
    )


class _Pass:
    """Takes the probes along all layers."""

    def __init__(self, probes: Sequence[AnyProbe]) -> None:
        self.facts: dict[AnyProbe, dict[int, Any]] = {probe: {} for probe in probes}
        self._looks = [(probe, self.facts[probe]) for probe in probes if isinstance(probe, Probe)]
        self._digests = [(probe, self.facts[probe]) for probe in probes if isinstance(probe, Digests)]
        self._inode = 0

    def layer(self, stream: tar.Stream, what: str, budget: Budget, index: int) -> tuple[Entry, ...]:
        entries = []
        inodes: dict[str, int] = {}  # of the files of this layer
        for entry in tar.read_entries(stream, what, budget, layer=index, inode=self._inode):
            if entry.kind == FILE:
                if entry.path in inodes:
                    raise BadImageError(what, f"{tar.shown(entry.path)} is there twice")
                inodes[entry.path] = self._inode = entry.inode
                self._inode += 1
                self._content(stream, entry)
            elif entry.kind == HARD_LINK:
                entry = entry._replace(inode=inodes.get(entry.link, -1))  # noqa: PLW2901
                inodes[entry.path] = entry.inode
            entries.append(entry)
        stream.drain()
        return tuple(entries)

    def _content(self, stream: tar.Stream, entry: Entry) -> None:
        wanted = [(probe, most, facts) for probe, facts in self._looks if (most := probe.wants(entry))]
        hashes = [(hashlib.new(probe.algorithm), facts) for probe, facts in self._digests if probe.wants(entry)]
        start = b""
        if wanted:
            start = stream.content(max(most for _, most, _ in wanted))
            for probe, most, facts in wanted:
                fact = probe.look(entry, start[:most])
                if fact is not None:
                    facts[entry.inode] = fact
        if hashes:
            for found, _ in hashes:
                found.update(start)
            for piece in stream.pieces():
                for found, _ in hashes:
                    found.update(piece)
            for found, facts in hashes:
                facts[entry.inode] = found.hexdigest()
