"""Installing into the application's virtual environment, with uv.

What was installed is remembered as a key over everything that decides it, so that an unchanged set isn't installed again.
"""

import hashlib
import json
import os
import platform
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from taxiway import console
from taxiway.dependencies.installer import listed
from taxiway.dependencies.pins import PinnedList
from taxiway.errors import DependenciesError, ServerMissingError
from taxiway.layout import Layout, wheelhouse
from taxiway.process import run

RECIPE = "1"  # raise it when the same requirements would be installed differently


def dependencies_key(requirements: PinnedList | None, extra: Sequence[str], interpreter: str) -> dict[str, str]:
    """Return what decides the installed set, by the words in which a change is reported."""
    contents = "\0".join(requirements.contents) if requirements else ""
    return {
        "the requirements": hashlib.sha256(contents.encode()).hexdigest(),
        "the server's packages": " ".join(extra),
        "the Python": interpreter,
        "the architecture": platform.machine(),
        "taxiway's way of installing": RECIPE,
    }


def interpreter(layout: Layout) -> str:
    """Return the version of the application's interpreter, from its virtual environment's configuration (PEP 405)."""
    for line in Path(layout.app_root, "pyvenv.cfg").read_text(encoding="utf-8").splitlines():
        name, _, value = line.partition("=")
        if name.strip() in {"version", "version_info"}:
            return value.strip()
    return "unknown"


def changes(layout: Layout, key: Mapping[str, str]) -> list[str]:
    """Say what changed since the dependencies were installed; empty where nothing did."""
    try:
        stored = json.loads(Path(layout.dependencies).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        stored = None
    if not isinstance(stored, dict):
        return ["nothing was installed before"]
    return [f"{words} changed" for words, value in key.items() if stored.get(words) != value]


def remember(layout: Layout, key: Mapping[str, str]) -> None:
    """Store what is installed now."""
    path = Path(layout.dependencies)
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(key, indent=2) + "\n", encoding="utf-8")


def install_requirements(file: Path, *, require_hashes: bool, layout: Layout, environ: Mapping[str, str]) -> None:
    """Install a requirements file.

    Args:
        file: The requirements file.
        require_hashes: Refuse whatever has no hash in the file.
        layout: The application's places.
        environ: The environment; pip's variables in it are heard.

    Raises:
        DependenciesError: The installer refused or failed.
    """
    argv = ["uv", "pip", "install", "--python", layout.python, "--requirements", str(file)]
    if require_hashes:
        argv.append("--require-hashes")
    env = dict(environ)
    if house := wheelhouse():
        # mod_wsgi can't be compiled in the builder image; its wheel is here, if that version is asked for.
        told = environ.get("UV_FIND_LINKS", "").strip() or listed(environ.get("PIP_FIND_LINKS", ""))
        env["UV_FIND_LINKS"] = ",".join(filter(None, (told, house)))
    _uv(argv, layout, env)


def server_packages(names: Sequence[str], origin: str) -> list[str]:
    """Return the pinned lines of server packages in the builder's wheelhouse.

    Raises:
        ServerMissingError: There is no wheelhouse, or it lacks one.
    """
    house = wheelhouse()
    lines = Path(house, "servers.txt").read_text(encoding="utf-8").splitlines() if house else []
    pins = {line.partition("==")[0].replace("-", "_"): line for line in lines if "==" in line}
    for name in names:
        if name not in pins:
            raise ServerMissingError(name, origin)
    return [pins[name] for name in names]


def install_from_wheelhouse(lines: Sequence[str], *, layout: Layout, environ: Mapping[str, str]) -> None:
    """Install pinned lines from the builder's wheelhouse, without asking an index.

    Raises:
        DependenciesError: The installer failed.
    """
    house = wheelhouse()
    if not lines or house is None:
        return
    requirements = Path(layout.state, "server-requirements.txt")
    requirements.parent.mkdir(exist_ok=True)
    requirements.write_text("\n".join(lines) + "\n", encoding="utf-8")
    argv = ["uv", "pip", "install", "--python", layout.python, "--offline", "--no-index", "--no-deps"]
    argv += ["--find-links", house, "--require-hashes", "--requirements", str(requirements)]
    try:
        _uv(argv, layout, environ)
    finally:
        requirements.unlink()


def clear(layout: Layout) -> None:
    """Take away what was installed, so that nothing of an older set stays behind."""
    if not Path(layout.dependencies).exists():
        return
    Path(layout.dependencies).unlink()
    for packages in Path(layout.app_root, "lib").glob("python*/site-packages"):
        for entry in packages.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()
    for script in Path(layout.bin).iterdir():
        if script.is_dir() and not script.is_symlink():
            shutil.rmtree(script)  # such as __pycache__
        elif not script.name.startswith(("python", "activate", "Activate")):
            script.unlink()


def installed_version(package: str, layout: Layout) -> str | None:
    """Return the version of an installed distribution, read from its metadata directory's name."""
    wanted = package.replace("-", "_").lower()
    for directory in Path(layout.app_root, "lib").glob("python*/site-packages/*.dist-info"):
        name, _, version = directory.name.removesuffix(".dist-info").partition("-")
        if name.replace("-", "_").lower() == wanted:
            return version
    return None


def _uv(argv: list[str], layout: Layout, environ: Mapping[str, str]) -> None:
    beside = os.path.join(os.path.dirname(sys.executable), "uv")
    program = beside if os.access(beside, os.X_OK) else "uv"
    result = run([program, *argv[1:]], env=environ, cwd=layout.source)
    if result.status:
        raise DependenciesError(console.join(argv), result.reason, result.output)
