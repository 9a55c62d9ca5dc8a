"""Deciding: from facts and settings to a build plan. Pure functions over plain data."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from taxiway import proxy, servers
from taxiway.detect import AppFacts
from taxiway.detect.entry_points import choose
from taxiway.errors import NoEntryPointError, SeveralEntryPointsError
from taxiway.launch_plan import ASGI, PROGRAMS, WSGI
from taxiway.servers import gunicorn
from taxiway.settings import Settings, import_string

_LOOKED_FOR = (
    "manage.py with DJANGO_SETTINGS_MODULE (Django)",
    "wsgi.py with application or app",
    "app.py, application.py or main.py with a WSGI object, function or create_app()",
    "a package with one of these",
)


@dataclass(frozen=True, kw_only=True)
class BuildPlan:
    """What a build will do, and what it will start."""

    app: str
    home: str
    framework: str | None
    django_settings: str | None
    interface: str | None
    """As in the launch plan; None where only importing the application shows it."""
    server: str
    """For WSGI, where the interface isn't known yet."""
    requirements: str | None
    """The lock or requirements file, relative to the source."""
    require_hashes: bool
    unpinned: tuple[str, ...]
    """Requirements that don't say exactly what is installed."""
    collectstatic: bool
    static: tuple[str, ...]
    """URL=DIRECTORY pairs that were set."""
    origins: Mapping[str, str]
    """What decided `app` and `server`."""
    passed_over: tuple[str, ...]
    locks_passed_over: tuple[str, ...] = ()
    """Files with dependencies that aren't read."""

    def as_data(self) -> dict[str, Any]:
        """Return the plan for JSON."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class _Choice:
    app: str
    origin: str
    passed_over: tuple[str, ...] = ()
    interface: str | None = None


def decide(facts: AppFacts, settings: Settings) -> BuildPlan:
    """Decide what to build and what to start.

    Raises:
        NoEntryPointError: Nothing says what to start.
        SeveralEntryPointsError: More than one object could be the application.
        UnsupportedInterfaceError: The server that was asked for is for other applications.
        UnknownServerError: There is no such server.
        BadProxyPolicyError: The settings of trusted proxies can't be used.
    """
    choice = _choose_app(facts, settings)
    server, server_origin = choose_server(choice.app, choice.interface, facts, settings)
    proxy.decide(settings, server)
    requirements = facts.requirements
    return BuildPlan(
        app=choice.app,
        home=facts.home,
        framework="django" if facts.django else None,
        django_settings=facts.django.settings_module if facts.django else None,
        interface=choice.interface,
        server=server,
        requirements=requirements.file if requirements else None,
        require_hashes=requirements.hashed if requirements else False,
        unpinned=tuple(f"{pin.requirement} ({pin.origin})" for pin in requirements.unpinned) if requirements else (),
        collectstatic=facts.django is not None and settings.collectstatic,
        static=settings.static,
        origins={"app": choice.origin, "server": server_origin}
        | ({"dependencies": facts.dependencies.origin} if facts.dependencies else {}),
        passed_over=choice.passed_over,
        locks_passed_over=facts.dependencies.passed_over if facts.dependencies else (),
    )


def _choose_app(facts: AppFacts, settings: Settings) -> _Choice:
    """Choose what to start: what is told, then gunicorn.conf.py, Django, wsgi.py, app.py, packages."""
    told: list[_Choice] = []
    if settings.app:
        told.append(_Choice(app=settings.app, origin=settings.origin("app")))
    if facts.gunicorn_app and facts.requirements and facts.requirements.find("gunicorn"):
        told.append(_Choice(app=import_string(facts.gunicorn_app), origin="wsgi_app in gunicorn.conf.py"))
    if facts.django and facts.django.app:
        told.append(_Choice(app=facts.django.app, origin=facts.django.origin))
    found = [c for tier in facts.tiers for c in tier]
    if told:
        rest = [f"{c.app} ({c.origin})" for c in told[1:] if c.app != told[0].app]
        rest += [f"{c.app} ({c.origin})" for c in found if c.app != told[0].app]
        interface = next((c.interface for c in found if c.app == told[0].app), None)
        return _Choice(
            app=told[0].app,
            origin=told[0].origin,
            passed_over=tuple(dict.fromkeys(rest)),
            interface=interface,
        )
    for tier in facts.tiers:
        possible = choose(tier)
        if len(possible) > 1:
            raise SeveralEntryPointsError([str(c) for c in possible])
        if possible:
            rest = [f"{c.app} ({c.origin})" for c in found if c is not possible[0]]
            return _Choice(
                app=possible[0].app,
                origin=possible[0].origin,
                passed_over=tuple(rest),
                interface=possible[0].interface,
            )
    raise NoEntryPointError(_LOOKED_FOR, facts.top)


def choose_server(
    app: str,
    interface: str | None,
    facts: AppFacts,
    settings: Settings,
    version: Callable[[str], str | None] = lambda _: None,
) -> tuple[str, str]:
    """Choose the server and say why: the one that is told, else one of the requirements that fits, else the default.

    Args:
        app: What is started.
        interface: What it speaks; None where that isn't known yet.
        facts: What the source shows.
        settings: The settings.
        version: Tells the installed version of a distribution, once there is one.

    Raises:
        UnsupportedInterfaceError: The server that is told is for other applications.
        UnknownServerError: There is no such server.
    """
    if settings.server:
        servers.load(settings.server, settings.origin("server"))
        if interface:
            servers.require_fit(settings.server, app, interface, settings.origin("server"))
        return settings.server, settings.origin("server")
    interface = interface or WSGI
    default = servers.DEFAULTS[interface]
    if interface in PROGRAMS:
        return default, "it listens by itself"
    reason = f"default for {interface}: no server in the requirements"
    for name in servers.NAMES:
        package = servers.load(name).PACKAGE
        if not package or not facts.requirements or not (line := facts.requirements.find(package)):
            continue
        if interface not in servers.load(name).INTERFACES:
            reason = f"default for {interface}: {name} in {line.origin} is for other applications"
        elif interface == ASGI and name == "gunicorn" and not _has_asgi_worker(version, facts):
            reason = f"default for {interface}: gunicorn in {line.origin} is too old to have a worker for it"
        else:
            return name, f"from {line.origin}"
    return default, reason


def _has_asgi_worker(version: Callable[[str], str | None], facts: AppFacts) -> bool:
    """Tell whether gunicorn runs ASGI: by its own worker, or by uvicorn's where the application brings uvicorn."""
    found = version("gunicorn")
    if found is None or gunicorn.has_asgi_worker(found):
        return True
    return facts.requirements is not None and facts.requirements.find("uvicorn") is not None
