"""Rules F: rights of files, and whether they are what was installed."""

import posixpath
import re
from collections.abc import Iterable, Iterator

from taxiway.audit.image import Digests, Image, Probe
from taxiway.audit.rules.rule import Hit, Rule
from taxiway.audit.tar import BLOCK_DEVICE, CHARACTER_DEVICE, DIRECTORY, FILE, SYMLINK, Entry

WRITABLE_LABEL = "io.taxiway.writable"
"""Directories that group 0 can write, with what is in them; separated by blanks."""
IMMUTABLE_LABEL = "io.taxiway.immutable"
"""Whether code and environment belong to another user than the running one."""

# What a container gets in any case: OCI runtime specification, "Default Devices", with the numbers of Linux' devices.txt.
_DEFAULT_DEVICES = {
    "/dev/null": "1:3",
    "/dev/zero": "1:5",
    "/dev/full": "1:7",
    "/dev/random": "1:8",
    "/dev/urandom": "1:9",
    "/dev/tty": "5:0",
    "/dev/console": "5:1",
    "/dev/ptmx": "5:2",
}
# Whoever can write one of these as a whole can write what root runs.
_SYSTEM = ("/", "/bin", "/boot", "/dev", "/etc", "/home", "/lib", "/lib64", "/opt", "/root", "/sbin", "/usr", "/var")
_SEARCH_PATHS = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH")
_LINKER_BYTES = 1 << 16
_LIST_BYTES = 16 << 20  # of a package; the largest of Debian have some megabytes
_MD5SUM = re.compile(r"([0-9a-f]{32})  (.+)")
_PYTHON = re.compile(r"(?:.*/)?python[0-9.]*")
_DPKG = "/var/lib/dpkg/"

LINKER: Probe[str] = Probe(
    lambda entry: _LINKER_BYTES if entry.path.startswith("/etc/ld.so.conf") else 0,
    lambda _, data: data.decode("utf-8", "replace"),
)
# Distroless images have a directory status.d in place of status and info.
PACKAGE_LISTS: Probe[str] = Probe(
    lambda entry: _LIST_BYTES if entry.path.startswith(_DPKG) and entry.path.endswith((".md5sums", "/diversions")) else 0,
    lambda _, data: data.decode("utf-8", "surrogateescape"),
)
MD5 = Digests(
    "md5",
    lambda entry: (
        entry.path.startswith(("/usr/", "/lib", "/bin/", "/sbin/", "/etc/", "/var/")) and not entry.path.startswith("/usr/local/")
    ),
)


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


def _world_writable(image: Image) -> Iterator[Hit]:
    for entry in image.tree.values():
        if entry.kind in {CHARACTER_DEVICE, BLOCK_DEVICE}:
            if _DEFAULT_DEVICES.get(entry.path) != entry.link:
                yield Hit(f"it is a {entry.kind}, {entry.link}", entry)
        elif entry.kind != SYMLINK and entry.mode & 0o002 and not _is_shared(entry):
            yield Hit(f"its mode is {entry.mode:04o}: every user can write it", entry)


def _is_shared(entry: Entry) -> bool:
    """Tell a directory such as /tmp, where everybody can add files and only change their own."""
    return entry.kind == DIRECTORY and bool(entry.mode & 0o1000)


def declared(image: Image) -> list[str]:
    """Return the directories that an image says are written: by group 0, and by a running container."""
    return [posixpath.normpath(path) for path in image.config.labels.get(WRITABLE_LABEL, "").split()]


def _within(path: str, directories: Iterable[str]) -> bool:
    return any(path == directory or path.startswith(f"{directory}/") for directory in directories)


def _group_writable(image: Image) -> Iterator[Hit]:
    places = declared(image)
    for path in places:
        if path in _SYSTEM or not path.startswith("/"):
            yield Hit(f"{path} is declared writable: more than an application needs", path=f"config.Labels.{WRITABLE_LABEL}")
    top = ""  # the last one found: what it holds isn't told again
    for path, entry in image.tree.items():  # a directory comes before what it holds
        if (
            entry.gid == 0
            and entry.mode & 0o020
            and entry.kind in {FILE, DIRECTORY}
            and not _is_shared(entry)
            and not _within(path, places)
            and not (top and _within(path, [top]))
        ):
            top = path
            yield Hit(f"its mode is {entry.mode:04o}, its group 0: any user of OpenShift can write it", entry)


def _immutable(image: Image) -> Iterator[Hit]:
    if image.config.labels.get(IMMUTABLE_LABEL) != "true":
        return
    uid = image.config.user.partition(":")[0]
    variables = image.config.variables
    tops = {path for path in (variables.get("VIRTUAL_ENV"), variables.get("APP_ROOT"), image.config.working_directory) if path}
    places = declared(image)
    for top in sorted(tops):
        if _within(posixpath.dirname(top), tops):
            continue
        for entry in image.tree.below(top):
            if entry.kind == SYMLINK or _within(entry.path, places):
                continue
            if str(entry.uid) == uid:
                yield Hit(f"it belongs to user {uid}, as who the container runs", entry)
            elif entry.gid == 0 and entry.mode & 0o020:
                yield Hit(f"its mode is {entry.mode:04o}, its group 0: the running user can write it", entry)


def _diversions(image: Image) -> dict[str, tuple[str, str]]:
    """Return where a file of one package lies because another took its place: path to new path and that other package."""
    lines = (image.read(PACKAGE_LISTS, f"{_DPKG}diversions") or "").splitlines()
    return {old: (new, package) for old, new, package in zip(lines[::3], lines[1::3], lines[2::3], strict=False)}


def _modified(image: Image) -> Iterator[Hit]:
    diversions = _diversions(image)
    for directory in ("info", "status.d"):
        for listing in image.tree.below(f"{_DPKG}{directory}"):
            package = posixpath.basename(listing.path).removesuffix(".md5sums").partition(":")[0]
            for line in (image.fact(PACKAGE_LISTS, listing) or "").splitlines():
                found = _MD5SUM.fullmatch(line)
                if not found:
                    continue
                path = f"/{found[2].removeprefix('./')}"
                new, diverter = diversions.get(path, (path, package))
                entry = image.tree.resolve(path if diverter == package else new)
                digest = image.fact(MD5, entry) if entry else None
                if entry and digest not in {None, found[1]}:
                    yield Hit(f"it isn't the file of the package {package}: its MD5 is {digest}, expected {found[1]}", entry)


def _linker_directories(image: Image) -> Iterator[str]:
    for entry in image.tree.below("/etc"):
        if entry.path.startswith("/etc/ld.so.conf"):
            for line in (image.fact(LINKER, entry) or "").splitlines():
                directory = line.partition("#")[0].strip()
                if directory and not directory.startswith(("include ", "hwcap ")):
                    yield directory


def _search_paths(image: Image) -> Iterator[Hit]:
    variables = image.config.variables
    rows = [(f"config.Env.{name}", path) for name in _SEARCH_PATHS for path in filter(None, variables.get(name, "").split(":"))]
    rows += [("/etc/ld.so.conf", path) for path in _linker_directories(image)]
    places = declared(image)
    for origin, path in dict.fromkeys(rows):
        if not path.startswith("/"):
            yield Hit(f"{path!r} is relative: it means another directory wherever a program is started", path=origin)
            continue
        normal = posixpath.normpath(path)
        entry = image.tree.resolve(normal)
        missing = entry is None
        while entry is None and normal != "/":
            normal = posixpath.dirname(normal)
            entry = image.tree.resolve(normal)
        if not entry or _within(entry.path, places) or not entry.mode & 0o022 or entry.kind != DIRECTORY:
            continue
        if not _is_shared(entry) or missing:
            where = f"{path} isn't there, and {normal}, where it can be made," if missing else path
            yield Hit(f"{where} has mode {entry.mode:04o}: programs run what others put there", path=origin)


def _working_directory_imports(image: Image) -> Iterator[Hit]:
    config = image.config
    python_path = config.variables.get("PYTHONPATH")
    if python_path and any(not path.startswith("/") for path in python_path.split(":")):
        yield Hit(
            f"PYTHONPATH is {python_path!r}: an empty or relative part is the working directory", path="config.Env.PYTHONPATH"
        )
    words = [*config.entrypoint, *config.command]
    entry = image.tree.resolve(config.working_directory or "/")
    starts = [index for index, word in enumerate(words) if _PYTHON.fullmatch(word)]
    if not starts or not entry or not entry.mode & 0o022 or config.variables.get("PYTHONSAFEPATH"):
        return
    options = words[starts[0] + 1 :]
    for option in options:
        if option in {"-m", "-c"}:
            yield Hit(
                f"{' '.join(words)!r} imports from the working directory before the library, and its mode is {entry.mode:04o}",
                entry,
            )
            return
        if not option.startswith("-") or set(option[1:]) & set("IP"):
            return


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
    Rule(
        id="F3",
        title="Nothing is world-writable but directories such as /tmp, and there are no devices",
        severity="error",
        source="CIS Distribution Independent Linux 6.1; a container's /dev is the engine's (OCI runtime specification)",
        profiles=frozenset({"taxiway", "cis"}),
        fix="chmod o-w PATH, or chmod +t for a directory that all users share",
        check=_world_writable,
    ),
    Rule(
        id="F4",
        title="Group 0 can write what is declared, and nothing else",
        severity="error",
        source="OpenShift's guidelines ask for group 0 where an application writes; each further place is one for an attacker",
        profiles=frozenset({"taxiway"}),
        fix=f'chmod g-w PATH; or, where the application writes there: LABEL {WRITABLE_LABEL}="PATH ..."',
        check=_group_writable,
    ),
    Rule(
        id="F5",
        title="The running user can't change the code of an image that is declared immutable",
        severity="error",
        source=f"what an attacker can do through the application doesn't last; asked for by the label {IMMUTABLE_LABEL}",
        profiles=frozenset({"taxiway", "openshift", "kubernetes-restricted", "cis"}),
        fix="chown -R 0:0 PATH && chmod -R g-w PATH, in the layer that brings it",
        check=_immutable,
    ),
    Rule(
        id="F6",
        title="Files of Debian packages are as they were installed",
        severity="error",
        source="dpkg's md5sums; preflight's HasModifiedFiles does it for RPM",
        profiles=frozenset({"taxiway", "openshift", "cis"}),
        fix="install the package again in the layer that changes the file, or divert the file (dpkg-divert)",
        check=_modified,
        probes=(PACKAGE_LISTS, MD5),
    ),
    Rule(
        id="F7",
        title="Nobody but root can write where programs and libraries are searched for",
        severity="error",
        source="what is put there runs in place of the program that was meant (CWE-426, untrusted search path)",
        profiles=frozenset({"taxiway", "cis"}),
        fix=f"chmod go-w the directory, or take it out of the search path; declared ones ({WRITABLE_LABEL}) are left out",
        check=_search_paths,
        probes=(LINKER,),
    ),
    Rule(
        id="F8",
        title="Python doesn't import from the working directory by accident",
        severity="warning",
        source="a file random.py there takes the place of the library's (Python's documentation of sys.path and -P)",
        profiles=frozenset({"taxiway", "cis"}),
        fix="ENV PYTHONSAFEPATH=1, or only absolute directories in PYTHONPATH",
        check=_working_directory_imports,
    ),
)
