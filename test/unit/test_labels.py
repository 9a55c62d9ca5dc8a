"""Labels of an application's image."""

import json
import stat
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

from taxiway import process
from taxiway.cli import image
from taxiway.image import engines, labels
from taxiway.process import Result
from taxiway.sbom import provenance
from taxiway.sbom.provenance import Source

COMMIT = "0123456789abcdef0123456789abcdef01234567"
PYPROJECT = '[project]\nname = "shop"\nversion = "1.2"\ndescription = "A shop"\nlicense = "MIT"\n'


def test_labels_of_a_project(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(PYPROJECT)
    came_from = Source(url="https://git.example.com/shop.git", commit=COMMIT, reference="main")
    base = {"base.name": "b", "base.digest": "sha256:1"}
    assert labels.labels(tmp_path, came_from, immutable=True, writable=("media", "var/data"), on_builder=False, base=base) == {
        "org.opencontainers.image.title": "shop",
        "org.opencontainers.image.description": "A shop",
        "org.opencontainers.image.version": "1.2",
        "org.opencontainers.image.licenses": "MIT",
        "org.opencontainers.image.source": "https://git.example.com/shop.git",
        "org.opencontainers.image.revision": COMMIT,
        "org.opencontainers.image.vendor": "",
        "org.opencontainers.image.base.name": "b",
        "org.opencontainers.image.base.digest": "sha256:1",
        "name": "shop",
        "summary": "A shop",
        "description": "A shop",
        "version": "1.2",
        "io.k8s.display-name": "shop",
        "io.k8s.description": "A shop",
        "io.taxiway.immutable": "true",
        "io.taxiway.writable": "/opt/app-root/src/media /opt/app-root/src/var/data",
    }


@pytest.mark.parametrize("pyproject", ["", "[project", "[tool.x]\n", 'project = "x"\n', '[project]\nlicense = {text = "x"}\n'])
def test_what_is_not_known_is_not_what_the_image_below_says(pyproject: str, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(pyproject)
    found = labels.labels(
        tmp_path, Source(url="ssh://git.example.com/team/shop.git", commit=COMMIT), immutable=False, writable=(), on_builder=False
    )
    assert found["org.opencontainers.image.title"] == "shop"
    assert found["org.opencontainers.image.version"] == COMMIT[:12]
    assert found["org.opencontainers.image.licenses"] == "NOASSERTION"
    assert (found["io.taxiway.immutable"], found["io.taxiway.writable"]) == ("false", "/opt/app-root")
    found = labels.labels(tmp_path, Source(), immutable=False, writable=("media",), on_builder=True)
    assert found["org.opencontainers.image.title"] == found["name"] == "application"
    assert found["org.opencontainers.image.source"] == found["org.opencontainers.image.revision"] == ""
    assert found["version"] == "0"
    assert found["io.taxiway.writable"] == "/opt/app-root /etc/taxiway/credentials"


def test_labels_for_s2i(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the form of s2i; what its own options say stays theirs. Group 0 can't write the file: nothing in /tmp is to be."""
    path = tmp_path / ".s2i" / "image_metadata.json"
    monkeypatch.setattr(labels, "_S2I", str(path))
    labels.write_for_s2i({"b": "2", "a": "1", "io.k8s.display-name": "shop"})
    assert json.loads(path.read_text()) == {"labels": [{"a": "1"}, {"b": "2"}]}
    assert [stat.S_IMODE(p.stat().st_mode) for p in (path.parent, path)] == [0o755, 0o644]


def test_source_is_handed_to_the_build_and_found_again(tmp_path: Path) -> None:
    came_from = Source(url="https://git.example.com/shop", commit=COMMIT, reference="main")
    variables = provenance.variables(came_from)
    assert provenance.source(tmp_path, variables) == came_from
    assert provenance.variables(Source()) == {}
    stored = tmp_path / "provenance.json"
    stored.write_text(provenance.statement(came_from=came_from, locks={}, materials={}, image={}, bill="", allowed={}))
    assert provenance.stored_source(str(stored)) == came_from
    stored.write_text("{}")
    assert provenance.stored_source(str(stored)) == provenance.stored_source(str(tmp_path / "absent")) == Source()


@pytest.mark.parametrize(("result", "commit"), [(Result(0, ""), COMMIT), (Result(0, " M app.py\n"), ""), (Result(128, "?"), "")])
def test_a_changed_source_is_not_its_commit(result: Result, commit: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "HEAD").write_text(f"{COMMIT}\n")
    monkeypatch.setattr(process, "output", lambda *_, **__: result)
    assert image._came_from(tmp_path).commit == commit  # noqa: SLF001


@pytest.mark.parametrize(
    ("engine", "status", "printed", "expected"),
    [
        ("podman", 0, "sha256:12\n", "sha256:12"),
        ("docker", 0, "localhost/x@sha256:34\n", "sha256:34"),
        ("docker", 1, "", ""),
        ("buildah", 0, "\n", ""),
    ],
)
def test_digest_of_the_base(engine: str, status: int, printed: str, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: SimpleNamespace(returncode=status, stdout=printed))
    assert engines.digest(engine, "x") == expected
