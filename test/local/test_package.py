"""taxiway itself as a package: what sdist and wheel have, and that it can be installed and used by each Python that is here."""

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DATA = (
    "taxiway/_runtime/taxiway_runtime/graceful.sh",
    "taxiway/_runtime/taxiway_runtime/wsgi.py",
    "taxiway/_requirements/servers.txt",
    "taxiway/_requirements/backends.txt",
    "taxiway/_docs/errors.md",
    "taxiway/local/shells.py",
)


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sdist, and a wheel made from it."""
    directory = tmp_path_factory.mktemp("dist")
    hatch = [sys.executable, "-m", "hatchling", "build", "--directory", str(directory)]
    subprocess.run([*hatch, "--target", "sdist"], cwd=ROOT, check=True, capture_output=True)
    with tarfile.open(next(directory.glob("*.tar.gz"))) as archive:
        archive.extractall(directory, filter="data")
    (source,) = (path for path in directory.iterdir() if path.is_dir())
    subprocess.run([*hatch, "--target", "wheel"], cwd=source, check=True, capture_output=True)
    return directory


def test_wheel_is_complete(packages: Path) -> None:
    names = set(zipfile.ZipFile(next(packages.glob("*.whl"))).namelist())
    assert set(DATA) <= names
    modules = {str(path.relative_to(ROOT / "src")) for path in (ROOT / "src/taxiway").rglob("*.py")}
    runtime = {f"taxiway/_runtime/{path.relative_to(ROOT / 'src')}" for path in (ROOT / "src/taxiway_runtime").rglob("*.*")}
    missing = {name for name in modules | runtime if "__pycache__" not in name} - names
    assert missing == set()


def pythons() -> list[str]:
    """The running Python, and of each other minor version one, as pyenv has it."""
    found = {f"{sys.version_info.major}.{sys.version_info.minor}": sys.executable}
    versions = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv", "versions")
    for minor in range(11, 15):
        for path in sorted(versions.glob(f"3.{minor}.*/bin/python3")):
            found.setdefault(f"3.{minor}", str(path))
    return list(found.values())


@pytest.mark.parametrize("python", pythons())
def test_installed_by_uv(python: str, packages: Path, tmp_path: Path) -> None:
    """As `uv tool install` and `pipx install` do it; what it says and does then doesn't need the checkout."""
    uv = Path(sys.executable).with_name("uv")
    env = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("TAXIWAY_", "PYTHON"))},
        "UV_TOOL_DIR": str(tmp_path / "tools"),
        "UV_TOOL_BIN_DIR": str(tmp_path / "bin"),
        "UV_SYSTEM_CERTS": "1",
        "XDG_DATA_HOME": str(tmp_path / "data"),
        "APP_ROOT": "",
    }

    def run(*argv: str) -> str:
        done = subprocess.run(argv, cwd=tmp_path / "app", env=env, capture_output=True, check=False, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    shutil.copytree(ROOT / "test/apps/plain-wsgi", tmp_path / "app")
    run(str(uv), "tool", "install", "--quiet", "--python", python, str(next(packages.glob("*.whl"))))
    taxiway = str(tmp_path / "bin" / "taxiway")
    assert run(taxiway, "--version").startswith("taxiway ")
    assert "no-entry-point" in run(taxiway, "explain", "no-entry-point")
    assert "Installing the server" in run(taxiway, "build")
    assert run(taxiway, "exec", "python", "-c", "import taxiway_runtime; print(taxiway_runtime.__name__)") == "taxiway_runtime\n"
    assert "gunicorn" in run(taxiway, "start", "--server", "gunicorn", "--dry-run")
