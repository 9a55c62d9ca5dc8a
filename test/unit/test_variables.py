"""The variables that an application declares."""

from pathlib import Path
from typing import Any

import pytest
from trees import Tree

from taxiway import environment, variables
from taxiway.errors import BadEnvTableError, MissingVariablesError, VariableFileError
from taxiway.variables import Variable

KEY = Variable("SECRET_KEY", required=True, secret=True, description="signs the sessions")
URL = Variable("CACHE_URL", default="locmem://")


def test_declared() -> None:
    table = {
        "SECRET_KEY": {"required": True, "secret": True, "description": "signs the sessions"},
        "CACHE_URL": {"default": "locmem://"},
    }
    assert variables.declared({"env": table}, "taxiway.toml") == (KEY, URL)
    assert variables.declared({}, "taxiway.toml") == ()


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ("NAME", "env: expected a table of variables"),
        ({"A-B": {}}, "'A-B': expected the name of a variable: letters, digits and _"),
        ({"É": {}}, "'É': expected the name of a variable: letters, digits and _"),
        ({"TAXIWAY_PORT": {}}, "TAXIWAY_PORT: a setting of taxiway; write it into [tool.taxiway] itself"),
        ({"NAME": "x"}, "NAME: expected a table, as in NAME = { required = true }"),
        ({"NAME": {"require": True}}, "NAME.require: no such key; there are required, default, secret, description"),
        ({"NAME": {"required": "yes"}}, "NAME.required: expected true or false"),
        ({"NAME": {"default": 5}}, "NAME.default: expected text"),
        (
            {"NAME": {"secret": True, "default": "x"}},
            "NAME.default: a secret has none, because everybody who has the source could read it",
        ),
    ],
)
def test_not_declared_like_this(table: Any, problem: str) -> None:
    with pytest.raises(BadEnvTableError) as caught:
        variables.declared({"env": table}, "taxiway.toml")
    assert str(caught.value).splitlines()[:2] == [
        "Couldn't read the variables that the application declares, in the table env of taxiway.toml:",
        f"  {problem}",
    ]


def test_missing_ones_are_listed_together() -> None:
    """With their descriptions; empty means unset."""
    other = Variable("DATABASE_URL", required=True)
    with pytest.raises(MissingVariablesError) as caught:
        variables.require((KEY, other, URL), {"SECRET_KEY": ""})
    assert str(caught.value) == (
        "The application needs environment variables that aren't set, or are empty:\n"
        "  SECRET_KEY: signs the sessions\n"
        "  DATABASE_URL\n\n"
        "Set each, for example with --env SECRET_KEY=..., or SECRET_KEY_FILE to the path of a mounted file that holds it.\n"
        "All that the application declares: taxiway settings --env"
    )
    variables.require((KEY, URL), {"SECRET_KEY": "x"})


@pytest.mark.parametrize(
    ("environ", "expected"),
    [({}, "locmem://"), ({"CACHE_URL": ""}, "locmem://"), ({"CACHE_URL": "redis://x"}, "redis://x")],
)
def test_defaults(environ: dict[str, str], expected: str) -> None:
    assert variables.fill((KEY, URL), environ) == {"CACHE_URL": expected}


@pytest.mark.parametrize(
    ("content", "value"), [("abc\n", "abc"), ("abc", "abc"), (" a b\r\n", " a b"), ("1\n2\n", "1\n2"), ("é", "é"), ("\n", "")]
)
def test_secret_file(tree: Tree, content: str, value: str) -> None:
    file = tree({"key": content}) / "key"
    found = variables.read_files((KEY,), {"SECRET_KEY_FILE": str(file), "OTHER_FILE": "/x"})
    assert found == {"SECRET_KEY": value, "OTHER_FILE": "/x"}


def test_files_that_cannot_be_used(tree: Tree) -> None:
    """All are listed, without their content."""
    top = tree({"zero": "a\0b", "long": "x" * 200_000, "ok": "hush"})
    (top / "latin").write_bytes(b"\xe9")
    names = ("A", "B", "C", "D", "E", "F")
    environ = {
        "A_FILE": f"{top}/none",
        "B_FILE": f"{top}/zero",
        "C_FILE": f"{top}/long",
        "D_FILE": f"{top}/latin",
        "E_FILE": f"{top}/ok",
        "E": "set",
        "F_FILE": str(top),
    }
    with pytest.raises(VariableFileError) as caught:
        variables.read_files(tuple(map(Variable, names)), environ)
    assert str(caught.value).splitlines()[:7] == [
        "Couldn't take environment variables from mounted files:",
        f"  A_FILE: couldn't read {top}/none: No such file or directory",
        f"  B_FILE: {top}/zero holds no text of less than 128 KiB",
        f"  C_FILE: {top}/long holds no text of less than 128 KiB",
        f"  D_FILE: {top}/latin isn't UTF-8",
        "  E and E_FILE are both set; one of them has to go",
        f"  F_FILE: couldn't read {top}: Is a directory",
    ]
    assert "hush" not in str(caught.value)


@pytest.mark.programs
def test_environment_files_see_secrets(tree: Tree, tmp_path: Path) -> None:
    """A file may build a URL of them, and name one itself; defaults come last."""
    (tmp_path / "password").write_text("hush\n")
    (tmp_path / "other").write_text("more\n")
    top = tree({".taxiway/deploy-env": f'URL="db://$PASSWORD@host"\nTOKEN_FILE={tmp_path}/other\n: ${{PORT:=9000}}\n'})
    rows = (("PASSWORD", ""), ("TOKEN", ""), ("PORT", "8000"), ("LEVEL", "info"))
    declared = tuple(Variable(name, default=default) for name, default in rows)
    environ = {"PATH": "/usr/bin:/bin", "PASSWORD_FILE": str(tmp_path / "password")}
    found = environment.resolve(environ, str(top), environment.DEPLOY, declared)
    expected = {"PASSWORD": "hush", "TOKEN": "more", "URL": "db://hush@host", "PORT": "9000", "LEVEL": "info"}
    assert found == {"PATH": "/usr/bin:/bin", **expected}


def test_a_build_has_not_the_mounts_of_the_container(tree: Tree) -> None:
    environ = {"SECRET_KEY_FILE": "/run/secrets/nowhere"}
    assert environment.resolve(environ, str(tree({})), environment.BUILD, (KEY,)) == environ
