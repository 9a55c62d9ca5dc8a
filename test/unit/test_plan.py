"""Deciding: tables over facts and settings, and the whole plan of each test application.

After a wanted change, `UPDATE_PLANS=1 pytest test/unit/test_plan.py` writes the stored plans in test/unit/plans again.
"""

import json
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from trees import Tree

from taxiway import detect, environment, servers, warpdrive
from taxiway.cli import build_environment
from taxiway.configuration import read_project
from taxiway.dependencies.pins import Pin, PinnedList
from taxiway.errors import (
    NoAppFileError,
    NoEntryPointError,
    NotebookError,
    SeveralEntryPointsError,
    TaxiwayError,
    UnknownServerError,
    UnsupportedInterfaceError,
)
from taxiway.plan import BuildPlan, choose_server, decide
from taxiway.settings import resolve

HERE = Path(__file__).parent
APPS = HERE.parent / "apps"
FLASK = "app = Flask(__name__)\n"
MANAGE = "os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'site.settings')\n"
DJANGO = {"manage.py": MANAGE, "site/settings.py": "WSGI_APPLICATION = 'site.wsgi.application'\n", "site/wsgi.py": ""}


def plan(top: Path, environ: Mapping[str, str] | None = None) -> BuildPlan:
    project, origin = read_project(top)
    settings = resolve(environ=environ or {}, project=project, project_origin=origin)
    return decide(detect.look(top, settings), settings)


@pytest.mark.parametrize(
    ("files", "environ", "app", "origin"),
    [
        ({"wsgi.py": "application = x()\n"}, {}, "wsgi:application", "object in wsgi.py line 1"),
        ({"app.py": FLASK}, {}, "app:app", "Flask object in app.py line 1"),
        ({"shop/__init__.py": "def create_app(): ...\n"}, {}, "shop:create_app()", "factory in shop/__init__.py line 1"),
        ({"wsgi.py": FLASK, "app.py": FLASK}, {}, "wsgi:app", "Flask object in wsgi.py line 1"),
        (DJANGO, {}, "site.wsgi:application", "WSGI_APPLICATION in site/settings.py"),
        (DJANGO | {"wsgi.py": FLASK}, {}, "site.wsgi:application", "WSGI_APPLICATION in site/settings.py"),
        # What is told wins over all that is found; a module alone means its `application`.
        (DJANGO, {"APP_MODULE": "web:app"}, "web:app", "APP_MODULE"),
        (DJANGO, {"APP_MODULE": "web.entry"}, "web.entry:application", "APP_MODULE"),
        ({}, {"TAXIWAY_APP": "web:create()"}, "web:create()", "TAXIWAY_APP"),
        (
            {"pyproject.toml": "[tool.taxiway]\napp = 'a:b'\n"},
            {"APP_MODULE": "web:app"},
            "a:b",
            "[tool.taxiway] in pyproject.toml",
        ),
        # gunicorn.conf.py counts where gunicorn is asked for.
        (
            DJANGO | {"gunicorn.conf.py": "wsgi_app = 'web:app'\n", "requirements.txt": "gunicorn\n"},
            {},
            "web:app",
            "wsgi_app in gunicorn.conf.py",
        ),
        (
            DJANGO | {"gunicorn.conf.py": "wsgi_app = 'web:app'\n"},
            {},
            "site.wsgi:application",
            "WSGI_APPLICATION in site/settings.py",
        ),
        (
            DJANGO | {"deploy/web.py": "wsgi_app = 'web:app'\n", "requirements.txt": "gunicorn\n"},
            {"APP_CONFIG": "deploy/web.py"},
            "web:app",
            "wsgi_app in deploy/web.py",
        ),
    ],
)
def test_app(tree: Tree, files: dict[str, str], environ: dict[str, str], app: str, origin: str) -> None:
    found = plan(tree(files), environ)
    assert (found.app, found.origins["app"]) == (app, origin)


ALL = {
    **DJANGO,
    "gunicorn.conf.py": "wsgi_app = 'web:app'\n",
    "requirements.txt": "gunicorn\n",
    "Procfile": "web: run --port $PORT\n",
    "app.py": FLASK,
    "wsgi.py": FLASK,
    "serve.py": "",
    "run.sh": "#!/bin/sh\n",
    "app.sh": "#!/bin/sh\n",
}


@pytest.mark.parametrize(
    ("without", "environ", "app"),
    [
        ([], {"TAXIWAY_APP": "told:app", "APP_SCRIPT": "run.sh"}, "told:app"),
        ([], {"TAXIWAY_APP_FILE": "serve.py", "APP_SCRIPT": "run.sh"}, "serve.py"),
        ([], {"TAXIWAY_APP_SCRIPT": "run.sh", "TAXIWAY_APP_FILE": "serve.py"}, "exec /bin/sh ./run.sh"),
        # As s2i-python-container has it: gunicorn.conf.py, APP_SCRIPT, APP_FILE, APP_MODULE, and app.sh only without them.
        ([], {"APP_SCRIPT": "run.sh", "APP_FILE": "serve.py", "APP_MODULE": "m:app"}, "web:app"),
        (["gunicorn.conf.py"], {"APP_SCRIPT": "run.sh", "APP_FILE": "serve.py", "APP_MODULE": "m:app"}, "exec /bin/sh ./run.sh"),
        (["gunicorn.conf.py"], {"APP_FILE": "serve.py", "APP_MODULE": "m:app"}, "serve.py"),
        (["gunicorn.conf.py"], {"APP_MODULE": "m:app"}, "m:app"),
        (["requirements.txt"], {"APP_MODULE": "m:app"}, "m:app"),  # no gunicorn
        (["gunicorn.conf.py"], {}, "exec /bin/sh ./app.sh"),
        (["gunicorn.conf.py", "app.sh"], {}, "run --port $PORT"),
        (["gunicorn.conf.py", "app.sh", "Procfile"], {}, "site.wsgi:application"),
        (["gunicorn.conf.py", "app.sh", "Procfile", "manage.py"], {}, "wsgi:app"),
        (["gunicorn.conf.py", "app.sh", "Procfile", "manage.py", "wsgi.py"], {}, "app:app"),
    ],
)
def test_precedence(tree: Tree, without: list[str], environ: dict[str, str], app: str) -> None:
    assert plan(tree({name: text for name, text in ALL.items() if name not in without}), environ).app == app


def test_what_is_passed_over_is_told(tree: Tree) -> None:
    assert plan(tree(ALL), {"TAXIWAY_APP": "wsgi:app"}).passed_over == (
        "web:app (wsgi_app in gunicorn.conf.py)",
        "exec /bin/sh ./app.sh (script in app.sh)",
        "run --port $PORT (Procfile line 1)",
        "site.wsgi:application (WSGI_APPLICATION in site/settings.py)",
        "app:app (Flask object in app.py line 1)",
    )


@pytest.mark.parametrize(("name", "variable"), [("none.py", "APP_FILE"), ("none.sh", "APP_SCRIPT")])
def test_a_file_that_is_not_there(tree: Tree, name: str, variable: str) -> None:
    with pytest.raises(NoAppFileError) as caught:
        plan(tree({"app.py": FLASK}), {variable: name})
    assert str(caught.value).startswith(
        f"There is no file {name} ({variable}) in the application's directory.\nFound there: app.py."
    )
    assert caught.value.exit_status == 1


PAGE = "import streamlit as st\nst.title('x')\n"
STREAMLIT = (
    "streamlit run {} --server.port $PORT --server.address 0.0.0.0 --server.headless true --browser.gatherUsageStats false"
)


@pytest.mark.parametrize(
    ("files", "app", "interface"),
    [
        ({"app.sh": "#!/bin/sh\n"}, "exec /bin/sh ./app.sh", "command"),
        ({"Procfile": "web: serve\n"}, "serve", "command"),
        ({"app.py": FLASK + "app.run()\n"}, "app.py", "python"),
        ({"app.py": FLASK}, "app:app", "WSGI"),
        ({"main.py": "app = FastAPI()\n"}, "main:app", "ASGI"),
        ({"app.py": "app = Something()\n"}, "app:app", None),
        ({"production.ini": "[app:main]\n"}, "production.ini", "WSGI"),
        ({"site.wsgi": "from web import site as application\n"}, "site.wsgi:application", "WSGI"),
        ({"site.wsgi": "", "app.py": FLASK}, "app:app", "WSGI"),
        ({"dashboard.py": PAGE, "helper.py": "import streamlit\nstreamlit.cache_data()\n"}, None, None),
        ({"dashboard.py": "import helper\n" + PAGE, "helper.py": PAGE}, STREAMLIT.format("dashboard.py"), "command"),
        ({"app.py": PAGE, "helper.py": PAGE, "pages/one.py": PAGE}, STREAMLIT.format("app.py"), "command"),
        (
            {"app.py": "import gradio as gr\ndemo = gr.Interface(f)\ndemo.launch()\n"},
            "exec env GRADIO_SERVER_NAME=0.0.0.0 GRADIO_SERVER_PORT=$PORT python app.py",
            "command",
        ),
        (
            {"a.py": "import gradio as gr\nwith gr.Blocks() as demo:\n    pass\nif __name__ == '__main__':\n    demo.launch()\n"},
            "exec env GRADIO_SERVER_NAME=0.0.0.0 GRADIO_SERVER_PORT=$PORT python a.py",
            "command",
        ),
        (
            {"a.ipynb": "", "requirements.txt": "voila\n"},
            "voila a.ipynb --no-browser --Voila.ip=0.0.0.0 --port=$PORT",
            "command",
        ),
        (
            {"a.ipynb": "", "b.ipynb": "", "requirements.txt": "voila\nnotebook\n"},
            "voila --no-browser --Voila.ip=0.0.0.0 --port=$PORT",
            "command",
        ),
        (
            {"my a.ipynb": "", "requirements.txt": "jupyterlab\n"},
            "jupyter lab 'my a.ipynb' --no-browser --ip=0.0.0.0 --port=$PORT",
            "command",
        ),
        (
            {"a.ipynb": "", "requirements.txt": "notebook\n"},
            "jupyter notebook a.ipynb --no-browser --ip=0.0.0.0 --port=$PORT",
            "command",
        ),
        ({"a.ipynb": "", "app.py": FLASK}, "app:app", "WSGI"),
    ],
)
def test_interfaces(tree: Tree, files: dict[str, str], app: str | None, interface: str | None) -> None:
    if app is None:
        with pytest.raises(SeveralEntryPointsError):
            plan(tree(files))
    else:
        found = plan(tree(files))
        assert (found.app, found.interface) == (app, interface)


def test_notebooks_that_nothing_shows(tree: Tree) -> None:
    with pytest.raises(NotebookError, match="notebooks only"):
        plan(tree({"a.ipynb": ""}))


@pytest.mark.parametrize(
    ("requirements", "environ", "app"),
    [
        ("django\n", {}, "site.wsgi:application"),
        ("uvicorn\n", {}, "site.asgi:application"),  # it runs nothing else
        ("daphne\n", {}, "site.asgi:application"),
        ("gunicorn\nuvicorn\n", {}, "site.wsgi:application"),
        ("uvicorn\n", {"TAXIWAY_SERVER": "mod_wsgi"}, "site.wsgi:application"),
        ("", {"TAXIWAY_SERVER": "uvicorn"}, "site.asgi:application"),
    ],
)
def test_the_server_decides_where_both_are_there(tree: Tree, requirements: str, environ: dict[str, str], app: str) -> None:
    files = {
        "manage.py": MANAGE,
        "site/__init__.py": "",
        "site/wsgi.py": "",
        "site/asgi.py": "",
        "requirements.txt": requirements,
    }
    assert plan(tree(files), environ).app == app


def test_the_server_decides_between_wsgi_and_asgi_at_the_top(tree: Tree) -> None:
    files = {"wsgi.py": FLASK, "asgi.py": "app = FastAPI()\n", "requirements.txt": "uvicorn\n"}
    assert plan(tree(files)).app == "asgi:app"


def test_warnings(tree: Tree) -> None:
    assert plan(tree({"json.py": "", "app.py": FLASK + "app.run()\n"})).warnings == (
        "json.py hides Python's own module json from everything that imports it; rename it.",
        "app.py listens by itself, but doesn't read the variable PORT; it has to listen there, on 0.0.0.0.",
    )
    assert (
        plan(tree({"app.py": "import os\n" + FLASK + "app.run(port=os.environ['PORT'])\n", "json.py": "# gone\n"})).warnings[1:]
        == ()
    )
    assert plan(tree({"serve.py": "pass\n"}), {"APP_FILE": "serve.py"}).warnings[1:] == (
        "serve.py listens by itself, but doesn't read the variable PORT; it has to listen there, on 0.0.0.0.",
    )


def test_passed_over_in_the_same_and_in_later_tiers(tree: Tree) -> None:
    files = {"app.py": FLASK + "admin = Flask('admin')\n", "shop/__init__.py": "def create_app(): ...\n"}
    assert plan(tree(files)).passed_over == (
        "app:admin (Flask object in app.py line 2)",
        "shop:create_app() (factory in shop/__init__.py line 1)",
    )


@pytest.mark.parametrize(
    ("requirements", "environ", "server", "origin"),
    [
        (None, {}, "mod_wsgi", "default for WSGI: no server in the requirements"),
        ("flask\n", {}, "mod_wsgi", "default for WSGI: no server in the requirements"),
        ("gunicorn==23\n", {}, "gunicorn", "from requirements.txt line 1"),
        ("x\nGunicorn[gevent]\n", {}, "gunicorn", "from requirements.txt line 2"),
        ("mod-wsgi\n", {}, "mod_wsgi", "from requirements.txt line 1"),
        ("gunicorn\nmod_wsgi\n", {}, "mod_wsgi", "from requirements.txt line 2"),
        ("uvicorn\n", {}, "mod_wsgi", "default for WSGI: uvicorn in requirements.txt line 1 is for other applications"),
        ("gunicorn\n", {"TAXIWAY_SERVER": "mod_wsgi"}, "mod_wsgi", "TAXIWAY_SERVER"),
        ("gunicorn\n", {"TAXIWAY_SERVER": "gunicorn"}, "gunicorn", "TAXIWAY_SERVER"),
        ("mod_wsgi\n", {"WARPDRIVE_SERVER_TYPE": "gunicorn"}, "gunicorn", "WARPDRIVE_SERVER_TYPE"),
    ],
)
def test_server(tree: Tree, requirements: str | None, environ: dict[str, str], server: str, origin: str) -> None:
    files = {"app.py": FLASK} | ({} if requirements is None else {"requirements.txt": requirements})
    found = plan(tree(files), environ)
    assert (found.server, found.origins["server"]) == (server, origin)


@pytest.mark.parametrize(
    ("requirements", "versions", "server", "origin"),
    [
        ("", {}, "uvicorn", "default for ASGI: no server in the requirements"),
        ("uvicorn\n", {}, "uvicorn", "from requirements.txt line 1"),
        ("gunicorn\n", {}, "gunicorn", "from requirements.txt line 1"),
        ("gunicorn\n", {"gunicorn": "25.1.0"}, "gunicorn", "from requirements.txt line 1"),
        (
            "gunicorn\n",
            {"gunicorn": "23.0.0"},
            "uvicorn",
            "default for ASGI: gunicorn in requirements.txt line 1 is too old to have a worker for it",
        ),
        ("gunicorn\nuvicorn\n", {"gunicorn": "23.0.0", "uvicorn": "0.30.0"}, "gunicorn", "from requirements.txt line 1"),
        ("mod_wsgi\n", {}, "uvicorn", "default for ASGI: mod_wsgi in requirements.txt line 1 is for other applications"),
        ("daphne\n", {}, "uvicorn", "default for ASGI: daphne in requirements.txt line 1 isn't one of taxiway's servers"),
        ("hypercorn\n", {}, "hypercorn", "from requirements.txt line 1"),
    ],
)
def test_server_for_asgi(tree: Tree, requirements: str, versions: dict[str, str], server: str, origin: str) -> None:
    top = tree({"requirements.txt": requirements})
    settings = resolve(environ={}, project={})
    assert choose_server("web:app", "ASGI", detect.look(top, settings), settings, versions.get) == (server, origin)


def test_gunicorn_that_is_told_but_too_old(tree: Tree) -> None:
    settings = resolve(environ={"TAXIWAY_SERVER": "gunicorn"}, project={})
    for requirements, refused in (("gunicorn\n", True), ("gunicorn\nuvicorn\n", False)):
        facts = detect.look(tree({"requirements.txt": requirements}), settings)
        assert choose_server("web:app", "ASGI", facts, settings) == ("gunicorn", "TAXIWAY_SERVER")  # not installed yet
        if refused:
            with pytest.raises(UnsupportedInterfaceError, match=r"gunicorn 23.0.0 \(TAXIWAY_SERVER\) can't run.\n.*: uvicorn, "):
                choose_server("web:app", "ASGI", facts, settings, {"gunicorn": "23.0.0"}.get)
        else:
            choose_server("web:app", "ASGI", facts, settings, {"gunicorn": "23.0.0"}.get)


@pytest.mark.parametrize("interface", ["python", "shell", "command"])
def test_programs_are_their_own_servers(tree: Tree, interface: str) -> None:
    settings = resolve(environ={}, project={})
    facts = detect.look(tree({"requirements.txt": "gunicorn\n"}), settings)
    assert choose_server("x", interface, facts, settings) == (interface, "it listens by itself")
    settings = resolve(environ={"TAXIWAY_SERVER": "gunicorn"}, project={})
    with pytest.raises(UnsupportedInterfaceError, match=rf"Servers that can: {interface}\."):
        choose_server("x", interface, facts, settings)


def test_unknown_server(tree: Tree) -> None:
    with pytest.raises(UnknownServerError, match=r"Unknown server daphne \(TAXIWAY_SERVER\)"):
        plan(tree({"app.py": FLASK}), {"TAXIWAY_SERVER": "daphne"})


@pytest.mark.parametrize(
    ("files", "environ", "app"),
    [
        ({"main.py": "app = FastAPI()\n"}, {}, "main:app"),
        ({"main.py": "app = FastAPI()\n"}, {"APP_MODULE": "main:app"}, "main:app"),
        ({"wsgi.py": "async def application(scope, receive, send): ...\n"}, {}, "wsgi:application"),
    ],
)
def test_asgi(tree: Tree, files: dict[str, str], environ: dict[str, str], app: str) -> None:
    found = plan(tree(files), environ)
    assert (found.app, found.interface, found.server) == (app, "ASGI", "uvicorn")
    with pytest.raises(UnsupportedInterfaceError) as caught:
        plan(tree(files), environ | {"TAXIWAY_SERVER": "mod_wsgi"})
    assert str(caught.value).splitlines()[:2] == [
        f"The application {app} speaks ASGI, which the server mod_wsgi (TAXIWAY_SERVER) can't run.",
        "Servers that can: gunicorn, uvicorn, hypercorn, granian.",
    ]


def test_nothing_to_start(tree: Tree) -> None:
    with pytest.raises(NoEntryPointError) as caught:
        plan(tree({"totals.py": "def create_app(config): ...\n", "data/": "", ".env": "", "tests/": "", "docs/": ""}))
    assert str(caught.value) == (
        "Couldn't work out how to start the application.\n"
        "Looked for:\n"
        "  app.sh, a web process in Procfile, wsgi_app in gunicorn.conf.py\n"
        "  manage.py with DJANGO_SETTINGS_MODULE (Django), production.ini (PasteDeploy)\n"
        "  wsgi.py, asgi.py, app.py, application.py, main.py and other modules and packages\n"
        "    with an object of a web framework, a function or create_app()\n"
        "  programs that listen by themselves; Streamlit, Gradio, notebooks\n"
        "Found at the top of the source: data/, docs/, tests/, totals.py.\n"
        "Not looked into: docs, tests.\n"
        "Found, but not to be started as it is:\n"
        "  totals:create_app() in totals.py line 1 can't be called without config\n\n"
        "Add one of those, or name the WSGI or ASGI callable, for example:\n"
        '  APP_MODULE=shop.web:app          (environment, .s2i/environment, "s2i build -e")\n'
        '  [tool.taxiway] app = "shop.web:app"    (pyproject.toml)'
    )


@pytest.mark.parametrize(
    ("files", "candidates"),
    [
        ({"app.py": "one = Flask('a')\ntwo = Flask('b')\n"}, ["app:one", "app:two"]),
        ({"app.py": FLASK, "main.py": FLASK}, ["app:app", "main:app"]),
        ({"a/__init__.py": FLASK, "b/__init__.py": FLASK}, ["a:app", "b:app"]),
    ],
)
def test_several(tree: Tree, files: dict[str, str], candidates: list[str]) -> None:
    with pytest.raises(SeveralEntryPointsError) as caught:
        plan(tree(files))
    lines = str(caught.value).splitlines()
    assert [line.split()[0] for line in lines[1:3]] == candidates
    assert lines[-1] == f"  APP_MODULE={candidates[0]}"


def test_facts_in_the_plan(tree: Tree) -> None:
    hashes = f"a==1 --hash=sha256:{'a' * 64}\nb>=2 --hash=sha256:{'a' * 64}\n"
    found = plan(tree(DJANGO | {"requirements.txt": hashes}), {"TAXIWAY_STATIC": "/m=media"})
    assert (found.framework, found.django_settings, found.collectstatic) == ("django", "site.settings", True)
    assert (found.requirements, found.require_hashes) == ("requirements.txt", True)
    assert plan(tree({"requirements.txt": "b>=2\n"})).unpinned == ("b>=2 (requirements.txt line 1)",)
    assert found.static == ("/m=media",)


@pytest.mark.parametrize(("environ", "collects"), [({}, True), ({"DISABLE_COLLECTSTATIC": "1"}, False)])
def test_collectstatic(tree: Tree, environ: dict[str, str], *, collects: bool) -> None:
    assert plan(tree(DJANGO), environ).collectstatic is collects


def test_only_django_has_collectstatic(tree: Tree) -> None:
    found = plan(tree({"app.py": FLASK}))
    assert (found.framework, found.django_settings, found.collectstatic) == (None, None, False)


def expectation(case: str) -> dict[str, Any]:
    return tomllib.loads((APPS / case / "expect.toml").read_text(encoding="utf-8"))


CASES = sorted(path.parent.name for path in APPS.glob("*/expect.toml"))
REFUSED = {
    "no-app-file",
    "no-entry-point",
    "notebook-without-server",
    "several-entry-points",
}  # the other errors come from later steps
PLANNED = [case for case in CASES if expectation(case)["build"].get("error") not in REFUSED]


def plan_of(case: str) -> BuildPlan:
    source = APPS / case
    given = build_environment(source) | expectation(case)["build"].get("env", {})
    given = environment.load_files(given, str(source), environment.BUILD)
    return plan(source, warpdrive.translate(given, str(source), servers.NAMES))


@pytest.mark.programs  # bash reads the environment files
@pytest.mark.parametrize("case", PLANNED)
def test_plan_of_a_test_application(case: str) -> None:
    """Each plan is the stored one; the module's docstring says how to store new ones."""
    found = plan_of(case)
    text = json.dumps(found.as_data(), indent=2) + "\n"
    stored = HERE / "plans" / f"{case}.json"
    if os.environ.get("UPDATE_PLANS"):
        stored.parent.mkdir(exist_ok=True)
        stored.write_text(text, encoding="utf-8")
    assert text == stored.read_text(encoding="utf-8")
    expected = expectation(case).get("plan", {})
    told = {name: value for name, value in expected.items() if name in {"app", "home"}}
    assert told == {name: getattr(found, name) for name in told}
    if "interface" in expected:
        assert found.interface in {expected["interface"], None}  # None: the import will show it


@pytest.mark.programs
@pytest.mark.parametrize("case", [case for case in CASES if case not in PLANNED])
def test_test_application_that_is_refused(case: str) -> None:
    with pytest.raises(TaxiwayError) as caught:
        plan_of(case)
    assert caught.value.code == expectation(case)["build"]["error"]
    for text in expectation(case)["build"].get("log", []):
        assert text in str(caught.value)


@pytest.mark.parametrize("case", [case for case in CASES if expectation(case)["build"]["status"] == "ok"])
def test_each_good_case_says_what_is_started(case: str) -> None:
    assert {"interface", "server"} <= set(expectation(case)["plan"])


def test_each_case_is_in_the_list() -> None:
    text = (APPS / "README.md").read_text(encoding="utf-8")
    assert [case for case in CASES if f"`{case}`" not in text] == []
    assert len(CASES) >= 40  # issue 4


def test_each_stored_plan_has_its_application() -> None:
    assert sorted(path.stem for path in (HERE / "plans").glob("*.json")) == PLANNED


ASGI_APP = "async def application(scope, receive, send): ...\n"
QUART = "quart==0.23.1\n    # via -r requirements.in\n"


@pytest.mark.parametrize(
    ("files", "server"),
    [
        ({"requirements.txt": f"hypercorn==0.18.0\n    # via quart\n{QUART}"}, "uvicorn"),
        ({"requirements.txt": f"hypercorn==0.18.0 \\\n    --hash=sha256:{'0' * 64}\n    # via\n    #   quart\n"}, "uvicorn"),
        ({"requirements.txt": f"hypercorn==0.18.0\n    # via\n    #   -r requirements.in\n    #   quart\n{QUART}"}, "hypercorn"),
        ({"requirements.txt": f"hypercorn==0.18.0\n    # via web (pyproject.toml)\n{QUART}"}, "hypercorn"),
        ({"requirements.txt": f"hypercorn==0.18.0\n{QUART}"}, "hypercorn"),  # nothing tells
        ({"requirements.txt": f"hypercorn==0.18.0\n# by hand\n{QUART}"}, "hypercorn"),
    ],
)
def test_a_server_that_others_bring(tree: Tree, files: dict[str, str], server: str) -> None:
    """Quart needs hypercorn; who only asks for Quart hasn't chosen it."""
    settings = resolve(environ={}, project={})
    found = detect.look(tree({"asgi.py": ASGI_APP, **files}), settings)
    assert choose_server("asgi:application", "ASGI", found, settings)[0] == server


@pytest.mark.parametrize(
    ("name", "text", "brought"),
    [
        ("pyproject.toml", '[project]\ndependencies = ["quart[x]>=0.2"]\n', {"hypercorn", "h2"}),
        ("pyproject.toml", '[project]\noptional-dependencies.web = ["Quart", "Hypercorn"]\n', {"h2"}),
        ("pyproject.toml", '[dependency-groups]\nweb = [{include-group = "x"}, "hypercorn"]\n', {"quart", "h2"}),
        (
            "pyproject.toml",
            '[tool.poetry.dependencies]\nquart = "*"\n[tool.poetry.group.w.dependencies]\nh2 = "*"\n',
            {"hypercorn"},
        ),
        ("Pipfile", '[packages]\nquart = "*"\n[web]\nhypercorn = "*"\n[requires]\npython_version = "3"\n', {"h2"}),
        ("pyproject.toml", "[tool.other]\nx = 1\n", set()),  # tells nothing
        ("other.toml", "", set()),
    ],
)
def test_what_others_bring(tree: Tree, name: str, text: str, brought: set[str]) -> None:
    pins = tuple(Pin(name=each, requirement=each, file="x.lock", line=1) for each in ("quart", "hypercorn", "h2"))
    pinned = PinnedList(format="x.lock", file="x.lock", pins=pins, complete=True, contents=())
    assert detect.brought.look(tree({name: text}), pinned) == brought
