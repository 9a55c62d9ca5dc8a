"""Looking at this machine; what it means is decided in `checks`."""

import base64
import importlib.util
import json
import os
import shutil
import ssl
import sys
import sysconfig
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPException, HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from taxiway import process
from taxiway.dependencies.pins import PUBLIC_INDEX
from taxiway.errors import CommandFailedError
from taxiway.layout import wheelhouse

_TIMEOUT_S = 20.0  # an engine's service may be started by the question
_INDEX_TIMEOUT_S = 10.0
PYTHONS = ("3.11", "3.12", "3.13", "3.14")  # requires-python of taxiway, to the newest release
PROGRAMS = (
    *("apt-get", "dnf", "brew"),
    *("podman", "docker", "s2i", "git"),
    *("gcc", "cc", "clang", "apxs", "apxs2", "uv"),
    *(f"python{version}" for version in PYTHONS),
)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a program, or a server, answered."""

    works: bool
    text: str


@dataclass(frozen=True, kw_only=True)
class Engine:
    """A container engine that is installed."""

    name: str
    info: Mapping[str, Any]
    """What `info` tells; empty where it fails."""
    answer: Answer
    """Whether it answers at all."""
    runs: Answer | None
    """Whether it runs a container; None where that wasn't tried."""
    prepared: Answer | None = None
    """The same with what scripts/engine.sh stored for this machine, where it did and the plain way fails."""


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What matters of this machine."""

    user: str
    uid: int
    has_sub_ids: bool
    """Whether this user has IDs of its own for containers (subuid(5))."""
    programs: Mapping[str, str]
    """Of `PROGRAMS`, those that are here, and where."""
    engines: tuple[Engine, ...]
    python: str
    has_headers: bool
    has_venv: bool
    index: str
    """The package index, without user and password."""
    reached: Answer
    """Whether the index answers, and who signed its certificate."""
    authorities: tuple[str, ...]
    """Variables that name certificate authorities, with their values."""
    proxies: Mapping[str, str]
    """Variables of proxies, without users and passwords."""
    free_bytes: Mapping[str, int]
    """Free space by directory."""
    wheelhouse: bool
    """Whether server wheels are here: in the builder image."""


def look(environ: Mapping[str, str], *, index: bool = True) -> Machine:
    """Look at this machine.

    Args:
        environ: The environment.
        index: Whether to ask the package index.
    """
    path = environ.get("PATH", os.defpath) + f":/usr/sbin:/sbin:{Path(sys.executable).parent}"  # where PATH may not look
    programs = {name: found for name in PROGRAMS if (found := shutil.which(name, path=path))}
    engines = tuple(look_at_engine(name, environ) for name in ("podman", "docker") if name in programs)
    url = environ.get("UV_DEFAULT_INDEX") or environ.get("UV_INDEX_URL") or environ.get("PIP_INDEX_URL") or PUBLIC_INDEX
    user = environ.get("USER") or environ.get("LOGNAME") or str(os.getuid())
    return Machine(
        user=user,
        uid=os.getuid(),
        has_sub_ids=has_sub_ids(_read("/etc/subuid"), user, os.getuid()),
        programs=programs,
        engines=engines,
        python=f"{sys.version_info.major}.{sys.version_info.minor}",
        has_headers=Path(sysconfig.get_path("include"), "Python.h").is_file(),
        has_venv=importlib.util.find_spec("ensurepip") is not None,
        index=without_password(url),
        reached=reach(url, environ) if index else Answer(works=True, text="not asked"),
        authorities=tuple(f"{name}={environ[name]}" for name in AUTHORITIES if environ.get(name)),
        proxies={
            name: without_password(value)
            for name, value in environ.items()
            if name.lower() in {"http_proxy", "https_proxy", "all_proxy", "no_proxy"} and value
        },
        free_bytes=_free(environ, engines),
        wheelhouse=wheelhouse() is not None,
    )


AUTHORITIES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError:
        return ""


def has_sub_ids(table: str, user: str, uid: int) -> bool:
    """Tell whether a user stands in /etc/subuid, by name or by number; pure."""
    return any(line.split(":")[0] in {user, str(uid)} for line in table.splitlines())


def without_password(url: str) -> str:
    """Take user and password out of a URL; pure."""
    head, at, rest = url.rpartition("@")
    return f"{head.partition('://')[0]}://{rest}" if at and "://" in head else rest


def _ask(argv: Sequence[str], environ: Mapping[str, str]) -> Answer:
    try:
        result = process.output(argv, env=environ, cwd="/", timeout_s=_TIMEOUT_S)
    except CommandFailedError as error:
        return Answer(works=False, text=str(error))
    return Answer(works=result.status == 0, text=result.output.strip())


def look_at_engine(name: str, environ: Mapping[str, str]) -> Engine:
    """Ask an engine about itself, and let it run a container: only this shows whether it works."""
    asked = _ask([name, "info", "--format", "json" if name == "podman" else "{{json .}}"], environ)
    try:
        info = json.loads(asked.text) if asked.works else {}
    except ValueError:
        info = {}
    # Docker's client answers without its service, too.
    errors = info.get("ServerErrors") or []
    answer = Answer(works=asked.works and not errors, text="; ".join(errors) or asked.text)
    if name != "podman" or not answer.works:
        return Engine(name=name, info=info, answer=answer, runs=None)
    with tempfile.TemporaryDirectory() as directory:
        runs = _run_probe(Path(directory, "root"), environ)
        stored = stored_engine(environ)
        prepared = _run_probe(Path(directory, "prepared"), {**environ, **stored}) if stored and not runs.works else None
    return Engine(name=name, info=info, answer=answer, runs=runs, prepared=prepared)


def stored_engine(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that scripts/engine.sh stored for this machine's Podman."""
    cache = environ.get("TAXIWAY_CACHE") or f"{environ.get('XDG_CACHE_HOME') or Path.home() / '.cache'}/taxiway"
    pairs = (line.partition("=") for line in _read(f"{cache}/engine.env").splitlines())
    return {name: value for name, _, value in pairs if name in {"CONTAINERS_CONF", "PODMAN_IGNORE_CGROUPSV1_WARNING"}}


def _run_probe(root: Path, environ: Mapping[str, str]) -> Answer:
    """Run a container of one program of this machine and its libraries, as scripts/engine.sh does: no registry is needed."""
    program = shutil.which("true") or "/bin/true"
    libraries = [word for word in _ask(["ldd", program], environ).text.split() if word.startswith("/")]
    for file in (program, *libraries):
        copy = root / file.lstrip("/")
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, copy)
    answer = _ask(["podman", "run", "--rm", "--network=none", "--rootfs", str(root), program], environ)
    return Answer(works=answer.works, text=(answer.text.splitlines() or [""])[-1])


def reach(url: str, environ: Mapping[str, str]) -> Answer:
    """Ask a package index; says who signed its certificate, or why it can't be asked."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or 443
    if parts.scheme != "https":
        return Answer(works=True, text="not asked: no https URL")
    proxy = None if proxy_bypass(host) else getproxies().get("https")
    bundle = next((environ[name] for name in ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE") if environ.get(name)), None)
    try:
        context = ssl.create_default_context(cafile=bundle)
        through = urlsplit(proxy if "://" in proxy else f"http://{proxy}") if proxy else None
        connection = HTTPSConnection(
            (through.hostname or "") if through else host,
            (through.port or 80) if through else port,
            timeout=_INDEX_TIMEOUT_S,
            context=context,
        )
        if through:
            user = f"{unquote(through.username)}:{unquote(through.password or '')}" if through.username else ""
            headers = {"Proxy-Authorization": f"Basic {base64.b64encode(user.encode()).decode()}"} if user else {}
            connection.set_tunnel(host, port, headers)
        connection.request("HEAD", parts.path or "/")
        peer: Any = connection.sock.getpeercert() if connection.sock else {}
        status = connection.getresponse().status
        connection.close()
    except (OSError, HTTPException) as error:
        return Answer(works=False, text=str(error) or type(error).__name__)
    names = [
        value for group in (peer or {}).get("issuer", ()) for key, value in group if key in {"organizationName", "commonName"}
    ]
    return Answer(works=True, text=f"HTTP status {status}, certificate by {', '.join(names) or 'an authority without a name'}")


def _free(environ: Mapping[str, str], engines: Sequence[Engine]) -> dict[str, int]:
    """Return the free space where builds and images go."""
    places = [environ.get("TMPDIR") or tempfile.gettempdir(), environ.get("XDG_DATA_HOME") or str(Path.home())]
    places += [str(root) for engine in engines if (root := engine.info.get("store", {}).get("graphRoot"))]
    return {place: shutil.disk_usage(place).free for place in dict.fromkeys(places) if Path(place).is_dir()}
