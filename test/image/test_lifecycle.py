"""What surrounds the server: migrations under a lock, the user's name, declared variables, and the commands beside it."""

import json
import os
import re
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import harness
import pytest
from harness import Container

NAME = {"HARBOUR_NAME": "Whitby"}
PASSWORD = "only for this test"
# Servers from Debian's packages, with data that goes with the container.
DATABASES = """
FROM localhost/taxiway-base:{suite}
RUN apt-get update -qq \\
 && DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends \\
    mariadb-client-core mariadb-server-core pgbouncer postgresql
"""
POSTGRESQL = """
set -eu
cd /tmp
PATH="$(echo /usr/lib/postgresql/*/bin):$PATH"
echo "$PASSWORD" >password
initdb --pgdata=data --username=harbour --auth=scram-sha-256 --pwfile=password --no-sync >/dev/null
echo 'host all all 0.0.0.0/0 scram-sha-256' >>data/pg_hba.conf
echo 'CREATE DATABASE harbour' | postgres --single -D data postgres >/dev/null
exec postgres -D data -c listen_addresses='*' -c unix_socket_directories=/tmp -c fsync=off
"""
# A connection of the server's goes to another client after each transaction.
PGBOUNCER = (
    POSTGRESQL.replace("exec postgres", "postgres").rstrip()
    + """ &
cat >pgbouncer.ini <<INI
[databases]
harbour = host=/tmp dbname=harbour
[pgbouncer]
listen_addr = *
listen_port = 6432
unix_socket_dir =
auth_type = scram-sha-256
auth_file = /tmp/users
pool_mode = transaction
INI
echo "\\"harbour\\" \\"$PASSWORD\\"" >users
exec pgbouncer pgbouncer.ini
"""
)
MARIADB = """
set -eu
cd /tmp
mariadb-install-db --datadir=/tmp/data --skip-test-db >/dev/null
cat >init.sql <<SQL
CREATE DATABASE harbour CHARACTER SET utf8mb4;
CREATE USER harbour@'%' IDENTIFIED BY '$PASSWORD';
GRANT ALL ON harbour.* TO harbour@'%';
SQL
exec mariadbd --datadir=/tmp/data --bind-address=0.0.0.0 --socket=/tmp/socket --init-file=/tmp/init.sql
"""
SERVERS = {
    "postgresql": ("postgresql", "postgres", POSTGRESQL, "5432"),
    "pgbouncer": ("postgresql", "postgres", PGBOUNCER, "6432"),
    "mariadb": ("mysql", "nobody", MARIADB, "3306"),
}


@pytest.fixture(scope="session")
def databases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An image with PostgreSQL and MariaDB."""
    image = f"{harness.TEST_IMAGES}/databases"
    context = tmp_path_factory.mktemp("databases") / "context"
    context.mkdir()
    # As scripts/images.sh does: this machine's certificates mounted into the build would keep packages from being installed.
    settings = context.parent / "containers.conf"
    kept = Path(harness.environ().get("CONTAINERS_CONF") or os.devnull).read_text()
    settings.write_text(re.sub(r"(?m)^(volumes|env) *=.*$", "", kept))
    file = context.parent / "Containerfile"
    file.write_text(DATABASES.format(suite=harness.SUITE))
    command = ("podman", "build", "--quiet", "--network=host", f"--tag={image}", f"--file={file}", str(context))
    harness.run(*command, env={"CONTAINERS_CONF": str(settings)})
    yield image
    harness.podman("rmi", "--force", image, check=False)


@contextmanager
def database(image: str, server: str) -> Iterator[dict[str, str]]:
    """Start a database server; gives the variables by which the application finds it. It needn't answer yet."""
    engine, user, script, port = SERVERS[server]
    name = f"taxiway-test-{uuid.uuid4().hex[:12]}"
    options = (f"--name={name}", f"--user={user}", f"--env=PASSWORD={PASSWORD}", "--entrypoint=sh")
    try:
        harness.podman("run", "--detach", *options, image, "-c", script)
        address = harness.podman("inspect", "--format={{.NetworkSettings.IPAddress}}", name).text.strip()
        yield {"DATABASE_ENGINE": engine, "DATABASE_HOST": address, "DATABASE_PORT": port, "DATABASE_PASSWORD": PASSWORD, **NAME}
    finally:
        harness.podman("rm", "--force", "--time=0", name, check=False)


@pytest.fixture
def image(build_case: Callable[[str], str]) -> str:
    return build_case("django-migrations")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A volume as OpenShift mounts it: the group may write."""
    folder = tmp_path / "volume"
    folder.mkdir()
    os.chown(folder, 0, 0)
    folder.chmod(0o2770)
    return folder


@pytest.fixture
def volume(folder: Path) -> str:
    """The option that mounts it."""
    return f"--volume={folder}:/data"


def user(number: int) -> tuple[str, ...]:
    """Options for one of the user IDs of a project."""
    return (f"--user={1000680000 + number}:0", "--passwd=false")


def assert_one_migrates(image: str, env: Mapping[str, str], count: int, folder: Path) -> None:
    """Start that many containers at once: exactly one migrates, all others wait for it, none fails, and all serve."""

    def start(number: int) -> Container:
        started = harness.container(image, *user(number), f"--volume={folder}:/data", env={**env, "MIGRATION_AWAITS": "/data/go"})
        return stack.enter_context(started)

    with ExitStack() as stack, ThreadPoolExecutor(count) as pool:
        running = list(pool.map(start, range(count)))

        others: set[str] = set()

        def all_others_wait() -> bool | None:
            for container in running:
                if container.name not in others and "another container migrates default; waiting" in container.logs():
                    others.add(container.name)
            return len(others) == count - 1 or None

        harness.wait_for(all_others_wait, 240)
        (folder / "go").touch()
        for container in running:
            container.wait("/health")
        assert sum("slow: begin" in container.logs() for container in running) == 1
        for container in running:
            answer = container.get("/")
            assert answer.status == 200
            assert len(json.loads(answer.body)["migrated by"]) == 1


@pytest.mark.parametrize(("server", "count"), [("postgresql", 10), ("pgbouncer", 3), ("mariadb", 4)])
def test_containers_started_at_once(server: str, count: int, image: str, databases: str, folder: Path) -> None:
    """The database server starts at the same time too, and is waited for."""
    with database(databases, server) as env:
        assert_one_migrates(image, env, count, folder)
        with harness.container(image, *user(99), env=env) as late:
            late.wait("/")
            assert "migrations: default is up to date\n" in late.logs()


def test_one_sqlite_file_for_several(image: str, folder: Path) -> None:
    """Several user IDs, one volume: SQLite's own lock counts for all, and its file is the group's."""
    env = {**NAME, "DATABASE_PATH": "/data/harbour.sqlite3"}
    assert_one_migrates(image, env, 3, folder)


def test_another_user_at_the_next_start(image: str, volume: str) -> None:
    """What one user has written, through the application and by SQLite, the next one can go on with."""
    env = {**NAME, "DATABASE_PATH": "/data/harbour.sqlite3"}
    for number, notes in enumerate(("1000680000\n", "1000680000\n1000680001\n")):
        with harness.container(image, *user(number), *harness.HARDENED, volume, env=env) as running:
            running.wait("/health")
            assert json.loads(running.get("/").body)["visits"] == number + 1, running.logs()
            assert running.get("/append").body == notes


def test_migrations_that_fail(image: str) -> None:
    """The start ends, with Django's traceback."""
    with harness.container(image, env={**NAME, "MIGRATION_FAILS": "1"}) as running:
        harness.wait_for(lambda: None if running.is_running() else True, 60)
        assert running.exit_status() == 7
        log = running.logs()
        assert "RuntimeError: this migration fails" in log
        assert "error: Django's migrations failed with exit status 1; their own message stands above." in log
        assert log.rstrip().endswith("[migrations-failed]")


def test_a_stop_lets_migrations_finish(image: str, volume: str, folder: Path) -> None:
    """Meanwhile others end: one that waited for as long as it may, and one that is stopped while it waits."""
    env = {**NAME, "DATABASE_PATH": "/data/harbour.sqlite3", "MIGRATION_AWAITS": "/data/go"}
    with harness.container(image, *user(1), volume, env=env) as first:
        harness.wait_for(lambda: "slow: begin" in first.logs() or None, 60)
        with harness.container(image, *user(2), volume, env={**env, "TAXIWAY_MIGRATE_TIMEOUT": "1"}) as second:
            harness.wait_for(lambda: None if second.is_running() else True, 60)
            assert second.exit_status() == 7
            assert "error: Another container was still migrating the database after 1 s." in second.logs()
        with harness.container(image, *user(3), volume, env=env) as third:
            harness.wait_for(lambda: "another container migrates" in third.logs() or None, 60)
            assert third.stop(60) == 143  # 128 + SIGTERM; 137 if it had to be killed
        first.engine("kill", "--signal=TERM", first.name)
        assert first.is_running()
        (folder / "go").touch()
        harness.wait_for(lambda: None if first.is_running() else True, 60)
        assert first.exit_status() == 143  # 128 + SIGTERM: it never served
        assert "slow: end" in first.logs()
        assert "apachectl" not in first.logs()


@pytest.mark.parametrize("env", [{"DISABLE_MIGRATE": "1"}, {"TAXIWAY_MIGRATE": "manual"}], ids=lambda env: next(iter(env)))
def test_migrate_by_hand(env: Mapping[str, str], image: str) -> None:
    with harness.container(image, *harness.ARBITRARY_USER, *harness.HARDENED, env={**NAME, **env}) as running:
        running.wait("/health")
        assert running.get("/").status == 500
        assert "Applying berths.0002_slow" in running.execute("taxiway", "migrate")
        assert running.get("/").status == 200
        assert running.execute("taxiway", "migrate") == "     migrations: default is up to date\n"


def test_beside_the_server(image: str) -> None:
    """Hardened, a user without a passwd entry, and a port that only the start's command line tells."""
    options = (*harness.ARBITRARY_USER, *harness.HARDENED, "--health-cmd=taxiway ready", "--health-interval=disable")
    with harness.container(image, *options, port=9123, command=("taxiway", "start", "--port=9123"), env=NAME) as running:

        def execute(*argv: str) -> tuple[int, str]:
            result = harness.podman("exec", running.name, *argv, check=False)
            return result.status, result.text

        running.wait("/health")
        assert execute("taxiway", "alive") == (0, "alive: HTTP/1.1 200 OK\n")
        assert execute("taxiway", "ready") == (0, "ready: HTTP/1.1 200 OK\n")
        assert harness.podman("healthcheck", "run", running.name, check=False).status == 0
        status, text = execute("taxiway", "setup")
        assert status == 0
        line = "phase setup, port 9123, settings harbour.settings, umask 0002, in /opt/app-root/src"
        assert text.splitlines() == [line, "django 5"]
        assert execute("taxiway", "verify") == (3, "berth 3 is missing\n")  # the hook's own status
        running.execute("touch", "/tmp/sick")
        assert execute("taxiway", "alive")[0] == 0
        status, text = execute("taxiway", "ready")
        assert (status, text.splitlines()[0]) == (
            1,
            "error: The server isn't ready: GET /health on port 9123 answers 503 Service Unavailable.",
        )
        assert harness.podman("healthcheck", "run", running.name, check=False).status == 1


def test_before_the_server(image: str) -> None:
    result = harness.podman("run", "--rm", image, "taxiway", "alive", check=False)
    assert result.status == 1
    assert "The server isn't alive: it wasn't started yet." in result.text


def test_user_without_a_passwd_entry(image: str) -> None:
    """Libraries ask for the user's name and home; the cache goes where it can be written."""
    with harness.container(image, *harness.ARBITRARY_USER, *harness.HARDENED, env=NAME) as running:
        running.wait("/health")
        assert json.loads(running.get("/who").body) == {
            "getuser": "default",
            "home": "/opt/app-root/src",
            "passwd": ["default", 1000680000, 0, "/opt/app-root/src"],
            "umask": "0o2",
            "environ": {
                "LD_PRELOAD": "libnss_wrapper.so",
                "XDG_CACHE_HOME": "/tmp/taxiway-1000680000/cache",
                "USER": None,
                "HOME": "/opt/app-root/src",
            },
        }
        assert (
            running.execute("bash", "--login", "-c", "whoami; python -c 'import sys; print(sys.prefix)'")
            == "default\n/opt/app-root\n"
        )
        sourced = ". /opt/app-root/etc/generate_container_user && whoami"
        assert running.execute("bash", "-euc", sourced) == "default\n"
        assert running.stop() == 0


ASK = "import getpass, os; print(getpass.getuser(), os.environ.get('LD_PRELOAD'), os.environ.get('XDG_CACHE_HOME'))"
NOTE = "note: user 1000680000 has no passwd entry and gets none, because "


@pytest.mark.parametrize(
    ("options", "answer"),
    [
        ((), "default None None\n"),  # 1001 has an entry
        (("--user=1000680000:0",), "1000680000 None None\n"),  # the engine made one
        ((*harness.ARBITRARY_USER, "--env=XDG_CACHE_HOME=/x"), "default libnss_wrapper.so /x\n"),
        (
            (*harness.ARBITRARY_USER, "--env=LD_PRELOAD=libm.so.6"),
            f"{NOTE}LD_PRELOAD is libm.so.6 already\ndefault libm.so.6 None\n",
        ),
        (
            (*harness.ARBITRARY_USER, "--read-only", "--read-only-tmpfs=false"),
            f"{NOTE}/tmp/taxiway-1000680000 can't be written\ndefault None /tmp/taxiway-1000680000/cache\n",
        ),
    ],
)
def test_preloaded_only_where_it_has_to_be(options: tuple[str, ...], answer: str) -> None:
    """Whatever the command is; nothing is preloaded beside another library."""
    printed = harness.podman("run", "--rm", *options, harness.RUNTIME, "python3", "-c", ASK).text
    assert sorted(printed.splitlines()) == sorted(answer.splitlines())  # the engine may give stdout before stderr


def test_declared_variables(image: str, tmp_path: Path) -> None:
    secret, locked = tmp_path / "name", tmp_path / "locked"
    secret.write_text("Scarborough\n")
    secret.chmod(0o640)
    locked.write_text("hush\n")
    locked.chmod(0o600)
    for path in (secret, locked):
        os.chown(path, 0, 0)
    mounts = (f"--volume={secret}:/run/secrets/name:ro", f"--volume={locked}:/run/secrets/locked:ro")

    refused = harness.podman("run", "--rm", image, check=False)
    assert refused.status == 2
    assert "  HARBOUR_NAME: shown on the first page\n" in refused.text
    assert refused.text.rstrip().endswith("[missing-variables]")

    env = ("--env=HARBOUR_NAME=x", "--env=DATABASE_PASSWORD_FILE=/run/secrets/locked")
    refused = harness.podman("run", "--rm", *harness.ARBITRARY_USER, *mounts, *env, image, check=False)
    assert refused.status == 2
    assert "  DATABASE_PASSWORD_FILE: couldn't read /run/secrets/locked: Permission denied\n" in refused.text
    assert "hush" not in refused.text

    with harness.container(image, *harness.ARBITRARY_USER, *mounts, env={"HARBOUR_NAME_FILE": "/run/secrets/name"}) as running:
        assert json.loads(running.wait("/").body)["name"] == "Scarborough"
        listed = running.execute("taxiway", "settings", "--env").splitlines()
        assert [line.split()[0] for line in listed] == ["DATABASE_PASSWORD", "DATABASE_PATH", "HARBOUR_NAME"]
        assert "from a file" in listed[2]
