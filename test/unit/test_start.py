"""Starting: what is decided, and how little is imported on the way."""

import errno
import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from trees import Tree

from taxiway import launch_plan, migrations, probes, servers, sizing, start
from taxiway import layout as layout_module
from taxiway.errors import (
    BadProxyPolicyError,
    CannotExecError,
    CannotListenError,
    CannotWriteError,
    CommandFailedError,
    MissingVariablesError,
    NotEnoughMemoryError,
    ServerNotBuiltError,
    UnsupportedInterfaceError,
)
from taxiway.launch_plan import LaunchPlan
from taxiway.layout import Layout, runtime_path
from taxiway.servers import Command
from taxiway.sizing import MIB, Limits

PLAN = LaunchPlan(
    interface="WSGI",
    app="web:app",
    home="site",
    server="gunicorn",
    servers={"gunicorn": "26.0.0"},
    framework="django",
    django_settings="site.settings",
    static=(),
    static_root=None,
    project={"request-timeout": 90},
    project_origin="taxiway.toml",
    origins={"app": "object in web.py line 1", "server": "from requirements.txt line 1"},
    passed_over=(),
)


@pytest.fixture(autouse=True)
def _limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sizing, "read_limits", lambda: Limits(2, 512 * MIB))


@pytest.fixture
def layout(tree: Tree) -> Layout:
    root = tree({"src/site/web.py": "", "bin/gunicorn": ""})
    place = Layout(str(root), f"{root}/src")
    launch_plan.write(PLAN, place.launch_plan)
    return place


def test_prepare(layout: Layout, capsys: pytest.CaptureFixture[str]) -> None:
    command, env = start.prepare(start.look(PLAN, {}, {"PATH": "/bin", "GUNICORN_CMD_ARGS": "--reload"}, layout))
    assert command.argv[4] == f"{layout.bin}/gunicorn"
    assert ("--timeout", "90") in zip(command.argv, command.argv[1:], strict=False)
    assert "--reload" in command.argv
    assert env == {
        "PATH": f"{layout.bin}:/bin",
        "VIRTUAL_ENV": layout.app_root,
        "PYTHONPATH": f"{layout.source}/site:{layout.source}:{runtime_path()}",
        "PORT": "8080",
        "WEB_CONCURRENCY": "2",
        "TAXIWAY_APP": "web:app",
        "TAXIWAY_SERVER": "gunicorn",
        "TAXIWAY_PLAN": layout.launch_plan,
        "TAXIWAY_MAX_BODY": "1073741824",
        "TAXIWAY_LOG_FORMAT": "text",
        "TAXIWAY_REQUEST_TIMEOUT": "90",
        "TAXIWAY_GRACEFUL_TIMEOUT": "20",
        "TAXIWAY_SOCKET": "3",
        "TAXIWAY_PROXY": '{"trust":[],"headers":[],"hops":null,"engine":"middleware"}',
        "DJANGO_SETTINGS_MODULE": "site.settings",
    }
    assert capsys.readouterr().out == (
        "---> Starting web:app (object in web.py line 1) on port 8080\n"
        "     server: gunicorn (from requirements.txt line 1), 2 processes x 8 threads (2 CPU, memory 512 MiB)\n"
    )


def test_the_environment_of_the_container_wins(layout: Layout, capsys: pytest.CaptureFixture[str]) -> None:
    environ = {
        "APP_MODULE": "other",
        "PORT": "9000",
        "WEB_CONCURRENCY": "1",
        "DJANGO_SETTINGS_MODULE": "site.other",
        "TMPDIR": "/scratch",
    }
    command, env = start.prepare(start.look(PLAN._replace(server="mod_wsgi"), {"threads": 3}, environ, layout))
    assert command.prepare[0] == f"{layout.bin}/mod_wsgi-express"
    assert command.fresh == f"/scratch/taxiway-{os.getuid()}/mod_wsgi"
    assert (env["TAXIWAY_APP"], env["PORT"], env["WEB_CONCURRENCY"]) == ("other:application", "9000", "1")
    assert env["DJANGO_SETTINGS_MODULE"] == "site.other"
    assert capsys.readouterr().out.splitlines() == [
        "---> Starting other:application (APP_MODULE) on port 9000",
        (
            "     server: mod_wsgi (from requirements.txt line 1), 1 process x 3 threads "
            "(2 CPU, memory 512 MiB, processes as set, threads as set)"
        ),
    ]


@pytest.mark.parametrize(
    ("plan", "environ", "started"),
    [
        ({}, {}, ("WSGI", "gunicorn", "web:app")),
        ({}, {"APP_SCRIPT": "run.sh", "APP_FILE": "worker.py", "APP_MODULE": "m:app"}, ("shell", "shell", "run.sh")),
        ({}, {"APP_FILE": "worker.py", "APP_MODULE": "m:app"}, ("python", "python", "worker.py")),
        ({}, {"TAXIWAY_APP": "m:app", "APP_SCRIPT": "run.sh"}, ("WSGI", "gunicorn", "m:app")),
        ({}, {"TAXIWAY_APP_FILE": "worker.py", "TAXIWAY_SERVER": "gunicorn"}, ("python", "python", "worker.py")),
        # As at the build, gunicorn.conf.py goes before the other builders' names.
        ({"origin": "wsgi_app in gunicorn.conf.py"}, {"APP_FILE": "worker.py"}, ("WSGI", "gunicorn", "web:app")),
        ({"origin": "wsgi_app in gunicorn.conf.py"}, {"TAXIWAY_APP_FILE": "worker.py"}, ("python", "python", "worker.py")),
        # What the build decided by the same setting stays.
        (
            {"app": "exec bash ./run.sh", "interface": "command", "server": "command", "origin": "APP_SCRIPT"},
            {"APP_SCRIPT": "run.sh"},
            ("command", "command", "exec bash ./run.sh"),
        ),
        (
            {"app": "serve.py", "interface": "python", "server": "python", "origin": "APP_FILE"},
            {"APP_FILE": "serve.py", "APP_MODULE": "m:app"},
            ("python", "python", "serve.py"),
        ),
    ],
)
def test_what_is_told_at_the_start(
    layout: Layout, plan: dict[str, str], environ: dict[str, str], started: tuple[str, ...]
) -> None:
    changes: dict[str, Any] = {name: value for name, value in plan.items() if name != "origin"}
    origins = {**PLAN.origins, "app": plan.get("origin", "app.py")}
    _, env = start.prepare(start.look(PLAN._replace(**changes, origins=origins), {}, environ, layout))
    interface, server, app = started
    assert (env["TAXIWAY_APP"], env["TAXIWAY_SERVER"]) == (app, server)
    assert interface in servers.load(server).INTERFACES


def test_declared_variables(layout: Layout) -> None:
    plan = PLAN._replace(project={"env": {"KEY": {"required": True, "description": "a key"}, "PORT": {"default": "9000"}}})
    with pytest.raises(MissingVariablesError, match="\n  KEY: a key\n"):
        start.prepare(start.look(plan, {}, {}, layout))
    _, env = start.prepare(start.look(plan, {}, {"KEY": "x"}, layout))
    assert (env["KEY"], env["PORT"]) == ("x", "9000")


def test_too_little_memory(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("taxiway.sizing.read_limits", lambda: Limits(1, 32 * MIB))
    with pytest.raises(
        NotEnoughMemoryError, match=r"^The container's memory limit of 32 MiB is too small for this application: it needs"
    ):
        start.prepare(start.look(PLAN._replace(import_bytes=60 * MIB), {}, {}, layout))


def test_trusted_proxies(layout: Layout, capsys: pytest.CaptureFixture[str]) -> None:
    environ = {"TAXIWAY_PROXY": "{}", "FORWARDED_ALLOW_IPS": "*", "TAXIWAY_TRUST_PROXY_HEADERS": "X-Forwarded-For"}
    _, env = start.prepare(start.look(PLAN, {"trust-proxy": ("*",), "trust-proxy-hops": 1}, environ, layout))
    assert env["TAXIWAY_PROXY"] == '{"trust":["*"],"headers":["X-Forwarded-For"],"hops":1,"engine":"middleware"}'
    assert "FORWARDED_ALLOW_IPS" not in env
    told = capsys.readouterr()
    assert told.out.splitlines()[-1] == "     proxies: X-Forwarded-For from * (--trust-proxy)"
    assert "believed from anyone" in told.err


def test_a_header_without_proxies(layout: Layout, capsys: pytest.CaptureFixture[str]) -> None:
    """As mod_wsgi-docker's users write it; only an option is taken so, a setting alone is refused."""
    _, env = start.prepare(start.look(PLAN, {"trust-proxy-headers": ("X-Forwarded-Host",)}, {}, layout))
    assert json.loads(env["TAXIWAY_PROXY"])["headers"] == ["X-Forwarded-Host"]
    assert "10.0.0.0/8" in json.loads(env["TAXIWAY_PROXY"])["trust"]
    assert "believed from private networks; name the proxies" in capsys.readouterr().err
    with pytest.raises(BadProxyPolicyError):
        start.look(PLAN, {}, {"TAXIWAY_TRUST_PROXY_HEADERS": "X-Forwarded-Host"}, layout)


def test_services_of_kubernetes(layout: Layout) -> None:
    """A service named taxiway, as the manifests of many a cluster have it, stops nothing."""
    environ = {"TAXIWAY_PORT": "tcp://172.30.1.2:8080", "TAXIWAY_SERVICE_HOST": "172.30.1.2", "TAXIWAY_X_PORT_80_TCP_PORT": "80"}
    _, env = start.prepare(start.look(PLAN, {}, environ, layout))
    assert env["PORT"] == "8080"


def test_another_server_than_the_build_s(layout: Layout) -> None:
    """Any that is installed and fits may be chosen; only the build can install one."""
    expected = r"The server mod_wsgi \(TAXIWAY_SERVER\) isn't installed in this image; it has gunicorn\."
    with pytest.raises(ServerNotBuiltError, match=expected):
        start.prepare(start.look(PLAN, {}, {"TAXIWAY_SERVER": "mod_wsgi"}, layout))
    with pytest.raises(
        UnsupportedInterfaceError, match=r"\(TAXIWAY_SERVER\) can't run.\nServers that can: mod_wsgi, gunicorn, uwsgi, waitress\."
    ):
        start.prepare(start.look(PLAN, {}, {"TAXIWAY_SERVER": "uvicorn"}, layout))
    plan = PLAN._replace(servers={"gunicorn": "26.0.0", "mod_wsgi": "6.1.1"})
    _, env = start.prepare(start.look(plan, {}, {"TAXIWAY_SERVER": "mod_wsgi"}, layout))
    assert env["TAXIWAY_SERVER"] == "mod_wsgi"
    start.prepare(start.look(PLAN, {}, {"TAXIWAY_SERVER": "gunicorn"}, layout))


@pytest.mark.parametrize(
    ("interface", "app", "argv"),
    [
        ("python", "web/main.py", ("{bin}/python", "web/main.py", "--level", "3")),
        ("shell", "app.sh", ("{source}/site/app.sh", "--level", "3")),
        ("command", "cd web && ./serve --port $PORT", ("bash", "-c", "cd web && ./serve --port $PORT")),
    ],
)
def test_programs(layout: Layout, interface: str, app: str, argv: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    """They listen at PORT by themselves; a variable that names an import string isn't for them, which is said."""
    plan = PLAN._replace(interface=interface, server=interface, app=app, servers={})
    environ = {"TAXIWAY_SERVER_ARGS": "--level 3", "APP_MODULE": "web:app", "PORT": "9000"}
    command, env = start.prepare(start.look(plan, {}, environ, layout))
    assert command.argv[2:4] == ("program", "21")
    assert command.argv[4:] == tuple(word.format(bin=layout.bin, source=layout.source) for word in argv)
    assert (env["PORT"], env["TAXIWAY_APP"]) == ("9000", app)
    assert capsys.readouterr().err == (
        f"warning: APP_MODULE=web:app is passed over: this image starts a program, {app} (object in web.py line 1). "
        "Build the image with it to start that application.\n"
    )


def test_dry_run(layout: Layout, capsys: pytest.CaptureFixture[str]) -> None:
    """It runs no hook: one that isn't executable would be refused."""
    hook = Path(layout.source, ".taxiway/hooks/deploy")
    hook.parent.mkdir(parents=True)
    hook.touch()
    start.start({}, {"APP_ROOT": layout.app_root}, dry_run=True)
    last = capsys.readouterr().out.splitlines()[-1]
    assert f"/graceful.sh TERM 21 {layout.bin}/gunicorn --bind fd://3 " in last
    assert " --forwarded-allow-ips '' " in last


def test_start(layout: Layout, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The server replaces this process, in the application's directory."""
    calls: list[tuple[str, tuple[str, ...], str]] = []
    monkeypatch.setattr(os, "execvpe", lambda file, argv, env: calls.append((file, argv, env["TAXIWAY_APP"])))
    monkeypatch.setattr(migrations, "at_start", lambda launch: calls.append(("migrations", (), launch.plan.app)))
    monkeypatch.setattr(start, "_listen", lambda command: calls.append(("listen", (), command.argv[-1].partition(".")[2])))
    monkeypatch.chdir(tmp_path)
    start.start({}, {"APP_ROOT": layout.app_root, "TMPDIR": str(tmp_path)})
    assert [(file, app) for file, _, app in calls] == [
        ("migrations", "web:app"),
        ("listen", "wsgi:application"),
        ("sh", "web:app"),
    ]
    assert probes.target({"TMPDIR": str(tmp_path)}) == probes.Target(8080, "/", "localhost")
    assert str(Path.cwd()) == f"{layout.source}/site"
    assert (tmp_path / f"taxiway-{os.getuid()}").stat().st_mode & 0o777 == 0o700


def test_server_that_cannot_be_started(layout: Layout, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def execvpe(file: str, *_: object) -> None:
        raise FileNotFoundError(2, "No such file or directory", file)

    monkeypatch.setattr(os, "execvpe", execvpe)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CannotExecError) as caught:
        start._execute(Command(argv=("/x/gunicorn", "a b")), {}, layout.source)  # noqa: SLF001
    assert str(caught.value).splitlines()[:2] == [
        "Couldn't start the server: /x/gunicorn: No such file or directory.",
        "The command was: /x/gunicorn 'a b'",
    ]


@pytest.mark.programs
def test_what_is_done_before_the_server(layout: Layout, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A container that is started again must not find what the server wrote before."""
    monkeypatch.setattr(os, "execvpe", lambda *_: None)
    monkeypatch.chdir(tmp_path)
    fresh = tmp_path / "fresh"
    fresh.mkdir()
    (fresh / "httpd.pid").touch()
    command = Command(
        argv=("server",),
        fresh=str(fresh),
        files=((str(tmp_path / "extra.conf"), "é\n"),),
        prepare=("sh", "-c", 'echo quiet; mkdir "$1" && pwd >"$1/where"', "sh", str(fresh)),
    )
    start._execute(command, {"PATH": os.defpath}, layout.source)  # noqa: SLF001
    assert [p.name for p in fresh.iterdir()] == ["where"]
    assert (fresh / "where").read_text() == f"{layout.source}\n"
    assert (tmp_path / "extra.conf").read_text(encoding="utf-8") == "é\n"


@pytest.mark.programs
def test_preparation_that_fails(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(CommandFailedError) as caught:
        start._run_quietly(("sh", "-c", "echo one; echo two >&2; exit 3"), {"PATH": os.defpath})  # noqa: SLF001
    assert str(caught.value) == (
        "A command failed with exit status 3: sh -c 'echo one; echo two >&2; exit 3'\n\n"
        "The last lines of its output:\n  one\n  two"
    )
    with pytest.raises(CommandFailedError, match="A command failed with signal 9: "):
        start._run_quietly(("sh", "-c", "kill -9 $$"), {"PATH": os.defpath})  # noqa: SLF001
    with pytest.raises(CannotExecError, match="Couldn't start the server: nowhere/x: No such file or directory"):
        start._run_quietly(("nowhere/x",), {})  # noqa: SLF001
    assert capfd.readouterr() == ("", "")


LISTEN = """\
import os, socket, sys
sys.path.insert(0, sys.argv[1])
from taxiway import start
from taxiway.errors import CannotListenError
from taxiway.servers import Command
with socket.socket(socket.AF_INET6 if ":" in sys.argv[3] else socket.AF_INET) as probe:
    probe.bind((sys.argv[3], 0))
    port = probe.getsockname()[1]
start._listen(Command(argv=(), address=(sys.argv[3], port), hand_over=True, backlog=int(sys.argv[2])))
given = socket.socket(fileno=3)
listens = given.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
defers = given.getsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT) > 0
print(given.getsockname()[:2] == (sys.argv[3], port), os.get_inheritable(3), listens, int(defers))
if listens and ":" in sys.argv[3]:
    for host in ("127.0.0.1", "::1"):
        socket.create_connection((host, port)).close()
try:
    start._listen(Command(argv=(), address=(sys.argv[3], port)))
    print("bound again")
except CannotListenError as error:
    print(str(error).replace(str(port), "PORT"))
"""


@pytest.mark.programs
@pytest.mark.parametrize("backlog", [0, 5])
@pytest.mark.parametrize("host", ["127.0.0.1", "::"])
def test_socket_that_is_handed_over(host: str, backlog: int) -> None:
    """As descriptor 3, for both families; a server that doesn't take it learns in time that the port is in use."""
    argv = [sys.executable, "-c", LISTEN, str(Path(start.__file__).parents[1]), str(backlog), host]
    lines = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.splitlines()
    assert lines[0] == f"True True {int(backlog > 0)} {int(backlog > 0)}"
    in_use = [
        f"Couldn't listen on {host} port PORT: Address already in use.",
        "",
        "Set PORT to a free one, or end the program that has it.",
    ]
    assert lines[1:] == (in_use if backlog else ["bound again"])


def test_without_ipv6(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the kernel gives no socket for both families, IPv4 is what is left."""
    real = socket.socket

    def only_ipv4(family: int = socket.AF_INET, *rest: int) -> socket.socket:
        if family == socket.AF_INET6:
            raise OSError(errno.EAFNOSUPPORT, "Address family not supported by protocol")
        return real(family, *rest)

    assert start.look(PLAN, {}, {}, layout).address == ("::", 8080)
    monkeypatch.setattr(socket, "socket", only_ipv4)
    assert start.look(PLAN, {}, {}, layout).address == ("0.0.0.0", 8080)


def test_port_that_only_root_may_use() -> None:
    assert str(CannotListenError("0.0.0.0", 80, "Permission denied", 1024)) == (
        "Couldn't listen on 0.0.0.0 port 80: Permission denied.\n\n"
        "A user other than root may listen only on ports from 1024 here (net.ipv4.ip_unprivileged_port_start).\n"
        "Set PORT to 8080, and publish it as 80: podman run --publish 80:8080; in Kubernetes, a Service with\n"
        "port: 80 and targetPort: 8080."
    )


def test_two_containers_with_one_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each has a directory of its own, and its other processes find it; one that is started again finds its first one."""
    environ = {"TMPDIR": str(tmp_path)}
    names = [f"taxiway-{os.getuid()}", f"taxiway-{os.getuid()}-2"]
    for name, container in zip(names, ("one", "two"), strict=True):
        monkeypatch.setattr(layout_module, "_container", lambda container=container: container)
        assert start._claim_writable(environ) == f"{tmp_path}/{name}"  # noqa: SLF001
        assert layout_module.writable_path(environ) == f"{tmp_path}/{name}"
    for descriptor in map(int, (entry.name for entry in Path("/proc/self/fd").iterdir())):
        if os.path.realpath(f"/proc/self/fd/{descriptor}").startswith(str(tmp_path)):
            os.close(descriptor)  # as when both have ended
    monkeypatch.setattr(layout_module, "_container", lambda: "one, again")
    assert start._claim_writable(environ) == f"{tmp_path}/{names[0]}"  # noqa: SLF001
    assert layout_module.writable_path(environ) == f"{tmp_path}/{names[0]}"


def test_directory_of_another_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody else may have made it below /tmp."""
    uid = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: uid + 1)
    with pytest.raises(CannotWriteError, match="belongs to another user"):
        start._claim_writable({"TMPDIR": str(tmp_path)})  # noqa: SLF001


def test_no_writable_directory(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CannotWriteError, match="for the server's own files: Not a directory"):
        start._claim_writable({"TMPDIR": str(tmp_path / "file")})  # noqa: SLF001


HEAVY = (
    *("argparse", "ast", "asyncio", "click", "dataclasses", "importlib.metadata", "inspect", "packaging", "pathlib"),
    *("ipaddress", "shlex", "shutil", "subprocess", "tempfile", "tomllib", "urllib"),
    *("taxiway.cli", "taxiway.detect", "taxiway.process"),
)


@pytest.mark.programs
@pytest.mark.parametrize("server", servers.NAMES)
def test_a_start_imports_little(layout: Layout, server: str) -> None:
    """Each container start pays for what is imported, on a tenth of a CPU many times over."""
    interface = servers.load(server).INTERFACES[0]
    launch_plan.write(PLAN._replace(server=server, interface=interface), layout.launch_plan)
    program = (
        "import sys\n"
        f"sys.path.insert(0, {str(Path(start.__file__).parents[1])!r})\n"
        "from taxiway.start import start\n"
        f"start({{}}, {{'APP_ROOT': {layout.app_root!r}, 'TAXIWAY_SERVER_ARGS': '--x $HOME'}}, dry_run=True)\n"
        f"print(sorted(name for name in {HEAVY} if name in sys.modules))\n"
    )
    # No site module: an environment's .pth files may import anything.
    run = subprocess.run([sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout.splitlines()[-1] == "[]"
