"""The command line."""

import io
import json
import os
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result
from trees import Tree

from taxiway import __version__, console
from taxiway.__main__ import main
from taxiway.cli import taxiway
from taxiway.errors import BadEnvTableError, LayersDifferError, NoEntryPointError, NoSourceError
from taxiway.layout import ARTIFACTS, UPLOAD, Layout
from taxiway.settings import SETTINGS

APPS = Path(__file__).parents[1] / "apps"
COMMANDS = {
    "plan": "what would be built and started",
    "settings": "every setting with its value",
    "build": "steps of an image build",
    "project": "start a shell in which it is active",
    "activate": "Start a shell in which",
    "deactivate": "Leave the active environment",
    "diff": "Compare two images, each a local one by its name",
    "destroy": "Remove this directory's environment",
    "exec": "in this directory with the environment",
    "shell": "Start your shell",
    "env": "the environment as hooks and the server get it",
    "lock": "Pin all that SOURCE needs",
    "assemble": "Build the application",
    "save-artifacts": "installed dependencies to stdout",
    "assemble-runtime": "built application in place",
    "start": "Start the application",
    "setup": "the hook setup",
    "migrate": "Django's migrations",
    "verify": "the hook verify",
    "alive": "it is alive if",
    "ready": "it is ready unless",
    "image": "Build the image",
    "audit": "against rules",
    "wheels": "asks no index",
    "system-packages": "for an image that has no apt",
    "sbom": "what IMAGE consists of",
    "proxy": "configuration of a front end",
    "compose": "its databases and process types",
    "init": "commented table [tool.taxiway]",
    "doctor": "what is missing on this machine",
    "explain": "what it means, what to do",
    "completion": "completion script",
}

Run = Callable[..., Result]


@pytest.fixture
def run() -> Run:
    def invoke(*arguments: str, **environ: str) -> Result:
        return CliRunner(env=environ).invoke(taxiway, arguments, prog_name="taxiway")

    return invoke


def output(result: Result) -> str:
    assert result.exception is None, result.exception
    assert result.exit_code == 0
    return result.output


def test_commands(run: Run) -> None:
    assert sorted(COMMANDS) == sorted(taxiway.list_commands(click.Context(taxiway)))
    text = output(run("--help"))
    assert all(f"\n  {name} " in text for name in COMMANDS)
    assert "taxiway plan" in text


@pytest.mark.parametrize(
    "words",
    [("plan", "APP", "--json"), ("--json", "plan", "APP"), ("--quiet", "plan", "--json", "APP"), ("plan", "APP", "-q", "--json")],
)
def test_options_before_and_after_the_name(run: Run, words: tuple[str, ...]) -> None:
    arguments = [str(APPS / "plain-wsgi") if word == "APP" else word for word in words]
    assert json.loads(output(run(*arguments)))["app"] == "wsgi:application"


@pytest.mark.parametrize(
    ("words", "level", "as_json"),
    [
        ((), console.NORMAL, False),
        (("-q",), console.QUIET, False),
        (("-v", "--json"), console.VERBOSE, True),
        (("--json", "-q"), console.QUIET, True),
    ],
)
def test_options_of_all_commands(run: Run, words: tuple[str, ...], *, level: int, as_json: bool) -> None:
    """Each command takes them, and none of the call before is left."""
    output(run("-v", "--json", "settings", str(APPS / "plain-wsgi")))
    for arguments in ((*words, "settings"), ("settings", *words)):
        output(run(*arguments, str(APPS / "plain-wsgi")))
        assert (console.level(), console.is_json()) == (level, as_json)


def test_json_of_a_command_without_data(run: Run) -> None:
    result = run("--json", "start")
    assert result.exit_code == 2
    assert "taxiway start has no data to write as JSON." in result.output


def test_help_is_in_groups(run: Run) -> None:
    text = output(run("--help"))
    headings = [line for line in text.splitlines() if line.endswith(":") and not line.startswith(" ")]
    assert headings[0] == "Options:"
    assert len(headings) > 4
    assert text.index("Run:") < text.index("  start ") < text.index("Images:")


@pytest.mark.parametrize("option", ["--help", "-h"])
@pytest.mark.parametrize(("command", "what"), COMMANDS.items())
def test_help(run: Run, command: str, what: str, option: str) -> None:
    text = " ".join(output(run(command, option)).split())
    assert text.startswith(f"Usage: taxiway {command} ")
    assert what in text


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_and_option_says_what_it_does(command: str) -> None:
    found = taxiway.get_command(click.Context(taxiway), command)
    assert found is not None
    assert found.short_help
    assert found.short_help.endswith(".")
    for parameter in found.params:
        assert not isinstance(parameter, click.Option) or (parameter.help or "").endswith("."), parameter.name


def test_version(run: Run) -> None:
    assert output(run("--version")) == f"taxiway {__version__}\n"


def test_unknown_command(run: Run) -> None:
    result = run("strat")
    assert result.exit_code == 2
    assert "No such command 'strat'" in result.output


CASES = ["plain-wsgi", "flask-factory", "django-static-sqlite", "flask-app", "app-module", "app-module-quoted", "sub-directory"]


@pytest.mark.parametrize("case", CASES)
def test_plan_as_json(run: Run, case: str) -> None:
    stored = (Path(__file__).parent / "plans" / f"{case}.json").read_text()
    assert json.loads(output(run("plan", str(APPS / case), "--json"))) == json.loads(stored)


def test_plan(run: Run) -> None:
    assert output(run("plan", str(APPS / "django-static-sqlite"))).splitlines() == [
        "starts hangar.wsgi:application (WSGI_APPLICATION in hangar/settings.py)",
        "server mod_wsgi (default for WSGI: no server in the requirements)",
        "dependencies from requirements.txt, with hashes (the only one there)",
        "from the builder image: mod_wsgi",
        "Django with hangar.settings; collectstatic: yes",
    ]


def test_plan_of_what_is_not_pinned(run: Run, tree: Tree) -> None:
    top = tree({"app.py": "app = Flask('x')\n", "requirements.txt": "flask\ngunicorn==23\n"})
    assert output(run("plan", str(top), TAXIWAY_STATIC="/m=media")).splitlines() == [
        "starts app:app (Flask object in app.py line 1)",
        "server gunicorn (from requirements.txt line 2)",
        "dependencies from requirements.txt, without hashes (the only one there)",
        "not pinned: flask (requirements.txt line 1)",
    ]


def test_plan_here(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(APPS / "plain-wsgi")
    assert "starts wsgi:application" in output(run("plan"))


def test_plan_changes_nothing(run: Run, tree: Tree) -> None:
    top = tree({"app.py": "app = Flask('x')\n"})
    output(run("plan", str(top)))
    assert [p.name for p in top.rglob("*")] == ["app.py"]


def test_plan_that_is_refused(run: Run) -> None:
    assert isinstance(run("plan", str(APPS / "must-fail-no-app")).exception, NoEntryPointError)
    assert run("plan", "/nowhere").exit_code == 2


@pytest.mark.programs  # bash reads .taxiway/environment
def test_plan_with_environment_files(run: Run) -> None:
    assert "starts wsgi:application" in output(run("plan", str(APPS / "hooks")))


def test_settings(run: Run) -> None:
    lines = output(run("settings", str(APPS / "plain-wsgi"), PORT="9000")).splitlines()
    assert len(lines) == len(SETTINGS)
    rows = {line.split()[0]: line.split()[1:] for line in lines}
    assert rows["port"] == ["9000", "PORT"]
    assert rows["app"] == ["-", "default"]
    assert rows["collectstatic"] == ["True", "default"]


def test_s2i_environment_counts_as_in_a_build(run: Run) -> None:
    """What is set here is stronger, as "s2i build -e" is."""
    assert "starts web.entry:handler (APP_MODULE)\n" in output(run("plan", str(APPS / "app-module")))
    assert "starts wsgi:application (APP_MODULE)\n" in output(run("plan", str(APPS / "app-module"), APP_MODULE="wsgi"))
    rows = json.loads(output(run("settings", str(APPS / "sub-directory"), "--json")))
    assert rows["app-home"] == {"value": "src/site", "origin": "APP_HOME"}


DECLARING = """
[env.SECRET_KEY]
required = true
secret = true
description = "signs the sessions"
[env.CACHE_URL]
default = "locmem://"
[env.TOKEN]
"""


def test_variables_of_the_application(run: Run, tree: Tree) -> None:
    """Whether they are set, never to what."""
    top = tree({"taxiway.toml": DECLARING})
    text = output(run("settings", str(top), "--env", SECRET_KEY="hush", TOKEN_FILE="/run/secrets/token"))
    assert text.splitlines() == [
        "SECRET_KEY  required, secret   set here     signs the sessions",
        "CACHE_URL   default locmem://  default",
        "TOKEN       optional           from a file",
    ]
    rows = json.loads(output(run("settings", str(top), "--env", "--json")))
    assert rows["SECRET_KEY"] == {
        "name": "SECRET_KEY",
        "required": True,
        "default": "",
        "secret": True,
        "description": "signs the sessions",
        "here": "missing",
    }
    assert rows["TOKEN"]["here"] == "unset"
    assert "declares no variables" in output(run("settings", str(APPS / "plain-wsgi"), "--env"))


@pytest.mark.parametrize("command", [("plan",), ("settings",), ("settings", "--env")])
def test_variables_that_are_declared_wrongly(run: Run, tree: Tree, command: tuple[str, ...]) -> None:
    """Whoever looks at the application hears of it, not only its first start."""
    result = run(*command, str(tree({"taxiway.toml": "[env]\nNAME = 1\n", "wsgi.py": ""})))
    assert isinstance(result.exception, BadEnvTableError)


def test_settings_in_detail(run: Run) -> None:
    text = output(run("settings", str(APPS / "plain-wsgi"), "--verbose"))
    for setting in SETTINGS:
        assert setting.help in text
        assert setting.variable in text
    assert "Variables: TAXIWAY_COLLECTSTATIC, DISABLE_COLLECTSTATIC\n" in text


def test_settings_as_json(run: Run, tree: Tree) -> None:
    top = tree({"pyproject.toml": "[tool.taxiway]\nstatic = ['/m=media']\n"})
    found = json.loads(output(run("settings", str(top), "--json", WEB_CONCURRENCY="3")))
    assert list(found) == [s.name for s in SETTINGS]
    assert found["static"] == {"value": ["/m=media"], "origin": "[tool.taxiway] in pyproject.toml"}
    assert found["processes"] == {"value": 3, "origin": "WEB_CONCURRENCY"}


@pytest.mark.programs  # click asks bash for its version
@pytest.mark.parametrize(
    ("shell", "text"),
    [
        ("bash", "complete -o nosort -F _taxiway_completion taxiway"),
        ("zsh", "#compdef taxiway"),
        ("fish", "complete --no-files --command taxiway"),
    ],
)
def test_completion(run: Run, shell: str, text: str) -> None:
    script = output(run("completion", shell))
    assert text in script
    assert f"_TAXIWAY_COMPLETE={shell}_complete" in script


def test_completion_for_another_shell(run: Run) -> None:
    assert run("completion", "tcsh").exit_code == 2


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("taxiway star", "start"),
        ("taxiway explain no-lo", "no-lock"),
        ("taxiway explain app-f", "app-file"),
        ("taxiway completion z", "zsh"),
        ("taxiway plan --j", "--json"),
    ],
)
def test_completion_answers(run: Run, words: str, found: str) -> None:
    cursor = str(len(words.split()) - 1)
    result = run(_TAXIWAY_COMPLETE="bash_complete", COMP_WORDS=words, COMP_CWORD=cursor)
    assert result.output == f"plain,{found}\n"


def started(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """Run the program as a shell would; return its exit status."""
    monkeypatch.setattr(sys, "argv", ["taxiway", *arguments])
    with pytest.raises(SystemExit) as caught:
        main()
    code = caught.value.code
    assert isinstance(code, int)
    return code


@pytest.mark.parametrize("options", [[], [f"--source={UPLOAD}", f"--artifacts={ARTIFACTS}"]])
def test_assemble(monkeypatch: pytest.MonkeyPatch, options: list[str]) -> None:
    """A plain `assemble` goes by a shorter way."""
    called: list[object] = []
    for module in ("taxiway.cli.assemble", "taxiway.assemble"):
        monkeypatch.setattr(f"{module}.assemble", lambda *given: called.append(given[:3]))
    monkeypatch.setattr(sys, "argv", ["taxiway", "assemble", *options])
    if options:
        assert started(monkeypatch, "assemble", *options) == 0
    else:
        main()
    assert called == [(Path(UPLOAD), Path(ARTIFACTS), Layout.from_environ(os.environ))]


@pytest.mark.parametrize("options", [[], ["--dry-run"], ["--port", "81"]])
def test_start_without_a_build(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, options: list[str]
) -> None:
    monkeypatch.setenv("APP_ROOT", str(tmp_path))
    assert started(monkeypatch, "start", *options) == 7
    written = capsys.readouterr()
    assert written.out == ""
    assert written.err.startswith(
        f"error: There is no application here: couldn't find the launch plan {tmp_path}/.taxiway/launch.json, "
        "which a build writes.\n"
    )
    assert written.err.endswith("\n\n[no-launch-plan]\n")


@pytest.mark.parametrize(
    ("arguments", "environ", "status", "code"),
    [
        (["plan", str(APPS / "must-fail-no-app")], {}, 3, "no-entry-point"),
        (["plan", str(APPS / "must-fail-ambiguous")], {}, 3, "several-entry-points"),
        (["plan", str(APPS / "plain-wsgi")], {"TAXIWAY_X": "1"}, 2, "unknown-setting"),
        (["plan", str(APPS / "plain-wsgi")], {"PORT": "x"}, 2, "bad-setting"),
        (["plan", str(APPS / "plain-wsgi")], {"APP_HOME": "x"}, 3, "no-app-home"),
        (["plan", str(APPS / "plain-wsgi")], {"TAXIWAY_SERVER": "x"}, 2, "unknown-server"),
        (["assemble", "--source", "/nowhere"], {}, 3, "no-source"),
        (["assemble-runtime", "--source", "/nowhere"], {}, 3, "no-source"),
    ],
)
def test_exit_statuses(
    *,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    arguments: list[str],
    environ: dict[str, str],
    status: int,
    code: str,
) -> None:
    """An expected failure: no traceback, the text, the code, its exit status."""
    for name, value in ({"APP_ROOT": str(tmp_path)} | environ).items():
        monkeypatch.setenv(name, value)
    assert started(monkeypatch, *arguments) == status
    written = capsys.readouterr().err
    assert written.startswith("error: ")
    assert written.endswith(f"\n\n[{code}]\n")
    assert "Traceback" not in written


def test_an_error_as_json(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever reads stdout gets an object in any case."""
    assert started(monkeypatch, "plan", str(APPS / "must-fail-no-app"), "--json") == 3
    written = capsys.readouterr()
    found = json.loads(written.out)["error"]
    assert (found["code"], found["exit_status"]) == ("no-entry-point", 3)
    assert found["message"] in written.err


@pytest.mark.parametrize(
    ("words", "data"),
    [
        (("ready",), {"ready": True, "answer": "HTTP/1.1 200 OK"}),
        (("verify", "--files"), {"packages": 0, "differences": []}),
    ],
)
def test_data_of_actions(
    *, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, words: tuple[str, ...], data: object
) -> None:
    monkeypatch.setattr("taxiway.probes.ask", lambda *_: "HTTP/1.1 200 OK")
    result = run(*words, "--json", APP_ROOT=str(tmp_path))
    assert json.loads(result.stdout) == data
    assert result.stderr  # for people


def test_success_and_interruption(monkeypatch: pytest.MonkeyPatch) -> None:
    assert started(monkeypatch, "--version") == 0

    def interrupted(**_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("taxiway.cli.taxiway", interrupted)
    assert started(monkeypatch, "plan") == 130


def test_assemble_without_a_source(run: Run, tmp_path: Path) -> None:
    result = run("assemble", "--source", str(tmp_path / "none"), APP_ROOT=str(tmp_path))
    assert isinstance(result.exception, NoSourceError)


@pytest.mark.programs
def test_save_artifacts(run: Run, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """The archive is all that goes to stdout; without anything to save nothing does."""
    assert output(run("save-artifacts", APP_ROOT=str(tmp_path))) == ""
    assert capfdbinary.readouterr().out == b""
    (tmp_path / ".taxiway").mkdir()
    (tmp_path / ".taxiway/dependencies.json").write_text("{}")
    (tmp_path / "lib").mkdir()
    assert output(run("save-artifacts", APP_ROOT=str(tmp_path))) == ""
    with tarfile.open(fileobj=io.BytesIO(capfdbinary.readouterr().out)) as archive:
        assert archive.getnames() == ["environment.tar", ".taxiway/dependencies.json"]


def test_a_layer_that_would_have_to_take_something_away(run: Run, tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tree({"root/lib/a.py": "", "layer/": ""}) / "root"
    monkeypatch.setattr("taxiway.cli.assemble.assemble", lambda *_: (root / "lib/a.py").unlink())
    result = run("assemble", f"--layer={root.parent}/layer", APP_ROOT=str(root))
    assert isinstance(result.exception, LayersDifferError)
    assert "the layer of the dependencies has:\n  lib/a.py\n" in str(result.exception)
    (root / "lib/a.py").write_text("")
    output(run("assemble", f"--layer={root.parent}/layer", "--may-remove", APP_ROOT=str(root)))
    assert (root.parent / "layer/.taxiway/removed").read_bytes() == b"lib/a.py\0"


def test_image_dockerfile(run: Run) -> None:
    text = output(run("image", "shop", str(APPS / "app-module"), "--print-dockerfile", "--on-builder"))
    assert "ENV APP_MODULE=" in text
    assert text.startswith("FROM localhost/taxiway-builder:latest AS build\n")
    assert text.endswith('CMD ["/usr/libexec/s2i/run"]\n')


@pytest.mark.programs
def test_image_that_the_engine_cannot_build(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    engine = tmp_path / "podman"
    engine.write_text('#!/bin/sh\nif [ "$1" = build ]; then echo no space left >&2; exit 125; fi\n')
    engine.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.defpath}")
    assert started(monkeypatch, "image", "shop", str(APPS / "plain-wsgi"), "--engine", "podman") == 9
    written = capfd.readouterr().err
    assert "no space left\n" in written
    assert "error: The image wasn't built: podman build " in written
    assert "ended with exit status 125" in written
    assert written.endswith("[image-build-failed]\n")


def test_wheels_without_pip(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("taxiway.cli.wheels.find_spec", lambda _: None)
    assert started(monkeypatch, "wheels", str(APPS / "plain-wsgi")) == 8
    written = capsys.readouterr().err
    assert written.startswith("error: Couldn't import pip, which taxiway wheels needs; ")
    assert written.endswith("\n\n[no-pip]\n")


def test_an_unexpected_failure_says_that_it_is_a_bug(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["taxiway", "start"])
    monkeypatch.setenv("APP_ROOT", "/opt/app-root")  # in an image
    monkeypatch.setattr("taxiway.start.start", lambda *_: 1 / 0)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 70
    printed = capsys.readouterr().err
    assert "ZeroDivisionError" in printed
    assert f"error: This is a bug in taxiway {__version__}. Please report it with the lines above.\n\n[bug]" in printed
