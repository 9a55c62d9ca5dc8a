"""The application that every server runs."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from trees import Tree

from taxiway.layout import runtime_path

WHITENOISE = """\
class WhiteNoise:
    def __init__(self, application):
        self.application, self.files = application, []
    def add_files(self, directory, prefix):
        self.files.append([prefix, directory])
"""
WEB = "def create_app(): return app\ndef app(environ, start_response): ...\n"
IMPORT = "import json\nfrom taxiway_runtime import wsgi\n"
SHOW = """\
found = wsgi._application()
print(json.dumps([type(found).__name__, getattr(found, "files", []), getattr(found, "application", found).__name__]))
"""

Serve = Callable[..., Any]


@pytest.fixture
def serve(tree: Tree) -> Serve:
    """Import the module as a server does; return the kind of object, its static files, and the application's name."""

    def run(app: str, plan: dict[str, Any], show: str = SHOW) -> Any:
        top = tree({"web.py": WEB, "whitenoise.py": WHITENOISE, "plan.json": json.dumps({"static_root": None} | plan)})
        env = {
            "PATH": os.defpath,
            "PYTHONPATH": f"{top}:{runtime_path()}",
            "TAXIWAY_APP": app,
            "TAXIWAY_PLAN": f"{top}/plan.json",
            "TAXIWAY_SERVER": plan["server"],
        }
        return json.loads(
            subprocess.run([sys.executable, "-c", f"{IMPORT}{show}"], env=env, capture_output=True, check=True).stdout
        )

    return run


STATIC = [["/static/", "/srv/static"], ["/m", "/srv/media"]]


@pytest.mark.programs
@pytest.mark.parametrize("app", ["web:app", "web:create_app()"])
@pytest.mark.parametrize(
    ("plan", "kind", "files"),
    [
        ({"server": "gunicorn", "static": []}, "function", []),
        ({"server": "mod_wsgi", "static": STATIC}, "function", []),  # it serves them itself
        ({"server": "gunicorn", "static": STATIC}, "WhiteNoise", STATIC),
    ],
)
def test_application(serve: Serve, app: str, plan: dict[str, Any], kind: str, files: list[list[str]]) -> None:
    assert serve(app, plan) == [kind, files, "app"]


@pytest.mark.programs
def test_settings_without_static_root_get_the_build_s(serve: Serve, tree: Tree) -> None:
    """A storage with a manifest looks there; settings that have one keep it. With a stand-in for Django."""
    for stored, seen in ((None, "/built"), ("/own", "/own")):
        tree({"django/conf.py": f"class settings:\n    STATIC_ROOT = {stored!r}\n", "django/__init__.py": ""})
        plan = {"server": "mod_wsgi", "static": STATIC, "static_root": "/built"}
        assert serve("web:app", plan, show="import django.conf\nprint(json.dumps(django.conf.settings.STATIC_ROOT))\n") == seen
