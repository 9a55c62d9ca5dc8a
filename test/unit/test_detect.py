"""Looking at a whole source: Django, and all facts together."""

import pytest
from trees import Tree

from taxiway import detect
from taxiway.detect import django
from taxiway.detect.django import DjangoFacts
from taxiway.errors import NoAppHomeError
from taxiway.settings import resolve

MANAGE = """\
import os
def main():
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "{}")
"""
WSGI_APPLICATION = 'WSGI_APPLICATION = "site.wsgi.application"\n'


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, None),
        ({"manage.py": "print()\n"}, None),
        ({"manage.py": "def (\n"}, None),
        ({"manage.py": "# " + MANAGE.splitlines()[2]}, None),
        ({"manage.py": "os.environ.setdefault('OTHER', 'x')\n"}, None),
        ({"manage.py": "os.environ.setdefault('DJANGO_SETTINGS_MODULE', name)\n"}, None),
        (
            {"manage.py": MANAGE.format("site.settings"), "site/settings.py": WSGI_APPLICATION},
            ("site.settings", "site/settings.py", "site.wsgi:application", "WSGI_APPLICATION in site/settings.py"),
        ),
        (
            {"manage.py": "os.environ['DJANGO_SETTINGS_MODULE'] = 'site.settings'\n", "site/settings.py": WSGI_APPLICATION},
            ("site.settings", "site/settings.py", "site.wsgi:application", "WSGI_APPLICATION in site/settings.py"),
        ),
        # Another place and name of the callable.
        (
            {"manage.py": MANAGE.format("settings"), "settings.py": "WSGI_APPLICATION = 'a.b.c.handler'\n"},
            ("settings", "settings.py", "a.b.c:handler", "WSGI_APPLICATION in settings.py"),
        ),
        # Settings that are a package, and such as take the name from another module.
        (
            {"manage.py": MANAGE.format("site.settings"), "site/settings/__init__.py": WSGI_APPLICATION},
            (
                "site.settings",
                "site/settings/__init__.py",
                "site.wsgi:application",
                "WSGI_APPLICATION in site/settings/__init__.py",
            ),
        ),
        (
            {
                "manage.py": MANAGE.format("site.settings.live"),
                "site/settings/live.py": "from .base import *\n",
                "site/wsgi.py": "",
            },
            ("site.settings.live", "site/settings/live.py", "site.wsgi:application", "site/wsgi.py"),
        ),
        (
            {
                "manage.py": MANAGE.format("site.settings"),
                "site/settings.py": "# " + WSGI_APPLICATION,
                "site/wsgi.py": "",
            },
            ("site.settings", "site/settings.py", "site.wsgi:application", "site/wsgi.py"),
        ),
        (
            {"manage.py": MANAGE.format("site.settings"), "site/settings.py": "WSGI_APPLICATION = None\n"},
            ("site.settings", "site/settings.py", None, ""),
        ),
        (
            {"manage.py": MANAGE.format("site.settings"), "site/settings.py": "x = (\n", "site/wsgi.py": ""},
            ("site.settings", "site/settings.py", "site.wsgi:application", "site/wsgi.py"),
        ),
        # manage.py for the laptop, wsgi.py for production.
        (
            {
                "manage.py": MANAGE.format("site.settings.dev"),
                "site/settings/dev.py": "",
                "site/settings/live.py": "",
                "site/wsgi.py": MANAGE.format("site.settings.live"),
            },
            ("site.settings.live", "site/settings/live.py", "site.wsgi:application", "site/wsgi.py"),
        ),
        # Settings from an installed package.
        ({"manage.py": MANAGE.format("shared.settings")}, ("shared.settings", None, None, "")),
    ],
)
def test_django(tree: Tree, files: dict[str, str], expected: tuple[str, str | None, str | None, str] | None) -> None:
    found = django.look(tree(files))
    if expected is None:
        assert found is None
    else:
        module, file, app, origin = expected
        assert found == DjangoFacts(settings_module=module, settings_file=file, app=app, origin=origin)


def test_look(tree: Tree) -> None:
    top = tree(
        {
            "requirements.txt": "flask==3.0\n",
            "site/requirements.txt": "django==5.0\n",
            "site/app.py": "app = Flask('a')\n",
            "site/templates/": "",
            "site/.hidden": "",
            "gunicorn.conf.py": "wsgi_app = 'app:app'\n",
        }
    )
    facts = detect.look(top, resolve(environ={"APP_HOME": "site"}, project={}))
    assert facts.home == "site"
    assert facts.top == ("app.py", "requirements.txt", "templates/")
    assert facts.requirements is not None
    assert facts.requirements.file == "requirements.txt"
    assert facts.requirements.find("flask")
    assert facts.gunicorn_app == "app:app"
    assert facts.django is None
    assert [[c.app for c in tier] for tier in facts.tiers] == [[], ["app:app"], []]


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
