"""Where things are."""

import sys
from pathlib import Path

import pytest
from trees import Tree

from taxiway import layout
from taxiway.layout import Layout


@pytest.mark.parametrize(
    ("environ", "root"),
    [
        ({}, "/opt/app-root"),
        ({"APP_ROOT": ""}, "/opt/app-root"),
        ({"APP_ROOT": "/srv/app/"}, "/srv/app"),
        ({"APP_ROOT": "/srv/../app"}, "/app"),
    ],
)
def test_layout(environ: dict[str, str], root: str) -> None:
    found = Layout.from_environ(environ)
    assert found == Layout(root, f"{root}/src")
    assert (found.python, found.bin) == (f"{root}/bin/python", f"{root}/bin")
    assert found.launch_plan == f"{root}/.taxiway/launch.json"
    assert found.dependencies == f"{root}/.taxiway/dependencies.json"


def test_relative_root(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert Layout.from_environ({"APP_ROOT": "env"}).app_root == f"{tmp_path}/env"


@pytest.mark.parametrize(("files", "found"), [({}, False), ({"wheelhouse/": ""}, False), ({"wheelhouse/servers.txt": ""}, True)])
def test_wheelhouse(tree: Tree, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], *, found: bool) -> None:
    top = tree(files)
    monkeypatch.setattr(sys, "prefix", str(top))
    assert layout.wheelhouse() == (f"{top}/wheelhouse" if found else None)


def test_runtime_of_an_installed_taxiway(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wheel has taxiway_runtime in a directory of its own, a checkout beside taxiway."""
    top = tree({"site-packages/taxiway/_runtime/taxiway_runtime/": "", "src/taxiway/": ""})
    monkeypatch.setattr(layout, "__file__", f"{top}/site-packages/taxiway/layout.py")
    assert layout.runtime_path() == f"{top}/site-packages/taxiway/_runtime"
    monkeypatch.setattr(layout, "__file__", f"{top}/src/taxiway/layout.py")
    assert layout.runtime_path() == f"{top}/src"
