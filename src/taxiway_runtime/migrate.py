"""Run Django's migrations, one process at a time: the lock is held in the database itself, so that it counts for all containers.

usage: python -m taxiway_runtime.migrate SECONDS DATABASE...

SECONDS bounds the wait for the lock. Exit status: 0; 75 (EX_TEMPFAIL of sysexits.h) if the lock wasn't free in time; 1 otherwise.

Where nothing is to be migrated, which is so at nearly every start, neither models nor migrations are imported: the names of the
migrations' files are compared with the rows of `django_migrations`.
"""

import hashlib
import importlib.util
import os
import pkgutil
import signal
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

LOCKED = 75
_CONNECT_S = 30  # a database that starts at the same time as the container
_POLL_S = 0.5
_KEY = int.from_bytes(hashlib.sha256(b"taxiway migrate").digest()[:8], "big", signed=True)


def main(seconds: str, *databases: str) -> int:
    """Bring each of the databases up to date."""
    # Django would have the models loaded first: that is what is spared here.
    warnings.filterwarnings("ignore", message="Accessing the database during app initialization")
    migrations = _on_disk()
    if migrations == set():
        _say("no application has migrations")
        return 0
    for alias in databases:
        if not _update(alias, migrations, float(seconds)):
            return LOCKED
    return 0


def _say(text: str) -> None:
    print(f"     migrations: {text}", flush=True)  # noqa: T201


def _on_disk() -> set[tuple[str, str]] | None:
    """List all migrations, as (application, name); None where only Django itself can tell.

    Follows `MigrationLoader.load_disk` of Django, without importing models and migrations.
    """
    from django.apps import AppConfig  # noqa: PLC0415  # django is the application's
    from django.conf import settings  # noqa: PLC0415

    found = set()
    for entry in settings.INSTALLED_APPS:
        application = AppConfig.create(entry)
        if os.path.exists(os.path.join(application.path, "management", "commands", "migrate.py")):
            return None  # a command of its own, such as one for each tenant
        name = settings.MIGRATION_MODULES.get(application.label, f"{application.name}.migrations")
        spec = name and importlib.util.find_spec(name)
        if spec and spec.submodule_search_locations:
            files = pkgutil.iter_modules(spec.submodule_search_locations)
            found |= {(application.label, file.name) for file in files if not file.ispkg and file.name[0] not in "_~"}
    return found


def _update(alias: str, migrations: set[tuple[str, str]] | None, seconds: float) -> bool:
    """Migrate one database, if there is something to migrate; False where the lock wasn't free in time."""
    from django.db import connections  # noqa: PLC0415

    connection = connections[alias]
    if connection.settings_dict["ENGINE"] == "django.db.backends.dummy":
        _say(f"there is no database {alias} in the settings")
        return True
    if connection.vendor == "sqlite":
        if connection.is_in_memory_db():
            _say(f"the database {alias} is in memory, where it goes with each process")
            return True
        _create_for_the_group(str(connection.settings_dict["NAME"]))
    _connect(connection)
    if _is_done(connection, migrations):
        _say(f"{alias} is up to date")
        return True
    with _locked(connection, seconds) as is_locked:
        if not is_locked:
            return False
        if _is_done(connection, migrations):
            _say(f"{alias} is up to date now, by another container")
            return True
        print(f"---> Migrating the database {alias}", flush=True)  # noqa: T201
        _migrate(alias)
    return True


def _migrate(alias: str) -> None:
    """Run Django's command. SIGTERM doesn't end it, because not every database can undo half a migration."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    import django  # noqa: PLC0415
    from django.core.management import call_command  # noqa: PLC0415

    django.setup()
    call_command("migrate", database=alias, interactive=False, verbosity=1)


def _connect(connection: Any) -> None:
    """Connect; a server that doesn't answer yet is waited for."""
    from django.db.utils import OperationalError  # noqa: PLC0415

    deadline = time.monotonic() + _CONNECT_S
    said = False
    while True:
        try:
            connection.ensure_connection()
        except OperationalError as error:
            if connection.vendor == "sqlite" or time.monotonic() > deadline:
                sys.exit(f"The database {connection.alias} doesn't answer: {error}")
            if not said:
                _say(f"the database {connection.alias} doesn't answer yet: {str(error).splitlines()[0]}")
                said = True
            time.sleep(_POLL_S)
        else:
            return


def _is_done(connection: Any, migrations: set[tuple[str, str]] | None) -> bool:
    """Tell whether all migrations are in the database's list; a squashed one that isn't there is left to Django."""
    if migrations is None:
        return False
    with connection.cursor() as cursor:
        if "django_migrations" not in connection.introspection.table_names(cursor):
            return False
        cursor.execute("SELECT app, name FROM django_migrations")
        return migrations <= {tuple(row) for row in cursor.fetchall()}


@contextmanager
def _locked(connection: Any, seconds: float) -> Iterator[bool]:
    """Hold the lock; gives False where it wasn't free in time. It ends with this process, however that ends."""
    kind = {"postgresql": _postgresql, "mysql": _mysql, "sqlite": _sqlite}.get(connection.vendor)
    if kind is None:
        _say(f"no lock is known for {connection.vendor}: let no two containers start at once, or set migrate = manual")
        yield True
        return
    take, close = kind(connection)
    try:
        yield _wait(take, seconds, connection.alias)
    finally:
        close()


def _wait(take: Callable[[], bool], seconds: float, alias: str) -> bool:
    deadline = time.monotonic() + seconds
    said = False
    while not take():
        if time.monotonic() > deadline:
            _say(f"another container still migrates {alias}")
            return False
        if not said:
            _say(f"another container migrates {alias}; waiting for up to {seconds:.0f} s")
            said = True
        time.sleep(_POLL_S)
    return True


def _postgresql(connection: Any) -> tuple[Callable[[], bool], Callable[[], None]]:
    """An advisory lock of a transaction on a connection of its own.

    Of a transaction, because PgBouncer may give a session's connection to another client after each. Asked for again and
    again, because a statement that waits has a snapshot, and CREATE INDEX CONCURRENTLY waits for all of these.
    """
    other = connection.copy()
    other.set_autocommit(False)

    def take() -> bool:
        with other.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
            cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
            cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_KEY])
            taken = bool(cursor.fetchone()[0])
        if not taken:
            other.rollback()
        return taken

    return take, other.close


def _mysql(connection: Any) -> tuple[Callable[[], bool], Callable[[], None]]:
    """A named lock of a session of its own; names count for the whole server, and have 64 characters at most."""
    database = str(connection.settings_dict["NAME"])
    name = f"taxiway-{hashlib.sha256(database.encode()).hexdigest()[:32]}"
    other = connection.copy()

    def take() -> bool:
        with other.cursor() as cursor:
            cursor.execute("SET SESSION wait_timeout = 86400")  # seconds that it may idle, while a long migration runs
            cursor.execute("SELECT GET_LOCK(%s, 0)", [name])
            return bool(cursor.fetchone()[0])

    return take, other.close


def _sqlite(connection: Any) -> tuple[Callable[[], bool], Callable[[], None]]:
    """SQLite's own lock, of an empty database beside this one: Django's migrations need the lock of this one for themselves."""
    import sqlite3  # noqa: PLC0415

    path = str(connection.settings_dict["NAME"]) + "-migrate"
    _create_for_the_group(path)
    other = sqlite3.connect(path, timeout=0, isolation_level=None)

    def take() -> bool:
        try:
            other.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error):
                raise
            return False
        return True

    return take, other.close


def _create_for_the_group(path: str) -> None:
    """Make the file of a new database as the umask has it: SQLite's own mode, 0644, shuts out another user of group 0."""
    if not path.startswith("file:"):
        with suppress(OSError):  # SQLite says what is wrong, if it is
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o666))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
