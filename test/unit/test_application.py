"""Asking the application itself: the dialogue with its interpreter."""

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from trees import Tree

from taxiway.build import application, bytecode
from taxiway.build.application import Inspection, placeholder
from taxiway.errors import BadEntryPointError, BytecodeError, CollectstaticError
from taxiway.layout import Layout
from taxiway.plan import BuildPlan
from taxiway.process import Result

LAYOUT = Layout("/opt/app-root", "/opt/app-root/src")
PLAN = BuildPlan(
    app="web:app",
    home="site",
    framework="django",
    django_settings="site.settings",
    server="mod_wsgi",
    interface=None,
    requirements=None,
    require_hashes=False,
    unpinned=(),
    collectstatic=True,
    static=(),
    origins={"app": "APP_MODULE", "server": "default"},
    passed_over=(),
)
INSPECTION = Inspection(
    interface="WSGI", error="", static_url="/static/", static_root="/srv/static", serves_static=False, placeholders={"K": "v"}
)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SECRET_KEY", "placeholder-of-the-build"),
        ("DATABASE_URL", "sqlite://:memory:"),
        ("DB_URL", "sqlite://:memory:"),
        ("READ_DATABASE_DSN", "sqlite://:memory:"),
        ("REDIS_URL", "http://localhost"),
        ("SENTRY_DSN", "http://localhost"),
        ("DATABASE_PORT", "1"),
        ("REQUEST_TIMEOUT", "1"),
        ("SITE_ID", "1"),
        ("DATABASE_HOST", "localhost"),
        ("ALLOWED_HOSTS", "localhost"),
        ("URL", "placeholder-of-the-build"),
    ],
)
def test_placeholder(name: str, value: str) -> None:
    assert placeholder(name) == value


class Interpreter:
    """Takes the place of the application's interpreter: each call answers from what it is given."""

    def __init__(self, answer: Callable[[Mapping[str, str]], dict[str, Any] | None]) -> None:
        self.answer = answer
        self.argvs: list[list[str]] = []
        self.environs: list[Mapping[str, str]] = []

    def __call__(self, argv: list[str], *, env: Mapping[str, str], cwd: Path, **_: object) -> Result:
        assert cwd == Path("/opt/app-root/src/site")
        self.argvs.append(argv)
        self.environs.append(env)
        found = self.answer(env)
        if found is None:
            return Result(-11, "Fatal Python error")
        Path(argv[3]).write_text(json.dumps(found))
        return Result(0, "")


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[Inspection, Interpreter]]:
    def run(
        answer: Callable[[Mapping[str, str]], dict[str, Any] | None], environ: Mapping[str, str] | None = None
    ) -> tuple[Inspection, Interpreter]:
        fake = Interpreter(answer)
        monkeypatch.setattr(application, "run", fake)
        return application.inspect(PLAN, LAYOUT, environ or {}), fake

    return run


Ask = Callable[..., tuple[Inspection, Interpreter]]


def test_inspect(ask: Ask) -> None:
    found, interpreter = ask(lambda _: {"interface": "WSGI", "static_url": "/s/", "static_root": "/r", "serves_static": True})
    assert found == Inspection(
        interface="WSGI", error="", static_url="/s/", static_root="/r", serves_static=True, placeholders={}
    )
    (argv,) = interpreter.argvs
    assert argv[0] == "/opt/app-root/bin/python"
    assert argv[1].endswith("/taxiway_runtime/inspect_app.py")
    assert argv[2] == "web:app"
    assert not Path(argv[3]).exists()
    assert interpreter.environs == [{"DJANGO_SETTINGS_MODULE": "site.settings"}]


def test_the_environment_names_the_settings(ask: Ask) -> None:
    _, interpreter = ask(lambda _: {"interface": "WSGI"}, {"DJANGO_SETTINGS_MODULE": "other"})
    assert interpreter.environs == [{"DJANGO_SETTINGS_MODULE": "other"}]


def test_missing_variables_get_placeholders(ask: Ask, capsys: pytest.CaptureFixture[str]) -> None:
    def answer(env: Mapping[str, str]) -> dict[str, Any]:
        missing = next((name for name in ("SECRET_KEY", "DATABASE_URL") if name not in env), None)
        return {"missing": missing, "error": "KeyError"} if missing else {"interface": "WSGI"}

    found, interpreter = ask(answer)
    assert found.placeholders == {"SECRET_KEY": "placeholder-of-the-build", "DATABASE_URL": "sqlite://:memory:"}
    assert found.error == ""
    assert len(interpreter.argvs) == 3
    application.report(found)
    assert capsys.readouterr().err == (
        "warning: SECRET_KEY isn't set during the build; 'placeholder-of-the-build' stands in for it in this step only. "
        "A value for builds goes into .taxiway/build-env.\n"
        "warning: DATABASE_URL isn't set during the build; 'sqlite://:memory:' stands in for it in this step only. "
        "A value for builds goes into .taxiway/build-env.\n"
    )


def test_a_placeholder_that_does_not_help(ask: Ask, capsys: pytest.CaptureFixture[str]) -> None:
    """It isn't tried for ever; the application may still start where the variable is set."""
    found, interpreter = ask(lambda _: {"missing": "KEY", "error": "ValueError: bad KEY"})
    assert (found.interface, found.error, len(interpreter.argvs)) == (None, "ValueError: bad KEY", 2)
    application.report(found)
    assert "The application couldn't be imported during the build: ValueError: bad KEY\n" in capsys.readouterr().err


def test_endless_variables(ask: Ask) -> None:
    found, interpreter = ask(lambda env: {"missing": f"KEY_{len(env)}", "error": "x"})
    assert len(found.placeholders) == 50
    assert len(interpreter.argvs) == 51


@pytest.mark.parametrize("extra", [{}, {"missing": "KEY"}])
def test_wrong(ask: Ask, extra: dict[str, str]) -> None:
    with pytest.raises(BadEntryPointError) as caught:
        ask(lambda _: {"wrong": "there is no module web", **extra})
    assert str(caught.value).splitlines()[0] == "The application web:app (APP_MODULE) can't be started: there is no module web."


def test_asgi(ask: Ask) -> None:
    assert ask(lambda _: {"interface": "ASGI"})[0].interface == "ASGI"


def test_interpreter_that_crashes(ask: Ask) -> None:
    found, _ = ask(lambda _: None)
    assert (found.interface, found.error) == (None, "the import ended with signal 11: Fatal Python error")


def test_without_static() -> None:
    found = application.without_static(INSPECTION)
    assert (found.static_url, found.static_root, found.placeholders) == (None, None, {"K": "v"})


@pytest.mark.parametrize("status", [0, 1, -9])
def test_collect_static(monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    calls: list[tuple[list[str], Mapping[str, str]]] = []

    def run(argv: list[str], *, env: Mapping[str, str], **_: object) -> Result:
        calls.append((argv, env))
        return Result(status, "missing picture")

    monkeypatch.setattr(application, "run", run)
    if status:
        with pytest.raises(CollectstaticError, match=re.escape(f"collectstatic failed with {Result(status, '').reason}.")):
            application.collect_static(PLAN, INSPECTION, LAYOUT, {})
    else:
        application.collect_static(PLAN, INSPECTION, LAYOUT, {"A": "1"})
        assert calls[0][0][2] == "/srv/static"
        assert calls[0][1] == {"A": "1", "K": "v", "DJANGO_SETTINGS_MODULE": "site.settings"}


def test_what_collectstatic_said(capsys: pytest.CaptureFixture[str]) -> None:
    application.tell_collected("Post-processed 'a.css'\n\n2 static files copied to '/srv/static'.\n")
    assert capsys.readouterr().out == "     2 static files copied to '/srv/static'.\n"


@pytest.mark.parametrize("status", [0, 1])
def test_compile_application(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, status: int) -> None:
    (tmp_path / "lib/python3.13/site-packages").mkdir(parents=True)
    argvs: list[list[str]] = []

    def run(argv: list[str], **_: object) -> Result:
        argvs.append(argv)
        return Result(status, "no space")

    monkeypatch.setattr(bytecode, "run", run)
    layout = Layout(str(tmp_path), str(tmp_path / "src"))
    if status:
        with pytest.raises(BytecodeError, match="failed with exit status 1"):
            bytecode.compile_application(layout, {}, since_s=1.5)
    else:
        bytecode.compile_application(layout, {}, since_s=1.5)
        bytecode.compile_application(layout, {}, since_s=None)
        assert argvs[1][3:] == ["0.000", f"{tmp_path}/src"]
    assert argvs[0][:2] == [f"{tmp_path}/bin/python", "-I"]
    assert argvs[0][3:] == ["1.500", f"{tmp_path}/lib/python3.13/site-packages", "0.000", f"{tmp_path}/src"]


@pytest.mark.parametrize(
    ("command", "missing"),
    [
        ("gunicorn app:app", "gunicorn"),
        ("exec env A=1 B=$PORT gunicorn app:app", "gunicorn"),
        ("tool --port $PORT", None),
        ("cd site && gunicorn app:app", None),
        ("bin/serve", None),
        ("$SERVER app:app", None),
        ("(sleep 1; gunicorn)", None),
        ("gunicorn 'app:app", None),
        ("A=1", None),
    ],
)
def test_missing_program(tree: Tree, command: str, missing: str | None) -> None:
    top = tree({"tool": ""})
    (top / "tool").chmod(0o755)
    assert application.missing_program(command, str(top)) == missing
