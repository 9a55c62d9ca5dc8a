"""Credentials: read from their directory, hidden, handed to the installer, looked for in what was written."""

import gzip
import io
import time
import zipfile
from pathlib import Path

import pytest
from trees import Tree

from taxiway import console
from taxiway.dependencies import credentials, installer
from taxiway.dependencies.credentials import Credentials, Secret
from taxiway.errors import BadCredentialsError, SecretFoundError
from taxiway.layout import Layout

NETRC = "machine pypi.example.com login build password netrc-canary\n"
PIP_CONF = """\
[global]
index-url = https://build:pip-canary@pypi.example.com/simple
trusted-host = a.example.com
    b.example.com
[install]
extra-index-url = https://token-canary@extra.example.com/simple
"""
UV_TOML = """\
extra-index-url = ["https://u:extra%2Dcanary@more.example.com/simple"]
[[index]]
url = "https://build:uv-canary@pypi.example.com/simple"
default = true
[[index]]
url = "https://other.example.com/simple"
[pip]
allow-insecure-host = ["c.example.com"]
"""


@pytest.fixture(autouse=True)
def _nothing_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console, "_hidden", [])


@pytest.mark.parametrize(
    ("files", "values"),
    [
        ({}, set()),
        ({"netrc": NETRC}, {"netrc-canary"}),
        ({"pip.conf": PIP_CONF}, {"pip-canary", "token-canary", "YnVpbGQ6cGlwLWNhbmFyeQ=="}),
        (
            {"uv.toml": UV_TOML},
            {"uv-canary", "extra%2Dcanary", "extra-canary", "YnVpbGQ6dXYtY2FuYXJ5", "dTpleHRyYS1jYW5hcnk="},
        ),
        ({"ca.crt": "-----BEGIN CERTIFICATE-----\n"}, set()),
        ({"netrc": "", "pip.conf": "\n"}, set()),  # as S2I leaves what it injected
    ],
)
def test_secrets_of_the_files(tree: Tree, files: dict[str, str], values: set[str]) -> None:
    directory = tree(files)
    found = credentials.read(directory, {})
    assert {secret.value for secret in found.secrets} == values
    assert set(found.files) == {name for name, text in files.items() if text.strip()}
    assert all(value not in repr(found) for value in values), "a traceback could show it"


def test_directory_that_is_absent(tmp_path: Path) -> None:
    assert credentials.read(tmp_path / "nowhere", {}) == Credentials()


@pytest.mark.parametrize(
    ("name", "text", "where"),
    [
        ("netrc", "machine a login b\n\n  passwort canary\n", "line 3 isn't in its format"),
        ("pip.conf", "index-url = https://u:canary@host\n", "line 1 isn't in its format"),
        ("uv.toml", "index-url = canary\n", "(line 1|it) isn't in its format"),
    ],
)
def test_file_of_the_wrong_form(tree: Tree, name: str, text: str, where: str) -> None:
    """The message quotes nothing, since it could be a password."""
    directory = tree({name: text})
    with pytest.raises(BadCredentialsError, match=rf"Couldn't read the credentials {directory / name}: {where}\.") as caught:
        credentials.read(directory, {})
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    ("value", "secrets"),
    [
        ("https://pypi.example.com/simple", []),
        ("https://user:canary@host/simple", ["canary", "dXNlcjpjYW5hcnk="]),
        ("https://canary@host/simple", ["canary"]),
        ("https://canary:@host/simple", ["canary"]),
        ("https://user:c%40n@host/ http://b:d@host/", ["c%40n", "c@n", "dXNlcjpjQG4=", "d", "Yjpk"]),
        ("https://a-token-of-20-letters:x-oauth-basic@host", None),
    ],
)
def test_user_info(value: str, secrets: list[str] | None) -> None:
    found = credentials.user_info(value)
    if secrets is None:
        assert found[:2] == ["x-oauth-basic", "a-token-of-20-letters"]
    else:
        assert found == secrets


def test_variables_stay_in_the_image() -> None:
    environ = {
        "PIP_INDEX_URL": "https://user:canary@host/simple",
        "PIP_EXTRA_INDEX_URL": "https://host/simple",
        "UV_INDEX_OWN_PASSWORD": "own-canary",
        "DATABASE_URL": "postgres://user:password@host/db",  # not ours
    }
    found = credentials.variables(environ)
    assert found == {"PIP_INDEX_URL": ["canary", "dXNlcjpjYW5hcnk="], "UV_INDEX_OWN_PASSWORD": ["own-canary"]}
    assert credentials.warning(found, "/c") == (
        "PIP_INDEX_URL, UV_INDEX_OWN_PASSWORD hold a user name or password, which stays in the image's configuration. "
        "Everyone who can pull the image can read it. Put it into a netrc or pip.conf in /c: docs/credentials.md"
    )
    assert {s.origin for s in credentials.read(Path("/nowhere"), environ).secrets} == {
        "the variable PIP_INDEX_URL",
        "the variable UV_INDEX_OWN_PASSWORD",
    }


@pytest.mark.parametrize(
    ("files", "environ", "expected"),
    [
        (
            {"pip.conf": PIP_CONF},
            {},
            {
                "UV_DEFAULT_INDEX": "https://build:pip-canary@pypi.example.com/simple",
                "UV_INDEX": "https://token-canary@extra.example.com/simple",
                "UV_INSECURE_HOST": "a.example.com b.example.com",
                "PIP_CONFIG_FILE": "{directory}/pip.conf",
            },
        ),
        (  # a variable wins over the file, as with pip itself
            {"pip.conf": PIP_CONF},
            {"PIP_INDEX_URL": "https://mirror.example.com/simple"},
            {"UV_DEFAULT_INDEX": "https://mirror.example.com/simple"},
        ),
        (
            {"uv.toml": UV_TOML},
            {},
            {
                "UV_CONFIG_FILE": "{directory}/uv.toml",
                "PIP_INDEX_URL": "https://build:uv-canary@pypi.example.com/simple",
                "PIP_EXTRA_INDEX_URL": "https://other.example.com/simple https://u:extra%2Dcanary@more.example.com/simple",
                "PIP_TRUSTED_HOST": "c.example.com",
            },
        ),
        ({"netrc": NETRC}, {}, {"NETRC": "{directory}/netrc"}),
        ({}, {"PIP_FIND_LINKS": "/a /b"}, {"UV_FIND_LINKS": "/a,/b"}),
    ],
)
def test_environment_of_the_installer(
    tree: Tree, files: dict[str, str], environ: dict[str, str], expected: dict[str, str]
) -> None:
    directory = tree(files)
    found = installer.environment(environ, credentials.read(directory, environ), "")
    assert found.items() >= {name: value.format(directory=directory) for name, value in expected.items()}.items()


def test_both_files_count_for_their_own_installer(tree: Tree) -> None:
    found = installer.environment({}, credentials.read(tree({"pip.conf": PIP_CONF, "uv.toml": UV_TOML}), {}), "")
    assert "UV_DEFAULT_INDEX" not in found
    assert "PIP_INDEX_URL" not in found


def test_certificate_is_added_to_those_of_the_system(tree: Tree) -> None:
    directory = tree({"ca.crt": "own", "system.crt": "system", "private/": ""})
    env = {"SSL_CERT_FILE": str(directory / "system.crt")}
    found = installer.environment(env, credentials.read(directory, env), str(directory / "private"))
    for name in ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE", "GIT_SSL_CAINFO"):
        assert Path(found[name]).read_text() == "system\nown"


def test_hidden_in_all_output(capsys: pytest.CaptureFixture[str]) -> None:
    console.hide(["canary", "canary-and-more", ""])
    console.say("a canary")
    console.command(["uv", "https://u:canary-and-more@host"])
    console.warn("canary")
    console.error("canary", "code")
    written = capsys.readouterr()
    assert written.out == "a ****\n     $ uv https://u:****@host\n"
    assert written.err == "warning: ****\nerror: ****\n\n[code]\n"


SECRET = (Secret(value="canary", origin="netrc in /c"),)


def test_what_was_written_is_read(tree: Tree) -> None:
    layout = Layout(str(top := tree({"lib/old.txt": "canary", "src/app.py": ""})), f"{top}/src")
    (top / "lib/broken").symlink_to("/nowhere")
    since = time.time() + 3600
    assert credentials.check(SECRET, layout, since) == 1, "the source alone: all else is older than the build"
    assert credentials.check((), layout, 0) == 0
    assert credentials.check((Secret(value="x", origin="too short to mean anything"),), layout, 0) == 0
    tree({"src/.s2i/environment": "PIP_INDEX_URL=https://u:canary@host\n"})
    assert credentials.check(SECRET, layout, since) == 1, "it is in the image's configuration, and was warned about"
    with pytest.raises(SecretFoundError) as caught:
        credentials.check(SECRET, layout, 0)
    assert str(caught.value) == (
        "Credentials of the package index are in what the build wrote:\n"
        f"  {top}/lib/old.txt: netrc in /c\n\n"
        "They would be in the image, so the build ends here. Take them out of the source, or out of what a hook writes;\n"
        "who has read the files knows them, so change them on the index if they were published."
    )
    (top / "lib/old.txt").unlink()
    (temporary := tree({"tmp/app/x": "canary"}) / "tmp").touch()
    assert credentials.check(SECRET, layout, since, [str(temporary)]) == 1, "older than the build"
    with pytest.raises(SecretFoundError, match=r"tmp/app/x"):
        credentials.check(SECRET, layout, 0, [str(temporary)])
    tree({"src/pip.conf": "canary"})
    with pytest.raises(SecretFoundError, match=r"pip\.conf"):
        credentials.check(SECRET, layout, since)


def gzipped(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)  # a test's name is made of it


def zipped(method: int, *members: bytes) -> bytes:
    with zipfile.ZipFile(file := io.BytesIO(), "w", method) as archive:
        for number, member in enumerate(members):
            archive.writestr(zipfile.ZipInfo(f"{number}.txt"), member, method)
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        (b"a canary", []),
        (zipped(zipfile.ZIP_DEFLATED, b"other", b"a canary"), [b"other", b"a canary"]),
        (zipped(zipfile.ZIP_LZMA, b"a canary"), [b"a canary"]),
        (gzipped(b"a canary"), [b"a canary"]),
        (gzipped(b"a") + gzipped(b" canary"), [b"a canary"]),
        # Damaged, no archive after all, and one that would unpack to more than there is memory.
        (zipped(zipfile.ZIP_DEFLATED, b"a canary")[:60], []),
        (gzipped(b"a canary")[:12], []),
        (b"\x1f\x8b", []),
        (gzipped(b"0" * 3000), [b"0" * 1000]),
        (zipped(zipfile.ZIP_DEFLATED, b"0" * 3000, b"1"), [b"0" * 1000, b""]),
    ],
)
def test_what_is_compressed_is_read(monkeypatch: pytest.MonkeyPatch, content: bytes, parts: list[bytes]) -> None:
    monkeypatch.setattr(credentials, "_UNPACKED_BYTES", 1000)
    assert list(credentials.unpacked(content)) == [content, *parts]
