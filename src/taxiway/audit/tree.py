"""Layers merged into what a container sees, as the OCI image specification (layer.md, "Applying Changesets") says."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from taxiway.audit.limits import Budget, Limits
from taxiway.audit.tar import DIRECTORY, HARD_LINK, SYMLINK, Entry, shown
from taxiway.errors import BadImageError, ImageTooLargeError

_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"
_AUFS = ".wh..wh."  # records of aufs itself, such as .wh..wh.plnk: no whiteouts
_MOST_LINKS = 40  # as Linux follows in one path
_MOST_STEPS = 20_000_000  # through symbolic links and removals, for all entries together: some seconds


@dataclass(slots=True)
class _Node:
    entry: Entry
    children: "dict[str, _Node]"
    touched: int
    """The last layer that has it or something in it."""


_LEAF: dict[str, _Node] = {}  # of what isn't a directory: shared, never written


class Tree(Mapping[str, Entry]):
    """The merged file system: path to entry, "/" among them. A hard link has become a file like any other."""

    def __init__(self, entries: Mapping[str, Entry], view: "_View") -> None:
        self._entries = entries
        self._view = view

    def __getitem__(self, path: str) -> Entry:
        return self._entries[path]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def resolve(self, path: str) -> Entry | None:
        """Return what a path leads to, symbolic links followed from the image's root; None if to nothing, or in circles."""
        try:
            node = self._view.find(path, follow=True)
        except _LoopError:
            return None
        return node.entry if node else None

    def below(self, path: str) -> Iterator[Entry]:
        """Yield what a directory holds, at any depth, without following links; with its own entry first."""
        node = self._view.find(path, follow=False)
        if node:
            yield from (entry for _, entry in _walk(node, path.rstrip("/")))


def is_whiteout(path: str) -> bool:
    """Tell whether an entry of a layer stands for a removal."""
    return path.rpartition("/")[2].startswith(_WHITEOUT)


def merge(layers: Iterable[Iterable[Entry]], limits: Limits | None = None) -> Tree:
    """Apply layers in their order.

    Raises:
        BadImageError: No engine could apply them: a hard link to nothing, a file in a file, links in circles.
        ImageTooLargeError: Their links multiply what is there.
    """
    view = _View(Budget(limits or Limits()))
    for number, entries in enumerate(layers, start=1):
        try:
            view.apply(entries)
        except _LoopError as error:
            raise BadImageError(f"layer {number}", f"symbolic links lead in circles at {shown(str(error))}") from error
        except _LayerError as error:
            raise BadImageError(f"layer {number}", str(error)) from error
    return view.tree(Budget(limits or Limits()))


class _LayerError(Exception):
    """Something that can't be applied; the caller knows the layer."""


class _LoopError(Exception):
    """Too many symbolic links in a path."""


class _View:
    """The tree while it is made: changed in place, because there is no need of the states between."""

    def __init__(self, budget: Budget) -> None:
        self._root = _Node(_implied("/", 0), {}, 0)
        self._budget = budget
        self._steps = _MOST_STEPS

    def apply(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            if is_whiteout(entry.path):
                self._whiteout(entry.path, entry.layer)
            else:
                self._add(entry)

    def find(self, path: str, *, follow: bool, create_in: int | None = None) -> _Node | None:
        """Go along a path, through symbolic links but for one at its end, unless that is to be followed.

        Args:
            path: From the root.
            follow: Whether to follow a link at the end.
            create_in: Make missing directories, as of this layer.
        """
        trail = [self._root]
        waiting = _parts(path)
        links = 0
        while waiting:
            part = waiting.pop()
            if part == "..":
                del trail[max(1, len(trail) - 1) :]
                continue
            child = trail[-1].children.get(part)
            if child is None:
                if create_in is None:
                    return None
                self._budget.entry(len(path))
                child = trail[-1].children[part] = _Node(_implied(part, create_in), {}, create_in)
            if child.entry.kind == SYMLINK and (waiting or follow):
                links += 1
                if links > _MOST_LINKS:
                    raise _LoopError(path)
                if child.entry.link.startswith("/"):
                    del trail[1:]
                waiting += self._link_parts(child.entry.link)
            elif child.entry.kind == DIRECTORY:
                trail.append(child)
                if create_in is not None:
                    child.touched = create_in
            else:
                return None if waiting else child
        return trail[-1]

    def _link_parts(self, target: str) -> list[str]:
        parts = _parts(target)
        self._step(len(parts))
        return parts

    def _step(self, count: int) -> None:
        self._steps -= count
        if self._steps < 0:
            raise ImageTooLargeError("links and removals that take too many steps to follow")

    def _whiteout(self, path: str, layer: int) -> None:
        parent, _, name = path.rpartition("/")
        directory = self.find(parent, follow=True)
        if name == _OPAQUE:
            if directory:
                self._prune(directory, layer)
        elif not name.startswith(_AUFS):
            name = name.removeprefix(_WHITEOUT)
            if name in {"", ".", ".."}:
                raise _LayerError(f"the whiteout {shown(path)} names no file")
            child = directory.children.get(name) if directory else None
            if directory and child:
                if child.touched == layer:
                    self._prune(child, layer)
                else:
                    del directory.children[name]

    def _prune(self, top: _Node, layer: int) -> None:
        """Remove from a directory what no entry of this layer has put there: whiteouts are of lower layers only."""
        waiting = [top]
        while waiting:
            node = waiting.pop()
            self._step(len(node.children))
            kept = {name: child for name, child in node.children.items() if child.touched == layer}
            if node.children:
                node.children = kept
            waiting += kept.values()

    def _add(self, entry: Entry) -> None:
        parent, _, name = entry.path.rpartition("/")
        if not name:
            if entry.kind != DIRECTORY:
                raise _LayerError("its root isn't a directory")
            self._root.entry = entry
            return
        directory = self.find(parent, follow=True, create_in=entry.layer)
        if directory is None or directory.entry.kind != DIRECTORY:
            raise _LayerError(f"{shown(entry.path)} lies in something that isn't a directory")
        if entry.kind == HARD_LINK:
            target = self.find(entry.link, follow=False)
            if target is None or target.entry.kind == DIRECTORY:
                raise _LayerError(f"the hard link {shown(entry.path)} leads to no file: {shown(entry.link)}")
            entry = target.entry._replace(path=entry.path, layer=entry.layer)
        there = directory.children.get(name)
        if there and there.entry.kind == DIRECTORY == entry.kind:
            there.entry = entry
            there.touched = entry.layer
        else:
            directory.children[name] = _Node(entry, {} if entry.kind == DIRECTORY else _LEAF, entry.layer)

    def tree(self, budget: Budget) -> Tree:
        entries = {}
        for path, entry in _walk(self._root, ""):
            budget.entry(len(path))
            entries[path] = entry
        return Tree(entries, self)


def _parts(path: str) -> list[str]:
    """Return the names in a path, the last one first."""
    return [part for part in reversed(path.split("/")) if part not in {"", "."}]


def _implied(path: str, layer: int) -> Entry:
    """Return a directory that no layer has an entry for, as engines make it."""
    return Entry(path, DIRECTORY, 0o755, 0, 0, 0, 0, "", (), layer, -1)


def _walk(root: _Node, path: str) -> Iterator[tuple[str, Entry]]:
    """Yield everything with its real path: an entry's own may lead through links."""
    waiting = [(path, root)]
    while waiting:
        path, node = waiting.pop()
        if node.entry.path != (path or "/"):
            node.entry = node.entry._replace(path=path or "/")
        yield node.entry.path, node.entry
        if node.children:
            waiting.extend((f"{path}/{name}", child) for name, child in sorted(node.children.items(), reverse=True))
