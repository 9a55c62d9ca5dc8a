"""From an installer's output back to the lock: which line of which file a failure is about. Pure."""

import re
from collections.abc import Iterator

from packaging.utils import canonicalize_name

from taxiway.dependencies.pins import Pin, PinnedList

_MOST = 3  # S2I's report has room for a kilobyte
# In uv's words and in pip's; "installable wheels" is none.
_NOT_BUILT = re.compile(
    r"Failed (?:to build|building wheel for) [`']?(?!installable)([A-Za-z0-9._-]+)(?=[`'=\s]|$)", re.MULTILINE
)
_DIGEST = re.compile(r"(Expected|Computed|Got|or)?:?\s*(sha\d+|md5|blake2b)?[: ]?\s*\b([0-9a-f]{32,128})\b")


def explain(output: str, pinned: PinnedList) -> list[str]:
    """Say what an installer refused, by file and line of the lock, with the hash that was expected and the one that was found.

    Args:
        output: What uv or pip wrote.
        pinned: What it was to install.
    """
    found = [
        f"{_named(pin, name)}: found {computed}, expected {_expected(pin)}" for pin, name, computed in _mismatches(output, pinned)
    ]
    if not found:
        named = [pin for pin in pinned.applicable if pin.name and _mentions(output, pin)]
        # A file that was changed may fail to unpack before anything is said of its hash.
        damaged = re.search(r"(?:Bad CRC|[Ii]nvalid (?:zip|archive|wheel)|[Cc]orrupt|BadZipFile|[Ff]ailed to extract).*", output)
        about = f": found a file that can't be unpacked ({damaged[0].strip()})" if damaged else ""
        found = [f"{_named(pin, pin.name)}{about}{f', expected {_expected(pin)}' if damaged else ''}" for pin in named]
    own = next((pin for pin in pinned.applicable if pin.url in {".", "./"}), None)
    if (
        own
        and re.search(r"Failed to build|Failed building|subprocess-exited-with-error", output)
        and not _is_of_another(output, own)
    ):
        key = "install-pyproject" if own.file == "pyproject.toml" else "install-setup-py"
        found = [f"the project itself ({own.file}) can't be built; if it isn't to be installed: {key} = false in [tool.taxiway]"]
    return found[:_MOST]


def _is_of_another(output: str, own: Pin) -> bool:
    """Tell whether it is another package that couldn't be built."""
    match = _NOT_BUILT.search(output)
    return bool(match and own.name and canonicalize_name(match[1]) != own.name)


def _mismatches(output: str, pinned: PinnedList) -> Iterator[tuple[Pin | None, str, str]]:
    """Yield (pin, name, digest of the file that came) for each hash that didn't fit."""
    lines = output.splitlines()
    name = ""
    computed = False
    for line in lines:
        if match := re.search(r"Hash mismatch for `([A-Za-z0-9._-]+)", line) or re.match(
            r"\s{4}([A-Za-z0-9._-]+)\S* from \S", line
        ):
            name, computed = canonicalize_name(match[1]), False
        elif name and line.strip() == "Computed:":
            computed = True
        elif name and (match := _DIGEST.search(line)) and (computed or match[1] == "Got"):
            yield pinned.find(name), name, f"{match[2] or 'sha256'}:{match[3]}"
            name = ""


def _named(pin: Pin | None, name: str) -> str:
    return f"{pin.requirement} ({pin.origin})" if pin else name


def _expected(pin: Pin | None) -> str:
    if pin is None or not pin.hashes:
        return "another"
    more = f" or one of {len(pin.hashes) - 2} more" if len(pin.hashes) > 2 else ""  # noqa: PLR2004
    return " or ".join(pin.hashes[:2]) + more


def _mentions(output: str, pin: Pin) -> bool:
    """Tell whether an error names a package; uv and pip write it as `name==version`, or as `name` in a sentence."""
    name = "[-_.]+".join(map(re.escape, pin.name.split("-")))
    wanted = rf"(?<![\w.-]){name}(?:\[[^]]*\])?=={re.escape(pin.version)}(?![\w.])" if pin.version else rf"`{name}[`=<>~! \[]"
    if any(canonicalize_name(found) == pin.name for found in _NOT_BUILT.findall(output)):
        return True
    errors = [line for line in output.splitlines() if not line.lstrip().startswith(("+ ", "- ", "Collecting", "Downloading"))]
    return re.search(wanted, "\n".join(errors), re.IGNORECASE) is not None
