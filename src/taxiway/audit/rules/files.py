"""Rules F: rights of files."""

from collections.abc import Iterator

from taxiway.audit.image import Image
from taxiway.audit.rules.rule import Hit, Rule
from taxiway.audit.tar import FILE


def _setuid(image: Image) -> Iterator[Hit]:
    for entry in image.tree.values():
        if entry.kind == FILE and entry.mode & 0o6000:
            yield Hit(
                f"its mode is {entry.mode:04o}, its owner {entry.uid}:{entry.gid}: who runs it becomes that user or group", entry
            )


def _capabilities(image: Image) -> Iterator[Hit]:
    for entry in image.tree.values():
        if any(name == "security.capability" for name, _ in entry.xattrs):
            yield Hit("it has capabilities: who runs it gets rights of root", entry)


RULES = (
    Rule(
        id="F1",
        title="No file has the setuid or setgid bit",
        severity="error",
        source="CIS Docker 4.8; a container needs none, and each is a way to root",
        profiles=frozenset({"taxiway", "cis"}),
        fix="RUN find / -xdev -type f -perm /6000 -exec chmod a-s {} +, in the layer that brings the file",
        check=_setuid,
    ),
    Rule(
        id="F2",
        title="No file has capabilities",
        severity="error",
        source="as the setuid bit, which they replace (capabilities(7), File capabilities)",
        profiles=frozenset({"taxiway", "cis"}),
        fix="setcap -r FILE, in the layer that brings it",
        check=_capabilities,
    ),
)
