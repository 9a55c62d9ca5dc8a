"""What all unit tests share: no real programs, a clean environment, small source trees."""

import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from trees import Tree

from taxiway import console

_PEERS = (
    "NO_COLOR",
    "FORCE_COLOR",
    "CI",
    "PORT",
    "WEB_CONCURRENCY",
    "GUNICORN_CMD_ARGS",
    "DISABLE_COLLECTSTATIC",
    "DJANGO_SETTINGS_MODULE",
    "BASH_ENV",
)
_PREFIXES = ("TAXIWAY_", "WARPDRIVE_", "APP_", "PIP_", "UV_", "STI_")


@pytest.fixture(autouse=True)
def _no_programs(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forbid real programs, but where a test is marked with `programs`."""
    if request.node.get_closest_marker("programs"):
        return

    def refuse(*args: object, **_: object) -> None:
        pytest.fail(f"a unit test started a real program: {args[-1:]}; mark it with `programs` if it has to")

    monkeypatch.setattr(subprocess.Popen, "__init__", refuse)
    for name in ("execv", "execve", "execvp", "execvpe", "fork", "posix_spawn", "posix_spawnp", "system"):
        monkeypatch.setattr(os, name, refuse)


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take away the variables of whoever runs the tests that mean something to taxiway."""
    for name in list(os.environ):
        if name in _PEERS or name.startswith(_PREFIXES):
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _same_umask() -> Iterator[None]:
    """Put the umask back: a build and a start set theirs."""
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.fixture(autouse=True)
def _plain_console() -> Iterator[None]:
    """Forget --quiet and the like of a command line that a test called."""
    console.configure()
    yield
    console.configure()


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """Write files, by their path below a new directory; a path that ends with / is a directory."""

    def write(files: Mapping[str, str]) -> Path:
        top = tmp_path / "tree"
        top.mkdir(exist_ok=True)
        for name, text in files.items():
            path = top / name
            if name.endswith("/"):
                path.mkdir(parents=True)
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
        return top

    return write
