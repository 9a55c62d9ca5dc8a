"""Installing: what decides the installed set, and the installer's command and environment."""

import json
import platform
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from trees import Tree

from taxiway.dependencies import install, installer
from taxiway.dependencies.credentials import Credentials
from taxiway.dependencies.pins import PinnedList
from taxiway.errors import DependenciesError, ServerMissingError
from taxiway.layout import Layout
from taxiway.process import Result

REQUIREMENTS = PinnedList(format="requirements.txt", file="requirements.txt", contents=("flask\n",), pins=(), complete=False)


def layout(top: Path) -> Layout:
    return Layout(str(top), str(top / "src"))


def key(**changed: str) -> dict[str, str]:
    base = {
        "the requirements": "1",
        "the server's packages": "2",
        "the Python": "3",
        "the architecture": "4",
        "taxiway's way of installing": "5",
    }
    return base | {name.replace("_", " "): value for name, value in changed.items()}


def test_key() -> None:
    found = install.dependencies_key(REQUIREMENTS, ["mod_wsgi==5"], "3.13.1")
    assert found["the server's packages"] == "mod_wsgi==5"
    assert found["the Python"] == "3.13.1"
    assert found["the architecture"] == platform.machine()
    assert list(found) == list(key())


@pytest.mark.parametrize(
    ("contents", "same"),
    [
        (("flask\n",), True),
        (("flask\n", ""), False),
        (("flask\n\n",), False),
        (("flask", "\n"), False),
        ((), False),
    ],
)
def test_key_of_the_requirements(contents: tuple[str, ...], *, same: bool) -> None:
    other = replace(REQUIREMENTS, file="elsewhere.txt", contents=contents)
    one, two = (install.dependencies_key(r, [], "")["the requirements"] for r in (REQUIREMENTS, other))
    assert (one == two) is same


def test_key_without_requirements() -> None:
    empty = replace(REQUIREMENTS, contents=("",))
    assert install.dependencies_key(None, [], "") == install.dependencies_key(empty, [], "")


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("home = /usr/bin\nversion = 3.13.5\n", "3.13.5"),
        ("version_info = 3.13.5.final.0\n", "3.13.5.final.0"),
        ("implementation=CPython\nversion=3.11\n", "3.11"),
        ("home = /usr/bin\n", "unknown"),
    ],
)
def test_interpreter(tree: Tree, text: str, version: str) -> None:
    assert install.interpreter(layout(tree({"pyvenv.cfg": text}))) == version


def test_changes(tree: Tree) -> None:
    place = layout(tree({}))
    assert install.changes(place, key()) == ["nothing was installed before"]
    install.remember(place, key())
    assert install.changes(place, key()) == []
    assert install.changes(place, key(the_Python="9")) == ["the Python changed"]
    assert install.changes(place, key(the_requirements="9", the_architecture="9")) == [
        "the requirements changed",
        "the architecture changed",
    ]
    assert install.changes(place, key() | {"something new": "1"}) == ["something new changed"]


@pytest.mark.parametrize("text", ["", "{", "\x00", "[]", '"x"', "null"])
def test_a_damaged_memory_counts_as_none(tree: Tree, text: str) -> None:
    place = layout(tree({".taxiway/dependencies.json": text}))
    assert install.changes(place, key()) == ["nothing was installed before"]


FILES = {
    ".taxiway/dependencies.json": "{}",
    ".taxiway/launch.json": "{}",
    "pyvenv.cfg": "",
    "bin/python3": "",
    "bin/activate": "",
    "bin/Activate.ps1": "",
    "bin/flask": "",
    "bin/__pycache__/x.pyc": "",
    "lib/python3.13/site-packages/flask/__init__.py": "",
    "lib/python3.13/site-packages/six.py": "",
    "lib/python3.13/os.py": "",
    "src/app.py": "",
}


def names(top: Path) -> set[str]:
    return {p.relative_to(top).as_posix() for p in top.rglob("*") if not p.is_dir()}


def test_clear(tree: Tree) -> None:
    top = tree(FILES)
    (top / "lib/python3.13/site-packages/link").symlink_to(top / "src")
    (top / "bin/python").symlink_to("python3")
    (top / "bin/link").symlink_to(top / "src")
    install.clear(layout(top))
    assert names(top) == {
        ".taxiway/launch.json",
        "pyvenv.cfg",
        "bin/python",
        "bin/python3",
        "bin/activate",
        "bin/Activate.ps1",
        "lib/python3.13/os.py",
        "src/app.py",
    }


def test_clear_keeps_what_taxiway_did_not_install(tree: Tree) -> None:
    """A derived image may bring packages of its own; without a memory of ours they stay."""
    top = tree({name: text for name, text in FILES.items() if name != ".taxiway/dependencies.json"})
    before = names(top)
    install.clear(layout(top))
    assert names(top) == before


@pytest.mark.parametrize(
    ("directory", "package", "version"),
    [
        ("mod_wsgi-5.0.2.dist-info", "mod_wsgi", "5.0.2"),
        ("mod_wsgi-5.0.2.dist-info", "mod-wsgi", "5.0.2"),
        ("mod-wsgi-5.0.2.dist-info", "mod_wsgi", None),  # no wheel may be named so
        ("Gunicorn-23.0.0.dist-info", "gunicorn", "23.0.0"),
        ("gunicorn_extra-1.0.dist-info", "gunicorn", None),
        ("gunicorn-23.0.0.data", "gunicorn", None),
        ("gunicorn", "gunicorn", None),
    ],
)
def test_installed_version(tree: Tree, directory: str, package: str, version: str | None) -> None:
    top = tree({f"lib/python3.13/site-packages/{directory}/METADATA": ""})
    assert install.installed_version(package, layout(top)) == version


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, {"UV_NO_CACHE": "1", "UV_LINK_MODE": "hardlink"}),
        ({"PATH": "/bin", "VIRTUAL_ENV": "/other"}, {"PATH": "/bin", "UV_NO_CACHE": "1", "UV_LINK_MODE": "hardlink"}),
        (
            {"PIP_INDEX_URL": "https://x.example/"},
            {"PIP_INDEX_URL": "https://x.example/", "UV_DEFAULT_INDEX": "https://x.example/"},
        ),
        ({"PIP_INDEX_URL": " "}, {"PIP_INDEX_URL": " "}),  # OpenShift's templates pass empty strings
        ({"PIP_INDEX_URL": "a", "UV_DEFAULT_INDEX": "b"}, {"UV_DEFAULT_INDEX": "b"}),
        ({"PIP_EXTRA_INDEX_URL": "a b"}, {"UV_INDEX": "a b"}),
        ({"PIP_TRUSTED_HOST": "x.example"}, {"UV_INSECURE_HOST": "x.example"}),
        ({"PIP_FIND_LINKS": "/a  /b"}, {"UV_FIND_LINKS": "/a,/b"}),
        ({"PIP_FIND_LINKS": "/wheels", "PIP_NO_INDEX": "1"}, {"UV_FIND_LINKS": "/wheels", "UV_NO_INDEX": "1"}),
        ({"UV_SYSTEM_CERTS": "0", "UV_PYTHON_DOWNLOADS": "auto"}, {"UV_SYSTEM_CERTS": "0", "UV_PYTHON_DOWNLOADS": "auto"}),
        ({"UV_CACHE_DIR": "/cache"}, {"UV_CACHE_DIR": "/cache", "UV_LINK_MODE": "copy"}),
        ({"UV_LINK_MODE": "symlink"}, {"UV_LINK_MODE": "symlink"}),
    ],
)
def test_installer_environment(environ: dict[str, str], expected: dict[str, str]) -> None:
    found = installer.environment(environ, Credentials(), "")
    assert found.items() >= expected.items()
    assert found.items() >= {"UV_NO_PROGRESS": "1"}.items()
    assert {"UV_SYSTEM_CERTS", "UV_PYTHON_DOWNLOADS"} <= set(found)
    assert "VIRTUAL_ENV" not in found
    assert ("UV_NO_CACHE" in found) is ("UV_CACHE_DIR" not in environ)


class Uv:
    """Takes the place of the installer."""

    def __init__(self, result: Result = Result(0, "")) -> None:  # noqa: B008  # immutable
        self.result = result
        self.calls: list[list[str]] = []
        self.files: list[str] = []
        self.places: list[str | None] = []

    def __call__(self, argv: list[str], *, env: Mapping[str, str], cwd: str) -> Result:  # noqa: ARG002
        self.places.append(env.get("UV_FIND_LINKS"))
        self.calls.append([Path(argv[0]).name, *argv[1:]])
        self.files.append(Path(argv[-1]).read_text() if Path(argv[-1]).is_file() else "")
        return self.result


@pytest.fixture
def uv(monkeypatch: pytest.MonkeyPatch) -> Uv:
    fake = Uv()
    monkeypatch.setattr(install, "run", fake)
    return fake


@pytest.mark.parametrize("hashes", [True, False])
def test_install_requirements(tree: Tree, uv: Uv, *, hashes: bool) -> None:
    top = tree({"src/requirements.txt": ""})
    file = top / "src/requirements.txt"
    install.install_requirements(file, require_hashes=hashes, layout=layout(top), environ={})
    expected = ["uv", "pip", "install", "--python", f"{top}/bin/python", "--requirements", str(file)]
    assert uv.calls == [expected + ["--require-hashes"] * hashes]


def test_failing_installer(tree: Tree, uv: Uv) -> None:
    top = tree({})
    uv.result = Result(2, "no such package")
    with pytest.raises(DependenciesError) as caught:
        install.install_requirements(top / "r.txt", require_hashes=False, layout=layout(top), environ={})
    assert str(caught.value) == (
        "Couldn't install the requirements: uv ended with exit status 2.\n"
        f"It was run as: uv pip install --python {top}/bin/python --requirements {top}/r.txt\n\n"
        "The last lines of its output:\n  no such package\n\n"
        "Correct the requirements and build again."
    )


@pytest.fixture
def house(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> Path:
    lines = f"# comment\nmod-wsgi==5.0.2 --hash=sha256:{'a' * 64}\ngunicorn==23.0.0 --hash=sha256:{'b' * 64}\n\n"
    place = tree({"house/servers.txt": lines}) / "house"
    monkeypatch.setattr(install, "wheelhouse", lambda: str(place))
    return place


@pytest.mark.usefixtures("house")
def test_server_packages() -> None:
    assert install.server_packages([], "here") == []
    assert [line.split(" ")[0] for line in install.server_packages(["gunicorn", "mod_wsgi"], "here")] == [
        "gunicorn==23.0.0",
        "mod-wsgi==5.0.2",
    ]
    with pytest.raises(ServerMissingError, match="The server whitenoise isn't installed in here"):
        install.server_packages(["gunicorn", "whitenoise"], "here")


@pytest.mark.parametrize(
    ("environ", "before"),
    [
        ({}, ""),
        ({"PIP_FIND_LINKS": "/a /b"}, "/a,/b,"),
        ({"PIP_FIND_LINKS": "/a", "UV_FIND_LINKS": "/c"}, "/c,"),
    ],
)
def test_wheels_of_the_builder_count(tree: Tree, uv: Uv, house: Path, environ: dict[str, str], before: str) -> None:
    """A pinned mod_wsgi of the builder's version couldn't be compiled."""
    top = tree({})
    install.install_requirements(top / "r.txt", require_hashes=False, layout=layout(top), environ=environ)
    assert uv.places == [f"{before}{house}"]


def test_mod_wsgi_that_would_be_compiled(tree: Tree, uv: Uv) -> None:
    top = tree({})
    uv.result = Result(1, "RuntimeError: The 'apxs' command appears not to be installed")
    with pytest.raises(DependenciesError, match="Take mod_wsgi out of the requirements"):
        install.install_requirements(top / "r.txt", require_hashes=False, layout=layout(top), environ={})


def test_server_packages_without_a_wheelhouse(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(install, "wheelhouse", lambda: None)
    assert install.server_packages([], "here") == []
    with pytest.raises(ServerMissingError):
        install.server_packages(["mod_wsgi"], "here")


def test_install_from_wheelhouse(tree: Tree, uv: Uv, house: Path) -> None:
    """Offline, with hashes, and nothing stays behind."""
    top = tree({})
    install.install_from_wheelhouse(["a==1 --hash=x", "b==2 --hash=y"], layout=layout(top), environ={})
    (argv,) = uv.calls
    assert uv.files == ["a==1 --hash=x\nb==2 --hash=y\n"]
    assert {"--offline", "--no-index", "--no-deps", "--require-hashes"} <= set(argv)
    assert argv[argv.index("--find-links") + 1] == str(house)
    assert not list((top / ".taxiway").iterdir())


@pytest.mark.usefixtures("house")
def test_nothing_to_install_from_the_wheelhouse(tree: Tree, uv: Uv) -> None:
    install.install_from_wheelhouse([], layout=layout(tree({})), environ={})
    assert uv.calls == []


def test_memory_is_json(tree: Tree) -> None:
    top = tree({})
    install.remember(layout(top), key())
    stored: Any = json.loads((top / ".taxiway/dependencies.json").read_text())
    assert stored == key()
