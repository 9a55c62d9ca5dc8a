"""Starting the application: launch plan and environment give one command, which replaces this process.

What this module imports is part of every container start. So: no click, pathlib, dataclasses or subprocess on the way.
"""

import fcntl
import os
import sys
from collections.abc import Mapping

from taxiway import (
    console,
    environment,
    hooks,
    launch_plan,
    migrations,
    probes,
    processes,
    proxy,
    servers,
    settings,
    sizing,
    variables,
    warpdrive,
)
from taxiway.errors import (
    CannotExecError,
    CannotListenError,
    CannotWriteError,
    CommandFailedError,
    NotEnoughMemoryError,
    ServerNotBuiltError,
)
from taxiway.launch_plan import LaunchPlan
from taxiway.layout import Layout, claim_writable_path, first_writable_path, writable_path

_SPARE = 10  # descriptors from here on are in nobody's way
_MOST = 100
# A connection without data isn't accepted before (tcp(7)). uWSGI, the server that takes listening sockets, sets this for its own;
# without it, each request waits for its data once more, a fifth of what hello world takes.
_DEFER_ACCEPT_S = 4


def start(
    options: Mapping[str, object],
    environ: Mapping[str, str],
    *,
    dry_run: bool = False,
    reload: bool = False,
    browse: bool = False,
) -> None:  # pragma: no cover  # the image tests run it
    """Start the application; comes back only from a dry run, or ends with the server's status where the source is watched.

    Args:
        options: Settings from the command line.
        environ: The environment.
        dry_run: Print the command, and run neither hooks nor the server.
        reload: Start the server anew after each change of the source.
        browse: Open the page in a browser when the server answers.

    Raises:
        TaxiwayError: There is no launch plan, a setting is wrong, a hook fails, or the server can't be started.
    """
    layout = Layout.from_environ(environ)
    if not layout.local:
        os.umask(0o002)  # files must be usable by group 0: the next start may have another UID
    plan = launch_plan.read(layout.launch_plan)
    if not dry_run:
        if plan.immutable and os.stat(layout.source).st_uid == os.geteuid():
            console.warn(
                f"The application is to be immutable, but its files belong to user {os.geteuid()}, as who it runs. "
                "Only root can give them away: `taxiway image` does that, and s2i with --runtime-image."
            )
        _claim_writable(environ)
    launch = look(plan, options, environ, layout)
    command, env = prepare(launch)
    if not dry_run:
        once = layout.state if layout.local else launch.writable  # a laptop's environment outlives many starts
        hooks.run_once(layout.source, "deploy-cfg", launch.environ, os.path.join(once, "deploy-cfg.done"))
        migrations.at_start(launch)
        hooks.run(layout.source, "deploy", launch.environ)
        chosen = launch.settings
        serves = processes.WEB in processes.select(chosen.process, plan.processes, chosen.origin("process"))
        probes.write(launch.writable, probes.Target(chosen.port if serves else 0, chosen.health_path, chosen.health_host))
    if command.prepare:
        console.command(command.prepare)
    console.command(command.argv)
    if dry_run:
        return
    _listen(command)
    if browse:
        from taxiway.local import browser  # noqa: PLC0415  # not in a container

        browser.open_later(launch.settings.port, env)
    home = command.directory or launch.home
    if reload:
        from taxiway import reload as development  # noqa: PLC0415

        env["PYTHONPYCACHEPREFIX"] = os.path.join(launch.writable, "pycache")
        sys.exit(development.serve(command, env, home, layout.source, lambda: _prepare(command, env)))
    _execute(command, env, home)


def look(
    plan: LaunchPlan, options: Mapping[str, object], environ: Mapping[str, str], layout: Layout, *, complete: bool = True
) -> servers.Launch:
    """Decide all that a server's command depends on: settings, size, and the environment that hooks get too.

    Args:
        plan: The launch plan.
        options: Settings from the command line.
        environ: The environment.
        layout: The application's places.
        complete: Refuse an environment that lacks a required variable.

    Raises:
        TaxiwayError: A setting is wrong, a variable is missing, or the server isn't there.
    """
    declared = variables.declared(plan.project, plan.project_origin)
    env = environment.resolve(environ, layout.source, environment.DEPLOY, declared)
    if complete:
        variables.require(declared, env)
    chosen = settings.resolve(
        environ=warpdrive.translate(env, layout.source, servers.NAMES),
        project=plan.project,
        project_origin=plan.project_origin,
        options=options,
        warn=console.warn,
    )
    if options.get("trust-proxy-headers") and not chosen.trust_proxy:
        # What mod_wsgi-express and mod_wsgi-docker are given; they believe everyone then.
        console.warn("--trust-proxy-header without --trust-proxy: believed from private networks; name the proxies.")
        origins = {**chosen.origins, "trust-proxy": "--trust-proxy-header alone"}
        chosen = chosen._replace(trust_proxy=("private",), origins=origins)
    plan = _told(plan, chosen)
    asked = chosen.server or servers.DEFAULTS[plan.interface]
    # A laptop that can't run the server of the images has another, of which the build has said why.
    stands_in = (
        layout.local and plan.server != asked and asked not in plan.servers and chosen.origin("server") not in settings.TYPED
    )
    if chosen.server and chosen.server != plan.server and plan.interface not in launch_plan.PROGRAMS and not stands_in:
        servers.require_fit(chosen.server, plan.app, plan.interface, chosen.origin("server"))
        if chosen.server not in plan.servers:
            raise ServerNotBuiltError(chosen.server, chosen.origin("server"), plan.servers)
        plan = plan._replace(server=chosen.server, origins={**plan.origins, "server": chosen.origin("server")})
    limits = sizing.read_limits()
    footprint = sizing.Footprint(plan.import_bytes, plan.interface != launch_plan.ASGI, plan.free_threaded)
    others = len(processes.select(chosen.process, plan.processes, chosen.origin("process"))) - 1
    size = sizing.decide(limits, footprint, processes=chosen.processes, threads=chosen.threads, others=others)
    env = environment.for_application(env, layout, plan.home)
    env.update(PORT=str(chosen.port), WEB_CONCURRENCY=str(size.processes), TAXIWAY_APP=plan.app, TAXIWAY_SERVER=plan.server)
    env.update(TAXIWAY_MAX_BODY=str(chosen.max_body), TAXIWAY_LOG_FORMAT=chosen.log_format)
    env.update(TAXIWAY_REQUEST_TIMEOUT=str(chosen.request_timeout), TAXIWAY_GRACEFUL_TIMEOUT=str(chosen.graceful_timeout))
    env.update(TAXIWAY_PLAN=layout.launch_plan, TAXIWAY_PROXY=proxy.decide(chosen, plan.server).to_json())
    if plan.django_settings:
        env.setdefault("DJANGO_SETTINGS_MODULE", plan.django_settings)
    stands_in = stands_in and not plan.origins["server"].startswith("from ")
    host = _host(options.get("host"), layout)
    return servers.Launch(plan, chosen, size, layout, env, writable_path(environ), host, stands_in)


def prepare(launch: servers.Launch) -> tuple[servers.Command, dict[str, str]]:
    """Decide the command that the container becomes, and its environment, and say what was decided.

    Raises:
        UnknownProcessError: There is no process type that was asked for.
    """
    names = processes.select(launch.settings.process, launch.plan.processes, launch.settings.origin("process"))
    programs = [processes.Program(name, _program(name, launch)) for name in names]
    command = programs[0].command if len(programs) == 1 else processes.supervise(programs, launch)
    env = dict(launch.environ)
    for name in (*command.unset, "FORWARDED_ALLOW_IPS"):  # by which gunicorn and uvicorn would trust whom the policy doesn't
        env.pop(name, None)
    if command.hand_over and command.address:
        env["TAXIWAY_SOCKET"] = str(servers.DESCRIPTOR)
    return command, env


def _program(name: str, launch: servers.Launch) -> servers.Command:
    """Write the command of one process type, and say what it is."""
    plan, chosen = launch.plan, launch.settings
    if name != processes.WEB:
        line = dict(plan.processes)[name]
        console.step(f"Starting the process type {name}: {line}")
        return processes.shell(line, launch)
    server = servers.load(plan.server, plan.origins["server"])
    console.step(f"Starting {plan.app} ({plan.origins['app']}) on port {chosen.port}")
    console.detail(f"server: {plan.server} ({plan.origins['server']}), {launch.size.reason}")
    if launch.layout.local:
        host = "localhost" if launch.host == "127.0.0.1" else launch.host
        console.detail(f"http://{host}:{chosen.port}/ (Ctrl-C stops it)")
    policy = proxy.decide(chosen, plan.server)
    if policy.trust:
        console.detail(f"proxies: {', '.join(policy.headers)} from {', '.join(policy.trust)} ({chosen.origin('trust-proxy')})")
    for warning in proxy.warnings(policy, plan.server, plan.interface):
        console.warn(warning)
    if launch.size.shortage:
        raise NotEnoughMemoryError(*launch.size.shortage)
    return server.command(launch)


def _told(plan: LaunchPlan, chosen: settings.Settings) -> LaunchPlan:
    """Start something else than what the build decided, where the container's environment says so.

    The order is the build's: what is said to taxiway itself, gunicorn.conf.py, APP_SCRIPT, APP_FILE, APP_MODULE.
    """
    told = [
        (chosen.app_script, "app-script", launch_plan.SHELL),
        (chosen.app_file, "app-file", launch_plan.PYTHON),
        (chosen.app, "app", plan.interface),
    ]
    own = [row for row in told[-1:] + told[:-1] if not chosen.origin(row[1]).startswith(settings.PEERS)]
    peers = [row for row in told if chosen.origin(row[1]).startswith(settings.PEERS)]
    if plan.origins.get("app", "").startswith("wsgi_app"):
        peers = []
    for app, setting, interface in own + peers:
        if app is None:
            continue
        if setting == "app" and plan.interface in launch_plan.PROGRAMS:
            console.warn(
                f"{chosen.origin(setting)}={app} is passed over: this image starts a program, {plan.app} "
                f"({plan.origins['app']}). Build the image with it to start that application."
            )
            continue
        if app == plan.app or plan.app.rstrip("'").endswith(f"./{app}"):
            return plan  # as built; a script without its run bit has a command line
        server = interface if interface in launch_plan.PROGRAMS else plan.server
        origins = {**plan.origins, "app": chosen.origin(setting)}
        return plan._replace(app=app, interface=interface, server=server, origins=origins)
    return plan


def _host(told: object, layout: Layout) -> str:
    """Return the address to listen at: all of a container's, as it is to be reached; on a laptop this machine's own.

    One socket for IPv6 and IPv4: a server that polls two takes up to a tenth longer for hello world.
    """
    if told:
        return str(told)
    if layout.local:
        return "127.0.0.1"
    import socket  # noqa: PLC0415

    return "::" if socket.has_dualstack_ipv6() else "0.0.0.0"  # noqa: S104


def _listen(command: servers.Command) -> None:
    """Bind the address, which shows what forbids it before the server is started; keep the socket for one that takes it."""
    if not command.address:
        return
    import socket  # noqa: PLC0415

    host, port = command.address
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            listener.bind((host, port))
            if command.backlog:
                listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, _DEFER_ACCEPT_S)
                listener.listen(command.backlog)
            copy = fcntl.fcntl(listener.fileno(), fcntl.F_DUPFD, _SPARE) if command.hand_over else None
    except OSError as error:
        raise CannotListenError(host, port, error.strerror or str(error), _lowest_port()) from error
    if copy is not None:
        os.dup2(copy, servers.DESCRIPTOR)
        os.close(copy)


def _lowest_port() -> int:
    """Return the lowest port that this user may listen on."""
    if os.geteuid() == 0:
        return 0
    try:
        with open("/proc/sys/net/ipv4/ip_unprivileged_port_start", encoding="ascii") as file:
            return int(file.read())
    except (OSError, ValueError):
        return 1024


def _prepare(command: servers.Command, env: Mapping[str, str]) -> None:
    """Do what has to be done before the server starts."""
    if command.fresh and os.path.lexists(command.fresh):
        import shutil  # noqa: PLC0415  # only when a container is started again

        shutil.rmtree(command.fresh)
    for path, content in command.files:
        with open(path, "w", encoding="utf-8") as file:
            file.write(content)
    if command.prepare:
        _run_quietly(command.prepare, env)


def _execute(command: servers.Command, env: Mapping[str, str], home: str) -> None:
    os.chdir(home)
    _prepare(command, env)
    sys.stdout.flush()
    try:
        os.execvpe(command.argv[0], command.argv, env)  # noqa: S606  # the server becomes this process and gets SIGTERM itself
    except OSError as error:
        raise CannotExecError(console.join(command.argv), f"{command.argv[0]}: {error.strerror}") from error


def _run_quietly(argv: tuple[str, ...], env: Mapping[str, str]) -> None:
    """Run the command that prepares the server; its output is shown only if it fails."""
    reader, writer = os.pipe()
    actions = [(os.POSIX_SPAWN_DUP2, writer, 1), (os.POSIX_SPAWN_DUP2, writer, 2)]
    try:
        pid = os.posix_spawnp(argv[0], argv, env, file_actions=actions)
    except OSError as error:
        raise CannotExecError(console.join(argv), f"{argv[0]}: {error.strerror}") from error
    finally:
        os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        output = pipe.read().decode(errors="replace")
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if status:
        how = f"exit status {status}" if status > 0 else f"signal {-status}"
        raise CommandFailedError(console.join(argv), how, output)


def _claim_writable(environ: Mapping[str, str]) -> str:
    """Make the directory for what the server writes; below /tmp, the only writable place of a read-only container.

    A second container with the same /tmp and user takes another one, because the lock is the server's as long as it runs.
    """
    first = first_writable_path(environ)
    for path in (first, *(f"{first}-{number}" for number in range(2, _MOST))):
        try:
            os.makedirs(path, mode=0o700, exist_ok=True)
            owner = os.stat(path).st_uid
            descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            raise CannotWriteError(path, error.strerror or str(error)) from error
        if owner != os.getuid():
            raise CannotWriteError(path, "it belongs to another user")
        lock = fcntl.fcntl(descriptor, fcntl.F_DUPFD, _SPARE)
        os.close(descriptor)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            continue
        except OSError:
            pass  # a file system without locks
        claim_writable_path(path)
        return path
    raise CannotWriteError(first, "others are using it, and all its kind")
