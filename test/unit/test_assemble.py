"""The build as a whole: what is added to the application, and a build with its programs replaced."""

import json
import os
import uuid
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from trees import Tree

from taxiway import assemble as build
from taxiway import hooks, launch_plan
from taxiway.build import application, artifacts, bytecode, permissions, touched
from taxiway.dependencies import install, installer, state
from taxiway.errors import (
    BadSettingError,
    CollectstaticError,
    DependenciesError,
    NoEntryPointError,
    NoSourceError,
    PipenvAndMicropipenvError,
    ServerMissingError,
)
from taxiway.layout import Layout
from taxiway.plan import BuildPlan
from taxiway.process import Result

PLAN = BuildPlan(
    app="web:app",
    home=".",
    framework=None,
    django_settings=None,
    server="mod_wsgi",
    interface=None,
    requirements=None,
    require_hashes=False,
    unpinned=(),
    collectstatic=False,
    static=(),
    origins={"app": "APP_MODULE", "server": "default"},
    passed_over=(),
)


@pytest.mark.parametrize(
    ("changes", "names", "added"),
    [
        ({}, [], ["mod_wsgi"]),
        ({}, ["mod_wsgi"], []),
        ({"server": "gunicorn", "collectstatic": True}, ["flask"], ["gunicorn"]),  # nothing more: static files are ours
        ({"server": "uvicorn", "interface": "ASGI"}, ["h11"], ["uvicorn", "click", "wsproto"]),
        ({"server": "shell", "interface": "shell"}, [], []),
    ],
)
def test_server_distributions(changes: dict[str, Any], names: list[str], added: list[str]) -> None:
    assert build.server_distributions(replace(PLAN, **changes), names.__contains__) == added


def test_tell() -> None:
    lines: list[str] = []
    plan = replace(
        PLAN, requirements="requirements.txt", require_hashes=True, passed_over=("a:b (there)",), locks_passed_over=("uv.lock",)
    )
    build.tell(plan, lines.append)
    build.tell(replace(PLAN, requirements="requirements.txt"), lines.append)
    assert lines == [
        "starts web:app (APP_MODULE)",
        "  passed over: a:b (there)",
        "server mod_wsgi (default)",
        "dependencies from requirements.txt, with hashes ()",
        '  passed over: uv.lock (to read it: dependencies = "uv.lock" in [tool.taxiway])',
        "starts web:app (APP_MODULE)",
        "server mod_wsgi (default)",
        "dependencies from requirements.txt, without hashes ()",
    ]


class Programs:
    """Takes the place of all programs that a build runs."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.answer: dict[str, Any] = {"interface": "WSGI"}
        self.names: list[str] = []

    def __call__(self, argv: list[str], *, env: Mapping[str, str], cwd: str | Path, **_: object) -> Result:  # noqa: ARG002
        name = next(
            (Path(word).name for word in argv if word.endswith(".py")),
            " ".join((Path(argv[0]).name, *argv[1:3])).split(" --file")[0],
        )
        self.names.append(name)
        if name == "inspect_app.py":
            Path(argv[3]).write_text(json.dumps(self.answer))
        if name == "uv pip install" and "--offline" in argv:
            version = Path(self.layout.app_root, "lib/python3.13/site-packages/mod_wsgi-5.0.2.dist-info")
            version.mkdir(parents=True, exist_ok=True)
        return Result(0, "")


@pytest.fixture
def layout(tree: Tree) -> Layout:
    root = (
        tree({"root/pyvenv.cfg": "version = 3.13.5\n", "root/bin/python": "", "house/servers.txt": "mod_wsgi==5.0.2\n"}) / "root"
    )
    return Layout(str(root), f"{root}/src")


@pytest.fixture
def programs(layout: Layout, tree: Tree, monkeypatch: pytest.MonkeyPatch) -> Programs:
    fake = Programs(layout)
    for module in (application, artifacts, bytecode, installer):
        monkeypatch.setattr(module, "run", fake)
    for module in (install, installer):
        monkeypatch.setattr(module, "wheelhouse", lambda: str(tree({}) / "house"))
    monkeypatch.setattr(permissions, "GROUP", os.getegid())
    return fake


def assemble(tree: Tree, layout: Layout, files: Mapping[str, str], environ: Mapping[str, str] | None = None) -> None:
    top = tree({f"upload/{name}": text for name, text in files.items()})
    build.assemble(top / "upload", top / "artifacts", layout, environ or {"PATH": os.defpath})


WEB = {"wsgi.py": "def application(environ, start_response): ...\n"}


def test_assemble(tree: Tree, layout: Layout, programs: Programs, capsys: pytest.CaptureFixture[str]) -> None:
    assemble(tree, layout, WEB | {"requirements.txt": "flask\n", "taxiway.toml": 'static = ["/m=media"]\n'})
    assert programs.names == [
        "uv pip install",
        "compile_bytecode.py",
        "inspect_app.py",
        "uv pip install",
        "compile_bytecode.py",
    ]
    plan = launch_plan.read(layout.launch_plan)
    assert (plan.interface, plan.app, plan.server, plan.servers) == (
        "WSGI",
        "wsgi:application",
        "mod_wsgi",
        {"mod_wsgi": "5.0.2"},
    )
    assert plan.static == (("/m", f"{layout.source}/media"),)
    assert (plan.project, plan.project_origin) == ({"static": ["/m=media"]}, "taxiway.toml")
    assert Path(layout.source, "wsgi.py").stat().st_mode & 0o777 == 0o664
    written = capsys.readouterr()
    steps = [line.partition(" (")[0] for line in written.out.splitlines() if line.startswith("--->")]
    assert steps == [
        "---> Installing the source",
        "---> Looking at the application",
        "---> Installing the dependencies",
        "---> Compiling the dependencies to bytecode",
        "---> Importing the application once",
        "---> Installing the server mod_wsgi",
        "---> Compiling to bytecode",
        "---> Compressing the static files",
        "---> Writing bill of materials and provenance",
        "---> Opening the files to group 0",
        "---> Built. It will start wsgi:application under mod_wsgi 5.0.2",
    ]
    assert written.err == (
        "warning: Not pinned, so that another build may install something else: flask (requirements.txt line 1). "
        "Pin them: taxiway lock\n"
    )


@pytest.mark.usefixtures("programs")
def test_a_long_warning_leaves_room_for_the_error(tree: Tree, layout: Layout, capsys: pytest.CaptureFixture[str]) -> None:
    assemble(tree, layout, WEB | {"requirements.txt": "".join(f"p{n}\n" for n in range(7))})
    assert "p4 (requirements.txt line 5) and 2 more. Pin them" in capsys.readouterr().err


def test_a_program_that_is_not_installed(
    tree: Tree, layout: Layout, programs: Programs, capsys: pytest.CaptureFixture[str]
) -> None:
    """What a Procfile starts isn't imported; that its program is there is looked up."""
    top = tree({"upload/Procfile": "web: gunicornx app:app\n"})
    build.assemble(top / "upload", top / "none", layout, {"PATH": "/bin"})
    assert "inspect_app.py" not in programs.names
    assert "gunicornx isn't installed, but 'gunicornx app:app' (Procfile line 1) begins with it" in capsys.readouterr().err


def test_django_that_a_program_serves_is_asked_for_its_static_files(tree: Tree, layout: Layout, programs: Programs) -> None:
    manage = "import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'site.settings')\n"
    files = {"manage.py": manage, "site/__init__.py": "", "site/wsgi.py": "", "Procfile": "web: bash serve.sh\n"}
    top = tree({f"upload/{name}": text for name, text in files.items()})
    programs.answer = {
        "interface": "WSGI",
        "static_url": "/static/",
        "static_root": f"{layout.source}/static",
        "serves_static": True,
    }
    build.assemble(top / "upload", top / "none", layout, {"PATH": "/bin"})
    assert {"inspect_app.py", "collect_static.py"} <= set(programs.names)
    plan = launch_plan.read(layout.launch_plan)
    assert (plan.interface, plan.app, plan.django_settings) == ("command", "bash serve.sh", "site.settings")


def test_building_again(tree: Tree, layout: Layout, programs: Programs, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is installed again as long as nothing that decides it has changed."""
    assemble(tree, layout, WEB | {"requirements.txt": "flask==3\n"})
    programs.names.clear()
    capsys.readouterr()
    assemble(tree, layout, WEB)
    assert programs.names == ["inspect_app.py", "compile_bytecode.py"]
    assert "---> Dependencies: unchanged, already installed; nothing to download\n" in capsys.readouterr().out
    assemble(tree, layout, {"requirements.txt": "flask==4\n"})
    assert "---> Installing the dependencies (the requirements changed)\n" in capsys.readouterr().out


def test_untouched_dependencies_are_not_looked_at(
    tree: Tree, layout: Layout, programs: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever touches them is seen, be it a hook, which may do anything, or a file that was put there."""

    def later(change: Callable[[], object]) -> None:
        while touched.changed_ns(str(module.parent)) <= touched.changed_ns(
            layout.launch_plan
        ):  # a file system's clock ticks slowly
            change()

    seen: list[float | None] = []
    monkeypatch.setattr(bytecode, "compile_application", lambda *_, since_s: seen.append(since_s))
    assemble(tree, layout, WEB)
    assemble(tree, layout, WEB)
    assert seen[0] is not None
    assert seen[1] is None
    module = Path(layout.packages, "python3.13/site-packages/a.py")
    later(
        lambda: tree({f"root/lib/python3.13/site-packages/{uuid.uuid4()}.py": "", "root/lib/python3.13/site-packages/a.py": ""})
    )
    assemble(tree, layout, WEB)
    assert seen[2] is not None
    assert module.stat().st_mode & 0o777 == 0o664
    assemble(tree, layout, WEB)
    assert seen[3] is None
    module.chmod(0o600)
    monkeypatch.setattr(hooks, "run", lambda _, name, __: name == "pre-build")
    assemble(tree, layout, WEB)
    assert seen[4] is not None
    assert module.stat().st_mode & 0o777 == 0o660
    Path(layout.launch_plan).unlink()
    assemble(tree, layout, WEB)
    assert seen[5] is not None
    assert "compile_bytecode.py" not in programs.names


def test_static_files_collected_with_the_import(
    tree: Tree, layout: Layout, programs: Programs, capsys: pytest.CaptureFixture[str]
) -> None:
    programs.answer |= STATIC | {"collected": "\n2 static files copied to '/r'.\n"}
    assemble(tree, layout, DJANGO)
    assert "collect_static.py" not in programs.names
    said = "---> Django's static files were collected with the import\n     2 static files copied to '/r'.\n"
    assert said in capsys.readouterr().out


def test_incremental_build(tree: Tree, layout: Layout, programs: Programs, capsys: pytest.CaptureFixture[str]) -> None:
    assemble(tree, layout, WEB)
    (tree({"artifacts/environment.tar": "", "artifacts/.taxiway/": ""}) / "artifacts/.taxiway").rmdir()
    Path(layout.app_root, ".taxiway").rename(tree({}) / "artifacts/.taxiway")
    programs.names.clear()
    assemble(tree, layout, WEB)
    assert programs.names == ["tar --extract", "inspect_app.py", "compile_bytecode.py"]
    assert "---> Dependencies: unchanged, taken from the previous image; nothing to download\n" in capsys.readouterr().out
    assert launch_plan.read(layout.launch_plan).servers == {"mod_wsgi": "5.0.2"}


DJANGO = {
    "manage.py": "os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'site.settings')\n",
    "site/settings.py": "WSGI_APPLICATION = 'site.wsgi.application'\n",
}
STATIC = {"static_url": "/static/", "static_root": "/r"}


@pytest.mark.parametrize(
    ("answer", "environ", "collected", "static", "origin"),
    [
        (STATIC, {}, True, (("/static/", "/r"),), "STATIC_URL and STATIC_ROOT of Django's settings"),
        (
            STATIC | {"static_url": "https://cdn.example/s/"},
            {},
            True,
            (("/s/", "/r"),),
            "STATIC_URL and STATIC_ROOT of Django's settings",
        ),
        (STATIC | {"static_url": "https://cdn.example/"}, {}, True, (), None),
        ({}, {}, False, (), None),  # without Django's staticfiles
        (STATIC, {"DISABLE_COLLECTSTATIC": "1"}, False, (), None),
        (STATIC | {"serves_static": True}, {}, True, (), "the application's own middleware"),
    ],
)
def test_static_files_of_django(
    *,
    tree: Tree,
    layout: Layout,
    programs: Programs,
    answer: dict[str, object],
    environ: dict[str, str],
    static: tuple[tuple[str, str], ...],
    origin: str | None,
    collected: bool,
) -> None:
    programs.answer |= answer
    assemble(tree, layout, DJANGO, environ)
    assert ("collect_static.py" in programs.names) is collected
    plan = launch_plan.read(layout.launch_plan)
    assert (plan.static, plan.origins.get("static")) == (static, origin)


def test_a_refused_build_leaves_no_launch_plan(tree: Tree, layout: Layout, programs: Programs) -> None:
    """An image that is built upon must not start what it had before."""
    assemble(tree, layout, WEB)
    Path(layout.source, "wsgi.py").unlink()
    with pytest.raises(NoEntryPointError):
        assemble(tree, layout, {"totals.py": ""})
    assert not Path(layout.launch_plan).exists()
    assert programs.names[-1] == "compile_bytecode.py", "nothing was run for the second build"


@pytest.mark.usefixtures("programs")
def test_options_of_servers_are_checked(tree: Tree, layout: Layout) -> None:
    with pytest.raises(BadSettingError, match="The setting servers has a value"):
        assemble(tree, layout, WEB | {"taxiway.toml": "[servers.daphne]\nargs = []\n"})


@pytest.mark.usefixtures("programs")
def test_no_source(tree: Tree, layout: Layout) -> None:
    with pytest.raises(NoSourceError):
        assemble(tree, layout, {})


def test_server_that_was_not_installed(tree: Tree, layout: Layout, programs: Programs) -> None:
    """The requirements ask for it, but their marker says that it isn't for this system."""
    programs.layout = Layout(str(tree({}) / "elsewhere"), "")
    with pytest.raises(ServerMissingError, match=r"The server mod_wsgi isn't installed in "):
        assemble(tree, layout, WEB | {"requirements.txt": "mod_wsgi; sys_platform == 'win32'\n"})


def test_settings_that_cannot_be_loaded_end_the_build(
    tree: Tree, layout: Layout, programs: Programs, capsys: pytest.CaptureFixture[str]
) -> None:
    """Only a missing variable has a placeholder; a page without its style sheet must not reach production unnoticed."""
    programs.answer = {"error": "SyntaxError: invalid syntax (settings.py, line 1)", "settings_failed": True}
    with pytest.raises(CollectstaticError, match=r"settings that can't be loaded.\n\n.*\n  SyntaxError: invalid syntax"):
        assemble(tree, layout, DJANGO)
    assert not Path(layout.launch_plan).exists()
    assemble(tree, layout, DJANGO, {"PATH": os.defpath, "DISABLE_COLLECTSTATIC": "1"})
    assert "couldn't be imported during the build: SyntaxError" in capsys.readouterr().err


def test_variables_about_pipenv(tmp_path: Path) -> None:
    """Both at once are s2i-python-container's error; a version of pipenv changes nothing, which is said."""
    with pytest.raises(PipenvAndMicropipenvError):
        build.resolve_settings({"ENABLE_PIPENV": "1", "ENABLE_MICROPIPENV": "yes"}, tmp_path)
    said: list[str] = []
    found = build.resolve_settings(
        {"ENABLE_PIPENV": "1", "ENABLE_MICROPIPENV": "", "PIN_PIPENV_VERSION": "1"}, tmp_path, warn=said.append
    )
    assert found.dependencies == ("Pipfile.lock|requirements.txt",)
    assert said == ["PIN_PIPENV_VERSION changes nothing: Pipfile.lock is read without pipenv."]


def test_dependencies_ahead_of_the_source(tree: Tree, layout: Layout, programs: Programs) -> None:
    """A layer of its own: the build after it installs nothing but what refers to the source."""
    files = {"requirements.txt": "flask==3\n-e .\n", "setup.py": ""}
    upload = tree({f"upload/{name}": text for name, text in files.items()}) / "upload"
    build.assemble_dependencies(upload, layout, {"PATH": os.defpath}, packages=["mod_wsgi"])
    assert not upload.exists()
    assert programs.names == ["uv pip install", "compile_bytecode.py", "uv pip install", "compile_bytecode.py"]
    installed = state.read(layout)
    assert installed is not None
    assert list(installed.pins) == ["flask"]
    programs.names.clear()
    (Path(layout.packages) / "python3.13/site-packages/flask").mkdir()
    assemble(tree, layout, WEB | files)
    assert (Path(layout.packages) / "python3.13/site-packages/flask").is_dir(), "what is there stays"
    assert programs.names == ["uv pip install", "compile_bytecode.py", "inspect_app.py", "compile_bytecode.py"]


def test_a_try_that_fails_leaves_nothing(
    tree: Tree, layout: Layout, programs: Programs, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A hook that runs before may write what is asked for; it isn't there yet."""

    def install_half(*_: object, **__: object) -> Result:
        package = Path(layout.app_root, "lib/python3.13/site-packages/half")
        package.mkdir(parents=True)
        return Result(1, "no matching distribution")

    monkeypatch.setattr(installer, "run", install_half)
    for tentative in (True, False):
        upload = tree({"upload/requirements.txt": "flask==3\n"}) / "upload"
        with nullcontext() if tentative else pytest.raises(DependenciesError):
            build.assemble_dependencies(upload, layout, {"PATH": os.defpath}, tentative=tentative)
        assert Path(layout.app_root, "lib/python3.13/site-packages/half").exists() == (not tentative)
        assert Path(layout.dependencies).exists() == (not tentative)
    assert "---> The dependencies can't be installed ahead of the source: " in capsys.readouterr().out
    assert not programs.names
