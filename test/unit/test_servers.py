"""The servers' command lines."""

import itertools
from collections.abc import Mapping
from pathlib import Path

import pytest
from trees import Tree

from taxiway import servers
from taxiway.errors import IncompleteExpressionError, UnknownServerError
from taxiway.launch_plan import PROGRAMS, LaunchPlan
from taxiway.layout import Layout
from taxiway.servers import Command, Launch, gunicorn, mod_wsgi, uvicorn
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
    return Launch(plan, settings, Size(3, 8, ""), Layout(root, f"{root}/src"), environ, "/tmp/taxiway-1001")


def gunicorn_command(environ: Mapping[str, str] | None = None, *, root: Path | None = None, home: str = ".") -> tuple[str, ...]:
    found = gunicorn.command(launch("gunicorn", environ=environ, root=str(root or "/opt/app-root"), home=home))
    # Nothing comes after it: neither arguments nor a configuration file make gunicorn believe proxies.
    assert found.argv[-3:] == ("--forwarded-allow-ips", "", "taxiway_runtime.wsgi:application")
    return found.argv[1:-3]


def test_gunicorn() -> None:
    assert gunicorn.command(launch("gunicorn")) == Command(
        argv=(
            "/opt/app-root/bin/gunicorn",
            *("--bind", "0.0.0.0:8080"),
            *("--worker-class", "gthread"),
            *("--workers", "3"),
            *("--threads", "8"),
            *("--timeout", "60"),
            *("--graceful-timeout", "20"),
            *("--keep-alive", "75"),
            *("--worker-tmp-dir", "/dev/shm"),
            *("--access-logfile", "-"),
            "--no-control-socket",
            *("--forwarded-allow-ips", ""),
            "taxiway_runtime.wsgi:application",
        ),
        unset=("GUNICORN_CMD_ARGS", "FORWARDED_ALLOW_IPS"),
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
        ({}, [("--bind", "0.0.0.0:8080")]),
        ({"PORT": "9000"}, [("--bind", "0.0.0.0:9000")]),
        ({"TAXIWAY_SERVER_ARGS": "--bind 127.0.0.1:1"}, [("--bind", "127.0.0.1:1")]),
        ({"TAXIWAY_SERVER_ARGS": "--bind=[::]:$PORT", "PORT": "9"}, [("--bind=[::]:9", "--forwarded-allow-ips")]),
        ({"TAXIWAY_SERVER_ARGS": "-b :1"}, [("-b", ":1")]),
        ({"TAXIWAY_SERVER_ARGS": "-b:1"}, [("-b:1", "--forwarded-allow-ips")]),
        ({"GUNICORN_CMD_ARGS": "--bind unix:/tmp/s"}, [("--bind", "unix:/tmp/s")]),
        ({"GUNICORN_CMD_ARGS": '"--bind unix:/tmp/s"'}, [("--bind", "unix:/tmp/s")]),  # quotes from .s2i/environment
        # The peer drops its bind as soon as anything is set, and listens on the loopback address.
        ({"GUNICORN_CMD_ARGS": "--reload"}, [("--bind", "0.0.0.0:8080")]),
        ({"TAXIWAY_SERVER_ARGS": "--backlog 100"}, [("--bind", "0.0.0.0:8080")]),
    ],
)
def test_bind(environ: dict[str, str], binds: list[tuple[str, str]]) -> None:
    argv = gunicorn.command(launch("gunicorn", environ=environ)).argv
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
    assert gunicorn_command({"APP_CONFIG": told}, root=root)[:4] == ("--config", told, "--bind", "0.0.0.0:8080")


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
                    "# The redirect from /dir to /dir/ would tell the container's own scheme and port.\n"
                    "DirectorySlash Off\n"
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
            "--access-log",
            *("--include-file", "/tmp/taxiway-1001/mod_wsgi.conf"),
            *("--request-timeout", "60"),
            *("--startup-timeout", "60"),
            *("--shutdown-timeout", "20"),
            *("--graceful-timeout", "20"),
            *("--keep-alive-timeout", "75"),
            *("--limit-request-body", "1073741824"),
            "--chunked-request",
        ),
        argv=(
            *("dumb-init", "--single-child", "--rewrite", "15:28", "--"),
            *("bash", "/tmp/taxiway-1001/mod_wsgi/apachectl", "start", "-DFOREGROUND"),
        ),
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
    assert (None if name in PROGRAMS else name) == server.PACKAGE
    assert set(server.INTERFACES) <= set(servers.DEFAULTS)
    assert isinstance(server.SERVES_STATIC, bool)


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
            "/opt/app-root/bin/uvicorn",
            *("--host", "0.0.0.0"),
            *("--port", "9000"),
            *("--workers", "3"),
            *("--timeout-graceful-shutdown", "20"),
            *("--timeout-keep-alive", "75"),
            "--no-server-header",
            *("--log-level", "debug"),
            "--no-proxy-headers",
            "taxiway_runtime.asgi:application",
        ),
        unset=("FORWARDED_ALLOW_IPS",),
    )


@pytest.mark.parametrize("name", ["daphne", "Gunicorn", "", "os", "gunicorn.x"])
def test_unknown_server(name: str) -> None:
    with pytest.raises(UnknownServerError, match=r"Expected one of: mod_wsgi, gunicorn, uvicorn, "):
        servers.load(name, "TAXIWAY_SERVER")
