"""Looking: the only reader of the application's files. Nothing of the application is imported here."""

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from packaging.utils import canonicalize_name

from taxiway.configuration import read_project
from taxiway.dependencies import formats, project
from taxiway.dependencies.formats import Dependencies
from taxiway.dependencies.pins import Pin, PinnedList
from taxiway.detect import brought, declared, django, entry_points, procfile
from taxiway.detect.django import DjangoFacts
from taxiway.detect.entry_points import Candidate, Found
from taxiway.detect.modules import ASIDE, Modules
from taxiway.detect.procfile import ProcessType
from taxiway.errors import NoAppHomeError, SeveralEntryPointsError
from taxiway.settings import Settings, import_string

_LEVELS = 2  # of directories below the top, in which an application is looked for where the top has none
_HARMLESS = {"test", "this", "antigravity"}  # modules of the standard library that nothing imports


@dataclass(frozen=True, kw_only=True)
class AppFacts:
    """What an application's source shows."""

    home: str
    """The application's directory, relative to the source."""
    top: tuple[str, ...]
    """Names at the top of the application's directory, for messages."""
    dependencies: Dependencies | None
    brought: frozenset[str]
    """Distributions that only others ask for, as far as the lock tells."""
    gunicorn_app: str | None
    """`wsgi_app` of gunicorn's configuration file."""
    gunicorn_file: str
    processes: tuple[ProcessType, ...]
    told_script: Candidate | None
    """The script that the setting `app-script` names, if it is there."""
    told_file: Candidate | None
    """The program that the setting `app-file` names, if it is there."""
    script: Candidate | None
    """app.sh."""
    django: DjangoFacts | None
    tiers: tuple[tuple[Candidate, ...], ...]
    """What else could be the application; an earlier tier is more likely than a later one."""
    aside: tuple[str, ...]
    """Directories at the top that aren't looked into."""
    rejected: tuple[str, ...]
    """What looks like an application, but can't be started."""
    notebooks: tuple[str, ...]
    warnings: tuple[str, ...]
    project_passed_over: str = ""
    """Why the source, which describes a project of its own, isn't installed as one."""

    @property
    def requirements(self) -> PinnedList | None:
        """What is asked for."""
        return self.dependencies.pinned if self.dependencies else None

    def asked_for(self, name: str) -> Pin | None:
        """Return the line that asks for a distribution, unless that is there for others alone."""
        return self.requirements.find(name) if self.requirements and canonicalize_name(name) not in self.brought else None

    def requires(self, *names: str) -> bool:
        """Tell whether the application asks for one of some distributions."""
        return self.requirements is not None and any(map(self.requirements.find, names))


@dataclass(frozen=True, kw_only=True)
class _Seen:
    """What one directory shows."""

    modules: Modules
    django: DjangoFacts | None
    found: Found
    paste: Candidate | None
    script: Candidate | None

    @classmethod
    def of(cls, home: Path, told: Iterable[str] = ()) -> Self:
        modules = Modules(home)
        return cls(
            modules=modules,
            django=django.look(modules, told),
            found=entry_points.look(modules, declared.flask_app(home)),
            paste=declared.paste(home),
            script=declared.script(home, declared.SCRIPT),
        )

    @property
    def likeliest(self) -> str | None:
        """The file that something to start was found in."""
        if explicit := self.script or self.paste:
            return explicit.file
        if self.django:
            return "manage.py" if self.modules.get("manage") else self.django.apps[0].file
        return next((tier[0].file for tier in self.found.tiers if tier), None)


def look(source: Path, settings: Settings) -> AppFacts:
    """Read an application's source.

    Raises:
        NoAppHomeError: The application's directory isn't there.
        SeveralEntryPointsError: The top has no application, but several directories below have one.
        BadProcessesError: The process types can't be read.
        TaxiwayError: The dependencies can't be read, or are refused.
    """
    home = source / settings.app_home
    if not home.is_dir() or not home.resolve().is_relative_to(source.resolve()):
        directories = sorted(p.name for p in source.iterdir() if p.is_dir() and not p.name.startswith("."))
        raise NoAppHomeError(settings.app_home, settings.origin("app_home"), directories)
    processes = procfile.look(source, *read_project(source))
    gunicorn_file = home / settings.app_config if settings.app_config else source / declared.GUNICORN
    gunicorn_app = declared.gunicorn_app(gunicorn_file)
    seen = _Seen.of(home, [import_string(app) for app in (settings.app, gunicorn_app) if app])
    is_told = settings.app or settings.app_file or settings.app_script or procfile.find(processes, procfile.WEB)
    if settings.origin("app_home") == "default" and not is_told and not seen.likeliest:
        seen = _below(home) or seen
        home = seen.modules.home
    dependencies = formats.look(source, home, settings)
    why_not, scripts = project.passed_over(source, settings)
    warnings = [*_hidden(seen.modules, dependencies.pinned if dependencies else None)]
    if scripts:
        warnings.append(
            f"The console scripts {', '.join(scripts)} aren't there, because {why_not}. docs/dependencies.md tells more."
        )
    first, *rest = seen.found.tiers
    return AppFacts(
        home=home.relative_to(source).as_posix(),
        top=tuple(sorted(p.name + "/" * p.is_dir() for p in home.iterdir() if not p.name.startswith("."))),
        dependencies=dependencies,
        brought=brought.look(source, dependencies.pinned) if dependencies and dependencies.pinned else frozenset(),
        gunicorn_app=gunicorn_app,
        gunicorn_file=settings.app_config or declared.GUNICORN,
        processes=processes,
        told_script=declared.script(home, settings.app_script) if settings.app_script else None,
        told_file=declared.program(home, settings.app_file) if settings.app_file else None,
        script=seen.script,
        django=seen.django,
        tiers=(first, *filter(None, [(seen.paste,) if seen.paste else ()]), *rest, declared.wsgi_scripts(home)),
        aside=tuple(sorted(p.name for p in home.iterdir() if p.is_dir() and p.name in ASIDE)),
        rejected=seen.found.rejected,
        notebooks=tuple(sorted(path.name for path in home.glob("*.ipynb"))),
        warnings=tuple(warnings),
        project_passed_over=why_not,
    )


def _below(top: Path) -> _Seen | None:
    """Return the only directory below that has an application.

    Raises:
        SeveralEntryPointsError: There is more than one.
    """
    found: dict[Path, _Seen] = {}
    for directory in _directories(top, _LEVELS):
        if not any(place in directory.parents for place in found) and (seen := _Seen.of(directory)).likeliest:
            found[directory] = seen
    if len(found) > 1:
        names = {directory.relative_to(top).as_posix(): seen for directory, seen in found.items()}
        first = next(iter(names))
        raise SeveralEntryPointsError(
            [f"{name}  (by {seen.likeliest})" for name, seen in names.items()], f'app-home = "{first}"', f"APP_HOME={first}"
        )
    return next(iter(found.values()), None)


def _directories(top: Path, levels: int) -> Iterator[Path]:
    """Walk directories that may hold an application, outer ones first; packages are seen from above."""
    inner = sorted(p for p in top.iterdir() if p.is_dir() and not p.name.startswith(".") and p.name not in ASIDE)
    inner = [p for p in inner if not (p / "__init__.py").exists() or (p / "manage.py").exists()]
    yield from inner
    if levels > 1:
        for directory in inner:
            yield from _directories(directory, levels - 1)


def _hidden(modules: Modules, pinned: PinnedList | None) -> Iterator[str]:
    """Warn of modules that are found instead of the standard library's or an installed package's."""
    from_elsewhere = [pin for pin in pinned.applicable if not pin.is_local] if pinned else []
    installed = {pin.name.replace("-", "_"): pin.requirement for pin in from_elsewhere}
    for name, (file, *others) in modules.files().items():
        for other in others:
            yield f"{file} hides {other}: both are the module {name}; rename one of them."
        if name in sys.stdlib_module_names - _HARMLESS:
            yield f"{file} hides Python's own module {name} from everything that imports it; rename it."
        elif name.lower() in installed and name.islower():
            yield f"{file} hides the installed package {installed[name]} from everything that imports it; rename it."
