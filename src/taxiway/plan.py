"""Deciding: from facts and settings to a build plan. Pure functions over plain data."""

import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from taxiway import proxy, servers
from taxiway.detect import AppFacts, procfile
from taxiway.detect.entry_points import Candidate, choose
from taxiway.errors import (
    NoAppFileError,
    NoEntryPointError,
    NotebookError,
    ServerNotHereError,
    SeveralEntryPointsError,
    UnsupportedInterfaceError,
)
from taxiway.launch_plan import ASGI, COMMAND, PROGRAMS, WSGI
from taxiway.servers import gunicorn
from taxiway.settings import PEERS, TYPED, Settings, import_string

_LOOKED_FOR = (
    "app.sh, a web process in Procfile, wsgi_app in gunicorn.conf.py",
    "manage.py with DJANGO_SETTINGS_MODULE (Django), production.ini (PasteDeploy)",
    "wsgi.py, asgi.py, app.py, application.py, main.py and other modules and packages",
    "  with an object of a web framework, a function or create_app()",
    "programs that listen by themselves; Streamlit, Gradio, notebooks",
)
_ASGI_SERVERS = ("daphne",)  # that taxiway doesn't run, but that show what is meant


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
    project_file: str | None = None
    """The file because of which the project itself is installed."""
    warnings: tuple[str, ...] = ()
    processes: tuple[tuple[str, str], ...] = ()
    """The process types besides `web`: name and command line."""

    def as_data(self) -> dict[str, Any]:
        """Return the plan for JSON."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class _Choice:
    app: str
    origin: str
    passed_over: tuple[str, ...] = ()
    interface: str | None = None
    warnings: tuple[str, ...] = ()

    @classmethod
    def of(cls, candidate: Candidate) -> "_Choice":
        warnings = (candidate.warning,) if candidate.warning else ()
        return cls(app=candidate.app, origin=candidate.origin, interface=candidate.interface, warnings=warnings)


def decide(facts: AppFacts, settings: Settings, defaults: Mapping[str, tuple[str, str]] | None = None) -> BuildPlan:
    """Decide what to build and what to start.

    Args:
        facts: What the source shows.
        settings: The settings.
        defaults: As for `choose_server`.

    Raises:
        NoEntryPointError: Nothing says what to start.
        NoAppFileError: The file that was told isn't there.
        NotebookError: There are notebooks only, and nothing that shows them.
        SeveralEntryPointsError: More than one object could be the application.
        UnsupportedInterfaceError: The server that was asked for is for other applications.
        UnknownServerError: There is no such server.
        BadProxyPolicyError: The settings of trusted proxies can't be used.
    """
    choice = _choose_app(facts, settings)
    server, server_origin = choose_server(choice.app, choice.interface, facts, settings, defaults=defaults)
    proxy.decide(settings, server)
    requirements = facts.requirements
    return BuildPlan(
        app=choice.app,
        home=facts.home,
        framework="django" if facts.django else None,
        django_settings=facts.django.settings(choice.app) if facts.django else None,
        interface=choice.interface,
        server=server,
        requirements=requirements.file if requirements else None,
        require_hashes=requirements.hashed if requirements else False,
        unpinned=tuple(f"{pin.requirement} ({pin.origin})" for pin in requirements.unpinned) if requirements else (),
        collectstatic=facts.django is not None and settings.collectstatic,
        static=settings.static,
        origins={"app": choice.origin, "server": server_origin}
        | ({"dependencies": facts.dependencies.origin} if facts.dependencies else {})
        | ({"project": facts.project_passed_over} if facts.project_passed_over else {}),
        passed_over=choice.passed_over,
        processes=tuple((process.name, process.command) for process in facts.processes if process.name != procfile.WEB),
        locks_passed_over=facts.dependencies.passed_over if facts.dependencies else (),
        project_file=facts.dependencies.project if facts.dependencies else None,
        warnings=(*facts.warnings, *choice.warnings),
    )


def _choose_app(facts: AppFacts, settings: Settings) -> _Choice:
    """Choose what to start: what is told, then what the source declares, then what is found in it."""
    certain = [*_told(facts, settings), *_declared(facts, _preferred(facts, settings))]
    found = [c for tier in facts.tiers for c in tier]
    chosen = certain[0] if certain else None
    if chosen is None:
        for tier in facts.tiers:
            possible = choose(tier, _preferred(facts, settings))
            if len(possible) > 1:
                raise SeveralEntryPointsError([str(c) for c in possible], *possible[0].settings)
            if possible:
                chosen = _Choice.of(possible[0])
                break
    if chosen is None and facts.notebooks:
        chosen = _notebook(facts)
    if chosen is None:
        raise NoEntryPointError(_LOOKED_FOR, facts.top, facts.rejected, facts.aside)
    same = {chosen.app} | {c.app for c in found for o in found if o.app == chosen.app and c.identity == o.identity}
    others = [*certain, *map(_Choice.of, found)]
    hint = next((c.interface for c in found if c.app == chosen.app), None)
    return replace(
        chosen,
        interface=chosen.interface or hint,
        passed_over=tuple({c.app: f"{c.app} ({c.origin})" for c in reversed(others) if c.app not in same}.values())[::-1],
    )


def _told(facts: AppFacts, settings: Settings) -> Iterator[_Choice]:
    """Give what the settings and gunicorn's configuration say.

    For s2i-python-container, wsgi_app in gunicorn.conf.py goes before APP_SCRIPT, APP_FILE and APP_MODULE, in this order; what is
    said to taxiway itself goes before all.
    """
    told = [_Choice(app=settings.app, origin=settings.origin("app"))] if settings.app else []
    for setting, name, file in (
        ("app-script", settings.app_script, facts.told_script),
        ("app-file", settings.app_file, facts.told_file),
    ):
        if name and file is None:
            raise NoAppFileError(name, settings.origin(setting), facts.top)
        if file:
            told.append(replace(_Choice.of(file), origin=settings.origin(setting)))
    peers = [choice for choice in told if choice.origin.startswith(PEERS)]
    yield from (choice for choice in told if choice not in peers)
    if facts.gunicorn_app and facts.requires("gunicorn"):
        yield _Choice(app=import_string(facts.gunicorn_app), origin=f"wsgi_app in {facts.gunicorn_file}")
    yield from peers[1:] + peers[:1] if peers and peers[0].app == settings.app else peers


def _declared(facts: AppFacts, preferred: str) -> Iterator[_Choice]:
    """Give what the source declares: app.sh, Procfile, Django's settings."""
    if facts.script:
        yield _Choice.of(facts.script)
    if web := procfile.find(facts.processes, procfile.WEB):
        yield _Choice(app=web.command, origin=web.origin, interface=COMMAND)
    if facts.django:
        apps = [_Choice.of(c) for c in facts.django.apps]
        yield from sorted(apps, key=lambda c: c.interface != preferred) if preferred else apps


def _preferred(facts: AppFacts, settings: Settings) -> str:
    """Tell which interface the server needs, if it is the only one that the told or the required servers have; else empty."""
    names = [settings.server] if settings.server in servers.NAMES else servers.NAMES
    packages = ((servers.load(name).PACKAGE, servers.load(name).INTERFACES) for name in names)
    speaks = {
        i for package, interfaces in packages if package and (settings.server or facts.asked_for(package)) for i in interfaces
    }
    if not settings.server and facts.requires(*_ASGI_SERVERS):
        speaks.add(ASGI)
    return speaks.pop() if len(speaks) == 1 else ""


def _notebook(facts: AppFacts) -> _Choice:
    """Choose the program that shows notebooks: a single one, or a list of them.

    Raises:
        NotebookError: None is required.
    """
    one = shlex.quote(facts.notebooks[0]) if len(facts.notebooks) == 1 else ""
    origin = f"{', '.join(facts.notebooks)}, with no other application"
    if facts.requires("voila"):
        command = f"voila {one} --no-browser --Voila.ip=0.0.0.0 --port=$PORT"
    elif facts.requires("jupyterlab", "jupyter", "notebook"):
        program = "lab" if facts.requires("jupyterlab", "jupyter") else "notebook"
        command = f"jupyter {program} {one} --no-browser --ip=0.0.0.0 --port=$PORT"
    else:
        raise NotebookError(facts.notebooks)
    return _Choice(app=" ".join(command.split()), origin=origin, interface=COMMAND)


def choose_server(
    app: str,
    interface: str | None,
    facts: AppFacts,
    settings: Settings,
    version: Callable[[str], str | None] = lambda _: None,
    *,
    defaults: Mapping[str, tuple[str, str]] | None = None,
) -> tuple[str, str]:
    """Choose the server and say why: the one that is told, else one of the requirements that fits, else the default.

    Args:
        app: What is started.
        interface: What it speaks; None where that isn't known yet.
        facts: What the source shows.
        settings: The settings.
        version: Tells the installed version of a distribution, once there is one.
        defaults: By interface, the server where nothing asks for one, and why it isn't the images'.

    Raises:
        UnsupportedInterfaceError: The server that is told is for other applications.
        UnknownServerError: There is no such server.
    """
    impossible = _impossible(settings, defaults)
    if settings.server and not impossible:
        servers.load(settings.server, settings.origin("server"))
        if interface:
            servers.require_fit(settings.server, app, interface, settings.origin("server"))
        if settings.server == "gunicorn" and interface == ASGI and not _has_asgi_worker(version, facts):
            fitting = [name for name in servers.fitting(ASGI) if name != "gunicorn"]
            raise UnsupportedInterfaceError(app, ASGI, f"gunicorn {version('gunicorn')}", settings.origin("server"), fitting)
        return settings.server, settings.origin("server")
    interface = interface or WSGI
    default, instead = (defaults or {}).get(interface, (servers.DEFAULTS[interface], ""))
    if interface in PROGRAMS:
        return default, "it listens by itself"
    reason = f"default for {interface}: {', and '.join(filter(None, ('no server in the requirements', instead)))}"
    reason = f"{settings.origin('server')} asks for {impossible}" if impossible else reason
    if facts.requirements and (line := facts.requirements.find("daphne")):
        reason = f"default for {interface}: daphne in {line.origin} isn't one of taxiway's servers"
    for name in servers.NAMES:
        if not (line := next(filter(None, map(facts.asked_for, servers.packages(name))), None)):
            continue
        if interface not in servers.load(name).INTERFACES:
            reason = f"default for {interface}: {name} in {line.origin} is for other applications"
        elif interface == ASGI and name == "gunicorn" and not _has_asgi_worker(version, facts):
            reason = f"default for {interface}: gunicorn in {line.origin} is too old to have a worker for it"
        else:
            return name, f"from {line.origin}"
    return default, reason


def _impossible(settings: Settings, defaults: Mapping[str, tuple[str, str]] | None) -> str:
    """Say why the server that the project asks for can't run on this machine; empty: it can, or is none that has a stand-in.

    Raises:
        ServerNotHereError: It was asked for by whoever types the command.
    """
    _, why = (defaults or {}).get(WSGI, ("", ""))
    if not why or settings.server != servers.DEFAULTS[WSGI]:
        return ""
    if settings.origin("server") in TYPED:
        raise ServerNotHereError(why)
    return why


def _has_asgi_worker(version: Callable[[str], str | None], facts: AppFacts) -> bool:
    """Tell whether gunicorn runs ASGI: by its own worker, or by uvicorn's where the application brings uvicorn."""
    found = version("gunicorn")
    if found is None or gunicorn.has_asgi_worker(found):
        return True
    return facts.requirements is not None and facts.requirements.find("uvicorn") is not None
