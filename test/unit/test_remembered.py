"""What came of earlier steps of an image's build."""

import os
from pathlib import Path

import pytest

from taxiway.image import remembered


def test_the_newest_are_kept(tmp_path: Path) -> None:
    environ = {"HOME": str(tmp_path)}
    for number in range(203):
        remembered.keep(f"{number:03}", f"id {number}", environ)
        os.utime(tmp_path / ".cache" / "taxiway" / "images" / f"{number:03}", (number, number))
    remembered.keep("last", "id", environ)
    assert [remembered.find(name, environ) for name in ("003", "004", "last")] == [None, "id 4", "id"]
    assert len(list((tmp_path / ".cache" / "taxiway" / "images").iterdir())) == 200


def test_nothing_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    environ = {"XDG_CACHE_HOME": str(tmp_path / "file")}
    remembered.keep("name", "id", environ)
    assert remembered.find("name", environ) is None


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [(("a", None), ("a", None), True), (("a", "b"), ("ab",), False), (("a", "b"), ("b", "a"), False)],
)
def test_key(one: tuple[object, ...], other: tuple[object, ...], *, same: bool) -> None:
    assert (remembered.key(one) == remembered.key(other)) is same
