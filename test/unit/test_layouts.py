"""Source trees as templates, tutorials and generators of frameworks lay them out, cut down to what says what to start."""
# ruff: noqa: E501  # a source is one line, so that a tree is seen at a glance

import pytest
from trees import Tree

from taxiway import detect
from taxiway.errors import TaxiwayError
from taxiway.plan import decide
from taxiway.settings import resolve

MANAGE = "import os\nfrom django.core.management import x\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', '{}')\n"
WSGI = "import os\nfrom django.core.wsgi import get_wsgi_application\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', '{}')\napplication = get_wsgi_application()\n"
ASGI = WSGI.replace("wsgi", "asgi")
STARTPROJECT = {
    "manage.py": MANAGE.format("mysite.settings"),
    "mysite/__init__.py": "",
    "mysite/settings.py": "WSGI_APPLICATION = 'mysite.wsgi.application'\n",
    "mysite/wsgi.py": WSGI.format("mysite.settings"),
    "mysite/asgi.py": ASGI.format("mysite.settings"),
}
COOKIECUTTER = {
    "manage.py": MANAGE.format("config.settings.local"),
    "config/__init__.py": "",
    "config/settings/__init__.py": "",
    "config/settings/base.py": "WSGI_APPLICATION = 'config.wsgi.application'\n",
    "config/settings/local.py": "from .base import *\n",
    "config/settings/production.py": "from .base import *\n",
    "config/wsgi.py": WSGI.format("config.settings.production"),
    "config/websocket.py": "async def websocket_application(scope, receive, send): ...\n",
    "shop/__init__.py": "",
}
GUARD = "if __name__ == '__main__':\n    "


@pytest.mark.parametrize(
    ("files", "home", "app", "interface"),
    [
        (STARTPROJECT, ".", "mysite.wsgi:application", "WSGI"),
        (COOKIECUTTER, ".", "config.wsgi:application", "WSGI"),
        ({f"backend/{name}": text for name, text in COOKIECUTTER.items()}, "backend", "config.wsgi:application", "WSGI"),
        # Flask's tutorial; a factory whose argument has a default.
        (
            {
                "pyproject.toml": "[project]\nname = 'flaskr'\n",
                "flaskr/__init__.py": "from flask import Flask\ndef create_app(test_config=None):\n    app = Flask(__name__)\n    return app\n",
                "flaskr/db.py": "import sqlite3\n",
                "tests/conftest.py": "from flaskr import create_app\napp = create_app()\n",
            },
            ".",
            "flaskr:create_app()",
            "WSGI",
        ),
        # A module at the top that calls a factory of a package, as in well-known books on Flask: without and with arguments.
        (
            {
                "microblog.py": "from app import create_app, db\napp = create_app()\n",
                "app/__init__.py": "from flask import Flask\nfrom config import Config\ndef create_app(config_class=Config):\n    return Flask(__name__)\n",
                "config.py": "class Config: ...\n",
                "migrations/env.py": "from flask import current_app\n",
            },
            ".",
            "app:create_app()",
            "WSGI",
        ),
        (
            {
                "flasky.py": "import os\nfrom app import create_app\napp = create_app(os.getenv('FLASK_CONFIG') or 'default')\n",
                "app/__init__.py": "from flask import Flask\ndef create_app(config_name):\n    return Flask(__name__)\n",
                "app/main/__init__.py": "from flask import Blueprint\nmain = Blueprint('main', __name__)\n",
            },
            ".",
            "flasky:app",
            "WSGI",
        ),
        (
            {
                "app.py": "from flask import Flask\nfrom flask_socketio import SocketIO\napp = Flask('x')\nsocketio = SocketIO(app)\n"
                + GUARD
                + "socketio.run(app)\n"
            },
            ".",
            "app:app",
            "WSGI",
        ),
        # What .flaskenv names, where several could be it.
        (
            {
                ".flaskenv": "# for flask run\nexport FLASK_APP='blog.py'\n",
                "blog.py": "from flask import Flask\napp = Flask('blog')\n",
                "app.py": "from flask import Flask\napp = Flask('other')\n",
            },
            ".",
            "blog:app",
            "WSGI",
        ),
        ({".flaskenv": "FLASK_APP=shop:two\n", "shop.py": "one = Flask('a')\ntwo = Flask('b')\n"}, ".", "shop:two", "WSGI"),
        (
            {
                ".flaskenv": "FLASK_APP=shop:make_app('x')\n",
                "shop/__init__.py": "from flask import Flask\ndef create_app(): return Flask('a')\ndef make_app(name=''): return Flask('b')\n",
            },
            ".",
            "shop:make_app()",
            "WSGI",
        ),
        ({".flaskenv": "FLASK_DEBUG=1\n", "app.py": "app = Flask('a')\n"}, ".", "app:app", "WSGI"),
        ({".flaskenv": "FLASK_APP=gone.py\nFLASK_DEBUG=1\n", "app.py": "app = Flask('a')\n"}, ".", "app:app", "WSGI"),
        # FastAPI: bigger applications; the full-stack template; a module below `api`.
        (
            {
                "app/__init__.py": "",
                "app/main.py": "from fastapi import FastAPI\nfrom .routers import items\napp = FastAPI()\n",
                "app/routers/__init__.py": "",
                "app/routers/items.py": "from fastapi import APIRouter\nrouter = APIRouter()\n",
            },
            ".",
            "app.main:app",
            "ASGI",
        ),
        (
            {
                "backend/pyproject.toml": "",
                "backend/app/__init__.py": "",
                "backend/app/main.py": "from fastapi import FastAPI\nfrom app.api.main import api_router\napp = FastAPI()\n",
                "backend/app/api/main.py": "from fastapi import APIRouter\napi_router = APIRouter()\n",
                "backend/app/backend_pre_start.py": "def main(): ...\n",
                "frontend/package.json": "{}",
                "scripts/deploy.sh": "",
            },
            "backend",
            "app.main:app",
            "ASGI",
        ),
        ({"api/index.py": "from fastapi import FastAPI\napp = FastAPI()\n", "vercel.json": "{}"}, "api", "index:app", "ASGI"),
        (
            {"src/main.py": "from fastapi import FastAPI\nfrom src.db import x\napp = FastAPI()\n", "src/db.py": "x = 1\n"},
            ".",
            "main:app",
            "ASGI",
        ),
        # Starlette, Quart, Sanic, Litestar.
        ({"example.py": "from starlette.applications import Starlette\napp = Starlette()\n"}, ".", "example:app", "ASGI"),
        (
            {"src/blog/__init__.py": "from quart import Quart\napp = Quart(__name__)\ndef run() -> None:\n    app.run()\n"},
            ".",
            "blog:app",
            "ASGI",
        ),
        ({"server.py": "from sanic import Sanic\napp = Sanic('x')\n" + GUARD + "app.run()\n"}, ".", "server:app", "ASGI"),
        # Falcon's tutorial, at its begin and at its end.
        (
            {"look/__init__.py": "", "look/app.py": "import falcon\napp = application = falcon.App()\n"},
            ".",
            "look.app:application",
            "WSGI",
        ),
        (
            {
                "look/__init__.py": "",
                "look/app.py": "import falcon\ndef create_app(image_store):\n    app = falcon.App()\n    return app\n"
                "def get_app():\n    return create_app(1)\n",
                "tests/test_app.py": "import look.app\n",
            },
            ".",
            "look.app:get_app()",
            "WSGI",
        ),
        # Pyramid: the first steps; the cookiecutter.
        (
            {
                "app.py": "from wsgiref.simple_server import make_server\nfrom pyramid.config import Configurator\n"
                + GUARD
                + "with Configurator() as config:\n        app = config.make_wsgi_app()\n    make_server('0.0.0.0', 6543, app).serve_forever()\n"
            },
            ".",
            "app.py",
            "python",
        ),
        (
            {
                "setup.py": "from setuptools import setup\nsetup(name='scaffold')\n",
                "production.ini": "[app:main]\nuse = egg:scaffold\n",
                "development.ini": "[app:main]\nuse = egg:scaffold\n",
                "scaffold/__init__.py": "def main(global_config, **settings):\n    return Configurator().make_wsgi_app()\n",
            },
            ".",
            "production.ini",
            "WSGI",
        ),
        # Programs: aiohttp, Tornado, websockets, CherryPy, Bottle, NiceGUI.
        ({"app.py": "from aiohttp import web\nasync def init(): ...\nweb.run_app(init())\n"}, ".", "app.py", "python"),
        (
            {
                "main.py": "import asyncio\nimport tornado.web\ndef make_app():\n    return tornado.web.Application([])\n"
                "async def main():\n    app = make_app()\n    app.listen(8888)\n    await asyncio.Event().wait()\n"
                + GUARD
                + "asyncio.run(main())\n"
            },
            ".",
            "main.py",
            "python",
        ),
        (
            {
                "main.py": "import asyncio\nfrom websockets.asyncio.server import serve\nasync def main():\n"
                "    async with serve(print, '', 8001):\n        await asyncio.Future()\n" + GUARD + "asyncio.run(main())\n"
            },
            ".",
            "main.py",
            "python",
        ),
        ({"tut01.py": "import cherrypy\n" + GUARD + "cherrypy.quickstart(object())\n"}, ".", "tut01.py", "python"),
        (
            {"hello.py": "from bottle import route, run\n@route('/')\ndef x(): ...\nrun(host='localhost')\n"},
            ".",
            "hello.py",
            "python",
        ),
        (
            {"main.py": "from nicegui import ui\nif __name__ in {'__main__', '__mp_main__'}:\n    ui.run()\n"},
            ".",
            "main.py",
            "python",
        ),
        # An ASGI application of several parts.
        (
            {
                "main.py": "import socketio\nfrom fastapi import FastAPI\napi = FastAPI()\nsio = socketio.AsyncServer()\n"
                "app = socketio.ASGIApp(sio, other_asgi_app=api)\n"
            },
            ".",
            "main:app",
            "ASGI",
        ),
    ],
)
def test_layout(tree: Tree, files: dict[str, str], home: str, app: str, interface: str) -> None:
    settings = resolve(environ={}, project={})
    found = decide(detect.look(tree(files), settings), settings)
    assert (found.home, found.app, found.interface) == (home, app, interface)


@pytest.mark.parametrize(
    ("files", "code"),
    [
        ({"demo/__init__.py": "", "demo/cli.py": "import click\n@click.command()\ndef app(): ...\n"}, "no-entry-point"),
        ({"bot.py": "import discord\napp = discord.Client()\n" + GUARD + "app.run('x')\n"}, "no-entry-point"),
        # Two directories; one has the name of a package that its module imports.
        (
            {
                "marshmallow/app.py": "from marshmallow import Schema\napp = Flask('a')\n",
                "pydantic/app.py": "from pydantic import BaseModel\napp = Flask('b')\n",
            },
            "several-entry-points",
        ),
        ({"train.py": "import torch\nmodel = torch.nn.Linear(1, 1)\n"}, "no-entry-point"),
        ({"services/a/main.py": "app = FastAPI()\n", "services/b/main.py": "app = FastAPI()\n"}, "several-entry-points"),
    ],
)
def test_nothing_is_guessed(tree: Tree, files: dict[str, str], code: str) -> None:
    settings = resolve(environ={}, project={})
    with pytest.raises(TaxiwayError) as caught:
        decide(detect.look(tree(files), settings), settings)
    assert caught.value.code == code


def test_programs_to_choose_from(tree: Tree) -> None:
    settings = resolve(environ={}, project={})
    serve = "from aiohttp import web\nweb.run_app(1)\n"
    with pytest.raises(TaxiwayError) as caught:
        decide(detect.look(tree({"one.py": serve, "two.py": serve}), settings), settings)
    assert str(caught.value).splitlines()[-2:] == ['  [tool.taxiway] app-file = "one.py"', "  APP_FILE=one.py"]


@pytest.mark.parametrize(
    ("files", "environ", "django_settings"),
    [
        (COOKIECUTTER, {}, "config.settings.production"),
        # What a Procfile starts runs with the settings of production too, and so does what is told.
        ({**COOKIECUTTER, "Procfile": "web: gunicorn config.wsgi\n"}, {}, "config.settings.production"),
        (COOKIECUTTER, {"APP_MODULE": "config.wsgi:application"}, "config.settings.production"),
        ({**COOKIECUTTER, "live.py": WSGI.format("config.settings.live")}, {"APP_MODULE": "live"}, "config.settings.live"),
    ],
)
def test_settings_of_django(tree: Tree, files: dict[str, str], environ: dict[str, str], django_settings: str) -> None:
    settings = resolve(environ=environ, project={})
    assert decide(detect.look(tree(files), settings), settings).django_settings == django_settings
