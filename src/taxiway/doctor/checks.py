"""Deciding: from what a machine and a project show to findings. Pure functions."""

import re
from collections.abc import Iterable, Iterator, Sequence

from taxiway.doctor import MISSING, OK, WRONG, Finding
from taxiway.doctor.machine import PYTHONS, Engine, Machine

AREAS = {
    "local": "the application on this machine: taxiway start",
    "dependencies": "installing, and taxiway lock",
    "compile": "packages without a wheel",
    "mod_wsgi": "Apache's server on this machine",
    "image": "taxiway image, and running the image",
    "s2i": "s2i build",
    "network": "downloads",
    "disk": "room for builds and images",
    "project": "the application in this directory",
}
_LOW_BYTES = 3_000_000_000  # a builder image, an application's layers and a wheel cache

# What to install by which package manager; None: that one has no such package.
_PACKAGES: dict[str, dict[str, str | None]] = {
    "podman": {"apt-get": "podman uidmap", "dnf": "podman", "brew": "podman"},
    "uidmap": {"apt-get": "uidmap", "dnf": "shadow-utils", "brew": None},
    "overlay": {"apt-get": "fuse-overlayfs", "dnf": "fuse-overlayfs", "brew": None},
    "network": {"apt-get": "netavark aardvark-dns nftables iptables", "dnf": "netavark aardvark-dns nftables", "brew": None},
    "rootless-network": {"apt-get": "passt slirp4netns", "dnf": "passt", "brew": None},
    "runc": {"apt-get": "runc", "dnf": "runc", "brew": None},
    "crun": {"apt-get": "crun", "dnf": "crun", "brew": None},
    "s2i": {"apt-get": None, "dnf": "source-to-image", "brew": "source-to-image"},
    "git": {"apt-get": "git", "dnf": "git", "brew": "git"},
    "compiler": {"apt-get": "build-essential", "dnf": "gcc gcc-c++ make", "brew": "llvm"},
    "headers": {"apt-get": "python3-dev", "dnf": "python3-devel", "brew": "python"},
    "venv": {"apt-get": "python3-venv", "dnf": "python3", "brew": "python"},
    "apache": {"apt-get": "apache2-dev", "dnf": "httpd-devel", "brew": "httpd"},
    "ca": {"apt-get": "ca-certificates", "dnf": "ca-certificates", "brew": "ca-certificates"},
}

# What engines say where they don't work: reason, and what to do ("package:NAME" is installed as _PACKAGES says).
_TROUBLE = (
    (
        r"setrlimit|rlimit|RLIMIT",
        "this root may not raise limits (no CAP_SYS_RESOURCE)",
        'default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"] below [containers] in containers.conf',
    ),
    (
        r"newuidmap|newgidmap",
        "there is no newuidmap, by which a user other than root gets a range of user IDs",
        "package:uidmap",
    ),
    (
        r"no subuid ranges|no subgid ranges|insufficient UIDs or GIDs|cannot find UID/GID",
        "this user has no range of user IDs for containers (subuid(5))",
        "sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {user} && podman system migrate",
    ),
    (
        r"permission denied.*docker\.sock|docker\.sock.*permission denied",
        "this user may not talk to Docker's service",
        "sudo usermod --append --groups docker {user}, then log in again",
    ),
    (
        r"Cannot connect to the Docker daemon|Is the docker daemon running|docker\.sock.*no such file",
        "Docker's service isn't running",
        "sudo systemctl start docker",
    ),
    (
        r"cgroups? v1|[Cc]group.*(v2|unified|hybrid)|unknown version specified",
        "control groups are version 1 or hybrid, which crun refuses",
        'package:runc, and runtime = "runc" below [engine] in containers.conf',
    ),
    (r"(runc|crun).*(not found|no such file)|OCI runtime .*not found", "the OCI runtime is missing", "package:crun"),
    (r"pasta|slirp4netns", "networks for users other than root need pasta or slirp4netns", "package:rootless-network"),
    (r"netavark|aardvark|iptables|nftables|\bnft\b", "the network's programs are missing or fail", "package:network"),
    (
        r"fuse-overlayfs|overlay.*(not supported|operation not permitted|invalid argument)",
        "no overlay file system",
        "package:overlay",
    ),
    (r"[Nn]o space left", "the disk is full", "podman system prune, or docker system prune"),
    (
        r"machine.*(not|start)|podman-machine",
        "Podman's virtual machine isn't running",
        "podman machine init; podman machine start",
    ),
)


def install(package: str, machine: Machine) -> str:
    """Write the command that installs something here; empty where no package manager is known to have it."""
    for manager in ("apt-get", "dnf", "brew"):
        if manager in machine.programs and (names := _PACKAGES[package][manager]):
            if manager == "brew":
                return f"brew install {names}"
            sudo = "" if machine.uid == 0 else "sudo "
            update = f"{sudo}apt-get update && " if manager == "apt-get" else ""
            return f"{update}{sudo}{manager} install {names}"
    return ""


def trouble(said: str, machine: Machine) -> tuple[str, str]:
    """Return why an engine doesn't work, and what to do, by what it says."""
    for pattern, reason, fix in _TROUBLE:
        if re.search(pattern, said):
            package = re.match(r"package:([a-z-]+)", fix)
            command = fix.replace(package[0], install(package[1], machine) or package[1]) if package else fix
            return reason, command.replace("{user}", machine.user)
    return (said.splitlines() or ["it says nothing"])[-1], ""


def check(machine: Machine) -> list[Finding]:
    """Say what this machine has, and what it lacks for what."""
    return [
        *_local(machine),
        *_dependencies(machine),
        *_compile(machine),
        *_mod_wsgi(machine),
        *_image(machine),
        *_s2i(machine),
        *_network(machine),
        *_disk(machine),
    ]


def _has(area: str, *, there: bool, text: str, lacking: str, fix: str) -> Finding:
    return Finding(area, OK, text) if there else Finding(area, MISSING, lacking, fix)


def _local(machine: Machine) -> Iterator[Finding]:
    others = [version for version in PYTHONS if f"python{version}" in machine.programs and version != machine.python]
    yield Finding("local", OK, f"Python {machine.python}" + f", and on PATH {', '.join(others)}" * bool(others))
    yield _has(
        "local",
        there=machine.has_venv,
        text="virtual environments (ensurepip)",
        lacking="this Python can't make virtual environments: it has no ensurepip",
        fix=install("venv", machine),
    )
    yield _has(
        "local",
        there="git" in machine.programs,
        text="git",
        lacking="git, for requirements and sources from repositories",
        fix=install("git", machine),
    )


def _dependencies(machine: Machine) -> Iterator[Finding]:
    yield _has(
        "dependencies",
        there="uv" in machine.programs,
        text=f"uv: {machine.programs.get('uv')}",
        lacking="uv; without it pip installs, which takes longer",
        fix="pip install 'taxiway[lock]'",
    )


def _compile(machine: Machine) -> Iterator[Finding]:
    compiler = next((machine.programs[name] for name in ("gcc", "cc", "clang") if name in machine.programs), "")
    yield _has(
        "compile",
        there=bool(compiler),
        text=f"compiler: {compiler}",
        lacking="no C compiler",
        fix=install("compiler", machine),
    )
    yield _has(
        "compile",
        there=machine.has_headers,
        text=f"headers of Python {machine.python}",
        lacking=f"no headers of Python {machine.python} (Python.h)",
        fix=install("headers", machine),
    )


def _mod_wsgi(machine: Machine) -> Iterator[Finding]:
    apxs = next((machine.programs[name] for name in ("apxs", "apxs2") if name in machine.programs), "")
    yield _has(
        "mod_wsgi",
        there=bool(apxs) or machine.wheelhouse,
        text=f"Apache's apxs: {apxs}" if apxs else "a wheel of mod_wsgi is in this image",
        lacking="Apache's apxs and headers; without them gunicorn or uvicorn serves",
        fix=install("apache", machine),
    )


def _image(machine: Machine) -> Iterator[Finding]:
    if not machine.engines:
        yield Finding("image", MISSING, "no container engine: neither podman nor docker", install("podman", machine))
        return
    found = [finding for engine in machine.engines for finding in _engine(engine, machine)]
    # One that works is enough: another one that doesn't is no reason to end with an error.
    usable = any(finding.state == OK for finding in found)
    yield from (f._replace(state=MISSING) if usable and f.state == WRONG else f for f in found)


def _engine(engine: Engine, machine: Machine) -> Iterator[Finding]:
    name = engine.name
    if not engine.answer.works:
        reason, fix = trouble(engine.answer.text, machine)
        yield Finding("image", WRONG, f"{name} is installed, but doesn't answer: {reason}", fix)
        return
    if engine.runs is None:
        yield Finding("image", OK, f"{name} answers")
    elif engine.runs.works:
        yield Finding("image", OK, f"{name} runs containers ({_about(engine)})")
    else:
        reason, fix = trouble(engine.runs.text, machine)
        if engine.prepared and engine.prepared.works:
            fix = "set -a; . ~/.cache/taxiway/engine.env; set +a   (what scripts/engine.sh found out; with it, it works)"
        yield Finding("image", WRONG, f"{name} can't run a container: {reason}", fix)
    if name == "podman" and machine.uid != 0 and not machine.has_sub_ids:
        _, fix = trouble("no subuid ranges", machine)
        yield Finding("image", WRONG, f"{machine.user} has no range of user IDs for containers (subuid(5))", fix)
    driver = engine.info.get("store", {}).get("graphDriverName") or engine.info.get("Driver")
    if driver == "vfs":
        yield Finding(
            "image", MISSING, f"{name}'s storage driver is vfs, which copies each layer whole", install("overlay", machine)
        )


def _about(engine: Engine) -> str:
    host = engine.info.get("host", {})
    words = (
        host.get("ociRuntime", {}).get("name"),
        host.get("networkBackend"),
        f"cgroups {host['cgroupVersion']}" if host.get("cgroupVersion") else "",
        engine.info.get("store", {}).get("graphDriverName"),
    )
    return ", ".join(filter(None, words)) or "it tells nothing about itself"


def _s2i(machine: Machine) -> Iterator[Finding]:
    yield _has(
        "s2i",
        there="s2i" in machine.programs,
        text=f"s2i: {machine.programs.get('s2i')}",
        lacking="no s2i; taxiway image does without",
        fix=install("s2i", machine) or "make s2i in a checkout of taxiway, or from the releases of openshift/source-to-image",
    )


def _network(machine: Machine) -> Iterator[Finding]:
    if machine.proxies:
        yield Finding(
            "network", OK, f"proxies: {', '.join(f'{name}={value}' for name, value in sorted(machine.proxies.items()))}"
        )
    if machine.authorities:
        yield Finding("network", OK, f"certificate authorities: {', '.join(machine.authorities)}")
    if machine.reached.works:
        yield Finding("network", OK, f"package index {machine.index}: {machine.reached.text}")
        return
    fix = "PIP_INDEX_URL names another index; HTTPS_PROXY a proxy. Builds without a network: taxiway wheels"
    if "CERTIFICATE_VERIFY_FAILED" in machine.reached.text:
        fix = "SSL_CERT_FILE=/path/to/your/ca.pem: something on the way signs with an authority that isn't known here"
        if "unable to get local issuer certificate" in machine.reached.text and not machine.authorities:
            fix += f"; or none is known at all: {install('ca', machine)}"
    yield Finding("network", WRONG, f"package index {machine.index}: {machine.reached.text}", fix)


def _disk(machine: Machine) -> Iterator[Finding]:
    for place, free in machine.free_bytes.items():
        text = f"{free / 1e9:.1f} GB free in {place}"
        if free >= _LOW_BYTES:
            yield Finding("disk", OK, text)
        else:
            yield Finding("disk", WRONG, f"{text}; builds and images want {_LOW_BYTES / 1e9:.0f} GB", "podman system prune")


def failing(findings: Iterable[Finding], needed: Sequence[str]) -> list[Finding]:
    """Return what makes the command fail: what is wrong, and what is missing for the areas that are needed."""
    return [f for f in findings if f.state == WRONG or (f.state == MISSING and f.area in needed)]
