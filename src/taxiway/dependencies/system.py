"""Debian packages that an application declares.

Where a build runs as root they are installed; elsewhere they have to be there. The runtime image has no apt, so its share of them
is taken from the builder image: the packages and what they depend on, as far as it lacks them.
"""

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from taxiway.errors import CommandFailedError, SystemPackagesError
from taxiway.process import run

STATUS = Path("/var/lib/dpkg/status")
_INFO = Path("/var/lib/dpkg/info")
_BASIC = {"required", "important"}  # priorities: a system's own, which the runtime image has, or was rid of on purpose
_FOR_DEVELOPERS = {"devel", "libdevel"}  # sections: nothing at run time uses them
_NOT_COPIED = ("/usr/share/doc/", "/usr/share/man/", "/usr/share/locale/", "/usr/share/info/", "/usr/share/lintian/")


def ensure(packages: Sequence[str], environ: Mapping[str, str]) -> None:
    """Install Debian packages that aren't there.

    Raises:
        SystemPackagesError: This build can't.
        CommandFailedError: apt-get failed.
    """
    there = available(stanzas(STATUS.read_text(encoding="utf-8"))) if packages and STATUS.is_file() else set()
    lacking = [name for name in packages if name not in there]
    if not lacking:
        return
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise SystemPackagesError(lacking)
    env = {**environ, "DEBIAN_FRONTEND": "noninteractive"}
    for argv in (["apt-get", "update"], ["apt-get", "install", "--yes", "--no-install-recommends", *lacking]):
        result = run(argv, env=env, cwd="/", brief=True)
        if result.status:
            raise CommandFailedError(" ".join(argv), result.reason, result.output)


def stanzas(status: str) -> Iterator[dict[str, str]]:
    """Read dpkg's status; yields the fields of each installed package, with its whole text as `text`; pure."""
    for text in status.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in text.splitlines() if ": " in line and not line.startswith(" "))
        if fields.get("Status", "").endswith(" installed"):
            yield fields | {"text": text}


def available(installed: Iterator[dict[str, str]]) -> set[str]:
    """Return the names of packages and what they provide; pure."""
    return {name for fields in installed for name in (fields["Package"], *_names(fields.get("Provides", "")))}


def _names(relation: str) -> list[str]:
    """Return the names of a relation field, each alternative of it (Debian Policy, 7.1)."""
    return [part.split("(")[0].split(":")[0].strip() for part in relation.replace("|", ",").split(",") if part.strip()]


def needed(packages: Sequence[str], builder: str, runtime: str) -> list[dict[str, str]]:
    """Choose which packages of the builder image have to be in the runtime image too; pure.

    Args:
        packages: What the application declares.
        builder: dpkg's status in the builder image.
        runtime: dpkg's status in the runtime image.
    """
    by_name: dict[str, dict[str, str]] = {}
    for fields in stanzas(builder):
        for name in (fields["Package"], *_names(fields.get("Provides", ""))):
            by_name.setdefault(name, fields)
    there = available(stanzas(runtime))
    found: dict[str, dict[str, str]] = {}
    seen, queue = set[str](), list(packages)
    while queue:
        name = queue.pop()
        if name in seen or name in there or name not in by_name:
            continue
        seen.add(name)
        fields = by_name[name]
        if fields["Package"] in there or (fields.get("Priority") in _BASIC and name not in packages):
            continue
        if fields.get("Section", "").split("/")[-1] not in _FOR_DEVELOPERS:
            found[fields["Package"]] = fields
        queue += _names(f"{fields.get('Depends', '')},{fields.get('Pre-Depends', '')}")
    return [found[name] for name in sorted(found)]


def set_aside(packages: Sequence[str], runtime_status: Path, target: Path) -> list[str]:
    """Copy what the runtime image lacks of some packages below a directory, with dpkg's records of it. Returns their names.

    Maintainer scripts don't run there; libraries need none.
    """
    runtime = runtime_status.read_text(encoding="utf-8")
    chosen = needed(packages, STATUS.read_text(encoding="utf-8"), runtime)
    for fields in chosen:
        lists = [_INFO / f"{fields['Package']}{suffix}.list" for suffix in ("", f":{fields['Architecture']}")]
        for list_file in filter(Path.is_file, lists):
            _copy(list_file, target)
            for line in list_file.read_text(encoding="utf-8").splitlines():
                if not line.startswith(_NOT_COPIED) or line.endswith("/copyright"):
                    _copy(Path(line), target)
    status = target / STATUS.relative_to("/")
    status.parent.mkdir(parents=True, exist_ok=True)
    texts = [runtime, *(fields["text"] for fields in chosen)]
    status.write_text("\n\n".join(text.strip("\n") for text in texts) + "\n", encoding="utf-8")
    return [fields["Package"] for fields in chosen]


def _copy(path: Path, target: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        return
    place = target / (path.parent.resolve() / path.name).relative_to("/")  # /lib is a link to usr/lib, and has to stay one
    place.parent.mkdir(parents=True, exist_ok=True)
    if path.is_symlink() or path.is_file():
        shutil.copy2(path, place, follow_symlinks=False)
