"""taxiway lock: what pip-tools is asked, and what is written of its answer."""

import importlib.util
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest
from trees import Tree

from taxiway import process
from taxiway.dependencies import credentials, lock
from taxiway.dependencies.lock import Wanted, differences, without_user_info
from taxiway.errors import (
    LockingFailedError,
    LockOutdatedError,
    NoLockingToolError,
    NoPythonError,
    NothingToLockError,
)
from taxiway.process import Result
from taxiway.settings import Settings, resolve

HASH = "sha256:" + "a" * 64
SECRET = "hunter2"


class Tools:
    """Stands for pip-compile and uv: remembers what they were asked, writes an answer."""

    def __init__(self) -> None:
        self.calls: list[Sequence[str]] = []
        self.read: list[str] = []
        self.environs: list[Mapping[str, str]] = []
        self.answer = f"flask==3.1.0 --hash={HASH}\n    # via -r requirements.in\n"
        self.result = Result(0, "")

    def __call__(self, argv: Sequence[str], *, env: Mapping[str, str], cwd: Path, **_: object) -> Result:
        self.calls.append(argv)
        self.environs.append(env)
        output = next(Path(word.partition("=")[2]) for word in argv if word.startswith("--output-file="))
        self.read += [Path(cwd, argv[-1]).read_text(), output.read_text() if output.exists() else ""]
        assert env["PYTHONPATH"] == "/tools"
        output.write_text(self.answer.replace("IN", argv[-1]))
        return self.result


@pytest.fixture
def tools(monkeypatch: pytest.MonkeyPatch) -> Tools:
    fake = Tools()
    monkeypatch.setattr(process, "run", fake)
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: SimpleNamespace(origin="/tools/piptools/__init__.py"))
    return fake


def wanted(source: Path, form: str = "requirements", python: str = lock.OWN_PYTHON, *, upgrade: bool = False) -> Wanted:
    return Wanted(source=source, form=form, python=python, upgrade=upgrade)


def settings(**project: object) -> Settings:
    return resolve(environ={}, project=project)


def test_written(tree: Tree, tools: Tools) -> None:
    source = tree({"requirements.in": "flask\n"})
    assert lock.lock(wanted(source), settings(), {}) == ["flask==3.1.0 added"]
    assert (source / "requirements.txt").read_text() == (
        f"# Made by `taxiway lock` for Python {lock.OWN_PYTHON} from requirements.in; type that again after a change there.\n"
        f"flask==3.1.0 --hash={HASH}\n    # via -r requirements.in\n"
    )
    (argv,) = tools.calls
    assert argv[1:4] == ["-m", "piptools", "compile"]
    assert {"--generate-hashes", "--no-header", "--no-emit-index-url", "--no-emit-find-links", "--no-emit-options"} <= {*argv}
    assert "--upgrade" not in argv
    # Once more: the versions that are there are kept, and nothing is written.
    before = (source / "requirements.txt").stat()
    assert lock.lock(wanted(source, upgrade=True), settings(), {}) == []
    assert (source / "requirements.txt").stat().st_mtime_ns == before.st_mtime_ns
    assert tools.read == ["flask\n", "", "flask\n", "flask==3.1.0\n"]
    assert "--upgrade" in tools.calls[1]


def test_from_pyproject(tree: Tree, tools: Tools) -> None:
    """Extras and groups are those that are installed; where a build would have to tell, pip-compile gets the file itself."""
    text = "[project]\nname = 'x'\ndependencies = ['flask>=3']\noptional-dependencies.db = ['psycopg']\n"
    source = tree({"pyproject.toml": text + "[dependency-groups]\nreports = ['lxml']\ndev = ['pytest']\n"})
    tools.answer = "flask==3.1.0\n    # via -r IN\n"
    lock.lock(wanted(source), settings(extras=["db"], groups=["reports"]), {})
    assert tools.read[0] == "flask>=3\npsycopg\nlxml\n"
    assert (source / "requirements.txt").read_text().endswith("flask==3.1.0\n    # via -r pyproject.toml\n")
    (source / "pyproject.toml").write_text("[project]\nname = 'x'\ndynamic = ['dependencies']\n")
    lock.lock(wanted(source), settings(), {})
    assert tools.calls[-1][-1] == "pyproject.toml"


def test_check(tree: Tree, tools: Tools) -> None:
    source = tree({"requirements.in": "flask\n", "requirements.txt": f"flask==3.0.0 --hash={HASH}\nold==1 --hash={HASH}\n"})
    with pytest.raises(LockOutdatedError) as caught:
        lock.check(wanted(source), settings(), {})
    assert str(caught.value).startswith(
        "The lock requirements.txt is older than requirements.in:\n"
        "  would change: flask==3.0.0 to flask==3.1.0\n"
        "  would change: old==1 removed\n\n"
        "Lock again, and commit the result: taxiway lock\n"
    )
    assert "3.0.0" in (source / "requirements.txt").read_text(), "nothing is written"
    (source / "requirements.txt").write_text(tools.answer)
    lock.check(wanted(source), settings(), {})


def test_no_credentials(tree: Tree, tools: Tools) -> None:
    """Neither of an index nor of a URL that is asked for; paths of this machine neither."""
    source = tree({"requirements.in": "flask\n"})
    tools.answer = f"x @ https://me:{SECRET}@host/x.whl --hash={HASH}\n-e {source.as_uri()}\n    # via -r requirements.in\n"
    lock.lock(wanted(source), settings(), {"PIP_INDEX_URL": f"https://me:{SECRET}@host/simple"})
    text = (source / "requirements.txt").read_text()
    assert f"x @ https://host/x.whl --hash={HASH}\n-e .\n" in text
    assert SECRET not in text
    tools.result, tools.answer = Result(1, f"no such thing at https://me:{SECRET}@host/simple"), ""
    with pytest.raises(LockingFailedError) as caught:
        lock.lock(wanted(source), settings(), {})
    assert "no such thing at https://host/simple" in str(caught.value)


def test_credentials_are_for_the_tools_alone(tree: Tree, tools: Tools) -> None:
    """They get what a build gets, of both files' formats; the lock gets nothing of it."""
    source = tree(
        {"requirements.in": "flask\n", "credentials/pip.conf": f"[global]\nindex-url = https://me:{SECRET}@host/simple\n"}
    )
    given = credentials.read(source / "credentials", {})
    tools.answer = f"--index-url https://me:{SECRET}@host/simple\nflask==3.1.0 --hash={HASH}\n"
    lock.lock(wanted(source), settings(), {}, given)
    (env,) = tools.environs
    assert env["PIP_CONFIG_FILE"] == str(source / "credentials" / "pip.conf")
    assert env["UV_DEFAULT_INDEX"] == f"https://me:{SECRET}@host/simple"
    assert SECRET not in (source / "requirements.txt").read_text()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://user:word@host/simple", "https://host/simple"),
        ("git+https://token@host/x@v1", "git+https://host/x@v1"),
        ("git+ssh://git@host/x@v1", "git+ssh://git@host/x@v1"),
        ("https://host/a@b", "https://host/a@b"),
        ('url = "http://u:p@h/x", y = "http://u:p@h"', 'url = "http://h/x", y = "http://h"'),
        ("someone@example.org", "someone@example.org"),
    ],
)
def test_without_user_info(text: str, expected: str) -> None:
    assert without_user_info(text) == expected


def test_differences() -> None:
    one, other = frozenset({"1"}), frozenset({"2"})
    before = {"a": ("a==1", one), "b": ("b==1", one), "c": ("c==1", one), "d": ("d==1", one)}
    after = {"a": ("a==1", one), "b": ("b==2", other), "c": ("c==1", other), "e": ("e==1", one)}
    assert differences(before, after) == ["b==1 to b==2", "c==1: other hashes", "d==1 removed", "e==1 added"]


def test_other_python(tree: Tree, tools: Tools, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is in the path, if it is what its name says; one of pyenv's, or that uv knows; or none."""
    source = tree({"requirements.in": "", ".pyenv/versions/2.3.1/bin/python2.3": ""})
    of_pyenv = str(source / ".pyenv/versions/2.3.1/bin/python2.3")
    answers = {"/bin/python2.0": Result(0, "2.0\n")}
    monkeypatch.setattr(shutil, "which", lambda name, **_: f"/bin/{name}")
    monkeypatch.setattr(
        process, "output", lambda argv, **_: answers.get(argv[0] if argv[1] != "python" else argv[-1], Result(1, ""))
    )
    lock.lock(wanted(source, python="2.0"), settings(), {})
    assert tools.calls[-1][0] == "/bin/python2.0"
    answers["2.1"] = Result(0, "/uv/python2.1\n")
    lock.lock(wanted(source, python="2.1"), settings(), {})
    assert tools.calls[-1][0] == "/uv/python2.1"
    answers[of_pyenv] = Result(0, "2.3\n")
    lock.lock(wanted(source, python="2.3"), settings(), {"HOME": str(source)})
    assert tools.calls[-1][0] == of_pyenv
    with pytest.raises(NoPythonError, match=r"Couldn't find Python 2\.2 here"):
        lock.lock(wanted(source, python="2.2"), settings(), {})


def test_pylock(tree: Tree, tools: Tools) -> None:
    """Uv writes what pip-tools decided, without dependencies of its own choice."""
    source = tree({"requirements.in": "flask\n"})
    tools.answer = "lock-version = '1.0'\ncreated-by = 'uv'\npackages = []\nindex = 'https://me:x@host/'\n"
    lock.lock(wanted(source, "pylock"), settings(), {})
    assert [argv[2 if argv[1] == "-m" else 1] for argv in tools.calls] == ["piptools", "pip"]
    assert {"--no-deps", "--format=pylock.toml"} <= {*tools.calls[1]}
    assert "index = 'https://host/'" in (source / "pylock.toml").read_text()


def test_pylock_for_another_python(tree: Tree, tools: Tools, monkeypatch: pytest.MonkeyPatch) -> None:
    """What changed is seen, although the lock isn't for the Python that runs this."""
    monkeypatch.setattr(process, "output", lambda *_, **__: Result(0, "3.99"))
    monkeypatch.setattr(shutil, "which", lambda name, **_: f"/bin/{name}")
    source = tree({"requirements.in": "flask\n"})
    tools.answer = (
        "lock-version = '1.0'\ncreated-by = 'uv'\nrequires-python = '>=3.99'\n[[packages]]\nname = 'flask'\nversion = '3.1.0'\n"
        f"wheels = [{{ url = 'https://host/flask-3.1.0-py3-none-any.whl', hashes = {{ sha256 = '{HASH[7:]}' }} }}]\n"
    )
    for_other = wanted(source, "pylock", "3.99")
    assert lock.lock(for_other, settings(), {}) == ["flask==3.1.0 added"]
    lock.check(for_other, settings(), {})
    tools.answer = tools.answer.replace("3.1.0", "3.1.1")
    with pytest.raises(LockOutdatedError, match=r"would change: flask==3\.1\.0 to flask==3\.1\.1") as caught:
        lock.check(for_other, settings(), {})
    assert "commit the result: taxiway lock --python 3.99 --format pylock\n" in str(caught.value)


def test_nothing_to_lock(tree: Tree, tools: Tools, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NothingToLockError, match=r"Found: Pipfile.lock, requirements.txt\."):
        lock.lock(wanted(tree({"requirements.txt": "", "Pipfile.lock": ""})), settings(), {})
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(NoLockingToolError, match=r"pip install 'taxiway\[lock\]'"):
        lock.lock(wanted(tree({"requirements.in": ""})), settings(), {})
    assert not tools.calls
