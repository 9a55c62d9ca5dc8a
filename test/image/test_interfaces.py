"""WSGI or ASGI is told by the object: what taxiway's one import says of the frameworks themselves, and of what wraps them."""

import json

import harness
import pytest

PACKAGES = (
    "a2wsgi aiohttp apiflask asgiref bottle channels cherrypy connexion[flask] dash django falcon fastapi flask litestar pyramid "
    "python-socketio quart sanic sentry-sdk setuptools<81 starlette tornado websockets whitenoise"
)
SOURCE = """\
import functools

import a2wsgi, apiflask, bottle, cherrypy, connexion, dash, falcon, falcon.asgi, fastapi, flask, litestar, quart, sanic
import socketio, starlette.applications, starlette.middleware.cors, tornado.web, werkzeug.middleware.proxy_fix, whitenoise
import aiohttp.web
from asgiref.wsgi import WsgiToAsgi
from channels.routing import ProtocolTypeRouter
from django.conf import settings
from pyramid.config import Configurator
from sentry_sdk.integrations.asgi import SentryAsgiMiddleware
from sentry_sdk.integrations.wsgi import SentryWsgiMiddleware

urlpatterns = []
settings.configure(SECRET_KEY="x", ROOT_URLCONF=__name__)

from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application


class Old:
    def __init__(self, scope):
        pass

    async def __call__(self, receive, send):
        pass


class Opaque:
    def __init__(self, app):
        self.app = app

    def __call__(self, *args):
        return self.app(*args)


fast = fastapi.FastAPI()
plain = falcon.App()
WSGI = {
    "flask": flask.Flask("x"),
    "flask.wsgi_app": flask.Flask("x").wsgi_app,
    "apiflask": apiflask.APIFlask("x"),
    "django": get_wsgi_application(),
    "falcon": plain,
    "bottle": bottle.Bottle(),
    "bottle.default_app": bottle.default_app(),
    "pyramid": Configurator().make_wsgi_app(),
    "dash": dash.Dash("x"),
    "dash.server": dash.Dash("y").server,
    "cherrypy.tree": cherrypy.tree,
    "cherrypy.Application": cherrypy.Application(object(), "/x"),
    "a2wsgi.ASGIMiddleware": a2wsgi.ASGIMiddleware(fast),
    "whitenoise": whitenoise.WhiteNoise(plain),
    "proxy_fix": werkzeug.middleware.proxy_fix.ProxyFix(plain),
    "socketio": socketio.WSGIApp(socketio.Server(async_mode="threading")),
    "sentry": SentryWsgiMiddleware(plain),
    "opaque": Opaque(Opaque(plain)),
    "partial": functools.partial(plain),
}
ASGI = {
    "django": get_asgi_application(),
    "channels": ProtocolTypeRouter({"http": fast}),
    "fastapi": fast,
    "starlette": starlette.applications.Starlette(),
    "litestar": litestar.Litestar([]),
    "quart": quart.Quart("x"),
    "quart.asgi_app": quart.Quart("x").asgi_app,
    "sanic": sanic.Sanic("x"),
    "falcon": falcon.asgi.App(),
    "connexion.FlaskApp": connexion.FlaskApp("x"),
    "connexion.AsyncApp": connexion.AsyncApp("x"),
    "connexion.ConnexionMiddleware": connexion.ConnexionMiddleware(connexion.FlaskApp("x")),
    "a2wsgi.WSGIMiddleware": a2wsgi.WSGIMiddleware(plain),
    "asgiref.WsgiToAsgi": WsgiToAsgi(plain),
    "cors": starlette.middleware.cors.CORSMiddleware(fast),
    "socketio": socketio.ASGIApp(socketio.AsyncServer(async_mode="asgi")),
    "sentry": SentryAsgiMiddleware(fast),
    "opaque": Opaque(Opaque(fast)),
    "partial": functools.partial(fast),
}
NEITHER = {"asgi2": Old, "aiohttp": aiohttp.web.Application(), "tornado": tornado.web.Application()}
"""
ASK = """\
import json, sys, warnings
warnings.simplefilter("ignore")
sys.path.insert(0, "/tmp/asked")
import frameworks
from taxiway_runtime import inspect_app

def ask(application):
    try:
        return inspect_app.interface(application)
    except inspect_app._Wrong as wrong:
        return "NEITHER: " + str(wrong)

kinds = {kind: getattr(frameworks, kind) for kind in ("WSGI", "ASGI", "NEITHER")}
print("ANSWER", json.dumps({kind: {name: ask(app) for name, app in apps.items()} for kind, apps in kinds.items()}))
"""


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    """Ask in a container that has all the frameworks, with the application's interpreter."""
    directory = tmp_path_factory.mktemp("frameworks")
    directory.chmod(0o755)
    (directory / "frameworks.py").write_text(SOURCE)
    (directory / "ask.py").write_text(ASK)
    packages = " ".join(map(repr, PACKAGES.split()))
    command = (
        f"/opt/taxiway/bin/uv pip install --quiet --system-certs --python /opt/app-root/bin/python {packages} && "
        "PYTHONPATH=$(dirname /opt/taxiway/lib/python*/site-packages/taxiway/_runtime/taxiway_runtime) "
        "/opt/app-root/bin/python /tmp/asked/ask.py"
    )
    volume = f"--volume={directory}:/tmp/asked:ro"
    text = harness.podman("run", "--rm", volume, *harness.certificates(), harness.BUILDER, "bash", "-c", command).text
    line = next(line for line in text.splitlines() if line.startswith("ANSWER "))
    found: dict[str, dict[str, str]] = json.loads(line.removeprefix("ANSWER "))
    return found


@pytest.mark.parametrize("kind", ["WSGI", "ASGI"])
def test_frameworks(answers: dict[str, dict[str, str]], kind: str) -> None:
    assert answers[kind] == dict.fromkeys(answers[kind], kind)
    assert len(answers[kind]) == 19


def test_neither(answers: dict[str, dict[str, str]]) -> None:
    assert all(answer.startswith("NEITHER: ") for answer in answers["NEITHER"].values()), answers["NEITHER"]
    assert "version 2 of ASGI" in answers["NEITHER"]["asgi2"]
