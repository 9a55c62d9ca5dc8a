"""The time of an image."""

import os
import subprocess
from pathlib import Path

import pytest
from trees import Tree

from taxiway.errors import BadSettingError
from taxiway.image import times

COMMITTED = {"GIT_COMMITTER_DATE": "2025-05-05T05:05:05Z", "GIT_AUTHOR_DATE": "2001-01-01T00:00:00Z"}
COMMITTED_S = 1746421505


def commit(top: Path) -> None:
    identity = ("-c", "user.name=A User", "-c", "user.email=user@example.com")
    for argv in (["init", "--quiet"], ["add", "--all"], [*identity, "commit", "--quiet", "--message=x"]):
        subprocess.run(["git", *argv], cwd=top, env={**os.environ, **COMMITTED}, check=True)


def test_source_date_epoch(tree: Tree) -> None:
    source = tree({"a": ""})
    assert times.of_source(source, source, "", {"SOURCE_DATE_EPOCH": "1700000000"}) == (1700000000, "SOURCE_DATE_EPOCH")


@pytest.mark.parametrize("value", ["yesterday", "-1", "1.5", "99999999999999", "\u0661"])
def test_source_date_epoch_that_is_none(tree: Tree, value: str) -> None:
    source = tree({"a": ""})
    with pytest.raises(BadSettingError) as caught:
        times.of_source(source, source, "", {"SOURCE_DATE_EPOCH": value})
    assert "expected a whole number of seconds since 1970" in str(caught.value)


@pytest.mark.programs
def test_commit(tree: Tree) -> None:
    source = tree({"a": ""})
    commit(source)
    assert times.of_source(source, source, "HEAD", dict(os.environ)) == (COMMITTED_S, "the commit")


def test_newest_file(tree: Tree) -> None:
    source = tree({"a": "", "below/b": ""})
    os.utime(source / "a", (1_000_000_000, 1_000_000_000))
    os.utime(source / "below/b", (1_000_000_007, 1_000_000_007))
    assert times.of_source(source, source, "", {}) == (1_000_000_007, "the newest file")
    assert times.of_source(source, tree({}) / "nowhere", "", {})[0] == 0
