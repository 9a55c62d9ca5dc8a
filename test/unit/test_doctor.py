"""`taxiway doctor`: what findings a machine and a project give."""

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from trees import Tree

from taxiway import hooks
from taxiway.cli import taxiway
from taxiway.doctor import MISSING, OK, WRONG, Finding, checks, machine, project
from taxiway.doctor.checks import check, failing, trouble
from taxiway.doctor.machine import Answer, Engine, Machine
from taxiway.errors import ProblemsFoundError

YES, NO = Answer(works=True, text=""), Answer(works=False, text="")
INFO = {
    "host": {"ociRuntime": {"name": "crun"}, "networkBackend": "netavark", "cgroupVersion": "v2"},
    "store": {"graphDriverName": "overlay"},
}
PODMAN = Engine(name="podman", info=INFO, answer=YES, runs=YES)
DOCKER = Engine(name="docker", info={}, answer=YES, runs=None)
WELL = Machine(
    user="ann",
    uid=1000,
    has_sub_ids=True,
    programs={name: f"/usr/bin/{name}" for name in ("apt-get", "podman", "git", "gcc", "apxs", "uv", "s2i", "python3.13")},
    engines=(PODMAN,),
    python="3.12",
    has_headers=True,
    has_venv=True,
    index="https://pypi.org/simple/",
    reached=Answer(works=True, text="HTTP status 200, certificate by A"),
    authorities=(),
    proxies={},
    free_bytes={"/tmp": 9_000_000_000},
    wheelhouse=False,
)


def without(*programs: str) -> dict[str, Any]:
    return {"programs": {name: path for name, path in WELL.programs.items() if name not in programs}}


def test_a_machine_that_has_all() -> None:
    found = check(WELL)
    assert {finding.state for finding in found} == {OK}
    assert {finding.area for finding in found} == set(checks.AREAS) - {"project"}
    texts = [finding.text for finding in found]
    assert "Python 3.12, and on PATH 3.13" in texts
    assert "podman runs containers (crun, netavark, cgroups v2, overlay)" in texts


@pytest.mark.parametrize(
    ("changes", "area", "text", "fix"),
    [
        ({"has_venv": False}, "local", "this Python can't make", "sudo apt-get update && sudo apt-get install python3-venv"),
        (without("git"), "local", "git, for requirements", "sudo apt-get update && sudo apt-get install git"),
        (without("uv"), "dependencies", "uv; without it pip", "pip install 'taxiway[lock]'"),
        (without("gcc"), "compile", "no C compiler", "sudo apt-get update && sudo apt-get install build-essential"),
        (
            {"has_headers": False},
            "compile",
            "no headers of Python 3.12",
            "sudo apt-get update && sudo apt-get install python3-dev",
        ),
        (without("apxs"), "mod_wsgi", "Apache's apxs", "sudo apt-get update && sudo apt-get install apache2-dev"),
        (without("s2i"), "s2i", "no s2i", "make s2i in a checkout of taxiway, or from the releases of openshift/source-to-image"),
        ({"engines": ()}, "image", "no container engine", "sudo apt-get update && sudo apt-get install podman uidmap"),
        (
            {"engines": (replace(PODMAN, info={"store": {"graphDriverName": "vfs"}}),)},
            "image",
            "podman's storage driver is vfs",
            "sudo apt-get update && sudo apt-get install fuse-overlayfs",
        ),
        (
            {"has_sub_ids": False},
            "image",
            "ann has no range of user IDs for containers (subuid(5))",
            "sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 ann && podman system migrate",
        ),
    ],
)
def test_what_is_missing(*, changes: dict[str, Any], area: str, text: str, fix: str) -> None:
    """It is told, with the command that adds it; only who asks for it fails."""
    [finding] = [finding for finding in check(replace(WELL, **changes)) if finding.state != OK]
    assert (finding.area, finding.state, finding.fix) == (area, MISSING, fix)
    assert finding.text.startswith(text)
    assert failing([finding], ()) == []
    assert failing([finding], (area,)) == [finding]


@pytest.mark.parametrize(
    ("changes", "area", "text", "fix"),
    [
        (
            {"engines": (replace(PODMAN, answer=Answer(works=False, text="no subuid ranges found for user"), runs=None),)},
            "image",
            "podman is installed, but doesn't answer: this user has no range of user IDs for containers (subuid(5))",
            "sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 ann && podman system migrate",
        ),
        (
            {"engines": (replace(PODMAN, runs=Answer(works=False, text="error setting rlimit type 7"), prepared=YES),)},
            "image",
            "podman can't run a container: this root may not raise limits (no CAP_SYS_RESOURCE)",
            "set -a; . ~/.cache/taxiway/engine.env; set +a   (what scripts/engine.sh found out; with it, it works)",
        ),
        (
            {"reached": Answer(works=False, text="[SSL: CERTIFICATE_VERIFY_FAILED] self-signed certificate")},
            "network",
            "package index https://pypi.org/simple/: [SSL: CERTIFICATE_VERIFY_FAILED] self-signed certificate",
            "SSL_CERT_FILE=/path/to/your/ca.pem: something on the way signs with an authority that isn't known here",
        ),
        (
            {"reached": Answer(works=False, text="timed out")},
            "network",
            "package index https://pypi.org/simple/: timed out",
            "PIP_INDEX_URL names another index; HTTPS_PROXY a proxy. Builds without a network: taxiway wheels",
        ),
        (
            {"free_bytes": {"/": 1_200_000_000}},
            "disk",
            "1.2 GB free in /; builds and images want 3 GB",
            "podman system prune",
        ),
    ],
)
def test_what_is_wrong(*, changes: dict[str, Any], area: str, text: str, fix: str) -> None:
    found = [finding for finding in check(replace(WELL, **changes)) if finding.state != OK]
    assert found == [Finding(area, WRONG, text, fix)]
    assert failing(found, ()) == found


def test_one_engine_that_works_is_enough() -> None:
    asleep = replace(
        DOCKER, answer=Answer(works=False, text="Cannot connect to the Docker daemon at unix:///var/run/docker.sock.")
    )
    found = check(replace(WELL, engines=(PODMAN, asleep)))
    assert failing(found, ()) == []
    assert ("docker is installed, but doesn't answer: Docker's service isn't running", "sudo systemctl start docker") in [
        (finding.text, finding.fix) for finding in found if finding.state == MISSING
    ]
    assert [finding.text for finding in failing(check(replace(WELL, engines=(asleep,))), ())] == [
        "docker is installed, but doesn't answer: Docker's service isn't running"
    ]


@pytest.mark.parametrize(
    ("said", "reason", "fix"),
    [
        ("runc: error setting rlimits for ready process: operation not permitted", "this root may not raise", "default_ulimits"),
        ('exec: "newuidmap": executable file not found in $PATH', "there is no newuidmap", "apt-get install uidmap"),
        (
            "permission denied while trying to connect to unix:///var/run/docker.sock",
            "this user may not talk",
            "usermod --append",
        ),
        ("crun: unknown version specified", "control groups are version 1", 'install runc, and runtime = "runc"'),
        ('default OCI runtime "crun" not found: invalid argument', "the OCI runtime is missing", "install crun"),
        ('could not find "pasta", the network namespace', "networks for users", "install passt slirp4netns"),
        ("netavark: iptables: No such file", "the network's programs", "install netavark"),
        ("write /var/lib: no space left on device", "the disk is full", "podman system prune"),
        ("something else\nat last", "at last", ""),
        ("", "it says nothing", ""),
    ],
)
def test_what_engines_say(said: str, reason: str, fix: str) -> None:
    found, command = trouble(said, WELL)
    assert found.startswith(reason)
    assert fix in command
    assert "package:" not in command


@pytest.mark.parametrize(
    ("manager", "uid", "command"),
    [
        ("apt-get", 0, "apt-get update && apt-get install git"),
        ("apt-get", 1000, "sudo apt-get update && sudo apt-get install git"),
        ("dnf", 1000, "sudo dnf install git"),
        ("brew", 1000, "brew install git"),
        ("apk", 0, ""),
    ],
)
def test_the_package_manager_that_is_here(manager: str, uid: int, command: str) -> None:
    assert checks.install("git", replace(WELL, uid=uid, programs={manager: "/x"})) == command


def test_proxies_and_authorities_are_told() -> None:
    found = check(replace(WELL, proxies={"HTTPS_PROXY": "http://proxy:3128"}, authorities=("SSL_CERT_FILE=/ca.pem",)))
    assert [finding.text for finding in found if finding.area == "network"][:2] == [
        "proxies: HTTPS_PROXY=http://proxy:3128",
        "certificate authorities: SSL_CERT_FILE=/ca.pem",
    ]


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://ann:secret@index.example.com/simple", "https://index.example.com/simple"),
        ("https://index.example.com/simple", "https://index.example.com/simple"),
        ("ann:secret@proxy:3128", "proxy:3128"),
        (".example.com,10.0.0.0/8", ".example.com,10.0.0.0/8"),
    ],
)
def test_passwords_are_not_told(url: str, shown: str) -> None:
    assert machine.without_password(url) == shown


@pytest.mark.parametrize(
    ("table", "expected"), [("", False), ("ann:1:2\n", True), ("bob:1:2\n1000:5:6", True), ("annie:1:2", False)]
)
def test_sub_ids(table: str, *, expected: bool) -> None:
    assert machine.has_sub_ids(table, "ann", 1000) is expected


def test_what_the_script_stored(tmp_path: Path) -> None:
    (tmp_path / "taxiway").mkdir()
    (tmp_path / "taxiway/engine.env").write_text("ENGINE=podman\nCONTAINERS_CONF=/x/containers.conf\nCA_BUNDLE=/y\n")
    assert machine.stored_engine({"XDG_CACHE_HOME": str(tmp_path)}) == {"CONTAINERS_CONF": "/x/containers.conf"}
    assert machine.stored_engine({"TAXIWAY_CACHE": str(tmp_path)}) == {}


LOCKED = f"flask==3 --hash=sha256:{'0' * 64}\n"
PROJECTS: list[tuple[dict[str, str], list[tuple[str, str]]]] = [
    ({"app.py": "app = Flask('x')\n"}, [(MISSING, "no requirements: nothing is installed but a server")]),
    (
        {"app.py": "app = Flask('x')\n", "requirements.txt": "flask\n"},
        [(MISSING, "requirements.txt isn't locked: 1 without a version")],
    ),
    (
        {"app.py": "app = Flask('x')\n", "requirements.txt": "flask==3\n"},
        [(MISSING, "requirements.txt isn't locked: without hashes")],
    ),
    ({"app.py": "app = Flask('x')\n", "requirements.txt": LOCKED}, []),
    ({"README.md": "x", "totals.py": ""}, [(WRONG, "Couldn't work out how to start the application. [no-entry-point]")]),
    (
        {"app.py": "app = Flask('x')\n", "taxiway.toml": "prot = 1\n", "requirements.txt": LOCKED},
        [(WRONG, "Unknown settings in taxiway.toml: prot (did you mean port?) [unknown-setting]")],
    ),
    (
        {"app.py": "app = Flask('x')\n", "Pipfile": "[packages]\nflask = '*'\n"},
        [(WRONG, "There is Pipfile, but no Pipfile.lock: what would be installed isn't decided. [no-lock]")],
    ),
    (
        {"app.py": "app = Flask('x')\n", "requirements.txt": LOCKED, ".taxiway/hooks/build": "#!/bin/sh\n"},
        [(WRONG, "The hook .taxiway/hooks/build isn't executable, so it would be skipped. [hook-not-executable]")],
    ),
    (
        {
            "app.py": "app = Flask('x')\n",
            "requirements.txt": LOCKED,
            "pyproject.toml": "[project]\nname='a'\nversion='1'\nrequires-python='>=4'\n",
        },
        [
            (MISSING, "requires-python >=4: Python HERE here doesn't fit"),
            (MISSING, "requires-python >=4: Python 3.13 in the builder image doesn't fit"),
        ],
    ),
]


@pytest.mark.parametrize(("files", "expected"), PROJECTS)
def test_projects(tree: Tree, files: dict[str, str], expected: list[tuple[str, str]]) -> None:
    found = [finding for finding in project.check(tree(files), {}) if finding.state != OK]
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert [(finding.state, finding.text.replace(f"Python {here} here", "Python HERE here")) for finding in found] == expected


def test_hooks_are_known() -> None:
    page = (Path(__file__).parents[2] / "docs/hooks.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in page for name in hooks.NAMES)


@pytest.mark.parametrize(
    ("words", "is_well"), [((), True), (("--for", "image"), False), (("--for", "local"), True), (("--for", "nothing"), None)]
)
def test_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, words: tuple[str, ...], *, is_well: bool | None) -> None:
    monkeypatch.setattr(machine, "look", lambda *_, **__: replace(WELL, engines=()))
    result = CliRunner().invoke(taxiway, ["doctor", *words, str(tmp_path)])
    assert result.exit_code == {True: 0, False: 1, None: 2}[is_well]
    if is_well is None:
        return
    assert "  missing  no container engine: neither podman nor docker\n           sudo apt-get update && " in result.stdout
    assert isinstance(result.exception, ProblemsFoundError) is not is_well
    rows = json.loads(CliRunner().invoke(taxiway, ["doctor", "--json", str(tmp_path)]).stdout)
    assert rows[0] == {"area": "local", "state": "ok", "text": "Python 3.12, and on PATH 3.13", "fix": ""}
