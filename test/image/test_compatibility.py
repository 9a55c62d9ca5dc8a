"""What users of other builders lean on: docs/migrating.md says what is kept, and names these tests."""

import json
from collections.abc import Iterator

import harness
import pytest
from harness import BUILDER, RUNTIME, Container, podman

WARPDRIVE = harness.APPS / "warpdrive-django"
USER = {
    "DJANGO_SUPERUSER_USERNAME": "keeper",
    "DJANGO_SUPERUSER_PASSWORD": "not-a-secret",
    "DJANGO_SUPERUSER_EMAIL": "k@example.com",
}
SCRIPT = "cp -r /case/. /tmp/src && /usr/libexec/s2i/assemble && exec /usr/libexec/s2i/run"


@pytest.fixture(scope="module")
def warpdrive() -> Iterator[Container]:
    """A running project of warpdrive's users, built in the same container."""
    mount = (f"--volume={WARPDRIVE}:/case:ro", *harness.certificates())
    with harness.container(BUILDER, *mount, command=("bash", "-c", SCRIPT), env=USER) as running:
        harness.wait_for(lambda: True if "Starting quay.wsgi" in running.logs() or not running.is_running() else None, 180)
        running.wait("/")
        yield running


def test_commands_of_warpdrive(warpdrive: Container) -> None:
    """Each becomes the project's own hook. There is one named migrate, so nothing was migrated at the start."""
    assert warpdrive.get("/users").status == 500
    assert "Superuser created" in warpdrive.execute("taxiway", "setup")
    assert json.loads(warpdrive.get("/users").body) == {"users": ["keeper"]}
    assert "No migrations to apply" in warpdrive.execute("taxiway", "migrate")
    warpdrive.execute("taxiway", "ready")
    warpdrive.execute("taxiway", "verify")
    warpdrive.execute("taxiway", "alive")


def test_server_args_of_warpdrive(warpdrive: Container) -> None:
    """--limit-request-body $LARGEST_CARGO, which .warpdrive/environment sets."""
    assert [warpdrive.post("/cargo", "x" * size, {"Content-Type": "text/plain"}).status for size in (1000, 1001)] == [200, 413]


@pytest.mark.parametrize("image", [BUILDER, RUNTIME], ids=["builder", "runtime"])
def test_image_contract_of_s2i_python(image: str) -> None:
    config = harness.image_config(image)
    variables = dict(pair.split("=", 1) for pair in config["Env"])
    places = {name: variables[name] for name in ("APP_ROOT", "VIRTUAL_ENV", "HOME", "STI_SCRIPTS_PATH", "STI_SCRIPTS_URL")}
    assert places == {
        "APP_ROOT": "/opt/app-root",
        "VIRTUAL_ENV": "/opt/app-root",
        "HOME": "/opt/app-root/src",
        "STI_SCRIPTS_PATH": "/usr/libexec/s2i",
        "STI_SCRIPTS_URL": "image:///usr/libexec/s2i",
    }
    assert {name: variables[name] for name in ("PYTHONUNBUFFERED", "PYTHONIOENCODING", "CNB_USER_ID", "CNB_GROUP_ID")} == {
        "PYTHONUNBUFFERED": "1",
        "PYTHONIOENCODING": "UTF-8",
        "CNB_USER_ID": "1001",
        "CNB_GROUP_ID": "0",
    }
    assert variables["LANG"] == variables["LC_ALL"]
    assert variables["PATH"].split(":")[:3] == ["/opt/app-root/src/.local/bin", "/opt/app-root/src/bin", "/opt/app-root/bin"]
    assert {"name", "summary", "description", "version", "io.k8s.description", "io.openshift.tags"} <= set(config["Labels"])
    script = (
        "command -v python fix-permissions cgroup-limits container-entrypoint; "
        "ls /usr/libexec/s2i; python -c 'import sys; print(*sys.version_info[:2], sep=\".\")'; id -un; id -u; id -g; "
        ". /opt/app-root/etc/generate_container_user; cgroup-limits"
    )
    lines = podman("run", "--rm", image, "bash", "-euc", script).text.split()
    assert lines[:4] == [
        "/opt/app-root/bin/python",
        *(f"/usr/bin/{n}" for n in ("fix-permissions", "cgroup-limits", "container-entrypoint")),
    ]
    assert {"assemble", "run", "usage"} <= set(lines)
    assert variables["PYTHON_VERSION"] in lines
    assert lines[lines.index("default") :][:3] == ["default", "1001", "0"]
    assert any(line.startswith("NUMBER_OF_CORES=") for line in lines)


def test_fix_permissions_lets_group_0_in() -> None:
    """As derived images call it: on their own files, and never failing on those of others."""
    script = (
        "umask 077; mkdir -p /tmp/mine/below; echo x >/tmp/mine/below/file; printf '#!/bin/sh\\n' >/tmp/mine/program; "
        "chmod 700 /tmp/mine/program; fix-permissions /tmp/mine -P; fix-permissions /etc; "
        "stat --format '%a %g %n' /tmp/mine/below /tmp/mine/below/file /tmp/mine/program"
    )
    lines = podman("run", "--rm", BUILDER, "bash", "-euc", script).text.splitlines()
    assert lines[-3:] == ["770 0 /tmp/mine/below", "660 0 /tmp/mine/below/file", "770 0 /tmp/mine/program"]


def test_no_command_of_the_shell_in_server_args() -> None:
    """Where warpdrive ran $(...) of server_args, the start is refused."""
    script = (
        "mkdir -p /tmp/src/.warpdrive; cp /case/wsgi.py /tmp/src; echo '--threads $(id -u)' >/tmp/src/.warpdrive/server_args; "
    )
    mount = f"--volume={harness.APPS / 'plain-wsgi'}:/case:ro"
    command = ("bash", "-euc", script + "/usr/libexec/s2i/assemble && exec /usr/libexec/s2i/run")
    with harness.container(BUILDER, mount, command=command) as running:
        harness.wait_for(lambda: None if running.is_running() else True, 120)
        assert running.exit_status() != 0
        assert "a command substitution would be run" in running.logs()
        assert "[bad-server-args]" in running.logs()
