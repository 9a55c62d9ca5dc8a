"""The application's own programs."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from trees import Tree

from taxiway import hooks, process
from taxiway.errors import CommandFailedError, HookFailedError, HookNotExecutableError
from taxiway.process import Result

HOOK = ".taxiway/hooks/build"
OLD = ".warpdrive/action_hooks/build"


def executable(top: Path, *names: str) -> str:
    for name in names:
        (top / name).chmod(0o755)
    return str(top)


class Program:
    """Takes the place of the hook's process."""

    def __init__(self) -> None:
        self.result = Result(0, "")
        self.calls: list[tuple[list[str], dict[str, str], str]] = []
        self.captured: list[bool] = []

    def __call__(self, argv: list[str], *, env: Mapping[str, str], cwd: str, capture: bool) -> Result:
        self.captured.append(capture)
        self.calls.append((argv, dict(env), cwd))
        return self.result


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> Program:
    fake = Program()
    monkeypatch.setattr(process, "run", fake)
    return fake


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ({}, None),
        ({HOOK: ""}, HOOK),
        ({OLD: ""}, OLD),
        ({HOOK: "", OLD: ""}, HOOK),
        ({".taxiway/hooks/other": ""}, None),
    ],
)
def test_find(tree: Tree, files: dict[str, str], found: str | None) -> None:
    source = executable(tree(files), *files)
    assert hooks.find(source, "build") == (found and f"{source}/{found}")


def test_directory_and_broken_link_are_no_hooks(tree: Tree) -> None:
    top = tree({f"{HOOK}/x": "", ".taxiway/hooks/deploy": ""})
    (top / ".taxiway/hooks/deploy-cfg").symlink_to("nowhere")
    assert hooks.find(str(top), "build") is None
    assert hooks.find(str(top), "deploy-cfg") is None


@pytest.mark.parametrize("name", [HOOK, OLD])
def test_not_executable(tree: Tree, program: Program, name: str) -> None:
    top = tree({name: "#!/bin/sh\n"})
    with pytest.raises(HookNotExecutableError) as caught:
        hooks.run(str(top), "build", {})
    assert str(caught.value).startswith(f"The hook {name} isn't executable, so it would be skipped.\n")
    assert program.calls == []


def test_only_the_hooks_of_warpdrive_get_its_variables(tree: Tree, program: Program) -> None:
    for hook, told in ((HOOK, False), (OLD, True)):
        source = executable(tree({hook: ""}), hook)
        hooks.run(source, "build", {})
        assert ("WARPDRIVE_PHASE" in program.calls[-1][1]) is told
        (Path(source) / hook).unlink()


def test_run(tree: Tree, program: Program, capsys: pytest.CaptureFixture[str]) -> None:
    source = executable(tree({HOOK: ""}), HOOK)
    assert hooks.run(source, "build", {"A": "1", "TAXIWAY_PHASE": "x"})
    assert program.calls == [([f"{source}/{HOOK}"], {"A": "1", "TAXIWAY_PHASE": "build"}, source)]
    assert capsys.readouterr().out == "---> Running the hook build\n"


def test_no_hook(tree: Tree, program: Program) -> None:
    assert not hooks.run(str(tree({})), "build", {})
    assert program.calls == []


def test_failing(tree: Tree, program: Program) -> None:
    program.result = Result(7, "the database\nis away")
    with pytest.raises(HookFailedError) as caught:
        hooks.run(executable(tree({HOOK: ""}), HOOK), "build", {})
    assert str(caught.value).splitlines()[:2] == ["The hook build failed with exit status 7.", f"It is {HOOK}."]
    assert "  the database\n  is away\n" in str(caught.value)


@pytest.mark.parametrize(("name", "captured"), [("pre-build", True), ("build", True), ("deploy-cfg", False), ("deploy", False)])
def test_output_at_a_start_is_the_containers(tree: Tree, program: Program, name: str, *, captured: bool) -> None:
    """What a hook leaves running goes on writing after this process became the server."""
    hook = f".taxiway/hooks/{name}"
    hooks.run(executable(tree({hook: ""}), hook), name, {})
    assert program.captured == [captured]


def test_once(tree: Tree, program: Program) -> None:
    """The marker is written after it succeeded, so that a failed hook runs again."""
    source = executable(tree({HOOK: ""}), HOOK)
    marker = Path(source, "marker")
    program.result = Result(1, "")
    with pytest.raises(HookFailedError):
        hooks.run_once(source, "build", {}, str(marker))
    assert not marker.exists()
    program.result = Result(0, "")
    hooks.run_once(source, "build", {}, str(marker))
    assert marker.exists()
    hooks.run_once(source, "build", {}, str(marker))
    assert len(program.calls) == 2


def test_no_marker_without_a_hook(tree: Tree) -> None:
    top = tree({})
    hooks.run_once(str(top), "deploy-cfg", {}, str(top / "marker"))
    assert not (top / "marker").exists()


@pytest.mark.programs
def test_a_real_hook(tree: Tree, capfd: pytest.CaptureFixture[str]) -> None:
    top = tree({HOOK: '#!/bin/sh\necho "$TAXIWAY_PHASE in $PWD"; echo gone wrong >&2; exit 3\n'})
    with pytest.raises(HookFailedError, match="exit status 3"):
        hooks.run(executable(top, HOOK), "build", {"PATH": "/usr/bin:/bin"})
    written = capfd.readouterr()
    assert f"       build in {top}\n       gone wrong\n" in written.out
    assert written.err == ""


@pytest.mark.programs
@pytest.mark.parametrize("text", ["#!/nowhere/python\n", "\x7fELF"])
def test_hook_that_cannot_be_started(tree: Tree, text: str) -> None:
    top = tree({HOOK: text})
    with pytest.raises(CommandFailedError, match=r"A command failed with \[Errno"):
        hooks.run(executable(top, HOOK), "build", {})
