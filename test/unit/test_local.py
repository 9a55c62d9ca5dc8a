"""The laptop: environments, their Python, and what makes a build necessary."""

import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner
from packaging.markers import default_environment
from packaging.tags import sys_tags
from trees import Tree

from taxiway import errors, layout
from taxiway.cli import inside, taxiway
from taxiway.dependencies import target
from taxiway.detect import look
from taxiway.layout import Layout
from taxiway.local import environments, interpreters, servers_here, shells
from taxiway.local.interpreters import Interpreter
from taxiway.plan import choose_server
from taxiway.settings import resolve


def test_an_environment_knows_its_source(tree: Tree) -> None:
    top = tree({"env/.taxiway/source": "/home/ada/shop\n"})
    assert Layout.from_environ({"APP_ROOT": f"{top}/env"}) == Layout(f"{top}/env", "/home/ada/shop", local=True)
    assert not layout.is_image({"APP_ROOT": f"{top}/env"})
    assert layout.is_image({"APP_ROOT": f"{top}"})
    assert layout.first_writable_path({"APP_ROOT": f"{top}/env", "TMPDIR": "/x"}).endswith("-env")


@pytest.mark.parametrize(
    ("environ", "root"),
    [
        ({"HOME": "/home/ada"}, "/home/ada/.local/share/taxiway/environments"),
        ({"HOME": "/home/ada", "XDG_DATA_HOME": "/data"}, "/data/taxiway/environments"),
    ],
)
def test_root(environ: Mapping[str, str], root: str) -> None:
    assert str(environments.root(environ)) == root


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("/home/ada/shop", "shop-ff0a01d5"),
        ("/home/eve/shop", "shop-ea3dd979"),
        ("/srv/my shop!", "my-shop-4a3c9334"),
        ("/", "app-8a5edab2"),
    ],
)
def test_default_name(source: str, name: str) -> None:
    assert environments.default_name(Path(source)) == name


def test_choose(tree: Tree) -> None:
    top = tree({"data/taxiway/environments/shop/.taxiway/source": "/srv/shop\n", "here/": "", "shop/.taxiway/source": "/other\n"})
    environ = {"XDG_DATA_HOME": f"{top}/data"}
    assert environments.choose(environ, top / "here").source == top / "here"
    assert str(environments.choose(environ, top / "here", "shop").source) == "/srv/shop"
    assert str(environments.choose({**environ, "APP_ROOT": f"{top}/shop"}, top / "here").source) == "/other"
    assert [one.name for one in environments.listing(environ)] == ["shop"]


def test_no_environment(tree: Tree) -> None:
    top = tree({"data/taxiway/environments/shop/.taxiway/source": "/srv/shop\n", "here/": ""})
    with pytest.raises(errors.NoEnvironmentError) as caught:
        environments.existing({"XDG_DATA_HOME": f"{top}/data"}, top / "here")
    assert str(caught.value) == (
        f"There is no environment for {top}/here.\nThere are: shop.\n\nBuild one, in the directory of the project: taxiway build"
    )


@pytest.mark.parametrize("name", ["", "..", "a/b", "-x", "x" * 65])
def test_bad_name(name: str) -> None:
    with pytest.raises(errors.BadEnvironmentNameError, match="No environment can have the name "):
        environments.choose({}, Path("/"), name)


def test_no_project(tree: Tree) -> None:
    top = tree({"empty/": ""})
    for directory, reason in (
        (top / "empty", "it is empty"),
        (top / "gone", "it isn't there"),
        (Path("/"), "no directory of one"),
    ):
        with pytest.raises(errors.NotAProjectError, match=reason):
            environments.require_source(environments.Environment("x", top / "x", directory))


@pytest.mark.parametrize(
    ("files", "told", "fitting", "origin"),
    [
        ({}, None, {"3.11.2", "3.12.1", "3.13.0", "3.14.0"}, "taxiway"),
        ({}, "3.12", {"3.12.1"}, "--python"),
        ({".python-version": "# ours\n3.13\n"}, None, {"3.13.0"}, ".python-version"),
        ({".python-version": "3.13\n"}, "3.11", {"3.11.2"}, "--python"),
        ({".python-version": "3.13.1\n"}, None, set(), ".python-version"),
        (
            {"pyproject.toml": '[project]\nrequires-python = ">=3.9,<3.13"\n'},
            None,
            {"3.11.2", "3.12.1"},
            "requires-python in pyproject.toml",
        ),
    ],
)
def test_wanted_python(tree: Tree, files: Mapping[str, str], told: str | None, fitting: set[str], origin: str) -> None:
    wish = interpreters.wanted(tree(files), told)
    assert {version for version in ("3.10.4", "3.11.2", "3.12.1", "3.13.0", "3.14.0") if wish.fits(version)} == fitting
    assert wish.origin == origin


@pytest.mark.parametrize(
    ("files", "found"),
    [({".python-version": "pypy3.10\n"}, "pypy3.10"), ({"pyproject.toml": '[project]\nrequires-python = "three"\n'}, "three")],
)
def test_no_version(tree: Tree, files: Mapping[str, str], found: str) -> None:
    with pytest.raises(errors.BadPythonVersionError, match=f"The Python '{found}', which "):
        interpreters.wanted(tree(files), None)


def test_find_takes_the_first_that_fits(monkeypatch: pytest.MonkeyPatch, tree: Tree) -> None:
    there = {"/a": "3.11.2", "/b": "3.12.1", "/c": "3.12.4"}
    monkeypatch.setattr(interpreters, "candidates", lambda _: iter(["/gone", *there]))
    monkeypatch.setattr(interpreters, "ask", lambda path, _: Interpreter(path, there[path]) if path in there else None)
    source = tree({})
    assert interpreters.find(interpreters.wanted(source, "3.12"), {}).path == "/b"
    assert interpreters.find(interpreters.wanted(source, "/c"), {}) == Interpreter("/c", "3.12.4")
    with pytest.raises(errors.NoInterpreterError) as caught:
        interpreters.find(interpreters.wanted(source, "3.14"), {})
    assert str(caught.value) == (
        "Couldn't find a Python ==3.14.*, as --python asks for.\n"
        "Here are:\n  3.11.2 (/a)\n  3.12.1 (/b)\n  3.12.4 (/c)\n\n"
        "Install one, which taxiway will find, or name another:\n"
        "  uv python install 3.14\n"
        "  taxiway build --python /path/to/python3"
    )
    with pytest.raises(errors.NoInterpreterError, match=r"/gone isn't one\."):
        interpreters.find(interpreters.wanted(source, "/gone"), {})


def test_candidates(tree: Tree) -> None:
    top = tree(
        dict.fromkeys(
            ("bin/python3", "bin/python3.9", "bin/python3.12", "bin/python3-config", "home/.pyenv/versions/3.13.0/bin/python3"),
            "",
        )
    )
    for path in (top / "bin").iterdir():
        path.chmod(0o755)
    found = list(interpreters.candidates({"PATH": f"{top}/bin:/nowhere", "HOME": f"{top}/home"}))
    names = ["bin/python3", "bin/python3.12", "bin/python3.9", "home/.pyenv/versions/3.13.0/bin/python3"]
    assert found == [sys.executable, *(f"{top}/{name}" for name in names)]


@pytest.mark.programs
def test_ask() -> None:
    found = interpreters.ask(sys.executable, {})
    assert found
    assert found.version == sys.version.split()[0]
    assert interpreters.ask("/nowhere/python", {}) is None
    assert interpreters.ask("/bin/false", {}) is None


HERE = {"apxs": True, "apache": True, "compiler": True, "headers": True, "root": False}


@pytest.mark.parametrize(
    ("what", "why"),
    [
        ({}, ""),
        ({"root": True}, "doesn't serve as root"),
        ({"apxs": False}, "needs Apache's headers (apt-get install apache2-dev)"),
        ({"apache": False}, "needs Apache's headers (apt-get install apache2-dev)"),
        ({"compiler": False}, "needs a C compiler (apt-get install gcc)"),
        ({"headers": False}, "needs Python's headers (apt-get install python3-dev)"),
    ],
)
def test_why_no_mod_wsgi(what: Mapping[str, bool], why: str) -> None:
    assert servers_here.why_no_mod_wsgi(**{**HERE, **what}) == why


@pytest.mark.programs
def test_the_application_s_python_decides_markers(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(target, "_markers", {})
    monkeypatch.setattr(target, "_tags", frozenset())
    top = tree({})
    target.use(sys.executable, "3.0.0", top / "python.json", {})
    assert target.markers() == default_environment()
    assert target.tags() == frozenset(sys_tags())
    target.use("/nowhere", "3.0.0", top / "python.json", {})  # it was asked before
    with pytest.raises(errors.BrokenInterpreterError):
        target.use("/bin/false", "3.0.0", top / "another.json", {})


def test_no_local_build_in_an_image(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APP_ROOT", "/opt/app-root")
    result = CliRunner().invoke(taxiway, ["build"])
    assert isinstance(result.exception, errors.BuildInImageError)


SHOP = environments.Environment("shop", Path("/data/my shop"), Path("/srv/shop"))


@pytest.mark.parametrize(
    ("told", "login_shell", "name"),
    [(None, "/usr/bin/zsh", "zsh"), (None, "/bin/dash", "bash"), (None, "", "bash"), ("fish", "/bin/bash", "fish")],
)
def test_which_shell(told: str | None, login_shell: str, name: str) -> None:
    assert shells.which(told, login_shell) == name


@pytest.mark.parametrize("shell", shells.NAMES)
def test_inside_a_shell_of_its_own(shell: str) -> None:
    found = shells.inside(SHOP, shell, "/home/ada", "")
    texts = dict(found.files)
    assert found.argv[0] == shell
    assert all(path.startswith("/data/my shop/.taxiway/shell/") for path in texts)
    last = list(texts.values())[-1]
    assert "'/data/my shop'" in last
    assert "'(shop) '" in last
    if shell != "fish":
        assert f"/home/ada/.{shell}rc" in last


@pytest.mark.programs
@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_activation_is_undone(shell: str, tree: Tree) -> None:
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"{shell} isn't here")
    file = tree({"activate": shells.code(SHOP, shell)}) / "activate"
    script = f'PS1="$ "; . {file}; echo "$PS1|$APP_ROOT|$PATH"; . {file}; taxiway deactivate'
    script += '; echo "$PS1|${APP_ROOT-}|$PATH"; typeset -f taxiway'
    done = subprocess.run([program, "-fc", script], env={"PATH": "/usr/bin:/bin"}, capture_output=True, check=False, text=True)
    assert done.stdout.splitlines() == ["(shop) $ |/data/my shop|/data/my shop/bin:/usr/bin:/bin", "$ ||/usr/bin:/bin"]
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("PORT", "8080", "8080"),
        ("SECRET_KEY", "x", "****"),
        ("DB_PASSWORD", "x", "****"),
        ("GITHUB_TOKEN", "x", "****"),
        ("AWS_ACCESS_KEY_ID", "x", "****"),
        ("SECRET_KEY", "", ""),
        ("MINE", "x", "****"),
        ("COMPASS", "north", "north"),
        ("DATABASE_URL", "postgres://ada:pw@db:5432/shop", "postgres://ada:****@db:5432/shop"),
        ("CACHE", "redis://db", "redis://db"),
        ("ODD", "x://[", "x://["),
    ],
)
def test_secrets_are_masked(name: str, value: str, shown: str) -> None:
    assert inside.masked(name, value, {"MINE"}) == shown


STAND_IN = {"WSGI": ("gunicorn", "mod_wsgi, which needs Apache's headers")}


@pytest.mark.parametrize(
    ("environ", "project", "server", "why"),
    [
        ({}, {}, "gunicorn", "default for WSGI: no server in the requirements, and mod_wsgi, which needs Apache's headers"),
        ({"WARPDRIVE_SERVER_TYPE": "mod_wsgi"}, {}, "gunicorn", "WARPDRIVE_SERVER_TYPE asks for mod_wsgi, which needs Apache's"),
        ({}, {"server": "mod_wsgi"}, "gunicorn", "[tool.taxiway] asks for mod_wsgi, which needs Apache's headers"),
        ({}, {"server": "waitress"}, "waitress", "[tool.taxiway]"),
        ({"TAXIWAY_SERVER": "waitress"}, {"server": "mod_wsgi"}, "waitress", "TAXIWAY_SERVER"),
    ],
)
def test_another_server_than_the_images(
    environ: Mapping[str, str], project: Mapping[str, str], server: str, why: str, tree: Tree
) -> None:
    chosen = resolve(environ=environ, project=project)
    found, reason = choose_server("web:app", "WSGI", look(tree({"web.py": ""}), chosen), chosen, defaults=STAND_IN)
    assert found == server
    assert reason.startswith(why)


def test_a_server_that_was_typed_has_no_stand_in(tree: Tree) -> None:
    chosen = resolve(environ={"TAXIWAY_SERVER": "mod_wsgi"}, project={})
    with pytest.raises(errors.ServerNotHereError, match=r"The server can't run on this machine: mod_wsgi, which needs Apache's"):
        choose_server("web:app", "WSGI", look(tree({"web.py": ""}), chosen), chosen, defaults=STAND_IN)
