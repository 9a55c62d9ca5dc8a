"""The one import of the application in its own interpreter."""

import functools
import json
import os
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from trees import Tree

from taxiway.layout import runtime_path
from taxiway_runtime.inspect_app import _Wrong as Wrong
from taxiway_runtime.inspect_app import interface, missing_variable


class ImproperlyConfigured(Exception):  # noqa: N818  # Django's
    pass


class UndefinedValueError(Exception):
    """python-decouple's."""


class EnvError(ValueError):
    """environs' own."""


def chained(error: Exception, cause: Exception | None = None, context: Exception | None = None) -> Exception:
    error.__cause__ = cause
    error.__context__ = context
    return error


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (KeyError("SECRET_KEY"), "SECRET_KEY"),
        (KeyError("A1"), "A1"),
        (KeyError("secret_key"), None),
        (KeyError("Secret"), None),
        (KeyError("SECRET KEY"), None),
        (KeyError(3), None),
        (KeyError(), None),
        (KeyError("SET_ALREADY"), None),
        (ValueError("SECRET_KEY"), None),
        (None, None),
        (ImproperlyConfigured("Set the SECRET_KEY environment variable"), "SECRET_KEY"),  # django-environ
        (ImproperlyConfigured("Set the 'SECRET_KEY' environment variable."), "SECRET_KEY"),
        (ImproperlyConfigured("The SECRET_KEY setting must not be empty."), None),
        (ImproperlyConfigured("Set the SET_ALREADY environment variable"), None),
        (UndefinedValueError("SECRET_KEY not found. Declare it as envvar or define a default value."), "SECRET_KEY"),
        (EnvError('Environment variable "SECRET_KEY" not set'), "SECRET_KEY"),
        (EnvError('Environment variable "PORT" invalid: Not a valid integer.'), None),
        (RuntimeError("Set the SECRET_KEY environment variable"), None),
        (chained(ImproperlyConfigured("no"), cause=KeyError("SECRET_KEY")), "SECRET_KEY"),
        (chained(ImproperlyConfigured("no"), context=KeyError("SECRET_KEY")), "SECRET_KEY"),
        (chained(ValueError("x"), cause=chained(ValueError("y"), context=KeyError("SECRET_KEY"))), "SECRET_KEY"),
    ],
)
def test_missing_variable(monkeypatch: pytest.MonkeyPatch, error: Exception | None, name: str | None) -> None:
    monkeypatch.setenv("SET_ALREADY", "1")
    assert missing_variable(error) == name


def wsgi_function(environ: Any, start_response: Any) -> None: ...
async def asgi_function(scope: Any, receive: Any, send: Any) -> None: ...


class WsgiObject:
    def __call__(self, environ: Any, start_response: Any) -> None: ...
    async def asgi_method(self, scope: Any, receive: Any, send: Any) -> None: ...
    def wsgi_method(self, environ: Any, start_response: Any) -> None: ...


class AsgiObject:
    async def __call__(self, scope: Any, receive: Any, send: Any) -> None: ...


class SyncAsgi:
    """As some middleware: not async itself, but what it returns is."""

    def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
        return asgi_function(scope, receive, send)


class Wrapper:
    """As tracing middleware: takes anything."""

    def __init__(self, app: Any) -> None:
        self.app = app

    def __call__(self, *args: Any) -> Any:
        return self.app(*args)


class Slotted:
    """As Sentry's middleware: the method is chosen for each instance."""

    __slots__ = ("__call__",)

    def __init__(self, method: Any) -> None:
        self.__call__ = method


class PerRequest:
    """PEP 3333: a class whose instances answer one request each."""

    def __init__(self, environ: Any, start_response: Any) -> None: ...


class OldAsgi:
    """ASGI version 2, as Channels 2 had it."""

    def __init__(self, scope: Any) -> None: ...
    async def __call__(self, receive: Any, send: Any) -> None: ...


def old_asgi(scope: Any) -> Any: ...


def timed(function: Callable[..., Any]) -> Callable[..., Any]:
    def inner(*args: Any) -> Any:
        return function(*args)

    return inner


@pytest.mark.parametrize(
    ("application", "expected"),
    [
        (wsgi_function, "WSGI"),
        (lambda _environ, _start_response: [], "WSGI"),
        (WsgiObject(), "WSGI"),
        (WsgiObject().wsgi_method, "WSGI"),
        (PerRequest, "WSGI"),
        (functools.partial(wsgi_function), "WSGI"),
        (functools.partial(WsgiObject()), "WSGI"),
        (asgi_function, "ASGI"),
        (AsgiObject(), "ASGI"),
        (WsgiObject().asgi_method, "ASGI"),
        (functools.partial(asgi_function), "ASGI"),
        (functools.partial(functools.partial(AsgiObject())), "ASGI"),
        # Not async themselves, or without arguments of their own: their signature or what they wrap counts.
        (SyncAsgi(), "ASGI"),
        (SyncAsgi().__call__, "ASGI"),
        (Slotted(asgi_function), "ASGI"),
        (Slotted(wsgi_function), "WSGI"),
        (Wrapper(asgi_function), "ASGI"),
        (Wrapper(Wrapper(SyncAsgi())), "ASGI"),
        (Wrapper(WsgiObject()), "WSGI"),
        (timed(AsgiObject()), "ASGI"),
        (timed(wsgi_function), "WSGI"),
        (functools.wraps(asgi_function)(timed(wsgi_function)), "ASGI"),
    ],
)
def test_interface(application: Callable[..., Any], expected: str) -> None:
    assert interface(application) == expected


@pytest.mark.parametrize(
    ("application", "text"),
    [
        (OldAsgi, "OldAsgi takes scope alone, as in version 2 of ASGI"),
        (old_asgi, "old_asgi takes scope alone, as in version 2 of ASGI"),
        (len, "len takes obj; a WSGI application takes environ and start_response"),
        (lambda: None, "takes no arguments; a WSGI application takes environ and start_response"),
    ],
)
def test_neither(application: Callable[..., Any], text: str) -> None:
    with pytest.raises(Wrong) as caught:
        interface(application)
    assert text in str(caught.value)


def test_a_wrapper_of_itself_ends() -> None:
    one = Wrapper(None)
    one.app = Wrapper(one)
    assert interface(one) == "WSGI"


Ask = Callable[..., dict[str, Any]]


@pytest.fixture
def ask(tree: Tree, tmp_path: Path) -> Ask:
    """Run the script as a build does."""

    def run(files: dict[str, str], app: str, environ: dict[str, str] | None = None, *more: str) -> dict[str, Any]:
        top = tree(files)
        argv = [sys.executable, f"{runtime_path()}/taxiway_runtime/inspect_app.py", app, str(tmp_path / "answer"), *more]
        env = {"PATH": os.defpath, "PYTHONPATH": runtime_path(), **(environ or {})}
        subprocess.run(argv, env=env, cwd=top, check=True, capture_output=True, timeout=20)
        answer: dict[str, Any] = json.loads((tmp_path / "answer").read_text())
        if "interface" in answer:  # what importing it costs
            assert 1 << 20 < answer.pop("import_bytes") < 1 << 28
            assert answer.pop("free_threaded") is bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
        return answer

    return run


FUNCTION = "def app(environ, start_response): ...\n"


@pytest.mark.programs
@pytest.mark.parametrize(
    ("files", "app", "expected"),
    [
        ({"web.py": FUNCTION}, "web:app", {"interface": "WSGI"}),
        ({"web.py": "async def app(scope, receive, send): ...\n"}, "web:app", {"interface": "ASGI"}),
        ({"web.py": FUNCTION + "def create_app(): return app\n"}, "web:create_app()", {"interface": "WSGI"}),
        ({"web.py": FUNCTION}, "wep:app", {"wrong": "there is no module wep"}),
        ({"site/__init__.py": ""}, "shop.web:app", {"wrong": "there is no module shop"}),
        ({"shop/__init__.py": ""}, "shop.web:app", {"wrong": "there is no module shop.web"}),
        ({"web.py": "import flaask\n"}, "web:app", {"wrong": "importing web needs the module flaask, which isn't installed"}),
        ({"web.py": FUNCTION}, "web:application", {"wrong": "the module web has no application"}),
        ({"web.py": FUNCTION}, "web:create_app()", {"wrong": "the module web has no create_app"}),
        (
            {"web.py": "def create_app(config): ...\n"},
            "web:create_app()",
            {"wrong": "create_app() missing 1 required positional argument: 'config'"},
        ),
        (
            {"web.py": "def create_app():\n    len()\n"},
            "web:create_app()",
            {"error": "TypeError: len() takes exactly one argument (0 given)"},
        ),
        (
            {"web.py": "async def create_app(): ...\n"},
            "web:create_app()",
            {"wrong": "web:create_app() is a coroutine, which can't be called"},
        ),
        (
            {
                "web.py": "import other\nother.routes.append(1)\n",
                "other.py": "routes = []\ndef app():\n    return routes and set_x\ndef set_x(environ, start_response): ...\n",
            },
            "web+other:app()",
            {"interface": "WSGI"},
        ),
        ({"web.ini": ""}, "web.ini", {"wrong": "importing web.ini needs the module paste, which isn't installed"}),
        ({"other.py": FUNCTION}, "web+other:app", {"wrong": "there is no module web"}),
        ({"web.py": "app = 3\n"}, "web:app", {"wrong": "web:app is a int, which can't be called"}),
        ({"web.py": "x = (\n"}, "web:app", {"error": "SyntaxError"}),
        ({"web.py": "import os\nos.environ['KEY']\n"}, "web:app", {"missing": "KEY", "error": "KeyError: 'KEY'"}),
        ({"web.py": "raise SystemExit(3)\n"}, "web:app", {"error": "SystemExit: 3"}),
        ({"web.py": "raise OSError('no database')\n"}, "web:app", {"error": "OSError: no database"}),
        ({"web.py": "None.x\n"}, "web:app", {"error": "AttributeError: 'NoneType' object has no attribute 'x'"}),
        # Names like those of taxiway's own modules, and like a test's.
        ({"loading.py": FUNCTION}, "loading:app", {"interface": "WSGI"}),
        ({"wsgi.py": FUNCTION}, "wsgi:app", {"interface": "WSGI"}),
        ({"inspect_app.py": FUNCTION}, "inspect_app:app", {"interface": "WSGI"}),
        # It may print what it likes.
        ({"web.py": "print('{}')\n" + FUNCTION}, "web:app", {"interface": "WSGI"}),
    ],
)
def test_answers(ask: Ask, files: dict[str, str], app: str, expected: dict[str, str]) -> None:
    found = ask(files, app)
    if expected.get("error") == "SyntaxError":
        assert list(found) == ["error"]
        assert "SyntaxError: '(' was never closed" in found["error"]
    else:
        assert found == expected


@pytest.mark.programs
def test_threads_of_the_application_do_not_matter(ask: Ask) -> None:
    source = "import threading, time\nthreading.Thread(target=time.sleep, args=(30,)).start()\n" + FUNCTION
    started = time.monotonic()
    assert ask({"web.py": source}, "web:app") == {"interface": "WSGI"}
    assert time.monotonic() - started < 10


DJANGO = {
    "django/__init__.py": "",
    "django/conf.py": (
        "import importlib, os\n"
        "settings = importlib.import_module(os.environ['DJANGO_SETTINGS_MODULE'])\n"
        "for name in ('STATIC_URL', 'STATIC_ROOT'):\n"
        "    vars(settings).setdefault(name, None)\n"
    ),
    "web.py": FUNCTION,
}
SETTINGS = "MIDDLEWARE = []\nINSTALLED_APPS = ['django.contrib.staticfiles']\n"


@pytest.mark.programs
@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ("MIDDLEWARE = []\nINSTALLED_APPS = []\n", {"serves_static": False}),
        (
            SETTINGS,
            {"serves_static": False, "static_url": "/static/", "static_root": "{top}/staticfiles", "static_root_supplied": True},
        ),
        (
            SETTINGS + "STATIC_URL = 'assets/'\nSTATIC_ROOT = 'out'\n",
            {"serves_static": False, "static_url": "/assets/", "static_root": "{top}/out", "static_root_supplied": False},
        ),
        (
            SETTINGS + "STATIC_URL = 'https://cdn.example/'\nSTATIC_ROOT = '/srv/../srv/x'\n",
            {
                "serves_static": False,
                "static_url": "https://cdn.example/",
                "static_root": "/srv/x",
                "static_root_supplied": False,
            },
        ),
        (
            SETTINGS.replace("MIDDLEWARE = []", "MIDDLEWARE = ['whitenoise.middleware.WhiteNoiseMiddleware']"),
            {"serves_static": True, "static_url": "/static/", "static_root": "{top}/staticfiles", "static_root_supplied": True},
        ),
    ],
)
def test_django(ask: Ask, tree: Tree, settings: str, expected: dict[str, Any]) -> None:
    """With a stand-in for Django: the real one is used in the image tests."""
    found = ask(DJANGO | {"conf.py": settings}, "web:app", {"DJANGO_SETTINGS_MODULE": "conf"})
    top = str(tree({}).resolve())
    assert found == {
        "interface": "WSGI",
        **{name: value.format(top=top) if isinstance(value, str) else value for name, value in expected.items()},
    }


@pytest.mark.programs
def test_django_settings_that_need_a_variable(ask: Ask) -> None:
    settings = "import os\nSECRET_KEY = os.environ['SECRET_KEY']\n" + SETTINGS
    found = ask(DJANGO | {"conf.py": settings}, "web:app", {"DJANGO_SETTINGS_MODULE": "conf"})
    assert found == {"missing": "SECRET_KEY", "error": "KeyError: 'SECRET_KEY'", "settings_failed": True}


@pytest.mark.programs
@pytest.mark.parametrize(
    ("settings", "web", "command", "collected"),
    [
        (SETTINGS, "", "print('2 files to', settings.STATIC_ROOT, file=stdout)", "2 files to {top}/staticfiles\n"),
        (SETTINGS, "", "raise SystemExit(1)", None),  # it is run again by itself, where its output is seen
        (SETTINGS, "import os\nos.chdir('/')\n", "pass", ...),
        (SETTINGS, "raise OSError\n", "pass", ...),
        ("MIDDLEWARE = []\nINSTALLED_APPS = []\n", "", "pass", ...),
    ],
)
def test_collecting_static_files(*, ask: Ask, tree: Tree, settings: str, web: str, command: str, collected: object) -> None:
    """In the process that has imported Django; where that isn't as it was at its start, it is left to another."""
    management = f"from django.conf import settings\ndef call_command(name, *, stdout, **options):\n    {command}\n"
    files = DJANGO | {"conf.py": settings, "django/core/__init__.py": "", "django/core/management.py": management}
    files["django/__init__.py"] = "def setup(): ...\n"
    found = ask(files | {"web.py": web + FUNCTION}, "web:app", {"DJANGO_SETTINGS_MODULE": "conf"}, "collect")
    expected = collected.format(top=tree({}).resolve()) if isinstance(collected, str) else collected
    assert found.get("collected", ...) == expected


@pytest.mark.programs
def test_an_import_that_takes_too_long(tree: Tree) -> None:
    """It ends, and says where it waits."""
    top = tree({"web.py": "import time\ntime.sleep(30)\n"})
    code = "from taxiway_runtime import inspect_app as i; i.LIMIT_S = 0.5; i.main('web:app', 'answer.json')"
    env = {"PATH": os.defpath, "PYTHONPATH": runtime_path()}
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=top, env=env, capture_output=True, text=True, timeout=20, check=False
    )
    assert ended.returncode == 1
    assert ended.stderr.startswith("Timeout (0:00:00")
    assert 'web.py", line 2 in <module>' in ended.stderr
    assert not (top / "answer.json").exists()
