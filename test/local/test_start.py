"""`taxiway start` on a laptop, where it is unlike a container's: what it builds, leaves as it is, and doesn't import."""

import os
import shutil
import signal
import stat
from pathlib import Path

import harness
import lab
import pytest

APPS = harness.APPS


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A directory for all environments of a test."""
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


def test_django_is_imported_by_the_server_alone(tmp_path: Path, data: Path) -> None:
    """Once built and migrated, and also after the views were edited."""
    source = harness.copy_app(APPS / "django-static-sqlite", tmp_path / "site")
    importers = tmp_path / "importers"
    settings = source / "hangar" / "settings.py"
    settings.write_text(
        f"import os, pathlib\nwith pathlib.Path({str(importers)!r}).open('a') as f: f.write(f'{{os.getpid()}}\\n')\n"
        + settings.read_text().replace("/tmp/", f"{data}/")
    )
    env = lab.environ(data)
    with lab.start(source=source, env=env) as running:
        running.wait()
        assert "Migrating the database default" in running.logs()
        assert running.interrupt() == 0
    importers.unlink()
    views = source / "board" / "views.py"
    views.write_text(f"{views.read_text()}\n# edited\n")
    with lab.start("--processes", "1", source=source, env=env) as running:
        assert running.wait("/visits").status == 200
        assert "nothing to build" in running.logs()
        assert "migrations: nothing changed since the last time" in running.logs()
        servers = {int(pid) for pid in importers.read_text().split()}
        commands = [Path(f"/proc/{pid}/cmdline").read_text() for pid in servers]  # all of them are still there
        assert all("gunicorn" in command or "apache2" in command for command in commands), commands
        assert running.interrupt() == 0
    (source / "board" / "static" / "board" / "board.css").write_text("body { color: teal }\n")
    with lab.start(source=source, env=env) as running:
        running.wait()
        assert "Building it (static files and templates changed)" in running.logs()
        assert "teal" in running.get("/static/board/board.css").body


def test_a_failed_build_leaves_what_was_there(tmp_path: Path, data: Path) -> None:
    source = harness.copy_app(APPS / "flask-app", tmp_path / "shop")
    env = lab.environ(data)
    lab.run("build", source=source, env=env)
    requirements = source / "requirements.txt"
    good = requirements.read_text()
    requirements.write_text(good.replace("flask==", "flask<1 # ") + "\nno-such-package-of-taxiway==1\n")
    failed = lab.run("build", source=source, env=env, check=False)
    assert failed.status == 4
    assert "[dependencies-failed]" in failed.text
    assert "The environment is as it was before this build" in failed.text
    assert "flask" in lab.run("exec", "python", "-c", "import flask; print(flask.__name__)", source=source, env=env).text
    requirements.write_text(good)
    with lab.start(source=source, env=env) as running:
        assert "nothing to build" in running.logs() or running.wait()
        assert running.wait().status == 200
        assert "nothing to build" in running.logs()
        assert running.interrupt() == 0


def test_only_what_changed_is_installed(tmp_path: Path, data: Path) -> None:
    source = harness.copy_app(APPS / "flask-app", tmp_path / "shop")
    env = lab.environ(data)
    lab.run("build", source=source, env=env)
    requirements = source / "requirements.txt"
    requirements.write_text(f"{requirements.read_text()}\nsix==1.17.0\n")
    text = lab.run("build", source=source, env=env).text
    assert "(six 1.17.0 added" in text or "requirements changed" in text
    assert "Dependencies: unchanged" in lab.run("build", source=source, env=env).text
    assert "(--clean)" in lab.run("build", "--clean", source=source, env=env).text


def test_reload_and_interrupt(tmp_path: Path, data: Path) -> None:
    source = harness.copy_app(APPS / "flask-app", tmp_path / "shop")
    with lab.start("--reload", source=source, env=lab.environ(data)) as running:
        before = running.wait().body
        app = source / "app.py"
        app.write_text(app.read_text().replace("One file is enough", "Another text"))
        harness.wait_for(lambda: True if "Another text" in running.wait().body else None, 30)
        assert "Another text" not in before
        children = [int(pid) for pid in Path(f"/proc/{running.leader}/task/{running.leader}/children").read_text().split()]
        assert running.interrupt() == 0, running.logs()
        assert [pid for child in children for pid in lab.group(child)] == []


def test_sigterm_stops_it_too(tmp_path: Path, data: Path) -> None:
    source = harness.copy_app(APPS / "plain-wsgi", tmp_path / "shop")
    with lab.start(source=source, env=lab.environ(data)) as running:
        running.wait()
        os.kill(running.leader, signal.SIGTERM)
        assert running.exit_status() == 0
        assert lab.group(running.leader) == []


def test_only_this_machine_is_answered(tmp_path: Path, data: Path) -> None:
    source = harness.copy_app(APPS / "plain-wsgi", tmp_path / "shop")
    env = lab.environ(data)
    assert lab.run("alive", source=source, env=env, check=False).text.endswith("[no-environment]\n")
    with lab.start(source=source, env=env) as running:
        running.wait()
        listeners = Path("/proc/net/tcp").read_text() + Path("/proc/net/tcp6").read_text()
        (address,) = {line.split()[1] for line in listeners.splitlines() if f":{running.port:04X} 0" in line and " 0A " in line}
        assert address.startswith("0100007F:")  # 127.0.0.1
        assert lab.run("alive", source=source, env=env).text.startswith("alive: HTTP/1.1 200")
        assert lab.run("ready", source=source, env=env).text.startswith("ready: HTTP/1.1 200")
        running.interrupt()
    assert "Connection refused" in lab.run("alive", source=source, env=env, check=False).text


def test_open_asks_for_a_browser(tmp_path: Path, data: Path) -> None:
    source = harness.copy_app(APPS / "plain-wsgi", tmp_path / "shop")
    opened = tmp_path / "opened"
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" >{opened}\n')
    browser.chmod(browser.stat().st_mode | stat.S_IXUSR)
    with lab.start("--open", source=source, env=lab.environ(data, BROWSER=str(browser))) as running:
        harness.wait_for(lambda: True if opened.is_file() and opened.read_text() else None, 30)
        assert opened.read_text() == f"http://localhost:{running.port}/\n"
        running.interrupt()


@pytest.mark.parametrize("minor", ["3.12", "3.13"])
def test_another_python(minor: str, tmp_path: Path, data: Path) -> None:
    """Than taxiway's own: what the project asks for; markers in the requirements are its."""
    if not any(Path.home().glob(f".pyenv/versions/{minor}.*/bin/python3")) and not shutil.which(f"python{minor}"):
        pytest.skip(f"Python {minor} isn't here")
    source = harness.copy_app(APPS / "flask-app", tmp_path / "shop")
    (source / ".python-version").write_text(f"{minor}\n")
    requirements = source / "requirements.txt"
    requirements.write_text(f"{requirements.read_text()}\nsix==1.17.0; python_version == '{minor}'\n")
    env = lab.environ(data)
    assert f"Python {minor}." in lab.run("build", source=source, env=env).text
    text = lab.run("exec", "python", "-c", "import six, sys; print(*sys.version_info[:2], sep='.')", source=source, env=env).text
    assert text == f"{minor}\n"
    (source / ".python-version").write_text("3.99\n")
    assert "[no-interpreter]" in lab.run("start", source=source, env=env, check=False).text
