"""The installers, uv and pip: their commands and their environment. What they install is the same."""

import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from taxiway import console
from taxiway.dependencies import credentials
from taxiway.dependencies.credentials import NETRC, PIP, UV, Credentials
from taxiway.dependencies.pins import Pin
from taxiway.errors import DependenciesError
from taxiway.layout import Layout, wheelhouse
from taxiway.process import run

NAMES = ("uv", "pip")

# pip's own variables, as uv calls them; s2i-python-container's users set the former.
_UV_NAMES = {
    "PIP_INDEX_URL": "UV_DEFAULT_INDEX",
    "PIP_EXTRA_INDEX_URL": "UV_INDEX",
    "PIP_TRUSTED_HOST": "UV_INSECURE_HOST",
    "PIP_FIND_LINKS": "UV_FIND_LINKS",
    "PIP_NO_INDEX": "UV_NO_INDEX",
}


def environment(environ: Mapping[str, str], given: Credentials, private: str) -> dict[str, str]:
    """Return the environment for either installer: pip's variables under uv's names, credentials, certificates, no cache.

    Args:
        environ: The environment; its variables win over the credentials' files, as they do with pip and uv.
        given: The credentials of this build.
        private: A directory that is gone after the build.
    """
    env = {name: value for name, value in environ.items() if name != "VIRTUAL_ENV"}
    _add_credentials(env, given, private)
    if environ.get("WARPDRIVE_PIP_NO_INDEX"):
        env["PIP_NO_INDEX"] = env["UV_NO_INDEX"] = "1"
    for pip_name, uv_name in _UV_NAMES.items():
        # uv reads its own file; where that names no index, it gets pip's.
        from_pip = "" if given.uv else given.pip.get(pip_name, "")
        if value := (environ.get(pip_name, "") or from_pip).strip():
            env.setdefault(uv_name, listed(value) if uv_name == "UV_FIND_LINKS" else value)
    # uv brings its own list of authorities; a company's stands in the system's.
    env.setdefault("UV_SYSTEM_CERTS", "1")
    env.setdefault("UV_PYTHON_DOWNLOADS", "never")
    if not environ.get("UV_CACHE_DIR"):
        env["UV_NO_CACHE"] = "1"
    env.setdefault("UV_LINK_MODE", "copy" if environ.get("UV_CACHE_DIR") else "hardlink")
    env["UV_NO_PROGRESS"] = "1"
    env.setdefault("SOURCE_DATE_EPOCH", "315532800")  # for what is compiled: 1980-01-01, so that it is the same on any day
    # Debug information names the directory that something was compiled in, which has another name each time.
    env.setdefault("LDFLAGS", "-Wl,-S")  # --strip-debug, for the linkers of Linux and macOS
    return env | {"PIP_NO_CACHE_DIR": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_PROGRESS_BAR": "off", "PIP_NO_INPUT": "1"}


def _add_credentials(env: dict[str, str], given: Credentials, private: str) -> None:
    if NETRC in given.files:
        env["NETRC"] = str(given.files[NETRC])
    if PIP in given.files:
        env["PIP_CONFIG_FILE"] = str(given.files[PIP])
    if UV in given.files:
        env["UV_CONFIG_FILE"] = str(given.files[UV])
    if not given.pip:
        env.update((name, value) for name, value in given.uv.items() if not env.get(name))
    if text := credentials.bundle(given, env):
        path = Path(private, "ca.crt")
        path.write_text(text, encoding="utf-8")
        env |= dict.fromkeys(("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE", "GIT_SSL_CAINFO"), str(path))


def listed(value: str) -> str:
    """Separate by commas, as uv wants places to be, what pip wants separated by blanks."""
    return ",".join(value.split())


@dataclass(frozen=True, kw_only=True)
class Installer:
    """One of the two, with what it needs to run."""

    name: str
    layout: Layout
    environ: Mapping[str, str]
    """As `environment` returns it."""
    private: str
    """A directory that is gone after the build."""
    offline: str | None = None
    """A directory of all the files that may be installed; None: the index is asked."""

    def install(self, lines: Sequence[str], *, no_deps: bool, require_hashes: bool) -> None:
        """Install lines of a requirements file, and say what had to be compiled.

        Args:
            lines: The lines.
            no_deps: Whether they are all that is wanted; otherwise what they depend on is resolved and installed as well.
            require_hashes: Refuse whatever has no hash.

        Raises:
            DependenciesError: The installer refused or failed.
        """
        file = Path(self.private, "requirements.txt")
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")
        options = ["--no-deps"] * no_deps + ["--require-hashes"] * require_hashes
        options += ["--no-index", "--find-links", self.offline] if self.offline else []
        output: list[str] = []
        program, arguments = _command(self.name, self.layout.python, offline=self.offline is not None)
        arguments += [*options, "--requirement", str(file)]
        result = run(
            [*program, *arguments],
            env=self._environ(require_hashes=require_hashes),
            cwd=self.layout.source,
            show=_keep(output),
            brief=True,
        )
        if result.status:
            raise DependenciesError(console.join([self.name, *arguments]), result.reason, result.output)
        if compiled := compiled_sources(output):
            console.detail(f"compiled from source, because there is no wheel for this Python: {', '.join(compiled)}")

    def _environ(self, *, require_hashes: bool) -> dict[str, str]:
        env = dict(self.environ)
        if require_hashes:  # which index a file comes from doesn't matter then, so pip's way is safe: all are looked at
            env.setdefault("UV_INDEX_STRATEGY", "unsafe-best-match")
        if house := wheelhouse():
            # mod_wsgi can't be compiled in the builder image; its wheel is here, if that version is asked for.
            env["UV_FIND_LINKS"] = ",".join(filter(None, (env.get("UV_FIND_LINKS", ""), house)))
            env["PIP_FIND_LINKS"] = " ".join(filter(None, (env.get("PIP_FIND_LINKS", ""), house)))
        return env


def _command(name: str, python: str, *, offline: bool) -> tuple[list[str], list[str]]:
    """Return the program and its first arguments."""
    if name == "pip":
        # taxiway's own environment has it, the application's hasn't; it then runs by the application's Python.
        return [sys.executable, "-m", "pip"], ["--python", python, "install", "--no-compile", "--no-warn-script-location"]
    beside = os.path.join(os.path.dirname(sys.executable), "uv")
    program = beside if os.access(beside, os.X_OK) else "uv"
    return [program], ["pip", "install", "--python", python, *["--offline"] * offline]


def _keep(output: list[str]) -> Callable[[str], bool]:
    def show(line: str) -> bool:
        output.append(line)
        return True

    return show


def compiled_sources(output: Iterable[str]) -> list[str]:
    """Return what an installer's output says that it built, in uv's and in pip's words; pure."""
    found = []
    for line in output:
        if match := re.match(r"\s+Built (\S+?)(?:==(\S+)| @ .*)?$", line):
            found.append(f"{match[1]} {match[2] or ''}".strip())
        elif match := re.match(r"\s+Created wheel for \S+: filename=([^-]+)-([^-]+)-", line):
            found.append(f"{match[1]} {match[2]}")
    return found


def lines_of(pins: Iterable[Pin], built: Mapping[frozenset[str], str]) -> list[str]:
    """Return the lines that install pins; pure.

    Args:
        pins: The pins.
        built: The hash of a wheel that was built from a file with one of these hashes, which is as good.
    """
    more = {pin: built.get(frozenset(pin.hashes)) for pin in pins}
    return [pin.line_with_hashes + (f" --hash={digest}" if digest else "") for pin, digest in more.items()]


def is_checked_by_itself(pin: Pin) -> bool:
    """Tell whether a pin needs no hash beside others that have one: the source's own directory, a commit."""
    return not pin.hashes and (pin.is_local or (pin.is_pinned and "+" in (pin.url or "").partition("://")[0]))
