"""Packages that don't come from an index: a commit, a URL, a directory of the source; each format has words of its own."""

import pytest
from trees import Tree

from taxiway.dependencies import formats
from taxiway.dependencies.formats import pdm_lock, pipfile_lock, poetry_lock
from taxiway.settings import resolve

COMMIT = "0123456789abcdef0123456789abcdef01234567"
HASH = "sha256:" + "a" * 64
GIT = f"tool @ git+https://host/tool.git@{COMMIT}"
SUB = f"part @ git+https://host/all.git@{COMMIT}#subdirectory=part"
URL = "far @ https://host/far-1-py3-none-any.whl"
POETRY = f"""[[package]]
name = "tool"
version = "1"
groups = ["main"]
files = []
[package.source]
type = "git"
url = "https://host/tool.git"
reference = "main"
resolved_reference = "{COMMIT}"

[[package]]
name = "part"
version = "1"
groups = ["main"]
files = []
[package.source]
type = "git"
url = "https://host/all.git"
reference = "main"
resolved_reference = "{COMMIT}"
subdirectory = "part"

[[package]]
name = "far"
version = "1"
groups = ["main"]
files = [{{file = "far-1-py3-none-any.whl", hash = "{HASH}"}}]
[package.source]
type = "url"
url = "https://host/far-1-py3-none-any.whl"

[[package]]
name = "near"
version = "1"
groups = ["main"]
develop = true
files = []
[package.source]
type = "directory"
url = "libraries/near"

[[package]]
name = "own"
version = "2"
groups = ["main"]
files = [{{file = "own-2-py3-none-any.whl", hash = "{HASH}"}}]
[package.source]
type = "legacy"
url = "https://index.example/simple"
reference = "company"

[metadata]
lock-version = "2.1"
python-versions = ">=3.9"
content-hash = "{poetry_lock.content_hashes({})[0]}"
"""
PDM = f"""[metadata]
groups = ["default"]
strategy = ["inherit_metadata"]
content_hash = "sha256:{pdm_lock.content_hash({})}"

[[package]]
name = "tool"
version = "1"
git = "https://host/tool.git"
revision = "{COMMIT}"
groups = ["default"]

[[package]]
name = "part"
version = "1"
git = "https://host/all.git"
revision = "{COMMIT}"
subdirectory = "part"
groups = ["default"]

[[package]]
name = "far"
version = "1"
url = "https://host/far-1-py3-none-any.whl"
groups = ["default"]
files = [{{url = "https://host/far-1-py3-none-any.whl", hash = "{HASH}"}}]

[[package]]
name = "near"
version = "1"
path = "libraries/near"
editable = true
groups = ["default"]
"""
PIPFILE = f"""{{
    "_meta": {{"hash": {{"sha256": "{pipfile_lock.pipfile_hash({})}"}}, "sources": []}},
    "default": {{
        "tool": {{
            "git": "https://host/tool.git", "ref": "{COMMIT}"
        }},
        "part": {{
            "git": "https://host/all.git", "ref": "{COMMIT}", "subdirectory": "part"
        }},
        "far": {{
            "file": "https://host/far-1-py3-none-any.whl", "hashes": ["{HASH}"]
        }},
        "near": {{
            "path": "libraries/near", "editable": true
        }}
    }}
}}
"""
PYLOCK = f"""lock-version = "1.0"
created-by = "a test"

[[packages]]
name = "tool"
vcs = {{ type = "git", url = "https://host/tool.git", commit-id = "{COMMIT}" }}

[[packages]]
name = "part"
vcs = {{ type = "git", url = "https://host/all.git", commit-id = "{COMMIT}", subdirectory = "part" }}

[[packages]]
name = "far"
archive = {{ url = "https://host/far-1-py3-none-any.whl", hashes = {{ sha256 = "{"a" * 64}" }} }}

[[packages]]
name = "near"
directory = {{ path = "libraries/near", editable = true }}
"""


@pytest.mark.parametrize(
    ("files", "options"),
    [
        (
            {"poetry.lock": POETRY, "pyproject.toml": ""},
            ("--index-url https://pypi.org/simple", "--extra-index-url https://index.example/simple"),
        ),
        ({"pdm.lock": PDM, "pyproject.toml": ""}, ()),
        ({"Pipfile.lock": PIPFILE, "Pipfile": ""}, ()),
        ({"pylock.toml": PYLOCK}, ()),
    ],
)
def test_other_sources(tree: Tree, files: dict[str, str], options: tuple[str, ...]) -> None:
    """They are pinned, need no hash besides that of a file, and an editable directory stays one."""
    source = tree(files)
    found = formats.look(source, source, resolve(environ={}, project={}))
    assert found is not None
    pins = {pin.name: pin for pin in found.pinned.pins}
    assert [pins[name].requirement for name in ("tool", "part", "far")] == [GIT, SUB, URL]
    assert pins["far"].hashes == (HASH,)
    assert pins["near"].requirement == "-e ./libraries/near"
    assert (pins["near"].url, pins["near"].editable, pins["near"].is_local) == ("libraries/near", True, True)
    assert all(pin.is_pinned for pin in pins.values())
    text = next(iter(files.values())).splitlines()
    assert all(name in text[pin.line - 1] for name, pin in pins.items())
    assert found.pinned.options == options
