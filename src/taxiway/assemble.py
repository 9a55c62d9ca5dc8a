"""Building, step by step: in an image, S2I's `assemble`; on a laptop, in place.

The order: source, pre-build hook, dependencies, build hook, the application's own answers (one import), the server that these
ask for, static files, bytecode, permissions, launch plan. Each step is announced; the first that fails ends the build.
On a laptop the source stays where it is, Python compiles what it imports, and nobody else has to use the files.
"""

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from taxiway import console, environment, hooks, launch_plan, processes, proxy, servers, variables, warpdrive
from taxiway.build import application, artifacts, bytecode, permissions, source, static_files, touched
from taxiway.configuration import read_project
from taxiway.dependencies import check, credentials, formats, inputs, install, installer, state, system, wheelhouse
from taxiway.dependencies.credentials import Credentials
from taxiway.dependencies.installer import Installer
from taxiway.dependencies.pins import PinnedList
from taxiway.detect import AppFacts, look
from taxiway.errors import (
    CollectstaticError,
    CommandFailedError,
    NoSbomLibraryError,
    PipenvAndMicropipenvError,
    ServerMissingError,
    TaxiwayError,
    WheelhouseError,
)
from taxiway.image import labels
from taxiway.launch_plan import COMMAND, PROGRAMS, WSGI, LaunchPlan
from taxiway.layout import ARTIFACTS, UPLOAD, Layout
from taxiway.plan import BuildPlan, choose_server, decide
from taxiway.process import run
from taxiway.sbom import provenance, store
from taxiway.servers import options
from taxiway.settings import Settings, resolve, variable

_TEMPORARY = ("/tmp", "/var/tmp")  # noqa: S108  # what hooks and build back ends leave there is in the image too
_GIVES_TO_ROOT = "taxiway image, or assemble-runtime,"
_NAMED = 5  # of what is warned about: S2I reports a kilobyte of stderr, and the error comes last


def assemble(upload: Path, saved: Path, layout: Layout, environ: Mapping[str, str]) -> None:
    """Build the application from what was uploaded.

    Args:
        upload: The uploaded source.
        saved: Artifacts of an earlier build; may be absent or empty.
        layout: The application's places.
        environ: The environment.

    Raises:
        TaxiwayError: A step failed; its text says what was run, what failed and what to do.
    """
    os.umask(0o002)  # group 0 has to be able to use what is written
    built_ns = touched.changed_ns(layout.launch_plan)  # the last thing that an earlier build wrote
    Path(layout.launch_plan).unlink(missing_ok=True)  # an image that is built upon must not start with its old plan
    settings = resolve_settings(environ, upload, warn=lambda _: None)  # warned below, where all count
    given = read_credentials(settings.credentials, upload, environ)
    came_from = provenance.source(upload, environ)
    _install_source(upload, layout, keep_git=settings.keep_git)
    built = _build(saved, layout, environ, given, built_ns=built_ns)
    with ThreadPoolExecutor(1) as beside:
        compressed = beside.submit(static_files.compress, [path for _, path in built.launch.static], Path(layout.static_variants))
        with console.step("Compiling to bytecode"):
            bytecode.compile_application(layout, _environment(environ, layout, built.launch.home), since_s=built.compiled_s)
        if built.launch.static:
            with console.step("Compressing the static files") as step:
                step.result = compressed.result()
    _write_materials(built.requirements, came_from, layout, environ)
    _clean_up(given, layout)
    _finish(built.launch, layout, is_touched=built.compiled_s is not None)
    if upload == Path(UPLOAD):
        launch = built.launch
        given_labels = labels.labels(
            Path(layout.source), came_from, immutable=launch.immutable, writable=launch.writable, on_builder=True
        )
        labels.write_for_s2i(given_labels)


def build_in_place(layout: Layout, environ: Mapping[str, str], defaults: Mapping[str, tuple[str, str]]) -> LaunchPlan:
    """Build the environment of a source that stays where it is; returns the launch plan, which isn't stored yet.

    Args:
        layout: The environment's places.
        environ: The environment.
        defaults: As for `choose_server`.

    Raises:
        TaxiwayError: A step failed.
    """
    settings = resolve_settings(environ, Path(layout.source), warn=lambda _: None)
    given = read_credentials(settings.credentials, Path(layout.source), environ)
    return _build(Path(layout.state, "artifacts"), layout, environ, given, defaults=defaults).launch


class _Built(NamedTuple):
    """What came of the steps that are the same everywhere."""

    launch: LaunchPlan
    compiled_s: float | None
    """Since when the bytecode of the dependencies is right; None: nothing in them was touched since an earlier build."""
    requirements: PinnedList | None


def _build(
    saved: Path,
    layout: Layout,
    environ: Mapping[str, str],
    given: Credentials,
    *,
    built_ns: int = 0,
    defaults: Mapping[str, tuple[str, str]] | None = None,
) -> _Built:
    """Look, decide, install, import once, collect static files."""
    has_hooks = hooks.run(layout.source, "pre-build", _environment(environ, layout, "."))
    with console.step("Looking at the application"):
        settings = resolve_settings(environ, Path(layout.source))
        project, project_origin = read_project(Path(layout.source))
        declared = variables.declared(project, project_origin)
        facts = look(Path(layout.source), settings)
        plan = decide(facts, settings, defaults)
        options.table(project, project_origin, environ)
        tell(plan, console.detail)
        if warning := proxy.decide(settings, plan.server).warning:
            console.warn(warning)
    system.ensure(settings.system_packages, environ)
    env = _environment(environ, layout, plan.home)
    compiled_s = _install_dependencies(facts.requirements, saved, layout, env, given=given, settings=settings)
    if settings.install_pip:
        _install_pip(settings.origin("install_pip"), layout, env)
    has_hooks = hooks.run(layout.source, "build", env) or has_hooks
    stand_ins = {row.name: application.placeholder(row.name) for row in variables.missing(declared, env)}
    with ThreadPoolExecutor(1) as beside:  # the import is waited for anyway
        looked = beside.submit(touched.since, layout.packages, built_ns)
        inspection = _import(plan, facts, stand_ins, layout, env)
        is_touched = looked.result() or has_hooks
    plan = settle(
        plan, inspection.interface, facts, settings, lambda name: install.installed_version(name, layout), defaults=defaults
    )
    if missing := server_distributions(plan, lambda name: install.installed_version(name, layout) is not None):
        with console.step(f"Installing the server {plan.server} ({plan.origins['server']})"):
            install_servers(missing, layout, env)
            is_touched = True
    if plan.interface == COMMAND and (program := application.missing_program(plan.app, env["PATH"])):
        console.warn(
            f"{program} isn't installed, but {plan.app!r} ({plan.origins['app']}) begins with it; add it to the requirements."
        )
    inspection = _collect_static(plan, inspection, settings, layout, {**env, **stand_ins})
    return _Built(
        _launch_plan(plan, inspection, layout, project, project_origin)._replace(
            immutable=settings.immutable, writable=settings.writable
        ),
        compiled_s if is_touched else None,
        facts.requirements,
    )


def assemble_dependencies(
    upload: Path,
    layout: Layout,
    environ: Mapping[str, str],
    *,
    home: str = ".",
    packages: Sequence[str] = (),
    tentative: bool = False,
) -> None:
    """Install the dependencies, from what of a source decides them: a layer of its own, on which `assemble` builds then.

    What is installed in place belongs to the source's layer.

    Args:
        upload: Where these files were put; nothing of them stays.
        layout: The application's places.
        environ: The environment.
        home: The application's directory, relative to the source.
        packages: Server packages to install from the builder's wheelhouse, as far as the dependencies don't bring them.
        tentative: Leave everything as it was if it fails: what the build runs before may belong to it, and isn't here.

    Raises:
        TaxiwayError: It failed, and isn't tentative.
    """
    os.umask(0o002)
    upload.mkdir(exist_ok=True)
    before = state.read(layout)
    try:
        _install_ahead(layout._replace(source=str(upload)), environ, home, packages)
    except TaxiwayError as error:
        if not tentative:
            raise
        if before is None:
            install.clear(layout)
            Path(layout.dependencies).unlink(missing_ok=True)
        console.step(f"The dependencies can't be installed ahead of the source: {str(error).splitlines()[0]}")
    immutable = resolve_settings(environ, upload, warn=lambda _: None).immutable
    shutil.rmtree(upload, ignore_errors=True)
    _settle_rights(layout, immutable, ())


def _install_ahead(layout: Layout, environ: Mapping[str, str], home: str, packages: Sequence[str]) -> None:
    source = Path(layout.source)
    settings = resolve_settings(environ, source)
    given = read_credentials(settings.credentials, source, environ)
    system.ensure(settings.system_packages, environ)
    found = formats.look(source, source / home, settings)
    pinned = found.pinned if found else None
    if pinned:
        pinned = replace(pinned, pins=tuple(pin for pin in pinned.pins if not inputs.is_in_place(pin)))
    env = _environment(environ, layout, home)
    since_s = given.since_s
    if pinned and pinned.applicable:
        since_s = _install_dependencies(pinned, Path(os.devnull), layout, env, given=given, settings=settings)
    if settings.install_pip:
        _install_pip(settings.origin("install_pip"), layout, env)
    if missing := [name for name in packages if install.installed_version(name, layout) is None]:
        with console.step(f"Installing {', '.join(missing)} for the server"):
            install_servers(missing, layout, env)
            bytecode.compile_dependencies(layout, env, since_s=since_s)
    _look_for_credentials(given, layout)  # the source's layer looks only at what it writes itself
    _write_materials(pinned, None, layout, environ)


def assemble_in_image(environ: Mapping[str, str]) -> None:
    """Build the application where S2I, or a Dockerfile, put its source."""
    assemble(Path(UPLOAD), Path(ARTIFACTS), Layout.from_environ(environ), environ)


def _settle_rights(layout: Layout, immutable: bool, writable: Sequence[str], *without: str) -> int:  # noqa: FBT001
    if not immutable:
        return permissions.open_to_group(Path(layout.app_root), *without)
    return permissions.close(Path(layout.app_root), [os.path.join(layout.source, name) for name in writable], *without)


def _finish(launch: LaunchPlan, layout: Layout, *, is_touched: bool) -> None:
    """Write the launch plan last of all, as the next build asks what changed after it."""
    for name in launch.writable:
        Path(layout.source, name).mkdir(parents=True, exist_ok=True)
    with console.step("Closing the files to group 0" if launch.immutable else "Opening the files to group 0") as step:
        changed = _settle_rights(layout, launch.immutable, launch.writable, *[layout.packages] * (not is_touched))
        step.result = f"{changed} changed"
    if launch.immutable:
        os.umask(0o022)
        if os.geteuid() != 0:
            console.detail(f"immutable: they belong to user {os.geteuid()} until {_GIVES_TO_ROOT} gives them to root")
    launch_plan.write(launch, layout.launch_plan)
    console.step(f"Built. It will start {launch.app} under {launch.server} {launch.servers.get(launch.server, '')}".rstrip())


def read_credentials(directory: str, source: Path, environ: Mapping[str, str], *, of_image: bool = True) -> Credentials:
    """Read what the build was given, and hide it in all output from here on.

    Args:
        directory: Where the files are.
        source: The source, whose environment files count.
        environ: The environment.
        of_image: Whether that environment stays in an image.

    Raises:
        BadCredentialsError: A file can't be read, or isn't in its format.
    """
    given = credentials.read(Path(directory), environment.load_files(environ, str(source), environment.BUILD))
    console.hide(secret.value for secret in given.secrets)
    if given.files:
        console.step(f"Credentials from {directory}: {', '.join(given.files)}")
    if of_image and (found := credentials.variables(environ)):
        console.warn(credentials.warning(found, directory))
    return given


def _install_source(upload: Path, layout: Layout, *, keep_git: bool) -> None:
    with console.step("Installing the source") as step:
        step.result = f"{source.install(upload, Path(layout.source), keep_git=keep_git)} files"


def _write_materials(
    requirements: PinnedList | None, came_from: provenance.Source | None, layout: Layout, environ: Mapping[str, str]
) -> None:
    """Write down what the application consists of, and where it came from, if that is known yet."""
    try:
        with console.step("Writing bill of materials and provenance") as step:
            step.result = store.write_bill(layout, requirements, environ)
            if came_from:
                store.write_provenance(layout, requirements, came_from)
    except NoSbomLibraryError:
        console.detail("neither is written, because cyclonedx-python-lib isn't installed: pip install 'taxiway[sbom]'")


def _clean_up(given: Credentials, layout: Layout) -> None:
    """Remove what was for the build alone; a credential in what was written ends the build."""
    wheelhouse.remove(Path(layout.source))
    _look_for_credentials(given, layout)


def _look_for_credentials(given: Credentials, layout: Layout) -> None:
    if given.secrets:
        with console.step("Looking for credentials in what was written") as step:
            step.result = f"none in {credentials.check(given.secrets, layout, given.since_s, _TEMPORARY)} files"


def install_servers(names: Sequence[str], layout: Layout, env: Mapping[str, str]) -> None:
    """Install server packages from the builder's wheelhouse."""
    lines = install.server_packages(names, layout.app_root)
    with tempfile.TemporaryDirectory() as private:
        environ = installer.environment(env, Credentials(), private)
        install.install_servers(lines, Installer(name="uv", layout=layout, environ=environ, private=private))


def _install_pip(origin: str, layout: Layout, env: Mapping[str, str]) -> None:
    """Install what the application has no own version of: pip as the image's Python brings it, the others from its wheels."""
    missing = [name for name in ("pip", "setuptools", "wheel") if not install.installed_version(name, layout)]
    with console.step(f"Installing {', '.join(missing) or 'nothing'} of the builder image ({origin})"):
        if "pip" in missing:
            argv = [layout.python, "-m", "ensurepip", "--default-pip"]
            result = run(argv, env=env, cwd=layout.source)
            if result.status:
                raise CommandFailedError(console.join(argv), result.reason, result.output)
            missing.remove("pip")
        if missing:
            install_servers(missing, layout, env)


def resolve_settings(environ: Mapping[str, str], directory: Path, *, warn: Callable[[str], None] = console.warn) -> Settings:
    """Read the project's settings and decide all."""
    environ, project, origin = sources_of(environ, directory)
    if variable(environ, "ENABLE_PIPENV") and variable(environ, "ENABLE_MICROPIPENV"):
        raise PipenvAndMicropipenvError
    if variable(environ, "PIN_PIPENV_VERSION"):
        warn("PIN_PIPENV_VERSION changes nothing: Pipfile.lock is read without pipenv.")
    return resolve(environ=environ, project=project, project_origin=origin, warn=warn)


def sources_of(environ: Mapping[str, str], directory: Path) -> tuple[Mapping[str, str], Mapping[str, object], str]:
    """Return the environment, with environment files of the source, the project's own table, and where that was read."""
    project, origin = read_project(directory)
    environ = environment.resolve(environ, str(directory), environment.BUILD, variables.declared(project, origin))
    return warpdrive.translate(environ, str(directory), servers.NAMES), project, origin


def tell(plan: BuildPlan, say: Callable[[str], None]) -> None:
    """Say what was decided, why, and what was passed over."""
    say(f"starts {plan.app} ({plan.origins['app']})")
    for other in plan.passed_over:
        say(f"  passed over: {other}")
    for warning in plan.warnings:
        console.warn(warning)
    say(f"server {plan.server} ({plan.origins['server']})")
    if plan.requirements:
        origin = plan.origins.get("dependencies", "")
        say(f"dependencies from {plan.requirements}, {'with' if plan.require_hashes else 'without'} hashes ({origin})")
    if plan.project_file:
        say(f"installs the project itself, in place ({plan.project_file})")
    elif "project" in plan.origins:
        say(f"doesn't install the project itself: {plan.origins['project']}")
    if plan.processes:
        names = ", ".join((processes.WEB, *dict(plan.processes)))
        say(f"process types {names}; a container runs web, or what TAXIWAY_PROCESS names")
    if processes.RELEASE in dict(plan.processes):
        say("  release isn't run by itself; TAXIWAY_PROCESS=release in a Job runs it, and Django's migrations run anyway")
    for other in plan.locks_passed_over:
        say(f'  passed over: {other} (to read it: dependencies = "{other}" in [tool.taxiway])')


def settle(
    plan: BuildPlan,
    interface: str | None,
    facts: AppFacts,
    settings: Settings,
    version: Callable[[str], str | None],
    *,
    defaults: Mapping[str, tuple[str, str]] | None = None,
) -> BuildPlan:
    """Choose the server anew, now that the application's interface and the installed versions are known; pure."""
    interface = interface or plan.interface or WSGI
    server, origin = choose_server(plan.app, interface, facts, settings, version, defaults=defaults)
    return replace(plan, interface=interface, server=server, origins={**plan.origins, "server": origin})


def server_distributions(plan: BuildPlan, has: Callable[[str], bool]) -> list[str]:
    """List what the application lacks: the server and what that needs, and what runs several process types; pure."""
    own = servers.packages(plan.server)
    needed = (*servers.load(plan.server).REQUIRES, *([processes.PACKAGE] if processes.together(plan.processes) else ()))
    return [*(own[:1] if not any(map(has, own)) else ()), *(name for name in needed if not has(name))]


def _install_dependencies(
    requirements: PinnedList | None,
    saved: Path,
    layout: Layout,
    env: Mapping[str, str],
    *,
    given: Credentials,
    settings: Settings,
) -> float:
    """Install what changed. Returns since when the bytecode of the dependencies is known to be right."""
    wanted = state.describe(requirements, layout)
    restored = saved.is_dir() and artifacts.restore(saved, wanted, layout, env)
    compiled_s = time.time() if restored else given.since_s
    changes = state.compare(state.read(layout), wanted)
    install.remove_old_servers(requirements, layout)
    if not changes.reasons:
        where = "taken from the previous image" if restored else "already installed"
        console.step(f"Dependencies: unchanged, {where}; nothing to download")
        if requirements and settings.strict:
            check.check(requirements, layout, strict=True)  # what was built before may not have been
        return compiled_s
    house = wheelhouse.find(Path(layout.source))
    if house and (lacking := wheelhouse.missing(house, requirements)):
        raise WheelhouseError(str(house.path), lacking)
    if not house:
        install.check_back_ends(requirements, layout, strict=settings.strict)
    with console.step(f"Installing the dependencies ({changes})"), tempfile.TemporaryDirectory() as private:
        if requirements and (unpinned := [f"{pin.requirement} ({pin.origin})" for pin in requirements.unpinned]):
            more = f" and {len(unpinned) - _NAMED} more" * (len(unpinned) > _NAMED)
            console.warn(
                f"Not pinned, so that another build may install something else: {', '.join(unpinned[:_NAMED])}{more}. "
                "Pin them: taxiway lock"
            )
        environ = installer.environment(env, given, private)
        tool = Installer(name=settings.installer, layout=layout, environ=environ, private=private)
        install.apply(changes, wanted, requirements, tool, house, strict=settings.strict)
    if wanted.pins and not layout.local:
        with console.step("Compiling the dependencies to bytecode"):  # before anything is imported from them
            bytecode.compile_dependencies(layout, env, since_s=compiled_s)
    return time.time()


def _import(
    plan: BuildPlan, facts: AppFacts, stand_ins: Mapping[str, str], layout: Layout, env: Mapping[str, str]
) -> application.Inspection:
    """Import the application; a program isn't, but where it may serve the project's Django, that has static files."""
    served = plan
    if plan.interface in PROGRAMS:
        if facts.django is None or not facts.django.apps:
            return application.Inspection(interface=plan.interface)
        served = replace(plan, app=facts.django.apps[0].app)
    with console.step(f"Importing {'the application' if served is plan else 'Django'} once") as step:
        if stand_ins:
            console.detail(f"required only where it runs, with a value of the build's for now: {', '.join(stand_ins)}")
        inspection = application.inspect(served, layout, {**env, **stand_ins})
        application.report(inspection)
        step.result = inspection.interface or "not possible in this build"
    return inspection if served is plan else replace(inspection, interface=plan.interface)


def _collect_static(
    plan: BuildPlan, inspection: application.Inspection, settings: Settings, layout: Layout, env: Mapping[str, str]
) -> application.Inspection:
    """Run Django's collectstatic, unless it is switched off; what the inspection found stays true."""
    if inspection.settings_failed and plan.collectstatic:
        raise CollectstaticError("settings that can't be loaded", inspection.error)
    if inspection.static_root and plan.collectstatic:
        if inspection.collected is None:
            with console.step("Collecting Django's static files"):
                application.collect_static(plan, inspection, layout, env)
        else:
            console.step("Django's static files were collected with the import")
            application.tell_collected(inspection.collected)
    elif inspection.static_root:
        console.detail(f"Django's static files aren't collected ({settings.origin('collectstatic')})")
        return application.without_static(inspection)
    return inspection


def _launch_plan(
    plan: BuildPlan,
    inspection: application.Inspection,
    layout: Layout,
    project: Mapping[str, object],
    project_origin: str,
) -> LaunchPlan:
    installed = {
        name: version
        for name in servers.NAMES
        for package in servers.packages(name)
        if (version := install.installed_version(package, layout))
    }
    if plan.server not in installed and plan.server not in PROGRAMS:
        raise ServerMissingError(plan.server, layout.app_root)
    static = [
        (url, os.path.realpath(os.path.join(layout.source, plan.home, directory)))
        for url, _, directory in (pair.partition("=") for pair in plan.static)
    ]
    origins = dict(plan.origins)
    if inspection.serves_static:
        origins["static"] = "the application's own middleware"
    elif inspection.static_root and (path := urlsplit(inspection.static_url or "/").path) != "/":
        # A CDN asks here for the path of its URL; a path of / would hide the application.
        static.append((path, inspection.static_root))
        origins["static"] = "STATIC_URL and STATIC_ROOT of Django's settings"
    return LaunchPlan(
        interface=plan.interface or WSGI,
        app=plan.app,
        home=plan.home,
        server=plan.server,
        servers=installed,
        framework=plan.framework,
        django_settings=plan.django_settings,
        static=tuple(static),
        static_root=inspection.static_root if inspection.static_root_supplied else None,
        project=project,
        project_origin=project_origin,
        origins=origins,
        passed_over=plan.passed_over,
        processes=plan.processes,
        import_bytes=inspection.import_bytes,
        free_threaded=inspection.free_threaded,
    )


def _environment(environ: Mapping[str, str], layout: Layout, home: str) -> dict[str, str]:
    """Return the environment of hooks and of the application's programs during the build."""
    declared = variables.declared(*read_project(Path(layout.source)))
    env = environment.resolve(environ, layout.source, environment.BUILD, declared)
    return environment.for_application(env, layout, home) | {"TAXIWAY_PHASE": "build"}
