"""Django's migrations: when a start runs them, and the locks that need no server."""

import os
import signal
import sqlite3
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
from trees import Tree

from taxiway import launch_plan, migrations
from taxiway.errors import MigrationLockError, MigrationsFailedError
from taxiway.launch_plan import LaunchPlan
from taxiway.layout import Layout
from taxiway.servers import Launch
from taxiway.settings import resolve
from taxiway.sizing import Size
from taxiway_runtime import migrate

PLAN = LaunchPlan(
    interface="WSGI",
    app="web:app",
    home="site",
    server="gunicorn",
    servers={"gunicorn": "26.0.0"},
    framework="django",
    django_settings="site.settings",
    static=(),
    static_root=None,
    project={},
    project_origin="taxiway.toml",
    origins={},
    passed_over=(),
)
ENVIRON = {"DJANGO_SETTINGS_MODULE": "site.settings"}


class Spawned:
    """Takes the place of the migrations' process."""

    def __init__(self) -> None:
        self.status = 0
        self.calls: list[tuple[tuple[str, ...], dict[str, str], str]] = []
        self.stop = False
        self.killed: list[tuple[int, int]] = []

    def spawn(self, path: str, argv: tuple[str, ...], environ: dict[str, str]) -> int:
        assert path == argv[0]
        self.calls.append((argv, environ, str(Path.cwd())))
        return 4711

    def wait(self, pid: int, _: int) -> tuple[int, int]:
        if self.stop:
            signal.raise_signal(signal.SIGTERM)
        return pid, self.status


@pytest.fixture
def spawned(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Spawned:
    fake = Spawned()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "posix_spawn", fake.spawn)
    monkeypatch.setattr(os, "waitpid", fake.wait)
    monkeypatch.setattr(os, "kill", lambda pid, number: fake.killed.append((pid, number)))
    return fake


def launch(tree: Tree, environ: dict[str, str] | None = None, plan: LaunchPlan = PLAN) -> Launch:
    root = tree({"src/site/web.py": ""})
    chosen = resolve(environ=environ or {}, project={})
    return Launch(plan, chosen, Size(1, 1, ""), Layout(str(root), f"{root}/src"), dict(ENVIRON), "/tmp/x")


def test_at_start(tree: Tree, spawned: Spawned) -> None:
    found = launch(tree, {"TAXIWAY_MIGRATE_DATABASES": "default archive", "TAXIWAY_MIGRATE_TIMEOUT": "5"})
    migrations.at_start(found)
    argv = (found.layout.python, "-m", "taxiway_runtime.migrate", "5", "default", "archive")
    assert spawned.calls == [(argv, {**ENVIRON, "TAXIWAY_PHASE": "migrate"}, found.home)]


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"TAXIWAY_MIGRATE": "manual"}, "     migrations: not at the start (TAXIWAY_MIGRATE)\n"),
        ({"DISABLE_MIGRATE": "1"}, "     migrations: not at the start (DISABLE_MIGRATE)\n"),
        ({"DISABLE_MIGRATE": ""}, ""),
        ({"TAXIWAY_MIGRATE": "start", "DISABLE_MIGRATE": "1"}, ""),
    ],
)
def test_settings(tree: Tree, spawned: Spawned, environ: dict[str, str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is said where they run: they say it themselves."""
    migrations.at_start(launch(tree, environ))
    assert bool(spawned.calls) != bool(said)
    assert capsys.readouterr().out == said


@pytest.mark.parametrize("plan", [PLAN._replace(framework=None), PLAN._replace(interface=launch_plan.SHELL)])
def test_other_applications(tree: Tree, spawned: Spawned, plan: LaunchPlan) -> None:
    migrations.at_start(launch(tree, plan=plan))
    assert spawned.calls == []


def test_a_hook_is_the_applications_own_way(tree: Tree, spawned: Spawned, capsys: pytest.CaptureFixture[str]) -> None:
    top = tree({"src/.taxiway/hooks/migrate": ""})
    (top / "src/.taxiway/hooks/migrate").chmod(0o755)
    migrations.at_start(launch(tree))
    assert spawned.calls == []
    assert capsys.readouterr().out == "     migrations: not at the start, there is a hook for `taxiway migrate`\n"


def test_failing(tree: Tree, spawned: Spawned) -> None:
    spawned.status = 1 << 8
    with pytest.raises(MigrationsFailedError, match=r"^Django's migrations failed with exit status 1; their own message"):
        migrations.at_start(launch(tree))
    spawned.status = 9
    with pytest.raises(MigrationsFailedError, match="failed with signal 9"):
        migrations.at_start(launch(tree))
    spawned.status = migrate.LOCKED << 8
    with pytest.raises(MigrationLockError, match=r"^Another container was still migrating the database after 300 s\.\n"):
        migrations.at_start(launch(tree))


def test_a_stop_waits_for_them(tree: Tree, spawned: Spawned) -> None:
    """The program decides whether it can end at once; afterwards the start ends."""
    before = signal.getsignal(signal.SIGTERM)
    spawned.stop = True
    with pytest.raises(SystemExit) as caught:
        migrations.at_start(launch(tree))
    assert caught.value.code == 128 + signal.SIGTERM
    assert spawned.killed == [(4711, signal.SIGTERM)]
    assert signal.getsignal(signal.SIGTERM) == before


@pytest.fixture
def database(tmp_path: Path) -> SimpleNamespace:
    return SimpleNamespace(alias="default", vendor="sqlite", settings_dict={"NAME": tmp_path / "db.sqlite3"})


def test_sqlite_s_lock(database: SimpleNamespace, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One holds it; the database itself stays free for the migrations."""
    os.umask(0o002)
    with migrate._locked(database, 5) as first:  # noqa: SLF001
        assert first
        assert (tmp_path / "db.sqlite3-migrate").stat().st_mode & 0o777 == 0o664
        with migrate._locked(database, 0) as second:  # noqa: SLF001
            assert not second
        sqlite3.connect(tmp_path / "db.sqlite3", timeout=0).execute("CREATE TABLE t (c)")
    assert capsys.readouterr().out == "     migrations: another container still migrates default\n"
    with migrate._locked(database, 0) as third:  # noqa: SLF001
        assert third


def test_waiting_for_the_lock(
    database: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(migrate, "_POLL_S", 0.01)
    held, free = threading.Event(), threading.Event()

    def hold() -> None:
        with migrate._locked(database, 0):  # noqa: SLF001
            held.set()
            free.wait(20)

    other = threading.Thread(target=hold)
    other.start()
    held.wait(20)
    threading.Timer(0.1, free.set).start()
    with migrate._locked(database, 20) as is_locked:  # noqa: SLF001
        assert is_locked
    other.join()
    assert capsys.readouterr().out == "     migrations: another container migrates default; waiting for up to 20 s\n"


def test_no_lock_is_known(database: SimpleNamespace, capsys: pytest.CaptureFixture[str]) -> None:
    database.vendor = "oracle"
    with migrate._locked(database, 1) as is_locked:  # noqa: SLF001
        assert is_locked
    assert "no lock is known for oracle: " in capsys.readouterr().out
