"""Whether Django's migrations have to run at a start on a laptop: they need Django's import, which a start then spares.

A container knows nothing of its database before it has asked. An environment of a laptop notes what it has migrated.
"""

import hashlib
import os
from pathlib import Path

from taxiway.servers import Launch

_PASSED_OVER = frozenset({"__pycache__", "node_modules"})
_DATABASES = (".sqlite3", ".sqlite", ".db")


def is_current(launch: Launch) -> bool:
    """Tell whether nothing changed since the migrations ran."""
    try:
        return _marker(launch).read_text(encoding="ascii") == _key(launch)
    except OSError:
        return False


def note(launch: Launch) -> None:
    """Note that the migrations have run."""
    _marker(launch).write_text(_key(launch), encoding="ascii")


def _marker(launch: Launch) -> Path:
    return Path(launch.layout.state, "migrated")


def _key(launch: Launch) -> str:
    """Describe what decides: the migrations of source and dependencies, which database, and whether SQLite's file is there."""
    found = [launch.plan.django_settings or "", str(launch.settings.migrate_databases)]
    found += [
        f"{name}={value}" for name, value in sorted(launch.environ.items()) if "DATABASE" in name or "DB" in name.split("_")
    ]
    dependencies = Path(launch.layout.dependencies)
    found.append(dependencies.read_text(encoding="utf-8") if dependencies.is_file() else "")
    for directory, names, files in os.walk(launch.layout.source):
        names[:] = sorted(name for name in names if name not in _PASSED_OVER and not name.startswith("."))
        is_migrations = os.path.basename(directory) == "migrations"
        for path in (Path(directory, name) for name in sorted(files)):
            if is_migrations and path.suffix == ".py":
                found.append(f"{path} {path.stat().st_mtime_ns} {path.stat().st_size}")
            elif path.suffix in _DATABASES:
                found.append(str(path))
    return hashlib.sha256("\0".join(found).encode(errors="surrogateescape")).hexdigest()
