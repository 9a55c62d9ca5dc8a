"""Deciding: from facts and settings to a build plan. Pure functions over plain data."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from taxiway import proxy, servers
from taxiway.detect import AppFacts
from taxiway.detect.entry_points import ASGI, choose
from taxiway.errors import (
    NoEntryPointError,
    SeveralEntryPointsError,
    UnsupportedInterfaceError,
)
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
    server: str
    server_in_requirements: bool
    requirements: str | None
    """The requirements file, relative to the source."""
    require_hashes: bool
    unpinned: tuple[str, ...]
    """Requirements that don't say exactly what is installed."""
    collectstatic: bool
    static: tuple[str, ...]
    """URL=DIRECTORY pairs that were set."""
    origins: Mapping[str, str]
    """What decided `app` and `server`."""
    passed_over: tuple[str, ...]

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
        UnsupportedInterfaceError: The application isn't a WSGI application.
        UnknownServerError: There is no such server.
        BadProxyPolicyError: The settings of trusted proxies can't be used.
    """
    choice = _choose_app(facts, settings)
    server, server_origin, in_requirements = _choose_server(facts, settings)
    servers.load(server, server_origin)
    proxy.decide(settings, server)
    if choice.interface == ASGI:
        raise UnsupportedInterfaceError(choice.app, ASGI, server)
    requirements = facts.requirements
    return BuildPlan(
        app=choice.app,
        home=facts.home,
        framework="django" if facts.django else None,
        django_settings=facts.django.settings_module if facts.django else None,
        server=server,
        server_in_requirements=in_requirements,
        requirements=requirements.file if requirements else None,
        require_hashes=requirements.hashed if requirements else False,
        unpinned=tuple(f"{pin.requirement} ({pin.origin})" for pin in requirements.unpinned) if requirements else (),
        collectstatic=facts.django is not None and settings.collectstatic,
        static=settings.static,
        origins={"app": choice.origin, "server": server_origin},
        passed_over=choice.passed_over,
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


def _choose_server(facts: AppFacts, settings: Settings) -> tuple[str, str, bool]:
    """Choose the server: what is told, else the one in the requirements, else the default."""
    required = {
        name: line
        for name in servers.NAMES
        if facts.requirements and (line := facts.requirements.find(servers.load(name).PACKAGE))
    }
    if settings.server:
        return settings.server, settings.origin("server"), settings.server in required
    for name, line in required.items():
        return name, f"from {line.origin}", True
    return servers.NAMES[0], "default: no server in the requirements", False
