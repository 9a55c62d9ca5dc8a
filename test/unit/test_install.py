"""Installing: the installer's command and environment, and carrying out what changed."""

import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from trees import Tree

from taxiway.dependencies import install, installer, records, state
from taxiway.dependencies.credentials import Credentials
from taxiway.dependencies.installer import Installer
from taxiway.dependencies.pins import Pin, PinnedList
from taxiway.dependencies.state import Changes
from taxiway.errors import DependenciesError, ServerMissingError, UnlockedBackEndError
from taxiway.layout import Layout
from taxiway.process import Result


def layout(top: Path) -> Layout:
    return Layout(str(top), str(top / "src"))


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
        ".taxiway/dependencies.json",
        ".taxiway/launch.json",
        "pyvenv.cfg",
        "bin/python",
        "bin/python3",
        "bin/activate",
        "bin/Activate.ps1",
        "lib/python3.13/os.py",
        "src/app.py",
    }


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


class Programs:
    """Takes the place of the installers: installs what it is told, as far as a .dist-info goes."""

    def __init__(self, top: Path) -> None:
        self.top = top
        self.result = Result(0, "")
        self.output: list[str] = []
        self.calls: list[list[str]] = []
        self.files: list[list[str]] = []
        self.environs: list[Mapping[str, str]] = []

    def __call__(
        self,
        argv: list[str],
        *,
        env: Mapping[str, str],
        cwd: str,
        show: Callable[[str], bool],
        brief: bool,  # noqa: ARG002
    ) -> Result:
        assert cwd == str(self.top / "src")
        self.calls.append([Path(argv[0]).name, *argv[1:]])
        self.files.append(lines := Path(argv[-1]).read_text().splitlines())
        self.environs.append(env)
        for line in self.output:
            show(line)
        for name, version in (line.split(" ")[0].split("==") for line in lines if "==" in line):
            package(self.top, name, version)
        (self.top / ".lock").touch()
        return self.result


def package(top: Path, name: str, version: str) -> None:
    """Install a package of one module, as uv or pip does."""
    site = top / "lib/python3.13/site-packages"
    metadata = site / f"{name}-{version}.dist-info"
    (site / name / "__pycache__").mkdir(parents=True)
    metadata.mkdir()
    (site / name / "__init__.py").write_text(f"version = '{version}'\n")
    (site / name / "__pycache__/__init__.cpython-313.pyc").touch()
    (metadata / "INSTALLER").write_text("uv")
    files = [f"{name}/__init__.py", f"{metadata.name}/INSTALLER", f"{metadata.name}/RECORD"]
    (metadata / "RECORD").write_text("".join(f"{file},,\n" for file in files))


@pytest.fixture
def programs(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> Programs:
    fake = Programs(tree({"src/": "", "bin/python": "", "private/": "", "pyvenv.cfg": "version = 3.13.5\n"}))
    monkeypatch.setattr(installer, "run", fake)
    monkeypatch.setattr(installer, "wheelhouse", lambda: None)
    return fake


def tool(programs: Programs, name: str = "uv", environ: Mapping[str, str] | None = None, offline: str | None = None) -> Installer:
    private = str(programs.top / "private")
    return Installer(name=name, layout=layout(programs.top), environ=environ or {}, private=private, offline=offline)


@pytest.mark.parametrize(
    ("name", "offline", "argv"),
    [
        ("uv", None, ["uv", "pip", "install", "--python", "{python}", "--no-deps", "--require-hashes"]),
        (
            "uv",
            "/house",
            ["uv", "pip", "install", "--python", "{python}", "--offline", "--no-deps", "--require-hashes", "--no-index",
             "--find-links", "/house"],
        ),
        (
            "pip",
            None,
            ["{this}", "-m", "pip", "--python", "{python}", "install", "--no-compile", "--no-warn-script-location", "--no-deps",
             "--require-hashes"],
        ),
    ],
)  # fmt: skip
def test_command(programs: Programs, name: str, offline: str | None, argv: list[str]) -> None:
    tool(programs, name, offline=offline).install(["a==1 --hash=sha256:x"], no_deps=True, require_hashes=True)
    words = {"python": str(programs.top / "bin/python"), "this": Path(sys.executable).name}
    expected = [word.format(**words) for word in argv]
    assert programs.calls == [[*expected, "--requirement", str(programs.top / "private/requirements.txt")]]
    assert programs.files == [["a==1 --hash=sha256:x"]]


def test_which_index_a_file_comes_from_matters_only_without_hashes(programs: Programs) -> None:
    tool(programs).install([], no_deps=True, require_hashes=True)
    tool(programs).install([], no_deps=False, require_hashes=False)
    assert [env.get("UV_INDEX_STRATEGY") for env in programs.environs] == ["unsafe-best-match", None]
    assert "--no-deps" not in programs.calls[1]


@pytest.mark.parametrize(
    ("environ", "expected"),
    [({}, ("/house", "/house")), ({"UV_FIND_LINKS": "/a", "PIP_FIND_LINKS": "/b"}, ("/a,/house", "/b /house"))],
)
def test_wheels_of_the_builder_count(
    programs: Programs, monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], expected: tuple[str, str]
) -> None:
    """A pinned mod_wsgi of the builder's version couldn't be compiled."""
    monkeypatch.setattr(installer, "wheelhouse", lambda: "/house")
    tool(programs, environ=environ).install([], no_deps=True, require_hashes=False)
    assert (programs.environs[0]["UV_FIND_LINKS"], programs.environs[0]["PIP_FIND_LINKS"]) == expected


def test_failing_installer(programs: Programs) -> None:
    programs.result = Result(2, "no such package")
    with pytest.raises(DependenciesError) as caught:
        tool(programs).install(["a==1"], no_deps=True, require_hashes=False)
    top = programs.top
    assert str(caught.value) == (
        "Couldn't install the requirements: uv ended with exit status 2.\n"
        f"It was run as: uv pip install --python {top}/bin/python --no-deps --requirement {top}/private/requirements.txt\n\n"
        "The last lines of its output:\n  no such package\n\n"
        "Correct the requirements and build again."
    )


def test_mod_wsgi_that_would_be_compiled(programs: Programs) -> None:
    programs.result = Result(1, "RuntimeError: The 'apxs' command appears not to be installed")
    with pytest.raises(DependenciesError, match="Take mod_wsgi out of the requirements"):
        tool(programs).install([], no_deps=True, require_hashes=False)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("      Built docopt==0.6.2", ["docopt 0.6.2"]),
        ("      Built shop @ file:///opt/app-root/src", ["shop"]),
        ("  Created wheel for docopt: filename=docopt-0.6.2-py2.py3-none-any.whl size=13706 sha256=1", ["docopt 0.6.2"]),
        ("   Building docopt==0.6.2", []),
        (" + docopt==0.6.2", []),
    ],
)
def test_compiled_sources(line: str, found: list[str]) -> None:
    assert installer.compiled_sources([line]) == found


def test_what_was_compiled_is_told(programs: Programs, capsys: pytest.CaptureFixture[str]) -> None:
    programs.output = ["   Building a==1", "      Built a==1"]
    tool(programs).install(["a==1"], no_deps=True, require_hashes=False)
    assert "compiled from source, because there is no wheel for this Python: a 1\n" in capsys.readouterr().out


def pin(name: str, version: str = "1", **more: Any) -> Pin:
    given: dict[str, Any] = {"name": name, "version": version, "file": "r.txt", "line": 1}
    return Pin(**given | {"requirement": f"{name}=={version}", "hashes": (f"sha256:{name}{version}",)} | more)


def pinned(*pins: Pin, complete: bool = True, options: tuple[str, ...] = ()) -> PinnedList:
    return PinnedList(format="f", file="r.txt", pins=pins, complete=complete, contents=(), options=options)


def apply(programs: Programs, asked: PinnedList) -> Changes:
    """Install as a build does."""
    place = layout(programs.top)
    wanted = state.describe(asked, place)
    changes = state.compare(state.read(place), wanted)
    programs.files.clear()
    if changes.reasons:
        install.apply(changes, wanted, asked, tool(programs))
    return changes


def installed(programs: Programs) -> list[str]:
    return [f"{found.name} {found.version}" for found in records.distributions(layout(programs.top))]


def test_only_what_changed_is_installed(programs: Programs) -> None:
    assert apply(programs, pinned(pin("a"), pin("b"), pin("c"))).reasons == ("nothing was installed before",)
    assert installed(programs) == ["a 1", "b 1", "c 1"]
    assert not apply(programs, pinned(pin("a"), pin("b"), pin("c"))).reasons
    assert programs.files == []
    unchanged = (programs.top / "lib/python3.13/site-packages/b/__init__.py").stat()
    assert str(apply(programs, pinned(pin("a", "2"), pin("b"), pin("d")))) == "a 1 -> 2, c removed, d 1 added"
    assert programs.files == [["a==2 --hash=sha256:a2", "d==1 --hash=sha256:d1"]]
    assert installed(programs) == ["a 2", "b 1", "d 1"]
    assert (programs.top / "lib/python3.13/site-packages/b/__init__.py").stat() == unchanged
    assert not (programs.top / "lib/python3.13/site-packages/c").exists(), "its bytecode is gone too"
    assert str(apply(programs, pinned(pin("b"), pin("d", hashes=("sha256:other",))))) == "a removed, other files of d 1"
    assert programs.files == [["d==1 --hash=sha256:other"]]
    apply(programs, pinned())
    assert installed(programs) == []
    assert programs.files == [], "nothing has to be installed"


def test_a_failure_is_followed_by_an_installation_from_scratch(programs: Programs) -> None:
    apply(programs, pinned(pin("a"), pin("b")))
    programs.result = Result(1, "")
    with pytest.raises(DependenciesError):
        apply(programs, pinned(pin("a", "2"), pin("b")))
    programs.result = Result(0, "")
    assert apply(programs, pinned(pin("a"), pin("b"))).from_scratch
    assert programs.files == [["a==1 --hash=sha256:a1", "b==1 --hash=sha256:b1"]]
    assert installed(programs) == ["a 1", "b 1"]


def test_shared_files_are_a_reason_to_start_from_scratch(programs: Programs) -> None:
    """Removing one of two packages that both brought a file would break the other."""
    apply(programs, pinned(pin("a"), pin("b")))
    with (programs.top / "lib/python3.13/site-packages/b-1.dist-info/RECORD").open("a") as record:
        record.write("a/__init__.py,,\n")
    apply(programs, pinned(pin("a", "2"), pin("b")))
    assert programs.files == [["a==2 --hash=sha256:a2", "b==1 --hash=sha256:b1"]]
    assert installed(programs) == ["a 2", "b 1"]


def test_what_a_derived_image_brought_along_stays(programs: Programs) -> None:
    package(programs.top, "own", "1")
    apply(programs, pinned(pin("a")))
    assert installed(programs) == ["a 1", "own 1"]


def test_what_has_no_hash_by_nature_is_installed_apart(programs: Programs) -> None:
    """The source's own directories, and commits; everything else without a hash is left to the installer to refuse."""
    commit = "git+https://h.example/x@" + "a" * 40
    apply(
        programs,
        pinned(
            pin("a"),
            pin("", requirement="-e .", url=".", editable=True, hashes=()),
            pin("x", requirement=f"x @ {commit}", url=commit, hashes=()),
            pin("unhashed", hashes=()),
            options=("--constraint limits.txt", "--no-binary a"),
        ),
    )
    options = [f"--constraint {programs.top}/src/limits.txt", "--no-binary a"]
    assert programs.files == [
        [*options, "a==1 --hash=sha256:a1", "unhashed==1"],
        [*options, "-e .", f"x @ {commit}"],
    ]
    assert ["--require-hashes" in call for call in programs.calls] == [True, False]


def test_a_list_that_is_not_complete_is_resolved(programs: Programs) -> None:
    apply(programs, pinned(pin("a", hashes=()), complete=False))
    assert "--no-deps" not in programs.calls[0]
    assert "--require-hashes" not in programs.calls[0]


HOUSE = f"mod_wsgi==6.1.1 --hash=sha256:{'a' * 64}\ngunicorn==23.0.0 --hash=sha256:{'b' * 64}\n"


@pytest.fixture
def house(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> str:
    place = str(tree({"house/servers.txt": f"# comment\n{HOUSE}\n"}) / "house")
    monkeypatch.setattr(install, "wheelhouse", lambda: place)
    return place


@pytest.mark.usefixtures("house")
def test_server_packages() -> None:
    assert install.server_packages([], "here") == []
    assert [line.split(" ")[0] for line in install.server_packages(["gunicorn", "mod-wsgi"], "here")] == [
        "gunicorn==23.0.0",
        "mod_wsgi==6.1.1",
    ]
    with pytest.raises(ServerMissingError, match="The server whitenoise isn't installed in here"):
        install.server_packages(["gunicorn", "whitenoise"], "here")


@pytest.mark.parametrize(
    ("system", "found"),
    [
        ("[build-system]\nrequires = ['hatchling>=1', 'editables; python_version < \"3\"']\n", []),
        ("[tool.setuptools]\n", ["setuptools (pyproject.toml line 1)"]),  # the default of PEP 518
        ("[build-system]\nrequires = ['hatchling<1']\n", ["hatchling<1 (pyproject.toml line 1)"]),
        (
            "[build-system]\nrequires = ['maturin', 'numpy>=2']\n",
            ["maturin (pyproject.toml line 1)", "numpy>=2 (pyproject.toml line 1)"],
        ),
    ],
)
def test_back_ends_that_nothing_pins(
    tree: Tree, house: str, capsys: pytest.CaptureFixture[str], system: str, found: list[str]
) -> None:
    """A warning, or the end under strict; only what the source itself builds counts."""
    Path(house, "hatchling-1.27.0-py3-none-any.whl").touch()
    where = layout(tree({"src/pyproject.toml": system}))
    asked = pinned(pin("flask"), Pin(name="x", requirement="-e .", file="pyproject.toml", line=1, url=".", editable=True))
    install.check_back_ends(asked, where, strict=False)
    told = capsys.readouterr().err
    assert all(line in told for line in found)
    assert bool(told) is bool(found)
    if found:
        with pytest.raises(UnlockedBackEndError) as caught:
            install.check_back_ends(asked, where, strict=True)
        assert str(caught.value).count("\n  ") == len(found)
    install.check_back_ends(None, where, strict=True)


def test_server_packages_without_a_wheelhouse(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(install, "wheelhouse", lambda: None)
    assert install.server_packages([], "here") == []
    (line,) = install.server_packages(["mod_wsgi"], "here")  # on a laptop: taxiway's own list
    assert re.fullmatch(r"mod-wsgi==[\d.]+( --hash=sha256:[0-9a-f]{64})+", line)
    with pytest.raises(ServerMissingError):
        install.server_packages(["no_server"], "here")


def test_install_servers(programs: Programs, house: str) -> None:
    """Without an index, with hashes; what is installed looks as if it had been in the requirements."""
    install.install_servers(install.server_packages(["gunicorn"], ""), tool(programs))
    assert {"--offline", "--no-index", "--no-deps", "--require-hashes", house} <= set(programs.calls[0])
    assert (programs.top / "lib/python3.13/site-packages/gunicorn-23.0.0.dist-info/INSTALLER").read_text() == "taxiway\n"
    assert not (programs.top / ".lock").exists()


@pytest.mark.usefixtures("house")
def test_servers_of_an_older_builder_are_removed(programs: Programs) -> None:
    """What the application asks for stays, whatever its version, and so does all that isn't the builder's."""
    for name, version in (("mod_wsgi", "5.0"), ("gunicorn", "22.0"), ("own", "1")):
        package(programs.top, name, version)
    install.remove_old_servers(pinned(pin("gunicorn", "22.0")), layout(programs.top))
    assert installed(programs) == ["gunicorn 22.0", "own 1"]
    install.remove_old_servers(None, layout(programs.top))
    assert installed(programs) == ["own 1"]
