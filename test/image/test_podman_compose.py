"""`taxiway compose` with the real podman-compose: the application with PostgreSQL, and the overlay for development."""

import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import harness
import pytest
from harness import Container, Output

# Reads files as the specification has them: a key that it doesn't know is an error.
READ = """
import re, sys
from compose_spec import PyCompose
for path in sys.argv[1:]:
    with open(path) as file:
        PyCompose.from_yaml(re.sub(r"\\$\\{\\w+:-([^}]*)\\}", r"\\1", file.read()))
"""
# What the official image does with these variables, with Debian's PostgreSQL.
POSTGRESQL = """
FROM localhost/taxiway-base:{suite}
RUN apt-get update -qq \\
 && DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends postgresql \\
 && ln -s /usr/lib/postgresql/*/bin/* /usr/local/bin/ \\
 && install -d -o postgres -m 0700 /var/lib/postgresql/data
COPY start /start
USER postgres
STOPSIGNAL SIGINT
ENTRYPOINT ["sh", "/start"]
"""
START = """set -eu
cd /tmp
data=/var/lib/postgresql/data
if [ ! -f "$data/PG_VERSION" ]; then
  echo "$POSTGRES_PASSWORD" >password
  initdb --pgdata="$data" --username="$POSTGRES_USER" --auth=scram-sha-256 --pwfile=password --no-sync >/dev/null
  echo 'host all all all scram-sha-256' >>"$data/pg_hba.conf"
  echo "CREATE DATABASE $POSTGRES_DB" | postgres --single -D "$data" postgres >/dev/null
fi
exec postgres -D "$data" -c listen_addresses='*' -c unix_socket_directories=/tmp,/var/run/postgresql -c fsync=off
"""
# Podman with CNI, as on Debian 12, has no name resolution between containers.
ADDRESSES = """
services:
  web:
    extra_hosts: ["database:{subnet}.10"]
    networks: {{default: {{ipv4_address: {subnet}.11}}}}
  database:
    networks: {{default: {{ipv4_address: {subnet}.10}}}}
networks:
  default:
    ipam: {{config: [{{subnet: {subnet}.0/24}}]}}
"""


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """podman-compose, and another reader of the format, at the locked versions; beside the development environment."""
    directory = tmp_path_factory.mktemp("tools")
    locked = Path(__file__).with_name("podman_compose.txt")
    uv = str(Path(sys.executable).with_name("uv"))
    python = f"--python={sys.executable}"
    harness.run(
        uv, "pip", "install", "--quiet", "--require-hashes", python, f"--target={directory}", "--requirement", str(locked)
    )
    return directory


@pytest.mark.parametrize(
    ("case", "options"),
    [
        ("plain-wsgi", ()),
        ("procfile", ("--database=mysql", "--database=redis")),
        ("django-migrations", ()),
        ("django-static-sqlite", ("--database=mariadb",)),
    ],
)
def test_the_files_hold_to_the_specification(
    app_source: Callable[[str], Path], tools: Path, case: str, options: tuple[str, ...]
) -> None:
    source = app_source(case)
    harness.taxiway("compose", str(source), *options)
    files = (str(source / "compose.yaml"), str(source / "compose.dev.yaml"))
    harness.run(sys.executable, "-c", READ, *files, env={"PYTHONPATH": str(tools)})


def test_the_specification_is_really_held_against(tmp_path: Path, tools: Path) -> None:
    (tmp_path / "compose.yaml").write_text("services:\n  web:\n    image: x\n    prots: [80]\n")
    read = harness.run(sys.executable, "-c", READ, str(tmp_path / "compose.yaml"), env={"PYTHONPATH": str(tools)}, check=False)
    assert read.status == 1
    assert "prots" in read.text


@pytest.fixture(scope="module")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An image of PostgreSQL that is told of its database as the official one is."""
    image = f"{harness.TEST_IMAGES}/postgresql"
    context = tmp_path_factory.mktemp("postgresql") / "context"
    context.mkdir()
    (context / "start").write_text(START)
    # As scripts/images.sh does: this machine's certificates mounted into the build would keep packages from being installed.
    settings = context.parent / "containers.conf"
    kept = Path(harness.environ().get("CONTAINERS_CONF") or os.devnull).read_text()
    settings.write_text(re.sub(r"(?m)^(volumes|env) *=.*$", "", kept))
    file = context.parent / "Containerfile"
    file.write_text(POSTGRESQL.format(suite=harness.SUITE))
    command = ("podman", "build", "--quiet", "--network=host", f"--tag={image}", f"--file={file}", str(context))
    harness.run(*command, env={"CONTAINERS_CONF": str(settings)})
    yield image
    harness.podman("rmi", "--force", image, check=False)


APPLICATION = f"""
FROM {harness.BUILDER}
COPY --chown=1001:0 . /tmp/src
RUN /usr/libexec/s2i/assemble
CMD ["/usr/libexec/s2i/run"]
"""


def test_with_podman_compose(
    app_source: Callable[[str], Path], postgresql: str, image_name: str, tools: Path, tmp_path: Path
) -> None:
    """Up, a request that the database answers, a second one after all started anew, a changed line; down leaves nothing."""
    source = app_source("django-migrations").rename(tmp_path / f"harbour-{harness.free_port()}")
    harness.podman_build(APPLICATION, image_name, source, *harness.certificates())
    harness.taxiway("compose", str(source), f"--image={image_name}", f"--database-image={postgresql}")
    values = source / ".compose/web.env"
    values.write_text(values.read_text().replace("HARBOUR_NAME=", "HARBOUR_NAME=Whitby"))
    (source / "addresses.yaml").write_text(
        ADDRESSES.format(subnet=f"10.{harness.free_port() % 200 + 20}.{harness.free_port() % 250}")
    )
    port = harness.free_port()
    environ = {"PYTHONPATH": str(tools), "PORT": str(port), "DATABASE_PORT": str(harness.free_port())}

    def compose(*words: str, overlay: bool = False) -> Output:
        files = ["compose.yaml", *["compose.dev.yaml"] * overlay, "addresses.yaml"]
        return harness.run(
            sys.executable, "-m", "podman_compose", *(f"--file={name}" for name in files), *words, cwd=source, env=environ
        )

    def here(kind: str) -> str:
        names = {"container": ("ps", "--all", "--format={{.Names}}"), "volume": ("volume", "ls", "--quiet")}
        found = harness.podman(*names.get(kind, ("network", "ls", "--format={{.Name}}"))).text
        return "\n".join(line for line in found.splitlines() if source.name in line)

    web = Container(f"{source.name}_web_1", port)
    try:
        compose("up", "--detach")
        assert '"visits": 1}' in web.wait("/").body
        harness.podman("healthcheck", "run", web.name)
        harness.podman("healthcheck", "run", f"{source.name}_database_1")
        compose("down")
        assert here("container") == ""
        assert here("volume") != ""

        compose("up", "--detach", overlay=True)
        assert '"visits": 2}' in web.wait("/").body  # the volume was kept
        views = source / "berths/views.py"
        views.write_text(views.read_text().replace('"visits":', '"calls":'))
        harness.wait_for(lambda: '"calls":' in web.wait("/").body or None, 60)
    finally:
        compose("down", "--volumes", overlay=True)
    assert (here("container"), here("volume"), here("network")) == ("", "", "")
