"""Whether a source is a project that is installed itself."""

import pytest
from trees import Tree

from taxiway import detect
from taxiway.dependencies import formats, project
from taxiway.dependencies.pins import Pin, PinnedList
from taxiway.dependencies.project import Project
from taxiway.settings import resolve

SYSTEM = "[build-system]\nrequires = ['setuptools']\n"
NAMED = "[project]\nname = 'Night_Flight'\n"


def look(files: dict[str, str], tree: Tree, **variables: str) -> Project | None:
    return project.look(tree(files), resolve(environ=variables, project={}))


@pytest.mark.parametrize(
    ("files", "file", "name"),
    [
        ({"pyproject.toml": NAMED + SYSTEM}, "pyproject.toml", "night-flight"),
        ({"pyproject.toml": SYSTEM}, "pyproject.toml", ""),
        ({"pyproject.toml": NAMED, "src/a/__init__.py": "", "b/__init__.py": ""}, "pyproject.toml", "night-flight"),
        ({"pyproject.toml": NAMED, "a/__init__.py": "", "tests/__init__.py": ""}, "pyproject.toml", "night-flight"),
        ({"pyproject.toml": NAMED + "[tool.setuptools]\npackages = ['a', 'b']\n"}, "pyproject.toml", "night-flight"),
        ({"pyproject.toml": "[tool.poetry]\nname = 'a'\n", "a/__init__.py": ""}, "pyproject.toml", "a"),
        ({"pyproject.toml": NAMED + "[tool.uv]\npackage = true\n"}, "pyproject.toml", "night-flight"),
        ({"setup.py": ""}, "setup.py", ""),
        ({"setup.py": "", "setup.cfg": "[metadata]\nname = a.b\n"}, "setup.py", "a-b"),
        ({"setup.cfg": "[metadata]\nname = a\n"}, "setup.cfg", "a"),
        ({"setup.py": "", "pyproject.toml": "[tool.black]\n"}, "setup.py", ""),
    ],
)
def test_project(tree: Tree, files: dict[str, str], file: str, name: str) -> None:
    found = look(files, tree)
    assert found is not None
    assert (found.file, found.name) == (file, name)


@pytest.mark.parametrize(
    ("text", "nothing"),
    [
        (NAMED, True),
        (NAMED + "dependencies = []\n", True),
        (NAMED + "dependencies = ['a']\n", False),
        (NAMED + "dynamic = ['dependencies']\n", False),
        ("", False),
    ],
)
def test_project_that_says_that_it_needs_nothing(tree: Tree, text: str, *, nothing: bool) -> None:
    found = look({"pyproject.toml": text + SYSTEM}, tree)
    assert found is not None
    assert found.needs_nothing is nothing


REFUSED = "pyproject.toml has no [build-system], and setuptools, the default, wants one package at the top, or all in src; found "
SAYS = "its tool's table in pyproject.toml says so"


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({}, ""),
        ({"pyproject.toml": "[tool.ruff]\n", "a/__init__.py": ""}, ""),
        ({"setup.cfg": "[flake8]\nmax-line-length = 100\n"}, ""),
        ({"setup.cfg": "no configuration"}, ""),
        # setuptools would refuse these, so that most applications of uv couldn't be built.
        ({"pyproject.toml": NAMED, "a/__init__.py": "", "b/__init__.py": ""}, REFUSED + "a, b"),
        ({"pyproject.toml": NAMED, "app.py": ""}, REFUSED + "none"),
        ({"pyproject.toml": NAMED, "manage.py": "", "shop/__init__.py": "", "polls/__init__.py": ""}, REFUSED + "polls, shop"),
        ({"pyproject.toml": "[tool.poetry]\nname = 'a'\n", "a.py": ""}, REFUSED + "none"),
        (
            {"pyproject.toml": NAMED, "a/__init__.py": "", "uv.lock": ""},
            "pyproject.toml has no [build-system], and then uv doesn't install it either",
        ),
        # Their tools say so.
        ({"pyproject.toml": "[tool.poetry]\nname = 'a'\npackage-mode = false\n" + SYSTEM}, SAYS),
        ({"pyproject.toml": NAMED + SYSTEM + "[tool.uv]\npackage = false\n"}, SAYS),
        ({"pyproject.toml": NAMED + SYSTEM + "[tool.pdm]\ndistribution = false\n", "setup.py": ""}, SAYS),
    ],
)
def test_no_project(tree: Tree, files: dict[str, str], why: str) -> None:
    assert look(files, tree) is None
    assert project.passed_over(tree(files), resolve(environ={}, project={})) == (why, ())
    off = resolve(environ={"DISABLE_PYPROJECT_TOML_PROCESSING": "1"}, project={})
    assert project.passed_over(tree(files), off) == ("", ())


@pytest.mark.parametrize(
    ("more", "warned"),
    [
        ("[project.scripts]\nfly = 'a:b'\nland = 'a:c'\n", True),
        ("[project.scripts]\nfly = 'a:b'\n[tool.uv]\npackage = false\n", False),
        ("", False),
    ],
)
def test_scripts_that_are_missing_are_warned_about(tree: Tree, more: str, *, warned: bool) -> None:
    source = tree({"pyproject.toml": NAMED + more, "a/__init__.py": "", "b/__init__.py": "", "wsgi.py": ""})
    facts = detect.look(source, resolve(environ={}, project={}))
    assert facts.project_passed_over
    assert any(
        w.startswith("The console scripts fly, land aren't there, because pyproject.toml has no") for w in facts.warnings
    ) is (warned)


@pytest.mark.parametrize(
    ("variable", "file"),
    [("DISABLE_PYPROJECT_TOML_PROCESSING", "setup.py"), ("DISABLE_SETUP_PY_PROCESSING", "pyproject.toml")],
)
def test_switched_off(tree: Tree, variable: str, file: str) -> None:
    files = {"pyproject.toml": NAMED + SYSTEM, "setup.py": ""}
    found = look(files, tree, **{variable: "1"})
    assert found is not None
    assert found.file == file
    assert look(files, tree, DISABLE_PYPROJECT_TOML_PROCESSING="1", DISABLE_SETUP_PY_PROCESSING="1") is None


def pinned(*pins: Pin) -> PinnedList:
    return PinnedList(format="x", file="x", pins=pins, complete=True, contents=())


def test_added_once() -> None:
    """In place; not again where the list has it, and instead of the version on an index."""
    own = Project(file="pyproject.toml", name="a")
    added = project.add(own, pinned(Pin(name="b", requirement="b==1", file="x", line=1)))
    assert added is not None
    assert [(pin.name, pin.requirement, pin.editable, pin.origin) for pin in added.pins][1:] == [
        ("a", "-e .", True, "pyproject.toml line 1")
    ]
    assert added.complete
    assert project.add(own, added) == added
    again = project.add(own, pinned(Pin(name="a", requirement="a==1", file="x", line=1)))
    assert again is not None
    assert [pin.requirement for pin in again.pins] == ["-e ."]
    alone = project.add(own, None)
    assert alone is not None
    assert (alone.format, alone.complete, [pin.url for pin in alone.pins]) == ("the project itself", False, ["."])
    assert project.add(None, None) is None


def test_beside_a_lock(tree: Tree) -> None:
    source = tree({"requirements.txt": "-e .\nflask==3\n", "setup.py": ""})
    found = formats.look(source, source, resolve(environ={}, project={}))
    assert found is not None
    assert [pin.requirement for pin in found.pinned.pins] == ["-e .", "flask==3"]
    assert found.project == "setup.py"
