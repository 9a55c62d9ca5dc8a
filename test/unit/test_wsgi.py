"""The applications that every server runs, WSGI and ASGI."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from trees import Tree

from taxiway.layout import runtime_path

WEB = """\
def create_app(): return app
def app(environ, start_response):
    start_response("200 OK", [])
    return [b"the application's"]
async def other(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"the application's"})
"""
IMPORT = "import asyncio, json\nfrom taxiway_runtime import {0} as module\n"
ASK = """\
from wsgiref.util import setup_testing_defaults
def ask(path):
    environ = {"PATH_INFO": path}
    setup_testing_defaults(environ)
    return b"".join(module.application(environ, lambda status, headers: None))
"""
ASK_ASYNC = """\
def ask(path):
    body = []
    async def send(message): body.append(message.get("body", b""))
    scope = {"type": "http", "method": "GET", "path": "/sub" + path, "root_path": "/sub", "query_string": b""}
    scope["headers"] = [(b"host", b"x")]
    asyncio.run(module.application(scope, None, send))
    return b"".join(body)
"""
SHOW = "print(json.dumps([ask(path).decode() for path in ('/static/a.css', '/static/none', '/')]))\n"

Serve = Callable[..., Any]


@pytest.fixture
def serve(tree: Tree) -> Serve:
    """Import the module as a server does, and run a line of Python."""

    def run(app: str, plan: dict[str, Any], show: str, module: str = "wsgi") -> Any:
        files = {"static": [["/static/", f"{tree({})}/public"]]} if plan["static"] else {}
        top = tree({"web.py": WEB, "public/a.css": "a file's", "plan.json": json.dumps({"static_root": None} | plan | files)})
        env = {
            "PATH": os.defpath,
            "PYTHONPATH": f"{top}:{runtime_path()}",
            "TAXIWAY_APP": app,
            "TAXIWAY_PLAN": f"{top}/plan.json",
            "TAXIWAY_SERVER": plan["server"],
        }
        source = IMPORT.format(module) + show
        return json.loads(subprocess.run([sys.executable, "-c", source], env=env, capture_output=True, check=True).stdout)

    return run


STATIC = [["/static/", "public"]]
APP = "the application's"


@pytest.mark.programs
@pytest.mark.parametrize("app", ["web:app", "web:create_app()"])
@pytest.mark.parametrize(
    ("plan", "answers"),
    [
        ({"server": "gunicorn", "static": []}, [APP, APP, APP]),
        ({"server": "mod_wsgi", "static": STATIC}, ["a file's", "", APP]),
        ({"server": "gunicorn", "static": STATIC}, ["a file's", "", APP]),
    ],
)
def test_application(serve: Serve, app: str, plan: dict[str, Any], answers: list[str]) -> None:
    assert serve(app, plan, ASK + SHOW) == answers


@pytest.mark.programs
@pytest.mark.parametrize(("static", "answers"), [([], [APP, APP, APP]), (STATIC, ["a file's", "", APP])])
def test_asgi_application(serve: Serve, static: list[list[str]], answers: list[str]) -> None:
    assert serve("web:other", {"server": "uvicorn", "static": static}, ASK_ASYNC + SHOW, "asgi") == answers


@pytest.mark.programs
def test_settings_without_static_root_get_the_build_s(serve: Serve, tree: Tree) -> None:
    """A storage with a manifest looks there; settings that have one keep it. With a stand-in for Django."""
    for stored, seen in ((None, "/built"), ("/own", "/own")):
        tree(
            {
                "django/conf.py": f"class settings:\n    configured = False\n    STATIC_ROOT = {stored!r}\n",
                "django/__init__.py": "",
            }
        )
        plan = {"server": "mod_wsgi", "static": STATIC, "static_root": "/built"}
        assert serve("web:app", plan, show="import django.conf\nprint(json.dumps(django.conf.settings.STATIC_ROOT))\n") == seen
