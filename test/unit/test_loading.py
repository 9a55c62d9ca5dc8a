"""Loading an application by its import string."""

import sys
from pathlib import Path
from types import ModuleType

import pytest
from trees import Tree

from taxiway_runtime.loading import load

MODULE = """\
class Site:
    class api:
        @staticmethod
        def app(environ, start_response): ...
def app(environ, start_response): ...
def create_app(debug=False): return app
def needs(argument): return app
value = 3
"""


@pytest.fixture
def _module(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tree({"loaded_x.py": MODULE, "loaded_p/__init__.py": "", "loaded_p/web.py": MODULE})))
    for name in ("loaded_x", "loaded_p", "loaded_p.web"):
        monkeypatch.delitem(sys.modules, name, raising=False)


pytestmark = pytest.mark.usefixtures("_module")


@pytest.mark.parametrize(
    ("app", "name"),
    [
        ("loaded_x:app", "app"),
        ("loaded_p.web:app", "app"),
        ("loaded_x:create_app()", "app"),
        ("loaded_x:create_app", "create_app"),
        ("loaded_x:Site.api.app", "app"),
        ("loaded_x:Site", "Site"),
        ("loaded_x+loaded_p.web:app", "app"),
    ],
)
def test_load(app: str, name: str) -> None:
    assert load(app).__name__ == name


@pytest.mark.parametrize(
    ("app", "kind", "text"),
    [
        ("loaded_none:app", ModuleNotFoundError, "No module named 'loaded_none'"),
        ("loaded_p.none:app", ModuleNotFoundError, "No module named 'loaded_p.none'"),
        ("loaded_x:none", AttributeError, "has no attribute 'none'"),
        ("loaded_x:none()", AttributeError, "has no attribute 'none'"),
        ("loaded_x:value", TypeError, "loaded_x:value is a int, which can't be called"),
        ("loaded_x:needs()", TypeError, "missing 1 required positional argument"),
    ],
)
def test_failures(app: str, kind: type[Exception], text: str) -> None:
    with pytest.raises(kind, match=text):
        load(app)


@pytest.mark.parametrize(("app", "section"), [("site.ini", "main"), ("site.ini#admin", "admin")])
def test_a_pastedeploy_file(tree: Tree, monkeypatch: pytest.MonkeyPatch, app: str, section: str) -> None:
    """It is loaded by its absolute path, after its own logging is set up."""
    asked: list[tuple[str, str]] = []
    deploy = ModuleType("paste.deploy")

    def loadapp(uri: str, name: str) -> type[str]:
        asked.append((uri, name))
        return str

    deploy.loadapp = loadapp  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "paste", ModuleType("paste"))
    monkeypatch.setitem(sys.modules, "paste.deploy", deploy)
    monkeypatch.setattr("logging.config.fileConfig", lambda path, *_, **__: asked.append((path, "logging")))
    monkeypatch.chdir(tree({"site.ini": "[app:main]\n[loggers]\nkeys = root\n", "plain.ini": "[app:main]\n"}))
    assert load(app) is str
    path = str(Path("site.ini").resolve())
    assert asked == [(path, "logging"), (f"config:{path}", section)]
    load("plain.ini")
    assert len(asked) == 3


def test_nothing_is_left_in_the_way(tmp_path: Path) -> None:
    assert str(tmp_path) not in load("loaded_x:app").__module__


def test_a_script_file_of_mod_wsgi(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file goes before the module `wsgi` of a package of that name; without one it is the module."""
    source = tree({"loaded_p/wsgi.py": "def application(environ, start_response): ...\n"})
    monkeypatch.chdir(source)
    assert load("loaded_p.wsgi:application").__module__ == "loaded_p.wsgi"
    (source / "loaded_p.wsgi").write_text("from loaded_x import app as application\n")
    assert load("loaded_p.wsgi:application").__name__ == "app"
    assert sys.modules.pop("_wsgi_loaded_p").__file__ == str(source / "loaded_p.wsgi")
    with pytest.raises(ModuleNotFoundError):
        load("loaded_none.wsgi:application")
