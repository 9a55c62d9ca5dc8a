"""Commands beside the running server, and the probes' question."""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from test_migrations import PLAN
from test_start import HEAVY
from trees import Tree

from taxiway import actions, launch_plan, probes
from taxiway.errors import CommandFailedError, HookNotExecutableError, MissingVariablesError, NotHealthyError
from taxiway.layout import runtime_path, writable_path
from taxiway.probes import Target


class Become:
    """Takes the place of os.execve."""

    def __init__(self) -> None:
        self.calls: list[tuple[tuple[str, ...], dict[str, str], str]] = []

    def __call__(self, path: str, argv: tuple[str, ...], environ: dict[str, str]) -> None:
        assert path == argv[0]
        self.calls.append((argv, environ, str(Path.cwd())))


@pytest.fixture
def become(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Become:
    fake = Become()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "execve", fake)
    return fake


def application(tree: Tree, hook: str = "", **plan: object) -> dict[str, str]:
    """An application with a hook; gives the environment in which it runs."""
    root = tree({"src/site/web.py": "", **({f"src/.taxiway/hooks/{hook}": ""} if hook else {})})
    if hook:
        (root / "src/.taxiway/hooks" / hook).chmod(0o755)
    launch_plan.write(PLAN._replace(**plan), f"{root}/.taxiway/launch.json")  # type: ignore[arg-type]
    return {"APP_ROOT": str(root), "TMPDIR": str(root), "PATH": "/bin"}


@pytest.mark.parametrize("name", ["setup", "migrate", "verify", "alive", "ready"])
def test_a_hook(tree: Tree, become: Become, name: str) -> None:
    """It has the server's environment, and runs at the top of the source."""
    environ = application(tree, name)
    actions.act(name, environ)
    root = environ["APP_ROOT"]
    [(argv, given, directory)] = become.calls
    assert argv == (f"{root}/src/.taxiway/hooks/{name}",)
    assert directory == f"{root}/src"
    assert given["TAXIWAY_PHASE"] == name
    assert given["PATH"] == f"{root}/bin:/bin"
    assert given["PYTHONPATH"] == f"{root}/src/site:{root}/src:{runtime_path()}"
    assert (given["PORT"], given["DJANGO_SETTINGS_MODULE"]) == ("8080", "site.settings")


def test_the_port_is_that_of_the_running_server(tree: Tree, become: Become) -> None:
    """Wherever it was set: `podman exec` has only the variables of the container."""
    environ = application(tree, "setup")
    (tree({}) / f"taxiway-{os.getuid()}").mkdir()
    probes.write(writable_path(environ), Target(9123, "/", "localhost"))
    actions.act("setup", environ)
    assert become.calls[0][1]["PORT"] == "9123"


def test_what_a_start_refuses(tree: Tree, become: Become) -> None:
    environ = application(tree, "setup", project={"env": {"KEY": {"required": True}}})
    with pytest.raises(MissingVariablesError):
        actions.act("setup", environ)
    assert become.calls == []


def test_hook_without_its_run_bit(tree: Tree) -> None:
    environ = application(tree, "ready")
    Path(environ["APP_ROOT"], "src/.taxiway/hooks/ready").chmod(0o644)
    with pytest.raises(HookNotExecutableError):
        actions.act("ready", environ)


@pytest.mark.programs
def test_hook_that_cannot_be_started(tree: Tree, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    environ = application(tree, "setup")
    Path(environ["APP_ROOT"], "src/.taxiway/hooks/setup").write_text("#!/nowhere/python\n")
    with pytest.raises(CommandFailedError, match="No such file"):
        actions.act("setup", environ)


def test_django_migrates_without_a_hook(tree: Tree, become: Become) -> None:
    environ = application(tree)
    actions.act("migrate", environ)
    root = environ["APP_ROOT"]
    [(argv, given, directory)] = become.calls
    assert argv == (f"{root}/bin/python", "-m", "taxiway_runtime.migrate", "300", "default")
    assert (directory, given["TAXIWAY_PHASE"]) == (f"{root}/src/site", "migrate")


@pytest.mark.parametrize("name", ["setup", "verify", "migrate"])
def test_nothing_to_do(tree: Tree, become: Become, capsys: pytest.CaptureFixture[str], name: str) -> None:
    actions.act(name, application(tree, framework=None))
    assert become.calls == []
    assert capsys.readouterr().out.startswith(f"---> There is no hook {name}")


@contextmanager
def server(answer: bytes) -> Iterator[tuple[int, list[bytes]]]:
    """Answer one request; gives the port, and what was sent."""
    received: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                received.append(connection.recv(4096))
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield listening.getsockname()[1], received
        thread.join()


def ask(tmp_path: Path, name: str, answer: bytes) -> str:
    environ = {"TMPDIR": str(tmp_path)}
    Path(writable_path(environ)).mkdir()
    with server(answer) as (port, received):
        probes.write(writable_path(environ), Target(port, "/health?x=1", "polls.example.com"))
        try:
            return probes.ask(name, environ)
        finally:
            assert received[0].decode().split("\r\n") == [
                "GET /health?x=1 HTTP/1.1",
                "Host: polls.example.com",
                f"User-Agent: taxiway-{name}",
                "Connection: close",
                "",
                "",
            ]


@pytest.mark.parametrize(
    ("status", "alive", "ready"),
    [
        ("200 OK", True, True),
        ("302 Found", True, True),
        ("400 Bad Request", True, True),
        ("404 Not Found", True, True),
        ("500 Internal Server Error", True, False),
        ("503", True, False),
    ],
)
@pytest.mark.parametrize("name", ["alive", "ready"])
def test_answers(tmp_path: Path, name: str, status: str, *, alive: bool, ready: bool) -> None:
    answer = f"HTTP/1.1 {status}\r\nContent-Length: 200000\r\n\r\n{'x' * 200_000}".encode()
    if {"alive": alive, "ready": ready}[name]:
        assert ask(tmp_path, name, answer) == f"HTTP/1.1 {status}"
    else:
        with pytest.raises(NotHealthyError, match=f"^The server isn't {name}: GET /health.x=1 on port .* answers {status}"):
            ask(tmp_path, name, answer)


@pytest.mark.parametrize("answer", [b"", b"220 mail ready\r\n", b"HTTP/1.1\r\n", b"\xff\xfe"])
def test_no_http(tmp_path: Path, answer: bytes) -> None:
    with pytest.raises(NotHealthyError, match="answers something else than HTTP"):
        ask(tmp_path, "alive", answer)


def test_nothing_listens(tmp_path: Path) -> None:
    environ = {"TMPDIR": str(tmp_path)}
    with pytest.raises(NotHealthyError, match=r"^The server isn't ready: it wasn't started yet\.\n"):
        probes.ask("ready", environ)
    Path(writable_path(environ)).mkdir()
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    probes.write(writable_path(environ), Target(port, "/", "localhost"))
    with pytest.raises(NotHealthyError, match=f"port {port}: Connection refused"):
        probes.ask("ready", environ)


@pytest.mark.programs
def test_a_probe_imports_next_to_nothing(tree: Tree) -> None:
    """It runs every few seconds, on a tenth of a CPU."""
    environ = application(tree)
    program = (
        "import sys\n"
        f"sys.path.insert(0, {str(Path(actions.__file__).parents[1])!r})\n"
        "sys.argv[1:] = ['ready']\n"
        "from taxiway.__main__ import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    print(end.code)\n"
        f"print([name for name in {(*HEAVY, 'json', 'socket', 'taxiway.launch_plan', 'taxiway.settings', 'taxiway.start')}"
        " if name in sys.modules])\n"
    )
    run = subprocess.run([sys.executable, "-I", "-S", "-c", program], env=environ, capture_output=True, text=True, check=True)
    assert "The server isn't ready: it wasn't started yet." in run.stderr
    status, modules = run.stdout.splitlines()
    assert status == "1"
    assert modules == "[]"
