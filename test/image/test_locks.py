"""Locks of all formats, as their own tools wrote them, and what is done to them: nothing that wasn't locked gets installed.

A package index of this machine serves wheels that the tests build, to whoever has its password; the locks get their hashes. One
container for a lock carries out all attacks on it, one assemble after the other, and at last the build that has to succeed.
"""

import base64
import hashlib
import os
import re
import shutil
import sys
import sysconfig
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import harness
import pytest
from harness import BUILDER, podman
from package_index import PackageIndex

LOCKS = harness.ROOT / "test" / "locks"
PASSWORD = "s3cret-for-the-index"
# Directory, lock, manifest; whether development dependencies are in the lock, so that they have to be left out.
FORMATS = {
    "pip-tools": (LOCKS / "pip-tools", "requirements.txt", "requirements.in", False),
    "pylock-pdm": (LOCKS / "pylock-pdm", "pylock.toml", "pyproject.toml", True),
    "uv": (harness.APPS / "lock-uv", "uv.lock", "pyproject.toml", True),
    "poetry": (LOCKS / "poetry", "poetry.lock", "pyproject.toml", True),
    "poetry-1": (LOCKS / "poetry-1", "poetry.lock", "pyproject.toml", True),
    "pdm": (LOCKS / "pdm", "pdm.lock", "pyproject.toml", True),
    "pipenv": (LOCKS / "pipenv", "Pipfile.lock", "Pipfile", True),
}
# What is locked: name, version and tag of the wheel, what it needs.
PACKAGES = {
    "bottle": ("0.13.4", "py2.py3-none-any", ()),
    "python_dateutil": ("2.9.0.post0", "py2.py3-none-any", ("six>=1.5",)),
    "six": ("1.17.0", "py2.py3-none-any", ()),
    "iniconfig": ("2.3.1", "py3-none-any", ()),
}
REAL = {  # hashes of the wheels of these names and versions that everybody else gets
    "bottle": "045684fbd2764eac9cdeb824861d1551d113e8b683d8d26e296898d3dd99a12e",
    "python_dateutil": "a8b2bc7bffae282281c8140a97d3aa9c14da0b136dfe83f850eea9a5f7470427",
    "six": "4721f391ed90541fddacab5acf947aa0d3dc7d27b2e1e8eda2be8970586c3274",
    "iniconfig": "9121e2c1fdb355232495be3194c8dfe87ccc2d5dee45947b78e68f499790d7a7",
}
APPLICATION = 'def application(environ, start_response):\n    start_response("200 OK", [])\n    return [b"locked"]\n'
# Each case is a directory below /in. The index is reached over the host's network.
SCRIPT = """
for case in $CASES; do
  rm -rf /tmp/src && cp -r "/in/$case" /tmp/src && rm -rf /opt/app-root/src/*
  echo "=== $case"
  (set -a; . "/in/$case.variables"; /usr/libexec/s2i/assemble; echo "STATUS $?") 2>&1
  ls /opt/app-root/lib/python3*/site-packages | sed 's/^/HAS /'
done
"""


@dataclass(frozen=True)
class Attempt:
    """What came of one assemble."""

    status: int
    log: str
    installed: frozenset[str]


def make_wheel(target: Path, name: str, module: str = "") -> Path:
    """Write a wheel of one module, with what it needs."""
    version, tag, requires = PACKAGES[name]
    info = f"{name}-{version}.dist-info"
    metadata = "".join(f"Requires-Dist: {line}\n" for line in requires)
    files = {
        f"{name}.py": module or f'"""Stands for {name}."""\n',
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{metadata}",
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: {tag}\n",
    }
    rows = [f"{path},sha256={digest(text)},{len(text)}" for path, text in files.items()]
    files[f"{info}/RECORD"] = "\n".join([*rows, f"{info}/RECORD,,", ""])
    wheel = target / f"{name}-{version}-{tag}.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_STORED) as archive:
        for path, text in files.items():
            archive.writestr(zipfile.ZipInfo(path), text)
    return wheel


def digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")


def sha256(wheel: Path) -> str:
    return hashlib.sha256(wheel.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    directory = tmp_path_factory.mktemp("wheels")
    return {name: make_wheel(directory, name) for name in PACKAGES}


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory, wheels: Mapping[str, Path]) -> Mapping[str, Path]:
    """The same wheels, one byte of six's changed."""
    directory = tmp_path_factory.mktemp("attacked")
    changed = {name: Path(shutil.copy(wheel, directory)) for name, wheel in wheels.items()}
    make_wheel(directory, "six", '"""stands for six."""\n')  # an archive without a fault
    return changed


@pytest.fixture(scope="module")
def damaged(tmp_path_factory: pytest.TempPathFactory, wheels: Mapping[str, Path]) -> Path:
    """The same wheels, one byte of six's changed, and nothing of its checksums."""
    directory = tmp_path_factory.mktemp("damaged")
    for name, wheel in wheels.items():
        content = wheel.read_bytes()
        (directory / wheel.name).write_bytes(content.replace(b"Stands for six", b"stands for six") if name == "six" else content)
    return directory


@pytest.fixture(scope="module")
def indexes(wheels: Mapping[str, Path], attacked: Mapping[str, Path], damaged: Path) -> Iterator[Mapping[str, str]]:
    """URLs with user name and password."""
    good, bad = wheels["six"].parent, attacked["six"].parent
    with ExitStack() as stack:
        yield {
            name: with_password(stack.enter_context(PackageIndex(directory, "127.0.0.1", [PASSWORD]).serving()))
            for name, directory in {"good": good, "attacked": bad, "damaged": damaged}.items()
        }


def with_password(index: PackageIndex) -> str:
    return index.url.replace("://", f"://someone:{PASSWORD}@")


def relocked(text: str, wheels: Mapping[str, Path]) -> str:
    """Put the hashes of the test's wheels into a real lock, in place of those of the real wheels."""
    for name, wheel in wheels.items():
        text = text.replace(REAL[name], sha256(wheel))
    return text


def without_hashes(text: str, wheel: Path, lock: str) -> str:
    """Take all hashes of a package away, and leave the lock readable."""
    lines = text.splitlines(keepends=True)
    start = next(n for n, line in enumerate(lines) if re.match(r'six==|name = "six"|        "six": ', line))
    ends = r"\[|[a-z][\w-]*==|        \},?$|\s*$"
    end = next((n for n, line in enumerate(lines[start + 1 :], start + 1) if re.match(ends, line)), len(lines))
    block = "".join(lines[start:end])
    if lock == "requirements.txt":
        block = "six==1.17.0\n    # via python-dateutil\n"
    else:
        block = re.sub(r'hash = "sha256:[0-9a-f]{64}", (?=size)|, ?hash = "sha256:[0-9a-f]{64}"', "", block)
        block = re.sub(r'"hashes": \[.*?\],', '"hashes": [],', block, flags=re.DOTALL)
        block = re.sub(r'hashes = \{ ?sha256 = "[0-9a-f]{64}" ?\}', "hashes = {}", block)
    assert sha256(wheel) not in block
    return "".join((*lines[:start], block, *lines[end:]))


def without_six(text: str, lock: str) -> str:
    """Take a package out of the lock altogether."""
    lines = text.splitlines(keepends=True)
    start = next(n for n, line in enumerate(lines) if re.match(r'six==|name = "six"', line))
    if lock != "requirements.txt":
        start -= 1  # [[package]]
    end = next(
        (
            n
            for n, line in enumerate(lines[start + 1 :], start + 1)
            if re.match(r"\[\[|\[(extras|metadata)\]|[a-z][\w-]*==", line)
        ),
        len(lines),
    )
    return "".join((*lines[:start], *lines[end:]))


@pytest.fixture(scope="module")
def attempts(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    wheels: Mapping[str, Path],
    indexes: Mapping[str, str],
) -> dict[str, Attempt]:
    """Carry out all attacks on the lock of one format."""
    directory, lock, manifest, _ = FORMATS[request.param]
    text, wanted = relocked((directory / lock).read_text(), wheels), (directory / manifest).read_text()
    top = tmp_path_factory.mktemp(request.param)
    top.chmod(0o755)  # for the container's user

    def write(case: str, lock_text: str, manifest_text: str = wanted, index: str = "good", **variables: str) -> None:
        (top / case).mkdir()
        (top / case / lock).write_text(lock_text)
        (top / case / manifest).write_text(manifest_text)
        (top / case / "wsgi.py").write_text(APPLICATION)
        variables["PIP_INDEX_URL"] = indexes[index]
        (top / f"{case}.variables").write_text("".join(f"{name}={value}\n" for name, value in variables.items()))

    newer = re.sub(r'(bottle(?: = ")?>=)0\.13', r"\g<1>0.14", wanted)
    assert newer != wanted
    write("byte", text, index="attacked")
    write("byte-pip", text, index="attacked", TAXIWAY_INSTALLER="pip")
    write("damaged", text, index="damaged")
    write("no-hash", without_hashes(text, wheels["six"], lock))
    write("outdated", text, newer)
    if request.param in {"pip-tools", "poetry"}:
        write("incomplete", without_six(text, lock))
    write("good", text)
    cases = ["byte", *["byte-pip", "damaged"] * (request.param == "uv"), "no-hash", "outdated"]
    cases += ["incomplete"] * (top / "incomplete").exists() + ["good"]
    options = ["--rm", "--network=host", f"--volume={top}:/in:ro", f"--env=CASES={' '.join(cases)}", *harness.certificates()]
    log = podman("run", *options, BUILDER, "bash", "-c", SCRIPT).text
    found = {}
    for part in log.split("=== ")[1:]:
        case, _, rest = part.partition("\n")
        status = re.search(r"^STATUS (\d+)$", rest, re.MULTILINE)
        assert status, rest
        installed = frozenset(re.findall(r"^HAS (\S+)\.dist-info$", rest, re.MULTILINE))
        found[case] = Attempt(int(status[1]), rest.partition("\nHAS ")[0], installed)
    return found


each_format = pytest.mark.parametrize("attempts", FORMATS, indirect=True)
NAMED = r"six==1\.17\.0 \((requirements\.txt|pylock\.toml|uv\.lock|poetry\.lock|pdm\.lock|Pipfile\.lock) line \d+\)"


@each_format
def test_the_lock_alone_decides(attempts: dict[str, Attempt]) -> None:
    """Without an attack: what is locked for production is installed, and nothing for development."""
    good = attempts["good"]
    assert good.status == 0, good.log
    assert good.installed - {name for name in good.installed if name.startswith("mod_wsgi")} == {
        "bottle-0.13.4",
        "python_dateutil-2.9.0.post0",
        "six-1.17.0",
    }
    assert PASSWORD not in good.log


@each_format
def test_one_byte_of_a_wheel_changed(
    attempts: dict[str, Attempt], wheels: Mapping[str, Path], attacked: Mapping[str, Path]
) -> None:
    """A dependency of a dependency: package, file, line, the hash that was found and the one that was expected."""
    for case in sorted(attempts.keys() & {"byte", "byte-pip"}):
        attempt = attempts[case]
        assert attempt.status == 4, attempt.log
        found, expected = sha256(attacked["six"]), sha256(wheels["six"])
        assert re.search(rf"{NAMED}: found sha256:{found}, expected .*sha256:{expected}", attempt.log), attempt.log
        assert attempt.log.rstrip().endswith("[dependencies-failed]\nSTATUS 4")
        assert not {name for name in attempt.installed if name.startswith("six")}


@pytest.mark.parametrize("attempts", ["uv"], indirect=True)
def test_archive_that_is_damaged_too(attempts: dict[str, Attempt], wheels: Mapping[str, Path]) -> None:
    """Uv sees the archive's own checksum before the hash."""
    attempt = attempts["damaged"]
    assert attempt.status == 4, attempt.log
    assert re.search(rf"{NAMED}: found a file that can't be unpacked \(.*\), expected .*{sha256(wheels['six'])}", attempt.log), (
        attempt.log
    )


@each_format
def test_hash_that_is_missing(attempts: dict[str, Attempt]) -> None:
    attempt = attempts["no-hash"]
    assert attempt.status == 4, attempt.log
    assert re.search(rf"expected at least one for each package, found none for:\n  {NAMED}\n", attempt.log), attempt.log
    assert "Installing the dependencies" not in attempt.log, "it is refused before anything is asked of an index"


@each_format
def test_lock_out_of_date(attempts: dict[str, Attempt]) -> None:
    attempt = attempts["outdated"]
    assert attempt.status == 4, attempt.log
    assert "[lock-outdated]" in attempt.log, attempt.log
    assert re.search(
        r"bottle ?>=0\.14 \([\w.]+ line \d+\) (excludes bottle 0\.13\.4 \([\w.]+ line \d+\)|isn't in uv\.lock)", attempt.log
    )
    assert "Lock again, and commit the result: " in attempt.log


@pytest.mark.parametrize("attempts", ["pip-tools", "poetry"], indirect=True)
def test_dependency_that_is_not_in_the_lock(attempts: dict[str, Attempt]) -> None:
    """Nothing is resolved, so nothing is added: what is missing is named with who needs it."""
    attempt = attempts["incomplete"]
    assert attempt.status == 4, attempt.log
    assert re.search(
        r"isn't complete; it lacks:\n  six>=1\.5, which python-dateutil 2\.9\.0\.post0 \([\w.]+ line \d+\) needs\n", attempt.log
    ), attempt.log


def test_lock_without_credentials(tmp_path: Path, indexes: Mapping[str, str]) -> None:
    """With an index whose URL has a password, `taxiway lock` in the builder image leaves it in no lock and no log."""
    (app := tmp_path / "app").mkdir()
    (given := tmp_path / "credentials").mkdir()
    (given / "pip.conf").write_text(f"[global]\nindex-url = {indexes['good']}\n")
    # What pip-compile alone writes of this: the URL with the password, as --index-url.
    (app / "requirements.in").write_text(f"--index-url {indexes['good']}\npython-dateutil\n")
    locking = "taxiway lock && taxiway lock --format pylock && taxiway lock --check"
    script = (
        f"cd /app && PIP_INDEX_URL={indexes['good']} && export PIP_INDEX_URL && {locking} && unset PIP_INDEX_URL && "
        # From the directory of credentials alone.
        f"echo python-dateutil >requirements.in && rm *.txt *.toml && {locking} && echo bottle >>requirements.in"
    )
    options = ["--rm", "--network=host", f"--volume={app}:/app", f"--volume={given}:/etc/taxiway/credentials:ro", "--user=0"]
    log = podman("run", *options, BUILDER, "bash", "-c", f"({script}; taxiway lock --check; echo STATUS $?) 2>&1").text
    requirements, pylock = (app / "requirements.txt").read_text(), (app / "pylock.toml").read_text()
    assert re.findall(r"^[a-z][\w-]*==\S+", requirements, re.MULTILINE) == ["python-dateutil==2.9.0.post0", "six==1.17.0"]
    assert requirements.count("--hash=sha256:") == 2
    assert "created-by" in pylock
    assert pylock.count("sha256") == 2
    assert PASSWORD not in requirements + pylock + log
    assert log.count("requirements.txt is what taxiway lock would write") == 2
    assert "stays in the image" not in log
    assert "would change: bottle==0.13.4 added" in log
    assert log.endswith("[lock-outdated]\nSTATUS 4\n")


def test_lock_for_another_python(tmp_path: Path, indexes: Mapping[str, str]) -> None:
    """In the builder image, by the interpreter of these tests, which is mounted there: markers and wheels are that one's."""
    other = f"{sys.version_info.major}.{sys.version_info.minor}"
    own = harness.image_config(BUILDER)["Env"]
    if f"PYTHON_VERSION={other}" in own:
        pytest.skip(f"the tests run by Python {other}, which is the image's own")
    (app := tmp_path / "app").mkdir()
    (app / "requirements.in").write_text(f"bottle\nsix; python_version == '{other}'\niniconfig; python_version != '{other}'\n")
    library = sysconfig.get_path("stdlib")
    program = Path(sys.base_prefix, "bin", f"python{other}")
    # A linked interpreter finds its library where it was; what else it loads is in every Debian.
    mounts = [f"--volume={place}:{place}:ro" for place in (library, os.path.realpath(program))]
    shared = Path(sys.base_prefix, "lib", f"libpython{other}.so.1.0")
    mounts += [f"--volume={shared}:{shared}:ro"] * (shared.exists() and bool(sysconfig.get_config_var("Py_ENABLE_SHARED")))
    script = f"""
        ln -s {os.path.realpath(program)} /usr/local/bin/python{other}
        cd /app; taxiway lock --python {other}; cp requirements.txt other.txt; rm requirements.txt
        taxiway lock; taxiway lock --python 2.7 || echo STATUS $?
    """
    options = ["--rm", "--user=0", "--network=host", f"--volume={app}:/app", f"--env=PIP_INDEX_URL={indexes['good']}"]
    log = podman("run", *options, *mounts, BUILDER, "bash", "-euc", f"({script}) 2>&1").text
    for file, names in (("other.txt", ["bottle", "six"]), ("requirements.txt", ["bottle", "iniconfig"])):
        assert re.findall(r"^([a-z]+)==", (app / file).read_text(), re.MULTILINE) == names
    assert f"for Python {other} from requirements.in" in (app / "other.txt").read_text()
    assert "Couldn't find Python 2.7 here" in log
    assert log.endswith("[no-python]\nSTATUS 4\n")


PROJECT = """[build-system]
requires = ["{backend}"]
build-backend = "{module}"

[project]
name = "night-flight"
version = "1.2"
dependencies = []

[project.scripts]
night-flight = "night_flight:main"
"""
PACKAGE = """from pathlib import Path

HERE = Path(__file__).parent


def application(environ, start_response):
    start_response("200 OK", [])
    return [(HERE / "templates" / "page.html").read_bytes()]


def main():
    print(HERE)
"""


# Build back ends that the builder image has: what requires them, which object is theirs, where their package lies; the installer.
BACK_ENDS = {
    "setuptools": ("setuptools>=61", "setuptools.build_meta", "src", "uv"),
    "hatchling": ("hatchling", "hatchling.build", ".", "uv"),
    "flit": ("flit_core>=3.4,<5", "flit_core.buildapi", ".", "uv"),
    "pdm": ("pdm-backend", "pdm.backend", "src", "uv"),
    "poetry": ("poetry-core>=2,<3", "poetry.core.masonry.api", "src", "uv"),
    "uv": ("uv_build>=0.8", "uv_build", "src", "uv"),
    "uv-pip": ("uv_build>=0.8", "uv_build", "src", "pip"),
}
IN_PLACE = """
for case in $CASES; do
  rm -rf /tmp/src /opt/app-root/src/* && cp -r "/in/$case" /tmp/src
  echo "=== $case"
  (. "/in/$case.variables"; /usr/libexec/s2i/assemble) && (cd / && echo PLACE $(night-flight) &&
  echo ANSWER $(python -c 'import night_flight as n; print(n.application({}, lambda *_: None))') &&
  grep -rl --include=direct_url.json -e file: /opt/app-root/lib; find /opt/app-root -name page.html; taxiway verify --files)
done
"""


def test_project_is_installed_in_place(tmp_path: Path) -> None:
    """By each back end, without a network: its console script is there, its templates too, once; no path of the build is left."""
    tmp_path.chmod(0o755)
    for case, (backend, module, layout, tool) in BACK_ENDS.items():
        top = tmp_path / case
        (package := top / layout / "night_flight").mkdir(parents=True)
        (package / "templates").mkdir()
        (package / "templates" / "page.html").write_text("a page")
        (package / "__init__.py").write_text(f'"""By {case}."""\n{PACKAGE}')
        description = 'description = "A project"\n' if case == "flit" else ""
        text = PROJECT.format(backend=backend, module=module).replace('version = "1.2"\n', f'version = "1.2"\n{description}')
        (top / "pyproject.toml").write_text(text)
        (top / "wsgi.py").write_text("from night_flight import application\n")
        (tmp_path / f"{case}.variables").write_text(f"export TAXIWAY_INSTALLER={tool} TAXIWAY_STRICT=1\n")
    options = ["--rm", "--network=none", f"--volume={tmp_path}:/in:ro", f"--env=CASES={' '.join(BACK_ENDS)}"]
    log = podman("run", *options, BUILDER, "bash", "-c", f"({IN_PLACE}) 2>&1").text
    attempts = dict(part.split("\n", 1) for part in log.split("=== ")[1:])
    assert list(attempts) == list(BACK_ENDS)
    for case, attempt in attempts.items():
        place = "/".join(filter(lambda part: part != ".", ["/opt/app-root/src", BACK_ENDS[case][2], "night_flight"]))
        assert "installs the project itself, in place (pyproject.toml)" in attempt, attempt
        assert f"PLACE {place}\nANSWER [b'a page']\n{place}/templates/page.html\n" in attempt, attempt
        assert "have the files that were installed" in attempt, attempt
    assert "warning:" not in log
