"""The environment of hooks and of the server."""

import os
from pathlib import Path

import pytest
from trees import Tree

from taxiway import environment
from taxiway.environment import BUILD, DEPLOY, files, for_application, load_files
from taxiway.errors import EnvironmentFileError
from taxiway.layout import Layout, runtime_path

PATH = {"PATH": os.defpath}


@pytest.mark.parametrize(
    ("names", "phase", "found"),
    [
        ([], BUILD, []),
        ([".taxiway/environment", ".taxiway/build-env", ".taxiway/deploy-env"], BUILD, [0, 1]),
        ([".taxiway/environment", ".taxiway/build-env", ".taxiway/deploy-env"], DEPLOY, [0, 2]),
        ([".warpdrive/environment", ".warpdrive/action_hooks/build-env"], BUILD, [0, 1]),
        ([".warpdrive/environment", ".warpdrive/action_hooks/deploy-env"], DEPLOY, [0, 1]),
        ([".warpdrive/environment", ".taxiway/environment"], BUILD, [1]),
        ([".warpdrive/environment", ".taxiway/build-env"], BUILD, [0, 1]),
        ([".warpdrive/build-env", ".env"], BUILD, []),
    ],
)
def test_files(tree: Tree, names: list[str], phase: str, found: list[int]) -> None:
    top = tree(dict.fromkeys(names, ""))
    assert files(str(top), phase) == [f"{top}/{names[n]}" for n in found]


def test_no_files_no_program(tree: Tree) -> None:
    assert load_files({"A": "1"}, str(tree({})), BUILD) == {"A": "1"}


def loaded(tree: Tree, text: str, environ: dict[str, str] | None = None) -> dict[str, str]:
    """Return what a file adds or changes."""
    given = PATH | (environ or {})
    found = load_files(given, str(tree({".taxiway/environment": text})), BUILD)
    assert set(given) - set(found) <= {"GONE"}
    return {name: value for name, value in found.items() if given.get(name) != value}


@pytest.mark.programs
@pytest.mark.parametrize(
    ("text", "added"),
    [
        ("", {}),
        ("# nothing\n", {}),
        ("A=1\n", {"A": "1"}),  # exported without the word
        ("export A=1\r\n".replace("\r", ""), {"A": "1"}),
        ("A='b c'\nB=\"it's\"\n", {"A": "b c", "B": "it's"}),
        ("A='1\n2\n'\n", {"A": "1\n2\n"}),
        ("A='$HOME `id` \"'\n", {"A": '$HOME `id` "'}),
        ("A=é€漢\n", {"A": "é€漢"}),
        ("A='B=C=D'\n", {"A": "B=C=D"}),
        ("A=\n", {"A": ""}),
        ("A=1\nB=${A}2\n", {"A": "1", "B": "12"}),
        ("A=${GIVEN}x\n", {"A": "yx"}),
        ("GIVEN=new\n", {"GIVEN": "new"}),
        ("unset GONE\n", {}),
        ("if true; then A=1; fi\n", {"A": "1"}),
        ("for n in 1 2; do A=$n; done\n", {"A": "2", "n": "2"}),
        ("A=$(echo hi)\n", {"A": "hi"}),
        ("PATH=/nowhere\n", {"PATH": "/nowhere"}),
        ("cd /\n", {}),
        # It may print, to stdout and stderr, and a lot.
        ("echo X=1; echo Y=2 >&2; A=1\n", {"A": "1"}),
        ("printf 'X=1\\0Y=2\\0'; A=1\n", {"A": "1"}),
        ("for i in {1..20000}; do echo 'a long line of text'; echo another >&2; done; unset i; A=1\n", {"A": "1"}),
        ("exec 3>&1 4>&1; A=1\n", {"A": "1"}),
    ],
)
def test_load_files(tree: Tree, text: str, added: dict[str, str]) -> None:
    assert loaded(tree, text, {"GIVEN": "y", "GONE": "1"}) == added


@pytest.mark.programs
def test_background_process(tree: Tree) -> None:
    """It may live on; nobody waits for it."""
    found = loaded(tree, "sleep 600 &\nBACKGROUND=$!\n")
    os.kill(int(found["BACKGROUND"]), 15)


@pytest.mark.programs
def test_nothing_of_bash_stays(tree: Tree) -> None:
    given = PATH | {"PWD": "/somewhere", "SHLVL": "3", "_": "/bin/x"}
    assert load_files(given, str(tree({".taxiway/environment": "A=1\n"})), BUILD) == given | {"A": "1"}
    assert load_files(PATH, str(tree({})), BUILD) == PATH | {"A": "1"}


@pytest.mark.programs
def test_values_that_are_not_utf_8(tree: Tree) -> None:
    assert loaded(tree, "A=$'\\xff'\n") == {"A": "\udcff"}
    assert loaded(tree, "B=1\n", {"A": "\udcff"}) == {"B": "1"}


@pytest.mark.programs
def test_later_files_see_earlier_ones(tree: Tree) -> None:
    top = tree({".taxiway/environment": "A=1\nB=1\n", ".taxiway/build-env": "B=${A}2\n", ".taxiway/deploy-env": "C=3\n"})
    assert load_files(PATH, str(top), BUILD) == PATH | {"A": "1", "B": "12"}
    assert load_files(PATH, str(top), DEPLOY) == PATH | {"A": "1", "B": "1", "C": "3"}


@pytest.mark.programs
def test_files_run_in_the_source(tree: Tree) -> None:
    assert loaded(tree, "A=$PWD\n") == {"A": str(tree({}))}


@pytest.mark.programs
def test_bash_env_prints(tree: Tree, capfd: pytest.CaptureFixture[str]) -> None:
    """The variable BASH_ENV names a file that bash runs first; s2i-python-container sets it."""
    script = tree({"profile": "echo printed\n"}) / "profile"
    assert loaded(tree, "A=1\n", {"BASH_ENV": str(script)}) == {"A": "1"}
    assert capfd.readouterr() == ("", "")


@pytest.mark.programs
@pytest.mark.parametrize(
    ("text", "status", "output"),
    [
        ("echo before\nfalse\nA=1\n", 1, "before"),
        ("A=(\n", 2, "unexpected EOF"),
        ("A = 1\n", 127, "A: command not found"),
        ("exit 4\n", 4, ""),
        ("exit 0\n", 0, ""),  # would leave an empty environment
        ("kill -9 $$\n", -9, ""),
    ],
)
def test_failing(tree: Tree, text: str, status: int, output: str) -> None:
    with pytest.raises(EnvironmentFileError) as caught:
        loaded(tree, text)
    path = tree({}) / ".taxiway/environment"
    lines = str(caught.value).splitlines()
    assert lines[0] == f"Couldn't read the environment file {path}: bash ended with exit status {status}."
    assert output in str(caught.value)
    assert lines[-1] == "It has to be a shell file of NAME=value lines."


@pytest.mark.parametrize(
    ("environ", "home", "extra", "expected"),
    [
        (
            {"PATH": "/bin"},
            ".",
            "",
            {"PATH": "{root}/bin:/bin", "PYTHONPATH": "{root}/src:{runtime}", "VIRTUAL_ENV": "{root}"},
        ),
        ({"PATH": "{root}/bin:/bin"}, ".", "", {"PATH": "{root}/bin:/bin"}),
        ({"PATH": "/bin:{root}/bin"}, ".", "", {"PATH": "/bin:{root}/bin"}),
        ({}, ".", "", {"PATH": "{root}/bin:" + os.defpath}),
        ({}, "site", "", {"PYTHONPATH": "{root}/src/site:{root}/src:{runtime}"}),
        ({}, "./site/", "", {"PYTHONPATH": "{root}/src/site:{root}/src:{runtime}"}),
        ({}, ".", "src/", {"PYTHONPATH": "{root}/src:{root}/src/src:{runtime}"}),
        ({}, "site", "site/src/", {"PYTHONPATH": "{root}/src/site:{root}/src/site/src:{root}/src:{runtime}"}),
        ({"PYTHONPATH": "/a:/b"}, ".", "", {"PYTHONPATH": "{root}/src:/a:/b:{runtime}"}),
        ({"PYTHONPATH": ":/a::{root}/src:"}, ".", "", {"PYTHONPATH": "{root}/src:/a:{runtime}"}),
        ({"VIRTUAL_ENV": "/other", "A": "1"}, ".", "", {"VIRTUAL_ENV": "{root}", "A": "1"}),
    ],
)
def test_for_application(tree: Tree, environ: dict[str, str], home: str, extra: str, expected: dict[str, str]) -> None:
    root = tree({f"src/{extra}": ""} if extra else {})

    def filled(values: dict[str, str]) -> dict[str, str]:
        return {name: value.format(root=root, runtime=runtime_path()) for name, value in values.items()}

    found = for_application(filled(environ), Layout(str(root), f"{root}/src"), home)
    assert found.items() >= filled(expected).items()


def test_the_given_environment_is_not_changed() -> None:
    environ = {"PATH": "/bin"}
    environment.for_application(environ, Layout("/x", "/x/src"), ".")
    assert environ == {"PATH": "/bin"}


def test_runtime_path() -> None:
    assert Path(runtime_path(), "taxiway_runtime/wsgi.py").is_file()


@pytest.mark.programs
def test_relative_source(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """As `taxiway plan FOLDER` has it."""
    monkeypatch.chdir(tree({"app/.taxiway/environment": "COLOUR=green\n"}))
    assert load_files({"PATH": os.defpath}, "app", BUILD)["COLOUR"] == "green"


def test_a_laptop_keeps_bytecode(tree: Tree) -> None:
    """Beside the environment, whatever the shell says: where none is kept, each start compiles Django anew."""
    layout = Layout(str(tree({})), "/source", local=True)
    found = for_application({"PYTHONDONTWRITEBYTECODE": "1"}, layout, ".")
    assert "PYTHONDONTWRITEBYTECODE" not in found
    assert found["PYTHONPYCACHEPREFIX"] == layout.bytecode
