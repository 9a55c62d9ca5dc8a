"""The servers' command lines."""

import itertools
from collections.abc import Mapping
from pathlib import Path

import pytest
from trees import Tree

from taxiway import servers
from taxiway.errors import BadSettingError, IncompleteExpressionError, UnknownServerError
from taxiway.launch_plan import PROGRAMS, LaunchPlan
from taxiway.layout import Layout, runtime_path
from taxiway.servers import Command, Launch, gunicorn, mod_wsgi, options, uvicorn
from taxiway.settings import resolve
from taxiway.sizing import Size


def launch(
    server: str,
    *,
    version: str = "26.0.0",
    environ: Mapping[str, str] | None = None,
    root: str = "/opt/app-root",
    home: str = ".",
    static: tuple[tuple[str, str], ...] = (),
    interface: str = "WSGI",
) -> Launch:
    plan = LaunchPlan(
        interface=interface,
        app="web:app",
        home=home,
        server=server,
        servers={server: version},
        framework=None,
        django_settings=None,
        static=static,
        static_root=None,
        project={},
        project_origin="[tool.taxiway]",
        origins={},
        passed_over=(),
    )
    environ = environ or {}
    settings = resolve(environ=environ, project={})
    return Launch(plan, settings, Size(3, 8, ""), Layout(root, f"{root}/src"), environ, "/tmp/taxiway-1001", "::")


GRACEFUL = ("sh", f"{runtime_path()}/taxiway_runtime/graceful.sh", "TERM", "21")


def gunicorn_command(environ: Mapping[str, str] | None = None, *, root: Path | None = None, home: str = ".") -> tuple[str, ...]:
    found = gunicorn.command(launch("gunicorn", environ=environ, root=str(root or "/opt/app-root"), home=home))
    # Nothing comes after it: neither arguments nor a configuration file make gunicorn believe proxies.
    assert found.argv[-3:] == ("--forwarded-allow-ips", "", "taxiway_runtime.wsgi:application")
    return found.argv[len(GRACEFUL) + 1 : -3]


def test_gunicorn() -> None:
    assert gunicorn.command(launch("gunicorn")) == Command(
        argv=(
            *GRACEFUL,
            "/opt/app-root/bin/gunicorn",
            *("--bind", "fd://3"),
            *("--worker-class", "gthread"),
            *("--workers", "3"),
            *("--threads", "8"),
            *("--timeout", "60"),
            *("--graceful-timeout", "20"),
            *("--keep-alive", "75"),
            *("--worker-tmp-dir", "/dev/shm"),
            *("--limit-request-line", "8190"),
            *("--limit-request-field_size", "16384"),
            *("--access-logfile", "-"),
            "--no-control-socket",
            *("--forwarded-allow-ips", ""),
            "taxiway_runtime.wsgi:application",
        ),
        unset=("GUNICORN_CMD_ARGS",),
        address=("::", 8080),
        hand_over=True,
    )


@pytest.mark.parametrize(
    ("version", "has"),
    [
        ("25.1.0", True),
        ("25.10", True),
        ("26.0.0", True),
        ("100.0", True),
        ("25.0.3", False),
        ("23.0.0", False),
        ("20.1.0", False),
        ("", False),  # not known: chosen at the start
    ],
)
def test_no_control_socket_since_25_1(version: str, *, has: bool) -> None:
    assert ("--no-control-socket" in gunicorn.command(launch("gunicorn", version=version)).argv) is has


@pytest.mark.parametrize(
    ("environ", "binds"),
    [
        ({}, [("--bind", "fd://3")]),
        ({"TAXIWAY_SERVER_ARGS": "--bind 127.0.0.1:1"}, [("--bind", "127.0.0.1:1")]),
        ({"TAXIWAY_SERVER_ARGS": "--bind=[::]:$PORT", "PORT": "9"}, [("--bind=[::]:9", "--forwarded-allow-ips")]),
        ({"TAXIWAY_SERVER_ARGS": "-b :1"}, [("-b", ":1")]),
        ({"TAXIWAY_SERVER_ARGS": "-b:1"}, [("-b:1", "--forwarded-allow-ips")]),
        ({"GUNICORN_CMD_ARGS": "--bind unix:/tmp/s"}, [("--bind", "unix:/tmp/s")]),
        ({"GUNICORN_CMD_ARGS": '"--bind unix:/tmp/s"'}, [("--bind", "unix:/tmp/s")]),  # quotes from .s2i/environment
        # The peer drops its bind as soon as anything is set, and listens on the loopback address.
        ({"GUNICORN_CMD_ARGS": "--reload"}, [("--bind", "fd://3")]),
        ({"TAXIWAY_SERVER_ARGS": "--backlog 100"}, [("--bind", "fd://3")]),
    ],
)
def test_bind(environ: dict[str, str], binds: list[tuple[str, str]]) -> None:
    command = gunicorn.command(launch("gunicorn", environ=environ))
    argv = command.argv
    assert bool(command.address) is (binds[0][1] == "fd://3")
    found = [pair for pair in itertools.pairwise(argv) if pair[0].startswith(("-b", "--bind"))]
    assert found == binds


def test_arguments_come_after_the_defaults() -> None:
    """The last one wins in gunicorn: GUNICORN_CMD_ARGS over taxiway's, server-args over both."""
    argv = gunicorn_command({"GUNICORN_CMD_ARGS": "--timeout 5 --reload", "TAXIWAY_SERVER_ARGS": "--timeout '7'"})
    assert argv[-5:] == ("--timeout", "5", "--reload", "--timeout", "7")
    assert argv.index("60") < argv.index("5")


@pytest.mark.parametrize("name", ["GUNICORN_CMD_ARGS", "TAXIWAY_SERVER_ARGS"])
def test_arguments_are_not_run(name: str) -> None:
    with pytest.raises(IncompleteExpressionError, match=f"arguments in {name}: a command substitution"):
        gunicorn_command({name: "--bind $(hostname):1"})


CONFIGURATION = """\
import multiprocessing
from shared import graceful_timeout, wait as keepalive

bind = "unix:/tmp/socket"
if multiprocessing.cpu_count() > 2:
    workers: int = 7
forwarded_allow_ips = "*"
# threads = 2
def when_ready(server):
    timeout = 5
    def inner():
        accesslog = None
class Helper:
    worker_tmp_dir = "/tmp"
"""


def test_names_of_the_configuration_file_win(tree: Tree) -> None:
    """Only names that the file assigns at its top level; gunicorn would take the command line over the file."""
    root = tree({"src/gunicorn.conf.py": CONFIGURATION})
    assert gunicorn_command(root=root) == (
        *("--config", f"{root}/src/gunicorn.conf.py"),
        *("--worker-class", "gthread"),
        *("--threads", "8"),
        *("--timeout", "60"),
        *("--worker-tmp-dir", "/dev/shm"),
        *("--limit-request-line", "8190"),
        *("--limit-request-field_size", "16384"),
        *("--access-logfile", "-"),
        "--no-control-socket",
    )


@pytest.mark.parametrize(
    ("environ", "home", "config"),
    [
        ({}, "site", "site/gunicorn.conf.py"),
        ({}, "none", None),
        ({"APP_CONFIG": "deploy/web.py"}, ".", "deploy/web.py"),
        ({"APP_CONFIG": '"deploy/web.py"'}, ".", "deploy/web.py"),
        ({"APP_CONFIG": "../deploy/web.py"}, "site", "deploy/web.py"),
        ({"APP_CONFIG": ""}, "site", "site/gunicorn.conf.py"),
        ({"GUNICORN_CMD_ARGS": "-c deploy/web.py"}, ".", "deploy/web.py"),
        ({"GUNICORN_CMD_ARGS": "--config=deploy/web.py", "APP_CONFIG": "site/gunicorn.conf.py"}, ".", "deploy/web.py"),
        ({"TAXIWAY_SERVER_ARGS": "--config deploy/web.py"}, "site", None),
        ({"TAXIWAY_SERVER_ARGS": "-cdeploy/web.py"}, ".", "deploy/web.py"),
    ],
)
def test_which_configuration_file(tree: Tree, environ: dict[str, str], home: str, config: str | None) -> None:
    bind = "bind = ':1'\n"
    root = tree({"src/site/gunicorn.conf.py": bind, "src/deploy/web.py": bind, "src/none/": ""})
    argv = gunicorn_command(environ, root=root, home=home)
    assert ("--bind" not in argv) is (config is not None)
    if config:
        assert argv[:2] == ("--config", f"{root}/src/{config}")


def test_configuration_file_at_the_top_of_the_source(tree: Tree) -> None:
    """The application's directory may lie below; s2i-python-container reads the file at the top."""
    root = tree({"src/gunicorn.conf.py": "workers = 3\n", "src/site/": ""})
    assert gunicorn_command({}, root=root, home="site")[:2] == ("--config", f"{root}/src/gunicorn.conf.py")


@pytest.mark.parametrize("told", ["missing.py", "python:web.settings", "file:/etc/gunicorn.py"])
def test_configuration_that_is_no_file_is_left_to_gunicorn(tree: Tree, told: str) -> None:
    """A missing file is an error that gunicorn reports; passing over it would start something else than was meant."""
    root = tree({"src/gunicorn.conf.py": ""})
    assert gunicorn_command({"APP_CONFIG": told}, root=root)[:4] == ("--config", told, "--bind", "fd://3")


@pytest.mark.parametrize("content", [b"bind = (\n", b"\xff\xfe bind", b"bind = '\x00'"])
def test_configuration_that_is_not_python(tree: Tree, content: bytes) -> None:
    root = tree({"src/": ""})
    (root / "src/gunicorn.conf.py").write_bytes(content)
    assert "--bind" in gunicorn_command(root=root)


def test_mod_wsgi() -> None:
    found = mod_wsgi.command(launch("mod_wsgi", version="5.0.2"))
    assert found == Command(
        fresh="/tmp/taxiway-1001/mod_wsgi",
        files=(
            (
                "/tmp/taxiway-1001/mod_wsgi.conf",
                (
                    "# Written by taxiway.\n"
                    "GracefulShutdownTimeout 20\n"
                    "LimitRequestLine 16384\n"
                    "LimitRequestFieldSize 16384\n"
                    "# Directories are for taxiway_runtime.static: Apache's redirects tell the container's own address.\n"
                    "DirectorySlash Off\n"
                    "DirectoryIndex disabled\n"
                ),
            ),
        ),
        prepare=(
            "/opt/app-root/bin/mod_wsgi-express",
            "setup-server",
            "taxiway_runtime.wsgi",
            *("--application-type", "module"),
            *("--callable-object", "application"),
            *("--working-directory", "/opt/app-root/src"),
            *("--port", "8080"),
            *("--processes", "3"),
            *("--threads", "8"),
            *("--server-root", "/tmp/taxiway-1001/mod_wsgi"),
            *("--locale", "C.UTF-8"),
            "--log-to-terminal",
            "--startup-log",
            *("--include-file", "/tmp/taxiway-1001/mod_wsgi.conf"),
            *("--request-timeout", "60"),
            *("--startup-timeout", "60"),
            *("--shutdown-timeout", "20"),
            *("--graceful-timeout", "20"),
            *("--keep-alive-timeout", "75"),
            *("--queue-timeout", "45"),
            *("--limit-request-body", "1073741824"),
            "--chunked-request",
            "--access-log",
        ),
        argv=(*GRACEFUL[:2], "WINCH", "21", "bash", "/tmp/taxiway-1001/mod_wsgi/apachectl", "start", "-DFOREGROUND"),
        address=("::", 8080),
    )


def test_mod_wsgi_with_settings() -> None:
    environ = {"TAXIWAY_SERVER_ARGS": "--log-level info --port 81", "PORT": "9000", "TAXIWAY_GRACEFUL_TIMEOUT": "5"}
    static = (("/static/", "/opt/app-root/src/staticfiles"), ("/", "/opt/app-root/src/public"))
    found = mod_wsgi.command(launch("mod_wsgi", environ=environ, home="src/site", static=static))
    pairs = list(zip(found.prepare, found.prepare[1:], strict=False))
    assert ("--working-directory", "/opt/app-root/src/src/site") in pairs
    assert ("--port", "9000") in pairs
    assert ("--shutdown-timeout", "5") in pairs
    assert found.prepare[-4:] == ("--log-level", "info", "--port", "81")  # the last one wins
    configuration, first = (text for _, text in found.files)
    assert "GracefulShutdownTimeout 5\n" in configuration
    assert configuration.index("# /static/\n") < configuration.index("# /\n")
    assert "<VirtualHost _default_:9000>\n" in first
    assert first.endswith("Include '/tmp/taxiway-1001/mod_wsgi/httpd.conf'\n")
    assert found.argv[-2:] == ("-f", found.files[1][0])


def test_mod_wsgi_enforces_the_policy_about_proxies_itself() -> None:
    environ = {"TAXIWAY_TRUST_PROXY": "10.0.0.0/8 ::1", "TAXIWAY_TRUST_PROXY_HEADERS": "X-Forwarded-For X-Forwarded-Proto"}
    for engine, words in (
        ("middleware", ()),
        (
            "native",
            (
                *("--trust-proxy-header", "X-Forwarded-For", "--trust-proxy-header", "X-Forwarded-Proto"),
                *("--trust-proxy", "10.0.0.0/8", "--trust-proxy", "::1/128"),
            ),
        ),
    ):
        found = mod_wsgi.command(launch("mod_wsgi", environ={**environ, "TAXIWAY_PROXY_ENGINE": engine})).prepare
        assert tuple(word for word in found if word in words) == words
        assert ("--trust-proxy" in found) == bool(words)


@pytest.mark.parametrize("name", servers.NAMES)
def test_load(name: str) -> None:
    server = servers.load(name)
    assert (None if name in PROGRAMS else {"uwsgi": "pyuwsgi"}.get(name, name)) == server.PACKAGE
    assert set(server.INTERFACES) <= set(servers.DEFAULTS)


@pytest.mark.parametrize("interface", servers.DEFAULTS)
def test_defaults_fit(interface: str) -> None:
    assert servers.DEFAULTS[interface] in servers.fitting(interface)


@pytest.mark.parametrize(
    ("server", "version", "worker"),
    [("gunicorn", "25.1.0", "asgi"), ("gunicorn", "23.0.0", "uvicorn.workers.UvicornWorker")],
)
def test_gunicorn_with_asgi(server: str, version: str, worker: str) -> None:
    argv = gunicorn.command(launch(server, version=version, interface="ASGI")).argv
    assert argv[argv.index("--worker-class") + 1] == worker
    assert argv[-1] == "taxiway_runtime.asgi:application"


def test_uvicorn() -> None:
    environ = {"TAXIWAY_SERVER_ARGS": "--log-level $LEVEL", "LEVEL": "debug", "PORT": "9000"}
    assert uvicorn.command(launch("uvicorn", interface="ASGI", environ=environ)) == Command(
        argv=(
            *GRACEFUL,
            *("/opt/app-root/bin/python", "-m", "taxiway_runtime.serve_uvicorn"),
            *("--workers", "3"),
            *("--timeout-graceful-shutdown", "20"),
            *("--timeout-keep-alive", "75"),
            *("--backlog", "2048"),
            *("--h11-max-incomplete-event-size", "65536"),
            "--no-server-header",
            *("--log-level", "debug"),
            "--no-proxy-headers",
            "taxiway_runtime.asgi:application",
        ),
        address=("::", 9000),
        hand_over=True,
    )


def whole_command(server: str, environ: Mapping[str, str] | None = None, version: str = "26.0.0") -> Command:
    """The command of any server."""
    module = servers.load(server)
    return module.command(launch(server, environ=environ, interface=module.INTERFACES[0], version=version))


SERVERS = [name for name in servers.NAMES if name not in PROGRAMS]


@pytest.mark.parametrize("server", SERVERS)
def test_every_server(server: str) -> None:
    """Stopped by graceful.sh; at PORT; nothing but the user's own arguments replaces the address."""
    found = whole_command(server, {"PORT": "9000"})
    assert found.argv[:2] == GRACEFUL[:2]
    assert found.address == ("::", 9000)
    arguments = {"gunicorn": "--bind=:1", "hypercorn": "--bind :1", "uwsgi": "--http-socket :1", "mod_wsgi": "--port 1"}
    own = whole_command(server, {"TAXIWAY_SERVER_ARGS": arguments.get(server, "--host=::1")})
    assert own.address is None
    assert not [word for word in own.argv if word.startswith("fd://")]


OWN_LOG = {
    "gunicorn": "--access-logfile",
    "mod_wsgi": "--access-log",
    "hypercorn": "--access-logfile",
    "granian": "--access-log",
    "uwsgi": "--disable-logging",
    "uvicorn": "--no-access-log",
}


@pytest.mark.parametrize("server", SERVERS)
def test_json_log_replaces_the_server_s_own(server: str) -> None:
    commands = (whole_command(server), whole_command(server, {"TAXIWAY_LOG_FORMAT": "json"}))
    given = [each.argv + each.prepare for each in commands]
    if server in OWN_LOG:
        assert [OWN_LOG[server] in argv for argv in given].count(True) == 1
    else:
        assert given[0] == given[1]


@pytest.mark.parametrize(
    ("server", "variable", "option"),
    [
        ("uvicorn", "UVICORN_BACKLOG", "--backlog"),
        ("granian", "GRANIAN_WORKERS", "--workers"),
        ("uwsgi", "UWSGI_THREADS", "--threads"),
        ("uwsgi", "UWSGI_LAZY_APPS", "--lazy-apps"),
    ],
)
def test_servers_own_variables_win(server: str, variable: str, option: str) -> None:
    assert option in whole_command(server).argv
    assert option not in whole_command(server, {variable: "7"}).argv


def test_variables_of_warpdrive_for_mod_wsgi() -> None:
    environ = {
        "MOD_WSGI_MAX_CLIENTS": "40",
        "MOD_WSGI_BODY_MIN_RATE": '"10"',
        "MOD_WSGI_SERVER_STATUS": "1",
        "MOD_WSGI_RELOAD_ON_CHANGES": "",
        "TAXIWAY_SERVER_ARGS": "--max-clients 50",
    }
    assert whole_command("mod_wsgi", environ).prepare[-7:] == (
        *("--max-clients", "40", "--body-min-rate", "10", "--server-status"),
        *("--max-clients", "50"),
    )


@pytest.mark.parametrize(("version", "has"), [("6.0.0", True), ("6.1.1", True), ("5.0.2", False), ("", False)])
def test_interrupt_timeout_of_mod_wsgi(version: str, *, has: bool) -> None:
    assert ("--interrupt-timeout" in whole_command("mod_wsgi", version=version).prepare) is has


TABLE = {"args": ["--threads=3", "--ident=$NAME"], "asyncore-use-poll": True, "expose-tracebacks": False}


def test_own_arguments(tree: Tree) -> None:
    """The project's table, then the source's files, then the setting: the last one wins."""
    root = tree(
        {"src/.taxiway/server_args/waitress": "--backlog=${BACKLOG:-5}\n--threads=4\n", "src/.warpdrive/server_args": "no"}
    )
    given = launch("waitress", root=str(root), environ={"NAME": "web", "TAXIWAY_SERVER_ARGS": "--threads=6"})
    found = options.own(given._replace(plan=given.plan._replace(project={"servers": {"waitress": TABLE}})))
    assert found == ["--threads=3", "--ident=web", "--asyncore-use-poll", "--backlog=5", "--threads=4", "--threads=6"]


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ({".warpdrive/server_args": "--a 'b c'"}, ["--a", "b c"]),
        ({".taxiway/server_args": "--x", ".warpdrive/server_args/waitress": "--y"}, ["--x"]),
        ({".taxiway/server_args/gunicorn": "--x"}, []),
    ],
)
def test_arguments_in_files(tree: Tree, files: dict[str, str], found: list[str]) -> None:
    root = tree({f"src/{name}": text for name, text in files.items()})
    assert options.own(launch("waitress", root=str(root))) == found


@pytest.mark.parametrize(
    "table",
    ["x", {"daphne": {}}, {"gunicorn": "--reload"}, {"gunicorn": {"args": [1]}}, {"gunicorn": {"workers": {"a": 1}}}],
)
def test_table_that_cannot_be_used(table: object) -> None:
    with pytest.raises(BadSettingError, match=r"in \[tool.taxiway\]; expected"):
        options.table({"servers": table}, "[tool.taxiway]", {})


@pytest.mark.parametrize("name", ["daphne", "Gunicorn", "", "os", "gunicorn.x"])
def test_unknown_server(name: str) -> None:
    with pytest.raises(UnknownServerError, match=r"Expected one of: mod_wsgi, gunicorn, uwsgi, "):
        servers.load(name, "TAXIWAY_SERVER")
