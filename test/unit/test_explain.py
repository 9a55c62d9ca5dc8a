"""From an installer's output back to the lock, and what a lock lacks."""

from dataclasses import replace
from typing import cast

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement

from taxiway.dependencies import check
from taxiway.dependencies.check import Metadata, problems
from taxiway.dependencies.explain import explain
from taxiway.dependencies.formats.common import Selection
from taxiway.dependencies.pins import Pin, PinnedList
from taxiway.errors import ConflictingPinsError, IncompleteLockError
from taxiway.layout import Layout

LOCKED, FOUND = "sha256:" + "a" * 64, "sha256:" + "b" * 64
PINNED = PinnedList(
    format="uv.lock",
    file="uv.lock",
    complete=True,
    contents=(),
    pins=(
        Pin(name="six", version="1.17.0", requirement="six==1.17.0", hashes=(LOCKED,), file="uv.lock", line=12),
        Pin(name="zope-event", version="5.0", requirement="zope.event==5.0", hashes=(LOCKED,) * 4, file="uv.lock", line=20),
    ),
)
UV = f"""  x Failed to download `six==1.17.0`
  ╰─▶ Hash mismatch for `six==1.17.0`

      Expected:
        {LOCKED}

      Computed:
        {FOUND}
"""
PIP = f"""ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE. If you have updated
    six==1.17.0 from http://127.0.0.1/files/six-1.17.0-py2.py3-none-any.whl (from -r requirements.txt (line 1)):
        Expected sha256 {LOCKED[7:]}
        Expected     or {LOCKED[7:]}
             Got        {FOUND[7:]}
"""


@pytest.mark.parametrize(
    ("output", "lines"),
    [
        (UV, [f"six==1.17.0 (uv.lock line 12): found {FOUND}, expected {LOCKED}"]),
        (PIP, [f"six==1.17.0 (uv.lock line 12): found {FOUND}, expected {LOCKED}"]),
        (
            UV.replace("six", "zope.event"),
            [f"zope.event==5.0 (uv.lock line 20): found {FOUND}, expected {LOCKED} or {LOCKED} or one of 2 more"],
        ),
        (UV.replace("six", "other"), [f"other: found {FOUND}, expected another"]),
        ("Because there is no version of zope-event==5.0 and you require zope-event==5.0", ["zope.event==5.0 (uv.lock line 20)"]),
        ("Because six==1.17.01 isn't there", []),
        (
            "error: Failed to download `six==1.17.0`\n  cause: Bad CRC (got 13d83143, expected 355c4757) for file: six.py\n",
            [
                "six==1.17.0 (uv.lock line 12): found a file that can't be unpacked (Bad CRC (got 13d83143, "
                "expected 355c4757) for file: six.py), expected " + LOCKED
            ],
        ),
        (" + six==1.17.0\nerror: no space left", []),
        ("  Failed to build `six==1.17.0`", ["six==1.17.0 (uv.lock line 12)"]),
        ("  ERROR: Failed building wheel for zope.event\nerror: x", ["zope.event==5.0 (uv.lock line 20)"]),
        ("Failed to build installable wheels for some pyproject.toml based projects", []),
        ("", []),
    ],
)
def test_explain(output: str, lines: list[str]) -> None:
    assert explain(output, PINNED) == lines


@pytest.mark.parametrize(
    ("output", "explained"),
    [
        ("error: Failed to build `night-flight @ file:///opt/app-root/src`\n  cause: flat-layout", True),
        ("error: subprocess-exited-with-error\n  Multiple top-level packages discovered in a flat-layout", True),
        ("error: Failed to build `other==1`", False),
        ("  ERROR: Failed building wheel for other\nFailed to build other\nerror: subprocess-exited-with-error", False),
        ("ERROR: Failed to build 'file:///opt/app-root/src' when getting requirements to build editable", True),
        ("error: no network", False),
    ],
)
def test_project_that_cannot_be_built(output: str, *, explained: bool) -> None:
    own = Pin(name="night-flight", requirement="-e .", file="pyproject.toml", line=1, url=".", editable=True)
    found = explain(output, replace(PINNED, pins=(*PINNED.pins, own)))
    said = "the project itself (pyproject.toml) can't be built; if it isn't to be installed: install-pyproject = false in "
    assert found == [f"{said}[tool.taxiway]"] * explained


def installed(**requires: list[str]) -> dict[str, Metadata]:
    return {name.replace("_", "-"): Metadata("1", tuple(Requirement(line) for line in lines)) for name, lines in requires.items()}


def pins(*requirements: str) -> list[Pin]:
    return [Pin(name=Requirement(r).name, requirement=r, file="x.lock", line=n) for n, r in enumerate(requirements, 1)]


@pytest.mark.parametrize(
    ("there", "asked", "found"),
    [
        (installed(a=["b>=2"], b=[]), ["a==1", "b==1"], []),
        (installed(a=["b>=2"]), ["a==1"], ["b>=2, which a 1 (x.lock line 1) needs"]),
        (installed(a=["b; sys_platform == 'win32'"]), ["a==1"], []),
        (installed(a=["b; extra == 'x'"]), ["a==1"], []),
        (installed(a=["b; extra == 'x'"]), ["a[x]==1"], ["b, which a 1 (x.lock line 1) needs"]),
        (installed(a=["c[x]"], c=["b; extra == 'x'"]), ["a==1", "c==1"], ["b, which c 1 (x.lock line 2) needs"]),
        (installed(a=["c"], c=["B_b>1"]), ["a==1"], ["B_b>1, which c 1 needs"]),
        (installed(a=["a[x]"]), ["a==1"], []),
        # What nothing asks for any more doesn't count.
        (installed(a=[], stale=["b"]), ["a==1"], []),
    ],
)
def test_missing(there: dict[str, Metadata], asked: list[str], found: list[str]) -> None:
    selection = Selection(environment=cast("dict[str, str]", default_environment()) | {"sys_platform": "linux"})
    assert problems(there, pins(*asked), selection).missing == found


@pytest.mark.parametrize(
    ("there", "asked", "found"),
    [
        (installed(a=["b<2"], b=[]), ["a==1", "b==1"], []),
        (installed(a=["b<1"], b=[]), ["a==1", "b==1"], ["b 1 (x.lock line 2) isn't b<1, which a 1 (x.lock line 1) needs"]),
        # Each that doesn't fit is named; an extra's too; pre-releases are what the lock says.
        (
            installed(a=["b[x]", "b>=1,<2"], b=["c>=2; extra == 'x'"], c=["b==3"]),
            ["a==1", "b==1", "c==1"],
            [
                "c 1 (x.lock line 3) isn't c>=2, which b 1 (x.lock line 2) needs",
                "b 1 (x.lock line 2) isn't b==3, which c 1 (x.lock line 3) needs",
            ],
        ),
        (installed(a=["b>=1.dev0"], b=[]), ["a==1", "b==1"], []),
        (installed(a=["b<1; sys_platform == 'win32'"], b=[]), ["a==1", "b==1"], []),
        (installed(stale=["a<1"], a=[]), ["a==1"], []),
    ],
)
def test_versions_that_do_not_fit(there: dict[str, Metadata], asked: list[str], found: list[str]) -> None:
    selection = Selection(environment=cast("dict[str, str]", default_environment()) | {"sys_platform": "linux"})
    assert problems(there, pins(*asked), selection) == ([], found)


def test_conflicts_are_warned_about_or_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(check, "read", lambda _: installed(a=["b<1"], b=[]))
    locked = PinnedList(format="uv.lock", file="uv.lock", complete=True, contents=(), pins=tuple(pins("a==1", "b==1")))
    layout = Layout("/opt/app-root", "/opt/app-root/src")
    said = "b 1 (x.lock line 2) isn't b<1, which a 1 (x.lock line 1) needs"
    check.check(locked, layout, strict=False)
    assert capsys.readouterr().err == f"warning: uv.lock has versions that don't fit together: {said}\n"
    with pytest.raises(ConflictingPinsError) as caught:
        check.check(locked, layout, strict=True)
    assert str(caught.value).startswith(
        f"The lock uv.lock has versions that don't fit together, which strict refuses:\n  {said}\n\n"
    )
    check.check(replace(locked, complete=False), layout, strict=True)  # the installer has resolved it


def test_a_lock_that_lacks_something(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "read", lambda _: installed(a=["b<1"]))
    locked = PinnedList(format="uv.lock", file="uv.lock", complete=True, contents=(), pins=tuple(pins("a==1")))
    with pytest.raises(
        IncompleteLockError, match=r"^The lock uv.lock isn't complete; it lacks:\n  b<1, which a 1 \(x.lock line 1\) needs"
    ):
        check.check(locked, Layout("/opt/app-root", "/opt/app-root/src"), strict=False)
