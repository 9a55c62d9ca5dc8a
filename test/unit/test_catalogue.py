"""`taxiway explain`: the catalogue of errors, and what decides a setting."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from test_errors import CLASSES
from trees import Tree

from taxiway import catalogue
from taxiway.assemble import resolve_settings, sources_of
from taxiway.catalogue import Entry
from taxiway.cli import taxiway
from taxiway.errors import UnknownTopicError
from taxiway.settings import SETTINGS, sources

APPS = Path(__file__).parents[1] / "apps"


def told(*arguments: str, **environ: str) -> str:
    result = CliRunner(env=environ).invoke(taxiway, ["explain", *arguments], catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def test_every_error_is_in_it() -> None:
    """With the fifty at least that people can meet, each with something to do."""
    found = catalogue.entries()
    assert {entry.code: entry.exit_status for entry in found.values()} == {kind.code: kind.exit_status for kind in CLASSES}
    assert len(found) >= 50
    assert all(entry.summary and entry.meaning and entry.advice for entry in found.values())


def test_parse() -> None:
    """Links become what is written on a terminal, and the pages to read."""
    page = (
        "| code | status | meaning | what to do |\n| --- | --- | --- | --- |\n"
        "| `no-engine` | 9 | neither; see [hooks.md](hooks.md#probes) | install it: [how](s2i.md) |\n"
    )
    assert catalogue.parse(page) == {
        "no-engine": Entry(
            "no-engine",
            9,
            "No container engine answers.",
            "Neither; see docs/hooks.md.",
            "Install it: how.",
            ("docs/hooks.md#probes", "docs/s2i.md", "docs/errors.md"),
        )
    }


def test_a_code() -> None:
    assert told("not-locked").splitlines() == [
        "not-locked: Dependencies without exact version and hash, where `strict` is set.",
        "",
        "Meaning:       `strict` is set, and dependencies have no exact version and hash.",
        "What to do:    `taxiway lock`.",
        "Exit status:   4",
        "Documentation: docs/errors.md",
    ]
    assert json.loads(told("not-locked", "--json"))["exit_status"] == 4


def test_all_codes() -> None:
    lines = told().splitlines()
    assert [line.split()[0] for line in lines] == list(catalogue.entries())
    assert len(json.loads(told("--json"))) == len(lines)


def test_a_setting() -> None:
    lines = told("port", str(APPS / "plain-wsgi"), PORT="9000").splitlines()
    assert lines[0] == "port: The TCP port to listen on."
    assert "Value:         9000 (PORT)" in lines
    assert [line.split() for line in lines if line.startswith("  ")] == [
        ["TAXIWAY_PORT", "-"],
        ["->", "PORT", "9000"],
        ["[tool.taxiway]", "-"],
        ["WARPDRIVE_HTTP_PORT", "-"],
        ["->", "default", "8080"][1:],
    ]


def test_a_setting_that_the_source_decides(tree: Tree) -> None:
    top = tree({"app.py": "app = Flask('x')\nother = Flask('y')\n", "requirements.txt": "flask==3\n"})
    found = json.loads(told("app", str(top), "--json"))
    assert (found["value"], found["origin"]) == (None, "default")
    assert found["decided"] == "app:app (Flask object in app.py line 1)"
    assert found["passed_over"] == ["app:other (Flask object in app.py line 2)"]
    assert "Passed over:   app:other (Flask object in app.py line 2)" in told("app", str(top))
    assert "Decided:       requirements.txt (the only one there)" in told("dependencies", str(top))


@pytest.mark.parametrize(
    ("environ", "files"),
    [
        ({}, {}),
        ({"PORT": "1", "TAXIWAY_PORT": "2", "WEB_CONCURRENCY": "3", "APP_MODULE": "x:y", "DISABLE_MIGRATE": "1"}, {}),
        ({"APP_MODULE": "x:y"}, {"taxiway.toml": "app = 'a:b'\n[proxy]\ntrust = ['private']\n[processes]\nworker = 'x'\n"}),
        ({"PORT": ""}, {"pyproject.toml": "[tool.taxiway]\nport = 81\nprocesses = 3\n"}),
    ],
)
def test_the_sources_are_those_that_decide(tree: Tree, environ: dict[str, str], files: dict[str, str]) -> None:
    """The first that has something is what the settings say that the value comes from."""
    top = tree({**files, "wsgi.py": ""})
    chosen = resolve_settings(environ, top)
    for setting in SETTINGS:
        considered = sources(setting, *sources_of(environ, top))
        assert (
            next((name for name, given in considered if given != "" and given is not None), "default")
            == chosen.origins[setting.name]
        )


def test_something_else() -> None:
    with pytest.raises(UnknownTopicError, match=r"^There is neither an error nor a setting of the name prot; near to it: port\."):
        told("prot")
