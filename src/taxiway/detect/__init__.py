"""Looking: the only reader of the application's files. Nothing of the application is imported here."""

from dataclasses import dataclass
from pathlib import Path

from taxiway.dependencies import formats
from taxiway.dependencies.formats import Dependencies
from taxiway.dependencies.pins import PinnedList
from taxiway.detect import django, entry_points
from taxiway.detect.django import DjangoFacts
from taxiway.detect.entry_points import Candidate
from taxiway.errors import NoAppHomeError
from taxiway.settings import Settings


@dataclass(frozen=True, kw_only=True)
class AppFacts:
    """What an application's source shows."""

    home: str
    """The application's directory, relative to the source."""
    top: tuple[str, ...]
    """Names at the top of the application's directory, for messages."""
    dependencies: Dependencies | None
    django: DjangoFacts | None
    gunicorn_app: str | None
    """`wsgi_app` of gunicorn.conf.py."""
    tiers: tuple[tuple[Candidate, ...], ...]
    """What could be the application; an earlier tier is more likely than a later one."""

    @property
    def requirements(self) -> PinnedList | None:
        """What is asked for."""
        return self.dependencies.pinned if self.dependencies else None


def look(source: Path, settings: Settings) -> AppFacts:
    """Read an application's source.

    Raises:
        NoAppHomeError: The application's directory isn't there.
        TaxiwayError: The dependencies can't be read, or are refused.
    """
    home = source / settings.app_home
    if not home.is_dir() or not home.resolve().is_relative_to(source.resolve()):
        directories = sorted(p.name for p in source.iterdir() if p.is_dir() and not p.name.startswith("."))
        raise NoAppHomeError(settings.app_home, settings.origin("app_home"), directories)
    return AppFacts(
        home=settings.app_home,
        top=tuple(sorted(p.name + "/" * p.is_dir() for p in home.iterdir() if not p.name.startswith("."))),
        dependencies=formats.look(source, home, settings),
        django=django.look(home),
        gunicorn_app=entry_points.gunicorn_app(source / "gunicorn.conf.py"),
        tiers=entry_points.look(home),
    )
