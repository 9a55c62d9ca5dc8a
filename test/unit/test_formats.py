"""Lock formats: real locks, read into one value; what is chosen, and what is refused."""

import re
import shutil
from pathlib import Path
from typing import Any, cast

import pytest
from packaging.markers import default_environment
from trees import Tree

from taxiway.dependencies import formats
from taxiway.dependencies.formats.common import Selection
from taxiway.dependencies.pins import PinnedList
from taxiway.errors import (
    BadLockError,
    LockedForOtherPythonError,
    LockOutdatedError,
    MissingHashesError,
    MissingLockError,
    NoDependenciesFileError,
    TaxiwayError,
    UnknownGroupError,
    UnpinnedError,
)
from taxiway.settings import resolve

pytestmark = pytest.mark.programs  # uv reads its own lock

HERE = Path(__file__).resolve().parent
LOCKS = HERE.parent / "locks"
# Directory, lock, manifest; what pylock.toml and requirements.txt leave out, they left out when they were written.
CASES = {
    "pip-tools": (LOCKS / "pip-tools", "requirements.txt", "requirements.in"),
    "pylock": (LOCKS / "pylock", "pylock.toml", "pyproject.toml"),
    "pylock-pdm": (LOCKS / "pylock-pdm", "pylock.toml", "pyproject.toml"),
    "uv": (HERE.parent / "apps" / "lock-uv", "uv.lock", "pyproject.toml"),
    "poetry": (LOCKS / "poetry", "poetry.lock", "pyproject.toml"),
    "poetry-1": (LOCKS / "poetry-1", "poetry.lock", "pyproject.toml"),
    "pdm": (LOCKS / "pdm", "pdm.lock", "pyproject.toml"),
    "pipenv": (LOCKS / "pipenv", "Pipfile.lock", "Pipfile"),
}
GROUPED = ["pylock-pdm", "uv", "poetry", "poetry-1", "pdm", "pipenv"]


def look(source: Path, environment: dict[str, str] | None = None, **settings: Any) -> formats.Dependencies | None:
    project = {name.replace("_", "-"): value for name, value in settings.items()}
    where = Selection(environment=cast("dict[str, str]", default_environment()) | environment) if environment else None
    return formats.look(source, source, resolve(environ={}, project=project), where)


def read(source: Path, environment: dict[str, str] | None = None, **settings: Any) -> PinnedList:
    found = look(source, environment, **settings)
    assert found is not None
    return found.pinned


def names(pinned: PinnedList) -> list[str]:
    return sorted(pin.name for pin in pinned.applicable)


@pytest.fixture
def copy(tmp_path: Path) -> Any:
    def make(case: str) -> Path:
        directory, lock, manifest = CASES[case]
        for name in (lock, manifest):
            shutil.copy(directory / name, tmp_path)
        return tmp_path

    return make


@pytest.mark.parametrize("case", CASES)
def test_real_lock(case: str) -> None:
    """Each has the same pins with all hashes, complete, and knows the line of each; development groups are left out."""
    directory, lock, _ = CASES[case]
    found = look(directory)
    assert found is not None
    assert found.origin == "the only one there"
    pinned = found.pinned
    assert (pinned.format, pinned.file, pinned.complete, pinned.options) == (lock, lock, True, ())
    assert names(pinned) == ["bottle", "python-dateutil", "six"]
    text = (directory / lock).read_text().splitlines()
    for pin in pinned.applicable:
        assert len(pin.hashes) == 2
        assert pin.requirement.partition(" ")[0].lower() == f"{pin.name}=={pin.version}"
        assert pin.name in text[pin.line - 1], (pin.origin, text[pin.line - 1])
    assert pinned.contents == ((directory / lock).read_text(),)


@pytest.mark.parametrize("case", ["pylock", "uv", "poetry", "poetry-1", "pdm"])  # pip-tools and pipenv lock for one system
def test_markers_are_those_of_the_given_python(case: str) -> None:
    """The same lock on Windows."""
    directory, _, _ = CASES[case]
    assert "colorama" in names(read(directory, {"sys_platform": "win32"}))


@pytest.mark.parametrize("case", GROUPED)
def test_groups(case: str) -> None:
    directory, _, _ = CASES[case]
    assert names(read(directory, groups=["reports"])) == ["bottle", "python-dateutil", "six", "tomli-w"]
    dev = "develop" if case == "pipenv" else "dev"
    assert "iniconfig" in names(read(directory, groups=[dev]))


@pytest.mark.parametrize("case", ["pylock-pdm", "uv", "poetry", "poetry-1", "pdm"])
def test_extras(case: str) -> None:
    assert names(read(CASES[case][0], extras=["signals"])) == ["blinker", "bottle", "python-dateutil", "six"]


@pytest.mark.parametrize("case", [*GROUPED, "pylock"])
def test_unknown_group(case: str) -> None:
    with pytest.raises(UnknownGroupError, match=r"Couldn't find the (groups|categories) reprots in .*; there are: "):
        read(CASES[case][0], groups=["reprots"])


@pytest.mark.parametrize("case", [c for c in CASES if c not in {"pip-tools", "pipenv"}])
def test_other_python(case: str) -> None:
    with pytest.raises(LockedForOtherPythonError, match=r"expected >=3\.11, found 3\.10\.2"):
        read(CASES[case][0], {"python_full_version": "3.10.2", "python_version": "3.10"})


@pytest.mark.parametrize("case", CASES)
def test_outdated(case: str, copy: Any) -> None:
    """The manifest asks for what the lock excludes, and for another package: both are named, with file and line."""
    source, (_, lock, manifest) = copy(case), CASES[case]
    assert look(source)
    text = (source / manifest).read_text()
    text = text.replace('"bottle>=0.13"', '"bottle>=0.14", "simplejson"').replace("bottle>=0.13\n", "bottle>=0.14\nsimplejson\n")
    text = text.replace('bottle = ">=0.13"', 'bottle = ">=0.14"\nsimplejson = "*"')
    (source / manifest).write_text(text)
    line = next(n for n, line in enumerate(text.splitlines(), 1) if "0.14" in line)
    with pytest.raises(LockOutdatedError) as caught:
        look(source)
    message = str(caught.value)
    assert message.startswith(f"The lock {lock} is older than {manifest}:\n")
    assert re.search(rf"bottle ?>=0\.14 \({manifest} line {line}\) (excludes bottle 0\.13\.4|isn't in) ", message), message
    assert re.search(rf"simplejson ?\*? \({manifest} line \d+\) isn't in {lock}", message), message
    assert "Lock again, and commit the result: " in message


@pytest.mark.parametrize("case", ["pip-tools", "uv"])
def test_outdated_by_what_is_gone(case: str, copy: Any) -> None:
    source, (_, lock, manifest) = copy(case), CASES[case]
    text = (source / manifest).read_text()
    (source / manifest).write_text(text.replace('"bottle>=0.13", ', "").replace("bottle>=0.13\n", ""))
    with pytest.raises(LockOutdatedError, match=rf"bottle.* \({re.escape(lock)} line \d+\) isn't in {manifest}"):
        look(source)


@pytest.mark.parametrize("case", ["poetry", "pdm", "pipenv"])
def test_outdated_by_its_hash_alone(case: str, copy: Any) -> None:
    source, (_, _, manifest) = copy(case), CASES[case]
    text = (source / manifest).read_text()
    (source / manifest).write_text(text.replace("<3", "<4").replace("^2.9", ">=2.9"))
    with pytest.raises(LockOutdatedError, match=r"hash: found [0-9a-f]{64}, expected [0-9a-f]{64}"):
        look(source)


@pytest.mark.parametrize("case", [c for c in CASES if "pylock" not in c])
def test_hash_that_is_missing(case: str, copy: Any) -> None:
    """All hashes of a transitive dependency were taken away: that is refused before anything is installed."""
    source, (_, lock, _) = copy(case), CASES[case]
    text = (source / lock).read_text()
    # Those of six 1.17.0.
    hashes = (
        "4721f391ed90541fddacab5acf947aa0d3dc7d27b2e1e8eda2be8970586c3274",
        "ff70335d468e7eb6ec65b95b99d3a2836546063f63acc5171de367e834932a81",
    )
    for digest in hashes:
        text = re.sub(
            rf', hash = "sha256:{digest}"(?=, size)|,? ?(hash = )?"sha256:{digest}",?|(\\\n)?    --hash=sha256:{digest}( \\)?',
            "",
            text,
        )
    text = text.replace("six==1.17.0 \n", "six==1.17.0\n").replace("six==1.17.0 \\\n\n", "six==1.17.0\n")
    assert not any(digest in text for digest in hashes)
    (source / lock).write_text(text)
    with pytest.raises(MissingHashesError) as caught:
        look(source)
    assert re.search(
        rf"expected at least one for each package, found none for:\n  six==1.17.0 \({lock} line \d+\)\n", str(caught.value)
    )


def test_pylock_without_hashes(copy: Any) -> None:
    source = copy("pylock")
    text = (source / "pylock.toml").read_text()
    (source / "pylock.toml").write_text(re.sub(r', hashes = \{ sha256 = "4721[0-9a-f]+" \}', "", text))
    with pytest.raises(MissingHashesError, match=r"found none for:\n  six==1\.17\.0 \(pylock\.toml line \d+\)"):
        look(source)


def test_precedence(copy: Any) -> None:
    """The first of the formats is read, the others are named; the setting changes that."""
    source = copy("uv")
    for case in ("poetry", "pdm", "pipenv", "pip-tools", "pylock"):
        directory, lock, manifest = CASES[case]
        for name in {lock, manifest} - {"pyproject.toml"}:
            shutil.copy(directory / name, source)
    found = look(source)
    assert found is not None
    assert found.pinned.file == "pylock.toml"
    assert found.origin == "the first of the formats that is there"
    assert found.passed_over == ("uv.lock", "poetry.lock", "pdm.lock", "Pipfile.lock", "requirements.txt")
    told = look(source, dependencies=["requirements.txt"])
    assert told is not None
    assert (told.pinned.file, told.origin) == ("requirements.txt", "[tool.taxiway]")
    assert told.passed_over == ("pylock.toml", "uv.lock", "poetry.lock", "pdm.lock", "Pipfile.lock")


@pytest.mark.parametrize(
    ("variables", "files", "expected"),
    [
        ({"ENABLE_PIPENV": "1"}, ["pipenv", "pip-tools"], "Pipfile.lock"),
        ({"ENABLE_PIPENV": "1"}, ["pip-tools"], "requirements.txt"),
        ({"ENABLE_MICROPIPENV": "1"}, ["poetry", "pip-tools"], "poetry.lock"),
        ({"WARPDRIVE_PIP_PACKAGES": "requirements.txt"}, ["pipenv", "pip-tools"], "requirements.txt"),
    ],
)
def test_variables_of_other_builders(copy: Any, variables: dict[str, str], files: list[str], expected: str) -> None:
    for case in files:
        source = copy(case)
    found = formats.look(source, source, resolve(environ=variables, project={}))
    assert found is not None
    assert (found.pinned.file, found.origin) == (expected, next(iter(variables)))


@pytest.mark.parametrize(
    ("files", "settings", "error", "text"),
    [
        ({"Pipfile": ""}, {}, MissingLockError, "There is Pipfile, but no Pipfile.lock: .*\n\n.*: pipenv lock"),
        ({"Pipfile": "", "x.txt": ""}, {"dependencies": ["Pipfile.lock|x.txt"]}, MissingLockError, "pipenv lock"),
        ({"pyproject.toml": "[tool.poetry.dependencies]\nflask = '*'\n"}, {}, MissingLockError, "poetry lock"),
        ({"a.txt": ""}, {"dependencies": ["b.txt"]}, NoDependenciesFileError, r"Couldn't find b.txt \(\[tool.taxiway\]\)"),
        ({}, {"dependencies": ["../b.txt"]}, NoDependenciesFileError, "found: none"),
        ({"requirements.txt": "flask>=3\n"}, {"strict": True}, UnpinnedError, r"flask>=3 \(requirements.txt line 1\)"),
        ({"requirements.txt": "flask==3\n"}, {"strict": True}, UnpinnedError, r"flask==3 \(requirements.txt line 1\)"),
        (
            {"pyproject.toml": '[project]\nname = "x"\ndependencies = [\n  "flask>=3",\n]\n'},
            {"strict": True},
            UnpinnedError,
            r"flask>=3 \(pyproject.toml line 4\)",
        ),
        ({"pylock.toml": "lock-version = '1.0'\n"}, {}, BadLockError, "Couldn't read pylock.toml: "),
        ({"Pipfile": "", "Pipfile.lock": "{}"}, {}, BadLockError, "Couldn't read Pipfile.lock: '_meta'"),
        ({"poetry.lock": "", "pyproject.toml": ""}, {}, BadLockError, "its lock-version is missing, expected 2.0 or 2.1"),
        ({"poetry.lock": "= 1", "pyproject.toml": ""}, {}, BadLockError, "Couldn't read poetry.lock: Invalid"),
        ({"poetry.lock": ""}, {}, BadLockError, "Couldn't read pyproject.toml: .*No such file"),
        ({"pdm.lock": "", "pyproject.toml": ""}, {}, BadLockError, "lock again: pdm lock --strategy inherit_metadata"),
        ({"uv.lock": "version = 99\n", "pyproject.toml": "[project]\nname='x'\nversion='1'\n"}, {}, BadLockError, "uv.lock"),
    ],
)
def test_refused(tree: Tree, files: dict[str, str], settings: dict[str, Any], error: type[TaxiwayError], text: str) -> None:
    with pytest.raises(error, match=text):
        look(tree(files), **settings)


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"pyproject.toml": "[tool.ruff]\n"},
        {"pyproject.toml": "[project]\nname = 'x'\ndependencies = []\n"},
        {"pyproject.toml": "[tool.poetry.dependencies]\npython = '^3.11'\n"},
    ],
)
def test_no_dependencies(tree: Tree, files: dict[str, str]) -> None:
    assert look(tree(files)) is None


def test_pyproject_without_a_lock(tree: Tree) -> None:
    """The last resort: what it asks for, unpinned; the groups that were asked for include others (PEP 735)."""
    text = """[project]
name = "x"
dependencies = ["flask>=3", "tomli; python_version < '3'"]
[project.optional-dependencies]
Fast = ["uvloop==1"]
[dependency-groups]
dev = ["pytest"]
all = [{include-group = "dev"}, "ruff"]
"""
    found = read(tree({"pyproject.toml": text}), extras=["fast"], groups=["all"])
    assert not found.complete
    assert [f"{pin.requirement} {pin.line}" for pin in found.applicable] == ["flask>=3 3", "uvloop==1 5", "pytest 7", "ruff 8"]
    assert [pin.name for pin in found.unpinned if pin.applies] == ["flask", "pytest", "ruff"]
    assert look(tree({"pyproject.toml": text}), install_pyproject=False) is None


def test_several_requirements_files(tree: Tree) -> None:
    found = read(tree({"a.txt": "flask\n", "more/b.txt": "django\n"}), dependencies="a.txt more/b.txt")
    assert ([pin.origin for pin in found.pins], found.file) == (["a.txt line 1", "more/b.txt line 1"], "a.txt more/b.txt")
