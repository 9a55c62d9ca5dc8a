"""What a build adds to what was there, and what decides the dependencies of a source."""

import os
import time
from pathlib import Path

import pytest
from trees import Tree

from taxiway.build import layers
from taxiway.dependencies import formats, inputs
from taxiway.settings import resolve


def test_what_is_new_is_moved(tree: Tree, tmp_path: Path) -> None:
    root = tree({"lib/a/kept.py": "", "lib/a/changed.py": "old", "lib/gone/x/y.py": "", "bin/": "", "src/": ""})
    (root / "lib").chmod(0o2775)
    time.sleep(0.02)  # the clock of file times is coarse
    before = layers.look(str(root))
    (root / "lib/a/changed.py").write_text("new")
    os.utime(root / "lib/a/changed.py", (1, 1))  # times of files can be set back
    (root / "lib/gone/x/y.py").unlink()
    (root / "lib/gone/x").rmdir()
    (root / "lib/gone").rmdir()
    (root / "src/web").mkdir()
    (root / "src/web/empty").mkdir()
    (root / "src/web/wsgi.py").write_text("")
    (root / "bin/link").symlink_to("nowhere")
    target = tmp_path / "layer"
    assert layers.separate(before, str(root), str(target)) == ["lib/gone"]
    assert sorted(str(path.relative_to(target)) for path in target.rglob("*") if path.is_symlink() or path.is_file()) == [
        "bin/link",
        "lib/a/changed.py",
        "src/web/wsgi.py",
    ]
    assert (target / "src/web/empty").is_dir()
    assert (target / "lib").stat().st_mode & 0o7777 == 0o2775
    assert (target / "lib/a/changed.py").read_text() == "new"
    layers.write_removed(["lib/gone", "a b"], str(target))
    assert (target / ".taxiway/removed").read_bytes() == b"lib/gone\0a b\0"


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ({"wsgi.py": ""}, []),
        (
            {"requirements.txt": "a\n-r more/base.txt\n-c limits.txt\n", "more/base.txt": "", "limits.txt": "", "no.txt": ""},
            ["limits.txt", "more/base.txt", "requirements.txt"],
        ),
        (
            {"requirements.txt": "./libs/a\n-e ./libs/b\n-e .\n", "libs/a/setup.py": "", "libs/b/setup.py": "", "setup.py": ""},
            ["libs/a", "requirements.txt"],
        ),
        (
            {"pyproject.toml": '[project]\nname = "x"\ndependencies = ["a"]\n', "taxiway.toml": "", "uv.toml": "", "x/a.py": ""},
            ["pyproject.toml", "taxiway.toml", "uv.toml"],
        ),
        (
            {f".taxiway/{name}": "" for name in ("build-env", "deploy-env", "wheelhouse/a-1-py3-none-any.whl", "hooks/build")},
            [".taxiway/build-env", ".taxiway/wheelhouse"],
        ),
        (
            {".warpdrive/home": "web", ".warpdrive/action_hooks/build-env": "", "web/requirements.txt": "a\n"},
            [".warpdrive/action_hooks/build-env", ".warpdrive/home", "web/requirements.txt"],
        ),
    ],
)
def test_inputs(tree: Tree, files: dict[str, str], found: list[str]) -> None:
    """Nothing that every change of the source would change."""
    source = tree(files)
    home = source / "web" if (source / "web").is_dir() else source
    settings = resolve(environ={}, project={}, project_origin="", warn=lambda _: None)
    dependencies = formats.look(source, home, settings)
    assert inputs.paths(source, dependencies.pinned if dependencies else None) == found
