"""`taxiway init`: what it writes, and that the plan stays what it was."""

import json
import re
import shutil
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner
from test_plan import PLANNED, expectation, plan_of
from trees import Tree

from taxiway import scaffold
from taxiway.assemble import resolve_settings
from taxiway.cli import taxiway
from taxiway.configuration import read_project
from taxiway.errors import AlreadyThereError, BadConfigFileError

APPS = Path(__file__).parents[1] / "apps"
FLASK = {"app.py": "from flask import Flask\napp = Flask('x')\n"}
DJANGO = {
    "manage.py": "import os, django\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings')\n",
    "shop/__init__.py": "",
    "shop/settings.py": "import os\nKEY = os.environ['SECRET_KEY']\nX = os.environ.get('X', '')\nY = os.getenv('CACHE_URL')\n",
    "shop/wsgi.py": "application = 1\n",
}


def init(source: Path, *words: str) -> str:
    result = CliRunner().invoke(taxiway, ["init", str(source), *words], catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def plan(source: Path) -> object:
    return json.loads(CliRunner().invoke(taxiway, ["plan", "--json", str(source)], catch_exceptions=False).stdout)


@pytest.mark.programs  # bash reads the environment files of some
@pytest.mark.parametrize("case", PLANNED)
def test_the_plan_stays(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All that is written is commented out; hooks change no plan."""
    source = Path(shutil.copytree(APPS / case, tmp_path / case))
    before = plan_of(case)
    environ = expectation(case)["build"].get("env", {})
    assert CliRunner(env=environ).invoke(taxiway, ["init", "--force", str(source)]).exception is None
    assert (
        "Written by `taxiway init`"
        in next(path for path in (source / "taxiway.toml", source / "pyproject.toml") if path.is_file()).read_text()
    )
    monkeypatch.setattr("test_plan.APPS", tmp_path)
    assert plan_of(case) == before


def uncommented(text: str) -> str:
    return re.sub(r"^#(?=[a-z-]+(\.\w+)? = )", "", text, flags=re.MULTILINE)


@pytest.mark.parametrize("files", [FLASK, DJANGO, {**FLASK, "pyproject.toml": "[project]\nname = 'a'\nversion = '1'\n"}])
def test_each_line_is_valid_without_its_sign(tree: Tree, files: dict[str, str]) -> None:
    """What is commented out would be accepted, and is what was found."""
    source = tree(files)
    found = plan(source)
    init(source)
    file = source / ("pyproject.toml" if "pyproject.toml" in files else "taxiway.toml")
    assert resolve_settings({}, source).app is None
    file.write_text(uncommented(file.read_text()))
    table, _ = read_project(source)
    assert {"app", "server", "processes", "request-timeout", "env", "proxy"} <= table.keys()
    chosen = resolve_settings({}, source)
    assert isinstance(found, dict)
    assert (chosen.app, chosen.server) == (found["app"], found["server"])


def test_variables_of_the_source(tree: Tree) -> None:
    """Those without a default there."""
    text = init(tree(DJANGO), "--dry-run")
    assert "#env.CACHE_URL = { required = true }\n#env.SECRET_KEY = { required = true, secret = true }\n" in text
    assert "env.X" not in text


def test_dry_run_writes_nothing(tree: Tree) -> None:
    source = tree(FLASK)
    assert "# taxiway.toml\n" in init(source, "--dry-run")
    assert [path.name for path in source.iterdir()] == ["app.py"]


def test_hooks(tree: Tree) -> None:
    """They can be run at once; one that is there stays."""
    source = tree({**DJANGO, ".taxiway/hooks/verify": "#!/bin/sh\n"})
    (source / ".taxiway/hooks/verify").chmod(0o755)
    assert "Wrote .taxiway/hooks/setup" in init(source)
    setup = source / ".taxiway/hooks/setup"
    assert setup.stat().st_mode & 0o111 == 0o111
    assert "python manage.py createsuperuser --noinput" in setup.read_text()
    assert (source / ".taxiway/hooks/verify").read_text() == "#!/bin/sh\n"


@pytest.mark.parametrize(
    ("requirement", "command"),
    [("flask-migrate==4", "flask --app app:app db upgrade\n"), ("alembic==1", "alembic upgrade head\n"), ("flask==3", None)],
)
def test_hook_that_migrates(tree: Tree, requirement: str, command: str | None) -> None:
    source = tree({**FLASK, "requirements.txt": f"{requirement}\n"})
    init(source)
    hook = source / ".taxiway/hooks/migrate"
    assert hook.read_text().endswith(command) if command else not hook.exists()


TABLE = "[tool.taxiway]\n# new\n"


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("", TABLE),
        ("[project]\nname = 'a'", f"[project]\nname = 'a'\n\n{TABLE}"),
        ("[project] # é\r\nname='a'\r\n", f"[project] # é\r\nname='a'\r\n\n{TABLE}"),
        ("[tool.x]\na=1\n[tool.taxiway]\napp = 'a:b'\n\n[tool.z]\nb=1\n", f"[tool.x]\na=1\n{TABLE}\n[tool.z]\nb=1\n"),
        ("[tool.taxiway]", TABLE),
        (
            "[ tool . taxiway ] # mine\napp = 'a:b'\n[tool.taxiway.env]\nA = {}\n[z]\n",
            f"{TABLE}\n[tool.taxiway.env]\nA = {{}}\n[z]\n",
        ),
    ],
)
def test_pyproject_stays_as_it_is(text: str, result: str) -> None:
    assert scaffold.place(text, TABLE, "pyproject.toml", force=True) == result
    tomllib.loads(result)
    if "taxiway" in text:
        with pytest.raises(
            AlreadyThereError, match=r"^Not written, because it is there already:\n  \[tool.taxiway\] in pyproject.toml\n"
        ):
            scaffold.place(text, TABLE, "pyproject.toml", force=False)


@pytest.mark.parametrize(
    ("text", "result"),
    [("app = 'a:b'\n[env]\nA = {}\n", "# new\n\n[env]\nA = {}\n"), ("app = 'a:b'", "# new\n"), ("[env]\n", "# new\n\n[env]\n")],
)
def test_tables_of_taxiway_toml_stay(text: str, result: str) -> None:
    assert scaffold.place(text, "# new\n", "taxiway.toml", force=True) == result
    with pytest.raises(AlreadyThereError):
        scaffold.place(text, "# new\n", "taxiway.toml", force=False)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("pyproject.toml", "[tool]\ntaxiway.app = 'a:b'\n"),
        ("pyproject.toml", "[tool]\ntaxiway = { app = 'a:b' }\n"),
        ("pyproject.toml", "x = ["),
        ("taxiway.toml", "static = [\n['x'],\n]\n[env]\n"),
    ],
)
def test_what_cannot_be_replaced(name: str, text: str) -> None:
    with pytest.raises(BadConfigFileError):
        scaffold.place(text, TABLE, name, force=True)


def test_what_is_set_stays_set(tree: Tree) -> None:
    source = tree({**FLASK, "taxiway.toml": "server = 'gunicorn'\nextras = ['a', 'é']\n[env.A]\nsecret = true\n"})
    before = resolve_settings({}, source)
    init(source, "--force")
    assert resolve_settings({}, source) == before
    assert read_project(source)[0]["env"] == {"A": {"secret": True}}
    assert "#env." not in (source / "taxiway.toml").read_text()
