"""What is installed, what is asked for, and the difference in words."""

from dataclasses import replace
from pathlib import Path

import pytest
from trees import Tree

from taxiway.dependencies import state
from taxiway.dependencies.pins import Pin, PinnedList
from taxiway.dependencies.state import Changes, State
from taxiway.layout import Layout

FLASK = Pin(name="flask", version="3.0", requirement="flask==3.0", hashes=("sha256:b", "sha256:a"), file="r.txt", line=1)
LIST = PinnedList(format="f", file="r.txt", pins=(FLASK,), complete=True, contents=("x",))


def layout(tree: Tree) -> Layout:
    top = tree({"pyvenv.cfg": "home = /usr/bin\nversion = 3.13.5\n"})
    return Layout(str(top), f"{top}/src")


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("home = /usr/bin\nversion = 3.13.5\n", "3.13.5"),
        ("version_info = 3.13.5.final.0\n", "3.13.5.final.0"),
        ("implementation=CPython\nversion=3.11\n", "3.11"),
        ("home = /usr/bin\n", "unknown"),
    ],
)
def test_interpreter(tree: Tree, text: str, version: str) -> None:
    top = tree({"pyvenv.cfg": text})
    assert state.interpreter(Layout(str(top), "")) == version


@pytest.mark.parametrize(
    ("changed", "reasons", "from_scratch"),
    [
        ({}, (), False),
        ({"contents": ("y",)}, (), False),  # a comment in a lock
        ({"pins": (replace(FLASK, hashes=("sha256:a", "sha256:b")),)}, (), False),
        ({"pins": (replace(FLASK, file="other.txt", line=7),)}, (), False),
        ({"pins": (replace(FLASK, hashes=("sha256:a",)),)}, ("other files of flask 3.0",), False),
        ({"pins": (replace(FLASK, version="3.1", requirement="flask==3.1"),)}, ("flask 3.0 -> 3.1",), False),
        ({"pins": (FLASK, replace(FLASK, name="six"))}, ("six 3.0 added",), False),
        ({"pins": (FLASK, replace(FLASK, name="six", applies=False))}, (), False),
        ({"pins": ()}, ("flask removed",), False),
        ({"options": ("--no-binary flask",)}, ("the requirements' options changed",), True),
        ({"complete": False}, ("the requirements changed",), True),
        ({"pins": (replace(FLASK, version=None, requirement="flask>=3", hashes=()),)}, ("the requirements changed",), True),
        ({"pins": (FLASK, FLASK)}, ("the requirements changed",), True),  # which of the two wins is the installer's matter
        ({"pins": (FLASK, replace(FLASK, name="", requirement="https://h/x.whl"))}, ("https://h/x.whl 3.0 added",), True),
    ],
)
def test_changes(tree: Tree, changed: dict[str, object], reasons: tuple[str, ...], *, from_scratch: bool) -> None:
    place = layout(tree)
    state.write(state.describe(LIST, place), place)
    found = state.compare(state.read(place), state.describe(replace(LIST, **changed), place))  # type: ignore[arg-type]
    assert (found.reasons, found.from_scratch) == (reasons, from_scratch)


def test_an_incomplete_list_counts_by_its_text(tree: Tree) -> None:
    place = layout(tree)
    loose = replace(LIST, complete=False)
    before = state.describe(loose, place)
    assert not state.compare(before, state.describe(loose, place)).reasons
    assert state.compare(before, state.describe(replace(loose, contents=("y",)), place)).reasons == ("the requirements changed",)


@pytest.mark.parametrize("words", ["the Python", "the architecture", "taxiway's way of installing"])
def test_another_machine(tree: Tree, words: str) -> None:
    wanted = state.describe(LIST, layout(tree))
    found = state.compare(State(basis=dict(wanted.basis) | {words: "other"}, pins=wanted.pins), wanted)
    assert (found.reasons, found.from_scratch) == ((f"{words} changed",), True)


def test_no_requirements_at_all(tree: Tree) -> None:
    place = layout(tree)
    assert state.compare(None, state.describe(None, place)).reasons == ("nothing was installed before",)
    assert not state.compare(state.describe(None, place), state.describe(replace(LIST, pins=()), place)).reasons


@pytest.mark.parametrize(
    ("editable", "name", "changed"), [(False, "a.py", True), (True, "a.py", False), (True, "setup.py", True)]
)
def test_content_of_the_source_counts(tree: Tree, name: str, *, editable: bool, changed: bool) -> None:
    """A directory of the source is installed again when a file of it changes; an editable one, when its metadata does."""
    place = layout(tree)
    tree({"src/lib/setup.py": "", "src/lib/a.py": ""})
    own = replace(FLASK, name="own", version=None, requirement="./lib", hashes=(), url="./lib", editable=editable)
    before = state.describe(replace(LIST, pins=(own,)), place)
    Path(place.source, "lib", name).write_text("changed")
    after = state.describe(replace(LIST, pins=(own,)), place)
    assert state.compare(before, after).reasons == (("other files of own",) if changed else ())


@pytest.mark.parametrize(
    "text", ["", "{", "\x00", "[]", '"x"', "null", "{}", '{"basis": 1, "pins": 2}', '{"the Python": "3.13"}']
)
def test_a_damaged_memory_counts_as_none(tree: Tree, text: str) -> None:
    """Also one of an earlier version, and one of an installation that didn't end."""
    top = tree({".taxiway/dependencies.json": text})
    assert state.read(Layout(str(top), "")) is None


def test_many_reasons_are_cut() -> None:
    assert str(Changes(reasons=tuple("abcdefg"))) == "a, b, c, d, e and 2 more"
    assert str(Changes(reasons=tuple("abcde"))) == "a, b, c, d, e"
