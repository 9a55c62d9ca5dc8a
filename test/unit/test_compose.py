"""`taxiway compose`: databases that are found, variables that tell of them, and the files."""

import re
import stat
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from trees import Tree

from taxiway import compose
from taxiway.assemble import resolve_settings
from taxiway.build import source as build_source
from taxiway.cli import taxiway
from taxiway.compose import MARIADB, MYSQL, POSTGRESQL, REDIS, Stack
from taxiway.configuration import read_project
from taxiway.detect import look
from taxiway.errors import AlreadyThereError
from taxiway.plan import decide
from taxiway.variables import declared

APPS = Path(__file__).parents[1] / "apps"
FLASK = "import os\nfrom flask import Flask\napp = Flask('x')\n"
DJANGO = {
    "manage.py": "import os, django\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings')\n",
    "shop/__init__.py": "",
    "shop/wsgi.py": "application = 1\n",
}


def django(settings: str) -> dict[str, str]:
    return {**DJANGO, "shop/settings.py": f"import os\n{settings}"}


def stack_of(source: Path, *told: str) -> Stack:
    settings = resolve_settings({}, source)
    facts = look(source, settings)
    return compose.look(source, decide(facts, settings), facts, declared(*read_project(source)), told=told, image="")


def engine(name: str) -> dict[str, str]:
    return django(
        f"DATABASES = {{'default': {{'ENGINE': 'django.db.backends.{name}', 'NAME': 'store', 'USER': os.environ['DB_USER']}}}}\n"
    )


@pytest.mark.parametrize(
    ("files", "kinds"),
    [
        ({"app.py": FLASK}, []),
        ({"app.py": FLASK, "requirements.txt": "psycopg[binary]==3\n"}, ["postgresql"]),
        ({"app.py": FLASK, "requirements.txt": "asyncpg==0.30\nredis==6\n"}, ["postgresql", "redis"]),
        ({"app.py": FLASK, "requirements.txt": "mysqlclient==2\n"}, ["mysql"]),
        ({"app.py": FLASK, "requirements.txt": "mariadb==1\n"}, ["mariadb"]),
        ({"app.py": FLASK, "requirements.txt": "celery==5\n"}, ["redis"]),
        ({"app.py": FLASK, "requirements.txt": "pymysql==1\npsycopg2==2\n"}, ["postgresql"]),
        ({"app.py": FLASK, "taxiway.toml": "[env.DATABASE_URL]\ndefault = 'postgres://x'\n"}, ["postgresql"]),
        ({"app.py": FLASK, "taxiway.toml": "[env.DATABASE_URL]\ndefault = 'mysql+pymysql://x'\n"}, ["mysql"]),
        ({"app.py": FLASK, "taxiway.toml": "[env.CACHE]\ndefault = 'redis://x'\n"}, ["redis"]),
        (engine("postgresql"), ["postgresql"]),
        (engine("mysql"), ["mysql"]),
        (engine("sqlite3"), []),
    ],
)
def test_databases(tree: Tree, files: dict[str, str], kinds: list[str]) -> None:
    assert [database.kind.name for database in stack_of(tree(files)).databases] == kinds


def test_databases_that_are_told(tree: Tree) -> None:
    source = tree({"app.py": FLASK, "requirements.txt": "psycopg==3\n"})
    assert [database.kind for database in stack_of(source, "mariadb", "redis").databases] == [MARIADB, REDIS]
    told = compose.with_images(stack_of(source), "localhost/pg", "localhost/valkey")
    assert [database.image for database in told.databases] == ["localhost/pg"]


def test_name_and_user_are_those_of_the_settings(tree: Tree) -> None:
    [database] = stack_of(tree(engine("postgresql"))).databases
    assert (database.name, database.user, database.origin) == (
        "store",
        "tree",
        "the engine django.db.backends.postgresql in Django's settings",
    )


@pytest.mark.parametrize(
    ("name", "kind", "part"),
    [
        ("DATABASE_URL", POSTGRESQL, "url"),
        ("SQLALCHEMY_DATABASE_URI", POSTGRESQL, "url"),
        ("DB_HOST", MYSQL, "host"),
        ("POSTGRES_DB", POSTGRESQL, "name"),
        ("PGPASSWORD", POSTGRESQL, "password"),
        ("MYSQL_USER", MYSQL, "user"),
        ("DATABASE_ENGINE", POSTGRESQL, "engine"),
        ("DATABASE_POOL", POSTGRESQL, None),
        ("DATABASE", POSTGRESQL, None),
        ("REDIS_URL", POSTGRESQL, None),
        ("REDIS_URL", REDIS, "url"),
        ("CELERY_BROKER_URL", REDIS, "url"),
        ("CELERY_RESULT_BACKEND", REDIS, "url"),
        ("REDIS_HOST", REDIS, "host"),
        ("DATABASE_URL", REDIS, None),
    ],
)
def test_variables_that_tell_of_a_database(name: str, kind: compose.Kind, part: str | None) -> None:
    assert compose.part_of(name, kind) == part


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (
            {"app.py": FLASK, "requirements.txt": "psycopg==3\nredis==6\n"},
            {"DATABASE_URL": "postgresql://tree:pw@database:5432/tree", "REDIS_URL": "redis://redis:6379/0"},
        ),
        (
            {"app.py": f"{FLASK}os.getenv('PGHOST')\nos.environ['PGPASSWORD']\n", "requirements.txt": "psycopg==3\n"},
            {"PGHOST": "database", "PGPASSWORD": "pw"},
        ),
        (
            {**engine("mysql"), "taxiway.toml": "[env.API]\nrequired = true\n[env.MORE]\n"},
            {"DB_USER": "tree", "API": ""},
        ),
        (
            django("DATABASES = {'default': {'ENGINE': f\"django.db.backends.{os.environ['DB_ENGINE']}\"}}\nK = 'postgresql'\n")
            | {"requirements.txt": "psycopg==3\n"},
            {"DB_ENGINE": "postgresql"},
        ),
        (
            django("DATABASES = {'default': {'ENGINE': os.environ['DB_ENGINE']}}\n") | {"requirements.txt": "psycopg==3\n"},
            {"DB_ENGINE": "django.db.backends.postgresql"},
        ),
    ],
)
def test_environment(tree: Tree, files: dict[str, str], expected: dict[str, str]) -> None:
    assert compose.environment(stack_of(tree(files)), "pw") == expected


CASES: list[dict[str, str]] = [
    {"app.py": FLASK},
    {
        "app.py": FLASK,
        "requirements.txt": "psycopg==3\nredis==6\ncelery==5\n",
        "Procfile": "web: x\nworker: celery -A x worker\nrelease: y\n",
    },
    {**engine("mysql")},
    {"app.py": FLASK, "requirements.txt": "mariadb==1\n"},
]


@pytest.mark.parametrize("files", CASES)
def test_the_text_is_the_data(tree: Tree, files: dict[str, str]) -> None:
    """That it holds to the specification is shown by test_podman_compose.py."""
    stack = stack_of(tree(files))
    for data in (compose.compose(stack), compose.development(stack)):
        assert yaml.safe_load(compose.render(data, ("A comment",))) == data


def test_services(tree: Tree) -> None:
    stack = stack_of(tree(CASES[1]))
    found = compose.compose(stack)
    services: dict[str, Any] = found["services"]
    assert list(services) == ["web", "worker", "database", "redis"]
    assert services["worker"]["environment"] == {"TAXIWAY_PROCESS": "worker"}
    assert services["worker"]["depends_on"] == {name: {"condition": "service_healthy"} for name in ("database", "redis", "web")}
    assert services["web"]["healthcheck"]["test"] == ["CMD", "taxiway", "ready"]
    assert services["database"]["healthcheck"]["test"] == ["CMD", "pg_isready", "--username=tree", "--dbname=tree"]
    assert found["volumes"] == {"database": {}, "redis": {}}
    overlay = compose.development(stack)["services"]
    assert overlay["web"]["command"] == overlay["worker"]["command"] == ["taxiway", "start", "--reload"]
    assert overlay["web"]["volumes"] == ["./:/opt/app-root/src:z"]


@pytest.mark.parametrize("value", ["yes", "5432", "a: b", "#x", "", "é", "-", "null", "12:34", "*x", "true"])
def test_strings_stay_strings(value: str) -> None:
    assert yaml.safe_load(compose.render({"x": value, "y": [value], "z": {value or "k": "v"}}, ())) == {
        "x": value,
        "y": [value],
        "z": {value or "k": "v"},
    }


def run(source: Path, *words: str) -> str:
    result = CliRunner().invoke(taxiway, ["compose", str(source), *words], catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


SHOP = {
    "app.py": f"{FLASK}KEY = os.environ['SECRET_KEY']\nX = os.environ['DATABASE_URL']\n",
    "requirements.txt": "psycopg==3\n",
    "taxiway.toml": "[env.API_TOKEN]\nrequired = true\nsecret = true\n",
}


def test_command(tree: Tree) -> None:
    """Secrets are in files for this user alone, which git leaves out; they stay what they are, and nothing prints them."""
    source = tree(SHOP)
    printed = run(source)
    assert "database: postgresql (psycopg in the requirements)" in printed
    assert "warning: To be filled in, in .compose/web.env: API_TOKEN\n" in printed
    values = {name: (source / ".compose" / name).read_text() for name in ("web.env", "database.env")}
    password = values["database.env"].rpartition("POSTGRES_PASSWORD=")[2].strip()
    assert len(password) >= 32
    assert f"DATABASE_URL=postgresql://tree:{password}@database:5432/tree\n" in values["web.env"]
    assert re.search(r"^SECRET_KEY=[\w-]{60,}$", values["web.env"], re.MULTILINE)
    assert re.search(r"^# has to be filled in:\nAPI_TOKEN=$", values["web.env"], re.MULTILINE)
    assert all(stat.S_IMODE((source / ".compose" / name).stat().st_mode) == 0o600 for name in values)
    assert (source / ".compose/.gitignore").read_text() == "*\n"
    assert password not in printed + (source / "compose.yaml").read_text()
    with pytest.raises(
        AlreadyThereError, match=r"^Not written, because it is there already:\n  compose.yaml\n  compose.dev.yaml"
    ):
        CliRunner().invoke(taxiway, ["compose", str(source)], catch_exceptions=False)
    (source / ".compose/web.env").write_text(values["web.env"].replace("API_TOKEN=", "API_TOKEN=mine"))
    assert "To be filled in" not in run(source, "--force")
    assert (source / ".compose/database.env").read_text() == values["database.env"]
    again = (source / ".compose/web.env").read_text()
    assert "API_TOKEN=mine\n" in again
    assert next(line for line in again.splitlines() if "SECRET_KEY" in line) in values["web.env"]


def test_dry_run_writes_nothing(tree: Tree) -> None:
    source = tree(SHOP)
    assert "POSTGRES_USER: tree" in run(source, "--dry-run")
    assert sorted(path.name for path in source.iterdir()) == sorted(SHOP)


def test_values_are_in_no_image(tree: Tree, tmp_path: Path) -> None:
    upload = tree({"app.py": "", ".compose/web.env": "KEY=hush\n"})
    build_source.install(upload, tmp_path / "src", keep_git=True)
    assert [path.name for path in (tmp_path / "src").iterdir()] == ["app.py"]
