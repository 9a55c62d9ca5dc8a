"""Finding what to start."""

import pytest
from trees import Tree

from taxiway.detect import declared, entry_points
from taxiway.detect.entry_points import Candidate, choose
from taxiway.detect.modules import Modules

FLASK = "app = Flask(__name__)\n"


def tiers(tree: Tree, files: dict[str, str]) -> list[list[Candidate]]:
    """What is found, without empty tiers."""
    return [list(tier) for tier in entry_points.look(Modules(tree(files))).tiers if tier]


def found(tree: Tree, source: str, file: str = "app.py") -> list[str]:
    return [f"{c.app} {c.what} {c.interface or '-'} {c.line}" for tier in tiers(tree, {file: source}) for c in tier]


def chosen(tree: Tree, files: dict[str, str]) -> list[str]:
    """What the first tier with candidates comes to: one is a decision, several are a question."""
    return [c.app for c in choose(next(iter(tiers(tree, files)), []))]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("", []),
        # Objects of frameworks, whatever their name.
        ("from flask import Flask\napp = Flask(__name__)", ["app:app Flask object WSGI 2"]),
        ("import flask\nserver = flask.Flask(__name__)", ["app:server Flask object WSGI 2"]),
        ("app: Flask = Flask(__name__)", ["app:app Flask object WSGI 1"]),
        ("import bottle\napp = bottle.Bottle()", ["app:app Bottle object WSGI 2"]),
        ("app = FastAPI()", ["app:app FastAPI object ASGI 1"]),
        ("api = Starlette(routes=[])", ["app:api Starlette object ASGI 1"]),
        ("app = Quart(__name__)", ["app:app Quart object ASGI 1"]),
        ("one = Flask('a')\ntwo = Flask('b')", ["app:one Flask object WSGI 1", "app:two Flask object WSGI 2"]),
        # Other objects by their usual name only.
        ("application = get_wsgi_application()", ["app:application object - 1"]),
        ("import falcon\napp = falcon.App()", ["app:app App object WSGI 2"]),
        ("import falcon.asgi\napp = falcon.asgi.App()", ["app:app App object ASGI 2"]),
        ("from falcon.asgi import App\napp = App()", ["app:app App object ASGI 2"]),
        ("from connexion import App\napp = App('x')", ["app:app App object - 2"]),
        ("app = Something()", ["app:app object - 1"]),
        ("app = one if debug else two", ["app:app object - 1"]),
        ("thing = Something()", []),
        ("app = None", []),
        ("app = 'name'", []),
        ("from x import y\napp = y", []),
        # Another name of the same object isn't a second one.
        ("app = Flask('a')\napplication = app", ["app:application Flask object WSGI 2"]),
        ("server = Flask('a')\napp = server", ["app:app Flask object WSGI 2"]),
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
        ("async def other(scope, receive, send): ...", ["app:other ASGI function ASGI 1"]),
        ("async def other(a, b, c): ...", []),
        ("async def app(a, b, c): ...", ["app:app ASGI function ASGI 1"]),
        ("class application:\n    def __init__(self, environ, start_response): ...", ["app:application WSGI class WSGI 1"]),
        ("class app:\n    def __init__(self): ...", []),
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
        ("def get_app(): ...", []),
        ("def get_app() -> FastAPI: ...", ["app:get_app() factory ASGI 1"]),
        ("def init_app():\n    return Flask(__name__)", ["app:init_app() factory WSGI 1"]),
        ("def make_test_app():\n    return Flask(__name__)", []),
        ("def create_app():\n    app = Flask(__name__)\n    return app", ["app:create_app() factory WSGI 1"]),
        ("def create_app():\n    return config.make_wsgi_app()", ["app:create_app() factory WSGI 1"]),
        ("from celery import Celery\ndef create_app():\n    return Celery()", []),
        ("def create_app(name): return Flask(name)\napp = create_app('x')", ["app:app object of create_app() WSGI 2"]),
        # Classes of one's own below a framework's.
        ("class Shop(Flask): ...\nshop = Shop('a')", ["app:shop Flask object WSGI 2"]),
        ("class Flask(Flask): ...\napp = Flask('a')", ["app:app Flask object WSGI 2"]),
        # Often called app, but for no web server; parts of an application.
        ("from celery import Celery\napp = Celery('a')", []),
        ("import typer\napp = typer.Typer()", []),
        ("from aiohttp import web\napp = web.Application()", []),
        ("from slack_bolt import App\napp = App()", []),
        ("from fastapi import APIRouter\napp = APIRouter()", []),
        # Dash's application has its WSGI object inside.
        ("app = Dash(__name__)", ["app:app.server Dash's server WSGI 1"]),
        ("from dash import Dash\napp = Dash(__name__)\nserver = app.server", ["app:server Dash's server WSGI 3"]),
        # Routes of a framework's own object.
        ("import bottle\n@bottle.get('/')\ndef x(): ...", ["app+bottle:default_app() Bottle's routes WSGI 3"]),
        (
            "from bottle import route, run\n@route('/')\ndef x(): ...\nif __name__ == '__main__':\n    run()",
            ["app+bottle:default_app() Bottle's routes WSGI 3"],
        ),
        ("from bottle import route, Bottle\nsite = Bottle()\n@route('/')\ndef x(): ...", ["app:site Bottle object WSGI 2"]),
        ("import cherrypy\ncherrypy.tree.mount(Root(), '/')", ["app+cherrypy:tree CherryPy's tree WSGI 2"]),
        ("from shop import route\n@route('/')\ndef x(): ...", []),
        # What frameworks' functions make.
        ("from pyramid.config import Configurator\nsite = Configurator().make_wsgi_app()", ["app:site WSGI object WSGI 2"]),
        ("import cherrypy\nsite = cherrypy.tree.mount(Root())", ["app:site mount object WSGI 2"]),
        ("import bottle\nsite = bottle.default_app()", ["app:site default_app object WSGI 2"]),
        (
            "from asgiref.wsgi import WsgiToAsgi\nflask = Flask('x')\napp = WsgiToAsgi(flask)",
            ["app:flask Flask object WSGI 2", "app:app WsgiToAsgi object ASGI 3"],
        ),
        ("def create_app(): ...\napp = create_app()", ["app:app object of create_app() - 2"]),
        # What doesn't run on import.
        ("if __name__ == '__main__':\n    app = Flask('a')", []),
        ("if __name__ == '__main__':\n    x = 1\nelse:\n    app = Flask('a')", ["app:app Flask object WSGI 4"]),
        ("# app = Flask('a')", []),
        ('"""\napp = Flask("a")\n"""', []),
        ("def create_app(x):\n    app = Flask('a')", []),
        ("class C:\n    app = Flask('a')", []),
        ("if debug:\n    app = Flask('a')", ["app:app Flask object WSGI 2"]),
        ("try:\n    app = Flask('a')\nexcept ImportError:\n    raise", ["app:app Flask object WSGI 2"]),
        # An import from an installed package: by its usual name.
        ("from shop import app", ["app:app imported object - 1"]),
        ("from shop import server", []),
        ("from bottle import app", []),
        ("from celery import app", []),
        ("import app", []),
    ],
)
def test_candidates(tree: Tree, source: str, expected: list[str]) -> None:
    assert found(tree, source) == expected


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
def test_imports_in_wsgi(tree: Tree, source: str, expected: list[str]) -> None:
    assert found(tree, source, "wsgi.py") == expected


def test_candidate_texts(tree: Tree) -> None:
    ((candidate,),) = tiers(tree, {"shop/__init__.py": "", "shop/web.py": "\ndef create_app(): ..."})
    assert str(candidate) == "shop.web:create_app()  (factory in shop/web.py line 2)"
    assert (candidate.name, candidate.is_factory) == ("create_app()", True)


CREATE = "def create_app(): return Flask(__name__)\n"
WITH_NAME = "def create_app(name): return Flask(name)\n"
FAST = "app = FastAPI()\n"


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, []),
        # Tiers.
        ({"wsgi.py": FLASK, "app.py": FLASK}, ["wsgi:app"]),
        ({"wsgi/__init__.py": FLASK}, ["wsgi:app"]),
        ({"app.py": FLASK, "server.py": FLASK}, ["app:app"]),
        ({"server.py": FLASK, "hello.py": FLASK}, ["server:app"]),
        ({"hello.py": FLASK, "shop/__init__.py": FLASK}, ["hello:app"]),
        ({"shop/__init__.py": FLASK}, ["shop:app"]),
        ({"shop/__init__.py": "", "shop/wsgi.py": FLASK, "shop/app.py": FLASK}, ["shop.wsgi:app"]),
        ({"shop/__init__.py": "", "shop/deep/__init__.py": FLASK}, ["shop.deep:app"]),
        ({"shop/__init__.py": "", "shop/factory.py": CREATE}, ["shop.factory:create_app()"]),
        # Within one module: an object before a factory, application, app, any other.
        ({"app.py": "admin = Flask('b')\n" + FLASK}, ["app:app"]),
        ({"app.py": FLASK + "application = Flask('b')\n"}, ["app:application"]),
        ({"app.py": "one = Flask('a')\ntwo = Flask('b')\n"}, ["app:one", "app:two"]),
        ({"app.py": CREATE + "def make_app(): return Flask('b')\n"}, ["app:create_app()", "app:make_app()"]),
        # Nothing decides between two modules.
        ({"app.py": FLASK, "main.py": FLASK}, ["app:app", "main:app"]),
        ({"app.py": FLASK, "application.py": "application = Flask('b')\n"}, ["app:app", "application:application"]),
        ({"a.py": FLASK, "b.py": FLASK}, ["a:app", "b:app"]),
        ({"a/__init__.py": FLASK, "b/__init__.py": FLASK}, ["a:app", "b:app"]),
        # One object under several names is one.
        ({"app.py": FLASK, "main.py": "from app import app\n"}, ["app:app"]),
        ({"app.py": "from main import app\n", "main.py": FLASK}, ["app:app"]),
        ({"shop/__init__.py": "from .web import app\n", "shop/web.py": FLASK}, ["shop:app"]),
        (
            {"shop/__init__.py": "from shop.web import *\n", "shop/web.py": FLASK, "shop/app.py": "from . import app"},
            ["shop.app:app"],
        ),
        ({"app.py": "from shop import create_app\napp = create_app()\n", "shop/__init__.py": CREATE}, ["app:app"]),
        ({"app.py": "from shop import app as inner\napp = inner\n", "shop/__init__.py": FLASK}, ["app:app"]),
        ({"a/__init__.py": "from b import app\n", "b/__init__.py": "from a import app\n"}, []),  # in a circle
        # What another one mounts or wraps is a part of it.
        ({"main.py": "import app as inner\napp = FastAPI()\napp.mount('/a', inner.app)\n", "app.py": FAST}, ["main:app"]),
        ({"main.py": "from app import app as inner\napp = Middleware(inner)\n", "app.py": FLASK}, ["main:app"]),
        (
            {"shop/__init__.py": "", "shop/api.py": FAST, "shop/main.py": "from . import api\napp = FastAPI()\n"},
            ["shop.main:app"],
        ),
        # A factory that needs arguments isn't one; a module that calls it is the answer. Scripts that use it don't count.
        ({"shop/__init__.py": WITH_NAME, "site.py": "from shop import create_app\napp = create_app('x')\n"}, ["site:app"]),
        ({"shop/__init__.py": WITH_NAME}, []),
        ({"shop/__init__.py": CREATE, "seed.py": "from shop import create_app\napp = create_app()\n"}, ["shop:create_app()"]),
        ({"shop/__init__.py": FLASK, "seed.py": "from shop import app\n"}, ["shop:app"]),
        # An unusual module has to show what it is.
        ({"jobs.py": "app = Something()\n", "shop/__init__.py": FLASK}, ["shop:app"]),
        ({"jobs.py": "from celery import Celery\napp = Celery()\n", "web.py": FLASK}, ["web:app"]),
        # Where both are there, WSGI, unless the server says otherwise.
        ({"wsgi.py": FLASK, "asgi.py": FAST}, ["wsgi:app"]),
        ({"asgi.py": FAST}, ["asgi:app"]),
        # Not started: tests, examples, documentation.
        ({"tests/__init__.py": FLASK, "docs/__init__.py": FLASK, "examples/__init__.py": FLASK, "test_app.py": FLASK}, []),
        ({"conftest.py": FLASK, "setup.py": FLASK, "app_test.py": FLASK, "shop/__init__.py": "", "shop/tests/app.py": FLASK}, []),
        # A src layout; a package that is named src.
        ({"src/shop/__init__.py": FLASK}, ["shop:app"]),
        ({"src/wsgi.py": FLASK, "src/app.py": FLASK}, ["wsgi:app"]),
        ({"src/__init__.py": FLASK, "src/app.py": FLASK}, ["src:app", "src.app:app"]),
        # A package goes before a module of its name, as for Python.
        ({"main.py": FLASK, "main/__init__.py": "", "main/app.py": "from main import routes\n" + FAST}, ["main.app:app"]),
        # A directory without __init__.py whose modules import each other by its name.
        ({"shop/main.py": "from shop.db import x\n" + FAST, "shop/db.py": "x = 1\n"}, ["shop.main:app"]),
        ({"shop/main.py": "from db import x\n" + FAST, "shop/db.py": "x = 1\n"}, []),
        # Files that aren't Python don't matter.
        ({"wsgi.py": "app = Flask(\n", "app.py": FLASK}, ["app:app"]),
        # Programs: what listens when it is imported can't be served otherwise; what does so under a guard can.
        ({"app.py": FLASK + "app.run()\n"}, ["app.py"]),
        ({"app.py": FLASK + "if __name__ == '__main__':\n    app.run()\n"}, ["app:app"]),
        ({"main.py": "import uvicorn\nfrom app import app\nuvicorn.run(app)\n", "app.py": FAST}, ["app:app"]),
        ({"main.py": "import uvicorn\nuvicorn.run('app:app')\n", "app.py": FAST}, ["app:app"]),
        ({"main.py": "import uvicorn\nuvicorn.run('x:app')\n", "app.py": FAST}, ["app:app", "main.py"]),
        ({"serve.py": "import x\nif __name__ == '__main__':\n    x.Server().serve_forever()\n"}, ["serve.py"]),
        (
            {"serve.py": "import x\nif __name__ == '__main__':\n    x.S().serve_forever()\n", "shop/__init__.py": FLASK},
            ["shop:app"],
        ),
    ],
)
def test_chosen(tree: Tree, files: dict[str, str], expected: list[str]) -> None:
    assert chosen(tree, files) == expected


def test_preferred_gateway(tree: Tree) -> None:
    (tier,) = tiers(tree, {"wsgi.py": FLASK, "asgi.py": FAST})
    assert [c.app for c in choose(tier, "ASGI")] == ["asgi:app"]


def test_rejected(tree: Tree) -> None:
    source = "def create_app(config, *, name): ...\nasync def make_app(): ...\ndef build_app(x=1): ...\n"
    assert entry_points.look(Modules(tree({"app.py": source}))).rejected == (
        "app:create_app() in app.py line 1 can't be called without config, name",
        "app:make_app() in app.py line 2 is async",
    )


def test_file_names_in_messages(tree: Tree) -> None:
    ((candidate,),) = tiers(tree, {"src/shop/__init__.py": "\n" + FLASK})
    assert str(candidate) == "shop:app  (Flask object in src/shop/__init__.py line 2)"


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
    assert declared.gunicorn_app(tree({"gunicorn.conf.py": source}) / "gunicorn.conf.py") == app


def test_no_gunicorn_configuration(tree: Tree) -> None:
    assert declared.gunicorn_app(tree({}) / "gunicorn.conf.py") is None
