"""Looking at a whole source: Django, and all facts together."""

import pytest
from trees import Tree

from taxiway import detect
from taxiway.detect import declared, django
from taxiway.detect.modules import Modules
from taxiway.errors import NoAppHomeError, SeveralEntryPointsError
from taxiway.settings import resolve

MANAGE = """\
import os
def main():
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "{}")
"""
WSGI_APPLICATION = 'WSGI_APPLICATION = "site.wsgi.application"\n'


GATEWAYS = {"site/__init__.py": "", "site/wsgi.py": "", "site/asgi.py": ""}
DJANGO_WSGI = "from django.core.wsgi import get_wsgi_application\napplication = get_wsgi_application()\n"
NAMED = "WSGI_APPLICATION in {}"


@pytest.mark.parametrize(
    ("files", "settings", "apps"),
    [
        (
            {"manage.py": MANAGE.format("site.settings"), "site/settings.py": WSGI_APPLICATION},
            "site.settings",
            ["site.wsgi:application"],
        ),
        (
            {"manage.py": "os.environ['DJANGO_SETTINGS_MODULE'] = 'site.settings'\n", "site/settings.py": WSGI_APPLICATION},
            "site.settings",
            ["site.wsgi:application"],
        ),
        # Another place and name of the callable; none.
        (
            {"manage.py": MANAGE.format("settings"), "settings.py": "WSGI_APPLICATION = 'a.b.c.handler'\n"},
            "settings",
            ["a.b.c:handler"],
        ),
        ({"manage.py": MANAGE.format("site.settings"), "site/settings.py": "WSGI_APPLICATION = None\n"}, "site.settings", []),
        # Settings that are a package, that take the name from others, or that can't be read.
        (
            {"manage.py": MANAGE.format("site.settings"), "site/settings/__init__.py": WSGI_APPLICATION},
            "site.settings",
            ["site.wsgi:application"],
        ),
        (
            {
                "manage.py": MANAGE.format("site.settings.live"),
                "site/settings/live.py": "from .base import *\n",
                "site/settings/base.py": "WSGI_APPLICATION = 'x.y.z'\n",
            },
            "site.settings.live",
            ["x.y:z"],
        ),
        (
            {"manage.py": MANAGE.format("site.settings"), "site/settings.py": "# " + WSGI_APPLICATION, "site/wsgi.py": ""},
            "site.settings",
            ["site.wsgi:application"],
        ),
        (
            {"manage.py": MANAGE.format("site.settings"), "site/settings.py": "x = (\n", "site/wsgi.py": ""},
            "site.settings",
            ["site.wsgi:application"],
        ),
        ({"manage.py": MANAGE.format("site.settings"), "site/wsgi.py": "app = f()\n"}, "site.settings", ["site.wsgi:app"]),
        # Both: the template has wsgi.py and asgi.py; an ASGI_APPLICATION is there because somebody wants it.
        (
            {"manage.py": MANAGE.format("site.settings"), **GATEWAYS},
            "site.settings",
            ["site.wsgi:application", "site.asgi:application"],
        ),
        (
            {
                "manage.py": MANAGE.format("site.settings"),
                "site/settings.py": WSGI_APPLICATION + "ASGI_APPLICATION = 'site.asgi.application'\n",
                **GATEWAYS,
            },
            "site.settings",
            ["site.asgi:application", "site.wsgi:application"],
        ),
        (
            {"manage.py": MANAGE.format("site.settings"), "site/__init__.py": "", "site/asgi.py": ""},
            "site.settings",
            ["site.asgi:application"],
        ),
        # Settings that manage.py works out; no manage.py.
        (
            {"manage.py": "import django\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', name)\n", **GATEWAYS},
            None,
            ["site.wsgi:application", "site.asgi:application"],
        ),
        ({"site/__init__.py": "", "site/wsgi.py": DJANGO_WSGI}, None, ["site.wsgi:application"]),
        ({"wsgi.py": DJANGO_WSGI}, None, ["wsgi:application"]),
        # Settings from an installed package.
        ({"manage.py": MANAGE.format("shared.settings")}, "shared.settings", []),
    ],
)
def test_django(tree: Tree, files: dict[str, str], settings: str | None, apps: list[str]) -> None:
    found = django.look(Modules(tree(files)))
    assert found is not None
    assert (found.settings_module, [app.app for app in found.apps]) == (settings, apps)


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"manage.py": "print()\n"},
        {"manage.py": "def (\n"},
        {"manage.py": "# " + MANAGE.splitlines()[2]},
        {"manage.py": "os.environ.setdefault('OTHER', 'x')\n", **GATEWAYS},
        {"manage.py": "os.environ.setdefault('DJANGO_SETTINGS_MODULE', name)\n"},  # without an import of Django
        {"site/__init__.py": "", "site/wsgi.py": "from flask import Flask\napplication = Flask('x')\n"},
    ],
)
def test_no_django(tree: Tree, files: dict[str, str]) -> None:
    assert django.look(Modules(tree(files))) is None


def test_where_django_was_found(tree: Tree) -> None:
    files = {"manage.py": MANAGE.format("site.settings.live"), "site/settings/live.py": "from .base import *\n", **GATEWAYS}
    found = django.look(Modules(tree({**files, "site/settings/base.py": WSGI_APPLICATION})))
    assert found is not None
    assert [app.origin for app in found.apps] == ["WSGI_APPLICATION in site/settings/base.py", "Django in site/asgi.py"]


def test_settings_of_the_application_are_those_for_production(tree: Tree) -> None:
    files = {"manage.py": MANAGE.format("site.dev"), **GATEWAYS, "site/wsgi.py": MANAGE.format("site.live")}
    found = django.look(Modules(tree(files)))
    assert found is not None
    assert found.settings("site.wsgi:application") == "site.live"
    assert found.settings("site.asgi:application") == "site.live"  # which names none
    assert found.settings("gunicorn site.wsgi") == "site.live"


def test_look(tree: Tree) -> None:
    top = tree(
        {
            "requirements.txt": "flask==3.0\n",
            "site/requirements.txt": "django==5.0\n",
            "site/app.py": "app = Flask('a')\n",
            "site/a.ipynb": "{}",
            "site/app.sh": "#!/bin/dash\n",
            "site/templates/": "",
            "site/.hidden": "",
            "gunicorn.conf.py": "wsgi_app = 'app:app'\n",
            "Procfile": "web: run\n",
        }
    )
    facts = detect.look(top, resolve(environ={"APP_HOME": "site"}, project={}))
    assert facts.home == "site"
    assert facts.top == ("a.ipynb", "app.py", "app.sh", "requirements.txt", "templates/")
    assert facts.requirements is not None
    assert facts.requirements.file == "requirements.txt"
    assert facts.requires("flask")
    assert facts.requires("other", "flask")
    assert not facts.requires("django")
    assert facts.gunicorn_app == "app:app"
    assert facts.django is None
    assert facts.script is not None
    assert (facts.script.app, facts.script.interface) == ("exec /bin/dash ./app.sh", "command")
    assert [process.command for process in facts.processes] == ["run"]
    assert facts.notebooks == ("a.ipynb",)
    assert [[c.app for c in tier] for tier in facts.tiers if tier] == [["app:app"]]


def test_a_script_with_its_run_bit(tree: Tree) -> None:
    top = tree({"app.sh": ""})
    (top / "app.sh").chmod(0o755)
    script = declared.script(top, "app.sh")
    assert script is not None
    assert (script.app, script.interface, script.warning) == ("app.sh", "shell", "")
    assert declared.script(top, "other.sh") is None


def test_a_script_without_run_bit_or_first_line(tree: Tree) -> None:
    script = declared.script(tree({"bin/my app.sh": "echo\n"}), "bin/my app.sh")
    assert script is not None
    assert (script.app, script.interface) == ("exec bash './bin/my app.sh'", "command")
    assert script.warning == (
        "bin/my app.sh isn't executable, so bash runs it. Make it executable: git update-index --chmod=+x bin/my app.sh"
    )


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"production.ini": "[app:main]\n", "development.ini": "[app:main]\n"}, "[app:main] in production.ini"),
        ({"production.ini": "[other]\n", "development.ini": "[app:main]\n"}, "[app:main] in development.ini"),
        ({"production.ini": "x"}, None),
        ({"production.ini": "[pipeline:main]\n[app:main]\n"}, "[pipeline:main] in production.ini"),
        ({"setup.ini": "[app:main]\n"}, None),
    ],
)
def test_paste(tree: Tree, files: dict[str, str], expected: str | None) -> None:
    found = declared.paste(tree(files))
    assert (found and found.origin) == expected
    assert bool(found and found.warning) == ("development" in (expected or ""))


FLASK = "app = Flask('a')\n"


@pytest.mark.parametrize(
    ("files", "home"),
    [
        ({"app.py": FLASK, "backend/manage.py": MANAGE.format("x")}, "."),
        ({"backend/manage.py": MANAGE.format("x")}, "backend"),
        ({"site/web/manage.py": MANAGE.format("x")}, "site/web"),
        ({"a/b/c/manage.py": MANAGE.format("x")}, "."),  # too deep
        ({"api/main.py": FLASK, "api/v1/app.py": FLASK}, "api"),  # the outer one
        ({"api/main.py": FLASK, "examples/app.py": FLASK, "tests/app.py": FLASK, ".x/app.py": FLASK}, "api"),
        ({"my-site/app.sh": ""}, "my-site"),
        ({"api/main.py": "from api.db import x\n" + FLASK, "api/db.py": ""}, "."),  # api is a package to itself
        ({"examples/app.py": FLASK}, "."),
        ({"Procfile": "web: run\n", "a/app.py": FLASK, "b/app.py": FLASK}, "."),
    ],
)
def test_home_below(tree: Tree, files: dict[str, str], home: str) -> None:
    assert detect.look(tree(files), resolve(environ={}, project={})).home == home


def test_home_that_is_told(tree: Tree) -> None:
    top = tree({"a/app.py": FLASK, "b/app.py": FLASK})
    assert detect.look(top, resolve(environ={"APP_HOME": "b"}, project={})).home == "b"
    assert detect.look(top, resolve(environ={"APP_MODULE": "a.app:app"}, project={})).home == "."


def test_two_homes(tree: Tree) -> None:
    with pytest.raises(SeveralEntryPointsError) as caught:
        detect.look(tree({"a/app.py": FLASK, "b/manage.py": MANAGE.format("x")}), resolve(environ={}, project={}))
    assert str(caught.value) == (
        "More than one could be the application:\n"
        "  a  (by app.py)\n"
        "  b  (by manage.py)\n\n"
        "Say which one, in pyproject.toml or in the environment:\n"
        '  [tool.taxiway] app-home = "a"\n'
        "  APP_HOME=a"
    )


@pytest.mark.parametrize(
    ("files", "warning"),
    [
        ({"json.py": ""}, "json.py hides Python's own module json from everything that imports it; rename it."),
        (
            {"email/__init__.py": ""},
            "email/__init__.py hides Python's own module email from everything that imports it; rename it.",
        ),
        ({"flask.py": ""}, "flask.py hides the installed package Flask==3 from everything that imports it; rename it."),
        (
            {"src/some_thing.py": ""},
            "src/some_thing.py hides the installed package some-thing from everything that imports it; rename it.",
        ),
        ({"app.py": "", "app/__init__.py": ""}, "app/__init__.py hides app.py: both are the module app; rename one of them."),
        ({"email/x.py": "", "test/__init__.py": "", "site/manage.py": "", "shop/json.py": ""}, None),
    ],
)
def test_modules_that_hide_others(tree: Tree, files: dict[str, str], warning: str | None) -> None:
    top = tree({"requirements.txt": "Flask==3\nsome-thing\n", **files})
    assert detect.look(top, resolve(environ={"APP_HOME": "."}, project={})).warnings == ((warning,) if warning else ())


def test_requirements_of_the_application_home(tree: Tree) -> None:
    top = tree({"site/requirements.txt": "django==5.0\n"})
    facts = detect.look(top, resolve(environ={"APP_HOME": "site"}, project={}))
    assert facts.requirements is not None
    assert facts.requirements.file == "site/requirements.txt"


@pytest.mark.parametrize("home", ["none", "file.py", "..", "../tree2", "/etc", "up"])
def test_no_app_home(tree: Tree, home: str) -> None:
    """It has to be a directory of the source: neither above it, nor by a link out of it."""
    top = tree({"b/": "", "a/": "", ".git/": "", "file.py": ""})
    (top.parent / "tree2").mkdir()
    (top / "up").symlink_to(top.parent)
    with pytest.raises(NoAppHomeError) as caught:
        detect.look(top, resolve(environ={"APP_HOME": home}, project={}))
    assert str(caught.value) == (
        f"The application's directory {home} (APP_HOME) isn't in the source.\n"
        "Directories there: a, b, up.\n\n"
        "Set app-home in [tool.taxiway], or APP_HOME, to a directory relative to the top of the source."
    )
