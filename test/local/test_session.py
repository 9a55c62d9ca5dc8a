"""A person at a terminal: project, build, start, a page, setup, migrate, exec, shell, Ctrl-C, destroy."""

import http.client
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import harness
import lab
import pytest
from terminal import SETUP, SUPERUSER, Terminal, get

SHELLS = {name: path for name in ("bash", "zsh", "fish") if (path := shutil.which(name))}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """The sample, with a hook setup."""
    found = harness.copy_app(harness.ROOT / "examples" / "django-polls", tmp_path / "polls")
    hook = found / ".taxiway" / "hooks" / "setup"
    hook.write_text(SETUP)
    hook.chmod(0o755)
    return found


@pytest.fixture(params=list(SHELLS))
def terminal(request: pytest.FixtureRequest, source: Path, tmp_path: Path) -> Iterator[Terminal]:
    """A shell in the sample's directory, with taxiway on its PATH."""
    data = tmp_path / "data"
    data.mkdir()
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "taxiway"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m taxiway "$@"\n')
    program.chmod(0o755)
    env = lab.environ(
        data,
        **SUPERUSER,
        SHELL=SHELLS[request.param],
        HOME=str(tmp_path),
        TERM="xterm",
        PS1="$ ",
        DATABASE_PATH=str(data / "polls.sqlite3"),
    )
    env["UV_CACHE_DIR"] = os.environ.get("UV_CACHE_DIR") or str(Path.home() / ".cache" / "uv")
    env["PATH"] = f"{tmp_path / 'bin'}:{env['PATH']}"
    opened = Terminal(SHELLS[request.param], source, env)
    yield opened
    opened.child.close(force=True)


def test_session(terminal: Terminal, source: Path) -> None:
    port = harness.free_port()
    terminal.type("taxiway project shop")
    terminal.see("Making the environment shop: Python ", "shop is active in this shell", "(shop) ")
    terminal.type("taxiway build")
    terminal.see(
        "Building shop for ",
        "Installing the dependencies (nothing was installed before)",
        "Built. It starts mysite.wsgi",
        "(shop) ",
    )
    terminal.type("taxiway setup")
    terminal.see("Superuser created successfully", "(shop) ")
    terminal.type(f"taxiway start --port {port}")
    terminal.see("nothing to build", f"http://localhost:{port}/ (Ctrl-C stops it)", "Listening at")
    assert get(port, "/admin/login/")[0] == 200
    status, css = get(port, "/static/admin/css/base.css")
    assert (status, "font-family" in css) == (200, True)
    terminal.child.sendcontrol("c")
    terminal.see("(shop) ")
    terminal.type("echo status=$?" if "fish" not in str(terminal.child.command) else "echo status=$status")
    terminal.see("status=0", "(shop) ")
    with pytest.raises(OSError, match="refused"):
        http.client.HTTPConnection("localhost", port, timeout=5).connect()
    terminal.type("taxiway migrate")
    terminal.see("default is up to date", "(shop) ")
    terminal.type("taxiway exec python -c 'import django; print(\"user\", django.VERSION[0])'")
    terminal.see("user 5", "(shop) ")
    terminal.type("taxiway shell --python")
    terminal.see(">>> ")
    terminal.type("from django.contrib.auth.models import User; print('first is', User.objects.get().username)")
    terminal.see("first is ada", ">>> ")
    terminal.child.sendcontrol("d")
    terminal.see("(shop) ")
    terminal.type("taxiway env")
    assert "only for this test" not in terminal.see("SECRET_KEY=****", "TAXIWAY_SERVER=", "(shop) ")
    terminal.type("taxiway destroy")
    terminal.see("The environment shop of ", "Remove it? [y/N]: ")
    terminal.type("y")
    terminal.see("Removed", "(shop) ")
    terminal.type("taxiway deactivate")

    terminal.type("taxiway project --list; echo none-left")
    assert "shop" not in terminal.see("none-left").replace("project", "")
    assert not (source.parent / "data/taxiway/environments/shop").exists()
