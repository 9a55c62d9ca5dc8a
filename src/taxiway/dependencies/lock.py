"""`taxiway lock`: pip-tools decides, for the Python of the image; the result has hashes, and nothing of this machine."""

import importlib.util
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from taxiway import console, process
from taxiway.dependencies import installer
from taxiway.dependencies.credentials import Credentials
from taxiway.dependencies.formats import pylock, requirements_txt
from taxiway.dependencies.formats.common import Selection, project_requirements, read_toml
from taxiway.errors import (
    CommandFailedError,
    LockingFailedError,
    LockOutdatedError,
    NoLockingToolError,
    NoPythonError,
    NothingToLockError,
    TaxiwayError,
)
from taxiway.settings import Settings

FILES = {"requirements": "requirements.txt", "pylock": "pylock.toml"}
_PYPROJECT_LINES = "pyproject.in"  # what pip-compile reads in its place
NONE = Credentials()
OWN_PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is to be locked, and how."""

    source: Path
    form: str
    """A key of `FILES`."""
    python: str
    """X.Y"""
    upgrade: bool

    @property
    def path(self) -> Path:
        """The lock."""
        return self.source / FILES[self.form]


def lock(wanted: Wanted, settings: Settings, environ: Mapping[str, str], given: Credentials = NONE) -> list[str]:
    """Write a lock, unless it is there already; returns what changed in words.

    Raises:
        TaxiwayError: Nothing can be locked, a tool is missing, or pip-tools couldn't find versions that fit together.
    """
    text = _locked(wanted, settings, environ, given)
    before = _read(wanted.path)
    if text != before:
        partial = wanted.path.with_suffix(".partial")
        partial.write_text(text, encoding="utf-8")
        partial.replace(wanted.path)
    return differences(_pins(before, wanted), _pins(text, wanted))


def check(wanted: Wanted, settings: Settings, environ: Mapping[str, str], given: Credentials = NONE) -> None:
    """Refuse a lock that `lock` would change.

    Raises:
        LockOutdatedError: It would.
    """
    text, before = _locked(wanted, settings, environ, given), _read(wanted.path)
    if found := differences(_pins(before, wanted), _pins(text, wanted)):
        command = (
            "taxiway lock"
            + f" --python {wanted.python}" * (wanted.python != OWN_PYTHON)
            + " --upgrade" * wanted.upgrade
            + f" --format {wanted.form}" * (wanted.form != "requirements")
        )
        raise LockOutdatedError(wanted.path.name, _input(wanted.source), [f"would change: {line}" for line in found], command)


def differences(before: Mapping[str, tuple[str, frozenset[str]]], after: Mapping[str, tuple[str, frozenset[str]]]) -> list[str]:
    """Say what changes from one set of pins (requirement and hashes by name) to another; pure."""
    found = []
    for name in sorted(before.keys() | after.keys()):
        old, new = before.get(name), after.get(name)
        if old is None and new:
            found.append(f"{new[0]} added")
        elif new is None and old:
            found.append(f"{old[0]} removed")
        elif old and new and old[0] != new[0]:
            found.append(f"{old[0]} to {new[0]}")
        elif old and new and old[1] != new[1]:
            found.append(f"{new[0]}: other hashes")
    return found


def without_user_info(text: str) -> str:
    """Take user names and passwords out of URLs, as in the URL of an index; `git@` of ssh stays; pure."""
    return re.sub(r"\b(\w+\+)?(https?|ftp)://[^/\s\"'@]+@", lambda m: f"{m[1] or ''}{m[2]}://", text)


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def _pins(text: str, wanted: Wanted) -> dict[str, tuple[str, frozenset[str]]]:
    if not text:
        return {}
    python = {"python_version": wanted.python, "python_full_version": f"{wanted.python}.0"}  # what it is for, not what runs this
    selection = Selection(environment={**Selection().environment, **python})
    with tempfile.TemporaryDirectory() as private:
        path = Path(private, wanted.path.name)
        path.write_text(
            "".join(line for line in text.splitlines(keepends=True) if not line.startswith(("-r", "-c"))), encoding="utf-8"
        )
        read = pylock.read if wanted.form == "pylock" else requirements_txt.read
        try:
            found = read(path, path.parent, selection)
        except TaxiwayError:
            return {}  # written by hand, or damaged; it is replaced
    return {pin.name or pin.requirement: (pin.requirement, frozenset(pin.hashes)) for pin in found.pins}


def _input(source: Path) -> str:
    """Return the name of the file that says what is wanted.

    Raises:
        NothingToLockError: There is none.
    """
    if (source / "requirements.in").is_file():
        return "requirements.in"
    pyproject = source / "pyproject.toml"
    if pyproject.is_file() and "project" in read_toml(pyproject, source).data:
        return pyproject.name
    raise NothingToLockError(sorted(path.name for path in source.iterdir() if path.suffix in {".txt", ".in", ".toml", ".lock"}))


def _locked(wanted: Wanted, settings: Settings, environ: Mapping[str, str], given: Credentials) -> str:
    """Return the text of the lock, as it should be."""
    name = _input(wanted.source)
    tools = importlib.util.find_spec("piptools")
    if tools is None or not tools.origin:
        raise NoLockingToolError("pip-tools")
    with tempfile.TemporaryDirectory() as private:
        output = Path(private, "requirements.txt")
        # pip-compile keeps the versions that it finds there.
        output.write_text("".join(f"{pin}\n" for pin, _ in _pins(_read(wanted.path), wanted).values()), encoding="utf-8")
        env = installer.environment(environ, given, private) | {"PYTHONPATH": str(Path(tools.origin).parents[1])}
        argv = [_interpreter(wanted.python, env), "-m", "piptools", "compile", "--quiet", "--no-config", "--generate-hashes"]
        argv += ["--strip-extras", "--allow-unsafe", "--no-header", "--no-emit-index-url", "--no-emit-find-links"]
        argv += ["--no-emit-trusted-host", "--no-emit-options", *["--upgrade"] * wanted.upgrade, f"--output-file={output}"]
        argv.append(_input_for_tool(name, wanted, settings, Path(private)))
        _run(argv, env, wanted.source)
        text = output.read_text(encoding="utf-8")
        text = re.sub(rf"-r \S*{re.escape(_PYPROJECT_LINES)}", f"-r {name}", text).replace(wanted.source.resolve().as_uri(), ".")
        if wanted.form == "pylock":
            output.write_text(text, encoding="utf-8")
            return without_user_info(_as_pylock(output, wanted, env))
    header = f"# Made by `taxiway lock` for Python {wanted.python} from {name}; type that again after a change there.\n"
    return header + without_user_info(text)


def _input_for_tool(name: str, wanted: Wanted, settings: Settings, private: Path) -> str:
    """Return the file that pip-compile reads: requirements that stand in pyproject.toml needn't be found out by a build."""
    if name == "requirements.in":
        return name
    manifest = read_toml(wanted.source / name, wanted.source)
    if "dependencies" in manifest.data["project"].get("dynamic", ()):
        return name
    lines = private / _PYPROJECT_LINES
    asked = project_requirements(manifest, Selection(extras=settings.extras, groups=settings.groups))
    lines.write_text("".join(f"{requirement}\n" for requirement, _ in asked), encoding="utf-8")
    return str(lines)


def _as_pylock(requirements: Path, wanted: Wanted, env: Mapping[str, str]) -> str:
    """Write the same pins as pylock.toml; uv knows the URLs that belong there."""
    output = requirements.with_name("pylock.toml")
    argv = [_uv(), "pip", "compile", "--quiet", "--no-deps", "--generate-hashes", "--format=pylock.toml", "--no-header"]
    argv += ["--no-annotate", f"--python-version={wanted.python}", f"--output-file={output}", str(requirements)]
    try:
        _run(argv, env, wanted.source)
    except CommandFailedError:
        raise NoLockingToolError("uv") from None
    return f"{pylock.BY_TAXIWAY} --format pylock` for Python {wanted.python}.\n{output.read_text(encoding='utf-8')}"


def _run(argv: Sequence[str], env: Mapping[str, str], source: Path) -> None:
    result = process.run(argv, env=env, cwd=source, brief=True)
    if result.status:
        raise LockingFailedError(console.join(argv), result.reason, without_user_info(result.output))


def _uv() -> str:
    beside = os.path.join(os.path.dirname(sys.executable), "uv")
    return beside if os.access(beside, os.X_OK) else "uv"


def _interpreter(python: str, env: Mapping[str, str]) -> str:
    """Find the interpreter that decides markers and wheels: pip-tools can lock for its own only.

    Raises:
        NoPythonError: There is none of that version.
    """
    if python == OWN_PYTHON:
        return sys.executable
    in_path = shutil.which(f"python{python}", path=env.get("PATH"))
    # In the path may be a stand-in of pyenv's, which starts the versions alone that are switched on.
    of_pyenv = Path(env.get("PYENV_ROOT") or Path(env.get("HOME", "/"), ".pyenv")).glob(f"versions/{python}.*/bin/python{python}")
    for found in filter(None, (in_path, *sorted(map(str, of_pyenv)))):
        if _answer([found, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"], env) == python:
            return found
    if of_uv := _answer([_uv(), "python", "find", "--no-python-downloads", python], env):
        return of_uv
    raise NoPythonError(python)


def _answer(argv: Sequence[str], env: Mapping[str, str]) -> str | None:
    try:
        result = process.output(argv, env=env, cwd="/")
    except CommandFailedError:
        return None
    return result.output.strip() if result.status == 0 else None
