"""Django's migrations: run at a start, before the server, or by `taxiway migrate`.

The work is done by `taxiway_runtime.migrate`, in the application's interpreter. Other frameworks have the hook `migrate`.
This module is on the way of every container start.
"""

import os

from taxiway import console, hooks
from taxiway.errors import MigrationLockError, MigrationsFailedError
from taxiway.launch_plan import PROGRAMS
from taxiway.servers import Launch
from taxiway.settings import MANUAL

_LOCKED = 75  # what taxiway_runtime.migrate ends with; EX_TEMPFAIL of sysexits.h
_DATABASES = ("default",)


def command(launch: Launch) -> tuple[str, ...]:
    """Write the command that migrates, to be run in the application's directory."""
    settings = launch.settings
    databases = settings.migrate_databases or _DATABASES
    return (launch.layout.python, "-m", "taxiway_runtime.migrate", str(settings.migrate_timeout), *databases)


def at_start(launch: Launch) -> None:
    """Migrate, where the application is Django's and nothing else is to do it.

    On SIGTERM the start ends; not before the migrations do, if they have begun.

    Raises:
        MigrationsFailedError: They ended with an error.
        MigrationLockError: Another container held the lock for too long.
    """
    if not _are_wanted(launch):
        return
    import signal  # noqa: PLC0415  # only for Django

    os.chdir(launch.home)
    argv = command(launch)
    pid = os.posix_spawn(argv[0], argv, {**launch.environ, "TAXIWAY_PHASE": "migrate"})
    stopped: list[int] = []

    def stop(number: int, _: object) -> None:
        stopped.append(number)
        os.kill(pid, number)  # it ends at once, unless it is migrating

    before = signal.signal(signal.SIGTERM, stop)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    signal.signal(signal.SIGTERM, before)
    if stopped:
        raise SystemExit(128 + stopped[0])
    if status == _LOCKED:
        raise MigrationLockError(launch.settings.migrate_timeout)
    if status:
        raise MigrationsFailedError(f"exit status {status}" if status > 0 else f"signal {-status}")
    if launch.layout.local:
        from taxiway.local import migrated  # noqa: PLC0415  # not in a container

        migrated.note(launch)


def _are_wanted(launch: Launch) -> bool:
    """Tell whether this start migrates, and say why not."""
    if launch.plan.framework != "django" or launch.plan.interface in PROGRAMS or "DJANGO_SETTINGS_MODULE" not in launch.environ:
        return False
    if launch.settings.migrate == MANUAL:
        console.detail(f"migrations: not at the start ({launch.settings.origin('migrate')})")
        return False
    if hooks.find(launch.layout.source, "migrate"):
        console.detail("migrations: not at the start, there is a hook for `taxiway migrate`")
        return False
    if launch.layout.local:
        from taxiway.local import migrated  # noqa: PLC0415  # not in a container

        if migrated.is_current(launch):
            console.detail("migrations: nothing changed since the last time")
            return False
    return True
