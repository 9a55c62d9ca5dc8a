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
SHOW = """\
import json
from taxiway_runtime import wsgi
found = wsgi.application
print(json.dumps([type(found).__name__, getattr(found, "files", []), getattr(found, "application", found).__name__]))
"""

Serve = Callable[..., Any]


@pytest.fixture
def serve(tree: Tree) -> Serve:
    """Import the module as a server does; return the kind of object, its static files, and the application's name."""

    def run(app: str, plan: dict[str, Any]) -> Any:
        top = tree({"web.py": WEB, "whitenoise.py": WHITENOISE, "plan.json": json.dumps(plan)})
        env = {
            "PATH": os.defpath,
            "PYTHONPATH": f"{top}:{runtime_path()}",
            "TAXIWAY_APP": app,
            "TAXIWAY_PLAN": f"{top}/plan.json",
        }
        return json.loads(subprocess.run([sys.executable, "-c", SHOW], env=env, capture_output=True, check=True).stdout)

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
