"""Finding what to start."""

import ast

import pytest
from trees import Tree

from taxiway.detect import entry_points
from taxiway.detect.entry_points import Candidate, candidates, choose


def found(source: str, module: str = "app") -> list[str]:
    return [
        f"{c.app} {c.what} {c.interface or '-'} {c.line}"
        for c in candidates(ast.parse(source), module, f"{module.replace('.', '/')}.py")
    ]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("", []),
        # Objects of frameworks, whatever their name.
        ("from flask import Flask\napp = Flask(__name__)", ["app:app Flask object WSGI 2"]),
        ("import flask\nserver = flask.Flask(__name__)", ["app:server Flask object WSGI 2"]),
        ("app: Flask = Flask(__name__)", ["app:app Flask object WSGI 1"]),
        ("app = bottle.Bottle()", ["app:app Bottle object WSGI 1"]),
        ("app = FastAPI()", ["app:app FastAPI object ASGI 1"]),
        ("api = Starlette(routes=[])", ["app:api Starlette object ASGI 1"]),
        ("app = Quart(__name__)", ["app:app Quart object ASGI 1"]),
        ("one = Flask('a')\ntwo = Flask('b')", ["app:one Flask object WSGI 1", "app:two Flask object WSGI 2"]),
        # Other objects by their usual name only.
        ("application = get_wsgi_application()", ["app:application object - 1"]),
        ("app = falcon.App()", ["app:app object - 1"]),
        ("app = Something()", ["app:app object - 1"]),
        ("thing = Something()", []),
        ("app = None", []),
        ("app = 'name'", []),
        ("from x import y\napp = y", []),
        # Another name of the same object isn't a second one.
        ("app = Flask('a')\napplication = app", ["app:application Flask object WSGI 1"]),
        ("server = Flask('a')\napp = server", ["app:app Flask object WSGI 1"]),
        ("app = application = Flask('a')", ["app:app Flask object WSGI 1", "app:application Flask object WSGI 1"]),
        ("app = Flask('a')\nhandler = app", ["app:app Flask object WSGI 1"]),
        # Functions.
        ("def application(environ, start_response): ...", ["app:application WSGI function WSGI 1"]),
        ("def application(env, sr): ...", ["app:application WSGI function WSGI 1"]),
        ("def simple(environ, start_response): ...", ["app:simple WSGI function WSGI 1"]),
        ("def simple(environ, start_response, *, x=1): ...", ["app:simple WSGI function WSGI 1"]),
        ("def app(a, b): ...", []),
        ("def application(one): ...", []),
        ("async def app(scope, receive, send): ...", ["app:app ASGI function ASGI 1"]),
        ("async def other(scope, receive, send): ...", []),
        # Factories.
        ("def create_app(): ...", ["app:create_app() factory - 1"]),
        ("def create_app(config=None): ...", ["app:create_app() factory - 1"]),
        ("def make_app(*args, **kwargs): ...", ["app:make_app() factory - 1"]),
        ("def create_application(*, debug=False): ...", ["app:create_application() factory - 1"]),
        ("def create_app(config): ...", []),
        ("def create_app(config, /): ...", []),
        ("def create_app(config, debug=False): ...", []),
        ("def create_app(*, config): ...", []),
        ("async def create_app(): ...", []),
        ("def build(): ...", []),
        ("def create_app(): ...\napp = create_app()", ["app:app object - 2", "app:create_app() factory - 1"]),
        # What doesn't run on import.
        ("if __name__ == '__main__':\n    app = Flask('a')", []),
        ("if __name__ == '__main__':\n    x = 1\nelse:\n    app = Flask('a')", ["app:app Flask object WSGI 4"]),
        ("# app = Flask('a')", []),
        ('"""\napp = Flask("a")\n"""', []),
        ("def create_app(x):\n    app = Flask('a')", []),
        ("class C:\n    app = Flask('a')", []),
        ("if debug:\n    app = Flask('a')", ["app:app Flask object WSGI 2"]),
        ("try:\n    app = Flask('a')\nexcept ImportError:\n    raise", ["app:app Flask object WSGI 2"]),
        # An import is the application in a module named wsgi only.
        ("from shop import app", []),
        ("import app", []),
    ],
)
def test_candidates(source: str, expected: list[str]) -> None:
    assert found(source) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("from shop import app", ["wsgi:app imported object - 1"]),
        ("from shop import app as application", ["wsgi:application imported object - 1"]),
        ("from shop import application, db", ["wsgi:application imported object - 1"]),
        ("from shop import create_app\napplication = create_app()", ["wsgi:application object - 2"]),
        ("from shop import server", []),
        ("if __name__ == '__main__':\n    from shop import app", []),
    ],
)
def test_imports_in_wsgi(source: str, expected: list[str]) -> None:
    assert found(source, "wsgi") == expected
    assert found(source, "shop.wsgi") == [line.replace("wsgi:", "shop.wsgi:") for line in expected]


def test_candidate_texts() -> None:
    (candidate,) = candidates(ast.parse("\ndef create_app(): ..."), "shop.web", "shop/web.py")
    assert str(candidate) == "shop.web:create_app()  (factory in shop/web.py line 2)"
    assert (candidate.name, candidate.is_factory) == ("create_app()", True)


def candidate(app: str) -> Candidate:
    return Candidate(app=app, file="x.py", line=1, what="object", interface=None)


@pytest.mark.parametrize(
    ("tier", "chosen"),
    [
        ([], []),
        (["m:x"], ["m:x"]),
        (["m:x", "m:y"], ["m:x", "m:y"]),
        (["m:app", "m:application"], ["m:application"]),
        (["m:x", "m:app"], ["m:app"]),
        (["m:app", "n:app"], ["m:app", "n:app"]),
        (["m:app", "n:application"], ["n:application"]),
        (["m:create_app()"], ["m:create_app()"]),
        (["m:x", "m:create_app()"], ["m:x"]),
        (["m:create_app()", "n:make_app()"], ["m:create_app()", "n:make_app()"]),
    ],
)
def test_choose(tier: list[str], chosen: list[str]) -> None:
    assert [c.app for c in choose([candidate(app) for app in tier])] == chosen


FLASK = "app = Flask(__name__)\n"


@pytest.mark.parametrize(
    ("files", "tiers"),
    [
        ({}, ([], [], [])),
        ({"wsgi.py": FLASK}, (["wsgi:app"], [], [])),
        ({"wsgi/__init__.py": FLASK}, (["wsgi:app"], [], [])),
        ({"app.py": FLASK}, ([], ["app:app"], [])),
        ({"application.py": FLASK, "main.py": FLASK}, ([], ["application:app", "main:app"], [])),
        ({"server.py": FLASK}, ([], [], [])),
        ({"shop/__init__.py": FLASK}, ([], [], ["shop:app"])),
        ({"shop/__init__.py": "", "shop/wsgi.py": "from .web import app\n"}, ([], [], ["shop.wsgi:app"])),
        (
            {"shop/__init__.py": "def create_app(): ...\n", "shop/app.py": FLASK, "shop/main.py": FLASK},
            ([], [], ["shop:create_app()", "shop.app:app", "shop.main:app"]),
        ),
        ({"shop/app.py": FLASK}, ([], [], [])),  # no package
        ({"shop/__init__.py": "", "shop/deep/__init__.py": FLASK}, ([], [], [])),
        ({"tests/__init__.py": FLASK, "docs/__init__.py": FLASK, "venv/__init__.py": FLASK}, ([], [], [])),
        # A src layout; a package that is named src.
        ({"src/shop/__init__.py": FLASK}, ([], [], ["shop:app"])),
        ({"src/wsgi.py": FLASK, "src/app.py": FLASK}, (["wsgi:app"], ["app:app"], [])),
        ({"src/__init__.py": FLASK, "src/app.py": FLASK}, ([], [], ["src:app", "src.app:app"])),
        # Files that aren't Python don't matter.
        ({"wsgi.py": "app = Flask(\n", "app.py": FLASK}, ([], ["app:app"], [])),
        ({"app.py": "def create_app(config):\n    return Flask()\n"}, ([], [], [])),
    ],
)
def test_look(tree: Tree, files: dict[str, str], tiers: tuple[list[str], ...]) -> None:
    assert tuple([c.app for c in tier] for tier in entry_points.look(tree(files))) == tiers


def test_file_names_in_messages(tree: Tree) -> None:
    top = tree({"src/shop/__init__.py": "\n" + FLASK})
    assert [str(c) for c in entry_points.look(top)[2]] == ["shop:app  (Flask object in src/shop/__init__.py line 2)"]


@pytest.mark.parametrize(
    ("source", "app"),
    [
        ('wsgi_app = "web:app"\n', "web:app"),
        ('# wsgi_app = "web:app"\n', None),  # s2i-python-container searches for the text
        ("print('wsgi_app')\n", None),
        ("wsgi_app = make()\n", None),
        ("wsgi_app = (\n", None),
    ],
)
def test_gunicorn_app(tree: Tree, source: str, app: str | None) -> None:
    assert entry_points.gunicorn_app(tree({"gunicorn.conf.py": source}) / "gunicorn.conf.py") == app


def test_no_gunicorn_configuration(tree: Tree) -> None:
    assert entry_points.gunicorn_app(tree({}) / "gunicorn.conf.py") is None
