"""Wheels of all that is pinned, in the source."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from trees import Tree

from taxiway.dependencies import installer, wheelhouse
from taxiway.dependencies.pins import Pin, PinnedList
from taxiway.dependencies.wheelhouse import Wheelhouse
from taxiway.errors import DependenciesError, WheelhouseError
from taxiway.process import Result

HASH = f"sha256:{'a' * 64}"


def pin(name: str, version: str | None = "1.0", *, url: str | None = None, hashes: tuple[str, ...] = (HASH,)) -> Pin:
    requirement = url or (f"{name}=={version}" if version else name)
    return Pin(name=name, version=version, requirement=requirement, hashes=hashes, url=url, file="r.txt", line=1)


def pinned(*pins: Pin) -> PinnedList:
    return PinnedList(format="f", file="r.txt", pins=pins, complete=True, contents=())


@pytest.mark.parametrize(
    ("files", "place"),
    [
        ({}, None),
        ({".taxiway/wheelhouse/README": ""}, None),
        ({".taxiway/wheelhouse/a-1-py3-none-any.whl": ""}, ".taxiway/wheelhouse"),
        ({".warpdrive/wheelhouse/a-1-py3-none-any.whl": ""}, ".warpdrive/wheelhouse"),
        (
            {".taxiway/wheelhouse/a-1-py3-none-any.whl": "", ".warpdrive/wheelhouse/b-1-py3-none-any.whl": ""},
            ".taxiway/wheelhouse",
        ),
    ],
)
def test_find(tree: Tree, files: dict[str, str], place: str | None) -> None:
    top = tree(files)
    found = wheelhouse.find(top)
    assert (found.path if found else None) == (top / place if place else None)


def test_missing() -> None:
    """A wheel of another version or for another Python doesn't count; what has a URL or lies in the source isn't expected."""
    names = [
        "Big_Name-1.0-py3-none-any.whl",
        "c-0.9-py3-none-any.whl",
        "d-1.0-cp27-cp27m-win32.whl",
        "e-1.0.0-py3-none-any.whl",
        "x",
    ]
    house = Wheelhouse(path=Path("/h"), wheels=frozenset(wheelhouse.installable(names)))
    asked = pinned(pin("big-name"), pin("c"), pin("d"), pin("e"), pin("f", None), pin("g", url="./g"))
    assert wheelhouse.missing(house, asked) == ["c 1.0 (r.txt line 1)", "d 1.0 (r.txt line 1)"]
    assert wheelhouse.missing(house, None) == []


@pytest.mark.parametrize("text", ["", "[", "[1]", '{"a.whl": {"from": 1}}'])
def test_damaged_notes(tree: Tree, text: str) -> None:
    with pytest.raises(WheelhouseError, match=r"built\.json can't be read"):
        wheelhouse.read(tree({"built.json": text}))


def test_error_names_the_first_few() -> None:
    assert str(WheelhouseError("/h", [f"p{n} 1" for n in range(7)])) == (
        "The wheelhouse /h can't be used. No wheel for this Python of:\n"
        "  p0 1\n  p1 1\n  p2 1\n  p3 1\n  p4 1\n  and 2 more\n\n"
        "Fill it again, in the builder image: taxiway wheels. Or remove it, and the package index is asked."
    )


def test_a_built_wheel_counts_only_for_the_lock_that_it_was_built_from(tree: Tree) -> None:
    house = wheelhouse.read(tree({"built.json": json.dumps({"a.whl": {"hash": "sha256:built", "from": [HASH]}})}))
    assert installer.lines_of([pin("a")], house.built) == [f"a==1.0 --hash={HASH} --hash=sha256:built"]
    other = pin("a", hashes=(HASH, "sha256:more"))
    assert installer.lines_of([other], house.built) == [f"a==1.0 --hash={HASH} --hash=sha256:more"]


class Pip:
    """Takes the place of pip: makes the wheels that it is told."""

    def __init__(self) -> None:
        self.calls: list[tuple[list[str], str]] = []
        self.status = 0

    def __call__(self, argv: list[str], *, env: Mapping[str, str], cwd: Path, brief: bool) -> Result:  # noqa: ARG002
        directory, file = Path(argv[argv.index("--wheel-dir") + 1]), Path(argv[-1])
        self.calls.append((argv[2 : argv.index("--wheel-dir")], file.read_text()))
        for line in file.read_text().splitlines():
            (directory / f"{line.split('==')[0].split(' ')[0]}-1.0-py3-none-any.whl").write_text(line)
        return Result(self.status, "refused")


@pytest.fixture
def pip(monkeypatch: pytest.MonkeyPatch) -> Pip:
    fake = Pip()
    monkeypatch.setattr(wheelhouse, "run", fake)
    return fake


def test_fill(tree: Tree, pip: Pip) -> None:
    top = tree({".taxiway/wheelhouse/old-1-py3-none-any.whl": "", "lib/pyproject.toml": "[build-system]\nrequires = ['own']\n"})
    commit = "git+https://h.example/x@" + "a" * 40
    asked = pinned(
        pin("source"),
        pin("", None, url="./lib", hashes=()),
        Pin(name="x", requirement=f"x @ {commit}", url=commit, file="r", line=2),
    )
    assert wheelhouse.fill(asked, top, {}) == ["source-1.0-py3-none-any.whl"]
    assert pip.calls == [
        (["pip", "wheel", "--no-deps", "--require-hashes"], f"source==1.0 --hash={HASH}\n"),
        (["pip", "wheel", "--no-deps"], f"x @ {commit}\n"),
        (["pip", "wheel"], "own\n"),
    ]
    house = top / ".taxiway/wheelhouse"
    assert sorted(path.name for path in house.iterdir()) == [
        "built.json",
        "own-1.0-py3-none-any.whl",
        "source-1.0-py3-none-any.whl",
        "x-1.0-py3-none-any.whl",
    ]
    digest = hashlib.sha256((house / "source-1.0-py3-none-any.whl").read_bytes()).hexdigest()
    assert wheelhouse.read(house).built == {frozenset({HASH}): f"sha256:{digest}"}


def test_a_wheel_that_the_lock_has_is_not_noted(tree: Tree) -> None:
    top = tree({"a-1.0-py3-none-any.whl": "content"})
    digest = f"sha256:{hashlib.sha256(b'content').hexdigest()}"
    assert wheelhouse.built(top, [pin("a", hashes=(HASH, digest))]) == {}
    assert wheelhouse.built(top, [pin("a", hashes=())]) == {}
    assert wheelhouse.built(top, [pin("a")]) == {"a-1.0-py3-none-any.whl": {"hash": digest, "from": [HASH]}}


def test_a_failure_leaves_the_wheelhouse_as_it_was(tree: Tree, pip: Pip) -> None:
    top = tree({".taxiway/wheelhouse/old-1-py3-none-any.whl": ""})
    pip.status = 1
    with pytest.raises(DependenciesError, match="pip ended with exit status 1"):
        wheelhouse.fill(pinned(pin("a")), top, {})
    assert [path.name for path in (top / ".taxiway").rglob("*")] == ["wheelhouse", "old-1-py3-none-any.whl"]
