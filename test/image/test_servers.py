"""The same from every server: the rows and columns of server_matrix.py."""

import hashlib
import http.client
import json
import re
import socket
import subprocess
import threading
import uuid
from collections.abc import Callable, Iterator

import harness
import pytest
from harness import Container
from server_matrix import COLUMNS, SERVERS

from taxiway.launch_plan import ASGI, WSGI

UPLOAD_BYTES = 64 * 1024 * 1024
PORT = 9000
HARDENED = (
    *harness.ARBITRARY_USER,
    *(o.replace("size=64m", "size=128m") for o in harness.HARDENED),
)  # waitress keeps uploads there
SIZE = {"TAXIWAY_PROCESSES": "2", "TAXIWAY_THREADS": "4"}
PINNED = re.compile(r"^([a-z0-9-]+==\S+)", re.MULTILINE)

every_server = pytest.mark.parametrize(("server", "interface"), SERVERS, ids=[f"{n}-{i}" for n, i in SERVERS])


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], str]]:
    """One image for each interface: its application pins all servers, and a start chooses."""
    built: dict[str, str] = {}
    versions = PINNED.findall((harness.ROOT / "requirements" / "servers.txt").read_text())

    def build(interface: str) -> str:
        if interface not in built:
            context = tmp_path_factory.mktemp(interface)
            source = harness.copy_app(harness.APPS / f"every-server-{interface.lower()}", context / "source")
            (source / "requirements.txt").write_text("\n".join(versions) + "\n")
            built[interface] = f"{harness.TEST_IMAGES}/every-server-{interface.lower()}"
            lines = [
                f"FROM {harness.BUILDER}",
                "COPY --chown=1001:0 . /tmp/src",
                "RUN PIP_NO_INDEX=1 PIP_FIND_LINKS=/opt/taxiway/wheelhouse TAXIWAY_IMMUTABLE=1 /usr/libexec/s2i/assemble",
                f"FROM {harness.RUNTIME}",
                "COPY --from=0 --chown=0:0 /opt/app-root /opt/app-root",
                "USER 0",
                "RUN taxiway assemble-runtime --in-place",
                "USER 1001",
            ]
            harness.podman_build("\n".join(lines), built[interface], source)
        return built[interface]

    yield build
    for name in built.values():
        harness.podman("rmi", "--force", name, check=False)


def test_every_column_is_checked() -> None:
    assert [*CHECKS, "SIGTERM in flight", "load while stopping", "second signal", "failed import"] == list(COLUMNS)


@every_server
def test_serves(server: str, interface: str, image: Callable[[str], str]) -> None:
    """All that one running container can show; in the end it is stopped with requests in flight."""
    env = {
        **SIZE,
        "TAXIWAY_SERVER": server,
        "PORT": str(PORT),
        "TAXIWAY_LOG_FORMAT": "json",
        "TAXIWAY_MAX_BODY": str(UPLOAD_BYTES),
    }
    with harness.container(image(interface), *HARDENED, port=PORT, env=env) as running:
        running.wait()
        assert f"server: {server} (" in running.logs()
        for check in CHECKS.values():
            check(running)
        assert running.post("/", "", {"Content-Length": str(UPLOAD_BYTES + 1)}).status == 413
        finish_in_flight(running)
        check_json(running.logs())


def check_user(running: Container) -> None:
    assert json.loads(running.get("/").body)["uid"] == 1000680000


def check_immutable(running: Container) -> None:
    """Code and environment are another's and closed, so that this holds for a root file system that can be written, too."""
    find = "find /opt/app-root ! -type l '(' ! -user 0 -o ! -group 0 -o -perm /022 ')' -print; echo done"
    assert running.execute("sh", "-c", find) == "done\n"
    assert "is to be immutable" not in running.logs()


def check_addresses(running: Container) -> None:
    """At PORT, of both families; the address of an IPv4 client is written as one."""
    assert json.loads(running.get("/").body)["peer"].count(".") == 3
    for host in ("127.0.0.1", "[::1]"):
        ask = f"import urllib.request as r; print(r.urlopen('http://{host}:{PORT}/').status)"
        assert running.execute("/opt/app-root/bin/python", "-c", ask).strip() == "200"


def check_static(running: Container) -> None:
    answer = running.get("/assets/style.css")
    assert (answer.status, answer.body) == (200, "body { color: midnightblue }\n")
    assert answer.headers["content-type"].startswith("text/css")


def check_upload(running: Container) -> None:
    data = bytes(range(256)) * (UPLOAD_BYTES // 256)
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=60)
    connection.request("POST", "/upload", data)
    assert connection.getresponse().read().decode() == f"{UPLOAD_BYTES} {hashlib.sha256(data).hexdigest()}\n"
    connection.close()


def check_slow_clients(running: Container) -> None:
    """While one sends its request's head and another its body in pieces, others are answered; and then these are."""
    head, body = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", b"0123456789"
    start = f"POST /upload HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    with (
        socket.create_connection(("127.0.0.1", running.port), 30) as first,
        socket.create_connection(("127.0.0.1", running.port), 30) as second,
    ):
        second.sendall(start)
        for piece in range(8):
            first.sendall(head[piece : piece + 1])
            second.sendall(body[piece : piece + 1])
            assert running.get("/").status == 200
        first.sendall(head[8:])
        second.sendall(body[8:])
        assert b" 200 " in first.makefile("rb").readline()
        assert f"10 {hashlib.sha256(body).hexdigest()}" in second.makefile("rb").read().decode()


def check_traceback(running: Container) -> None:
    assert running.get("/boom").status == 500

    def logged() -> bool | None:
        lines = running.logs()
        return ("Traceback (most recent call last)" in lines and "RuntimeError: boom on purpose" in lines) or None

    harness.wait_for(logged, 10)


CHECKS: dict[str, Callable[[Container], None]] = {
    "any user ID, read-only root": check_user,
    "immutable": check_immutable,
    "PORT, IPv4 and IPv6": check_addresses,
    "static file": check_static,
    "64 MB upload": check_upload,
    "slow client": check_slow_clients,
    "500 in the log": check_traceback,
}


def begun(running: Container) -> set[str]:
    """The IDs of requests that the application began."""
    return set(re.findall(r"begin ([0-9a-f]{32})", running.logs()))


def finish_in_flight(running: Container) -> None:
    """SIGTERM while requests are answered: the answers come, and the container ends with 0."""
    wanted = {uuid.uuid4().hex for _ in range(3)}
    answers: dict[str, str] = {}
    clients = [
        threading.Thread(target=lambda name=name: answers.update({name: running.get(f"/slow?seconds=3&id={name}").body}))
        for name in wanted
    ]
    for client in clients:
        client.start()
    harness.wait_for(lambda: wanted <= begun(running) or None, 20)
    assert running.stop() == 0
    for client in clients:
        client.join()
    assert answers == {name: f"end {name}\n" for name in wanted}, running.logs()[-3000:]


def check_json(logs: str) -> None:
    """Each line that begins as an object is one; the request's ID is in the log, and was given to the application."""
    records = [json.loads(line) for line in logs.splitlines() if line.startswith('{"')]
    by_path = {record["path"]: record for record in records}
    assert by_path["/boom"]["exception"] == "RuntimeError: boom on purpose"
    assert (by_path["/boom"]["status"], by_path["/boom"]["level"]) == (500, "error")
    assert by_path["/upload"]["status"] == 200
    assert all(record["duration_ms"] >= 0 and len(record["request_id"]) == 32 for record in records)


@every_server
def test_load_while_stopping(server: str, interface: str, image: Callable[[str], str]) -> None:
    """Under wrk's load, each request that the application has begun is answered."""
    wrk = harness.run(str(harness.ROOT / "scripts" / "wrk.sh")).text.splitlines()[-1]
    with harness.container(image(interface), *HARDENED, env={**SIZE, "TAXIWAY_SERVER": server}) as running:
        running.wait()
        answered: set[str] = set()
        stopped = threading.Event()

        def ask() -> None:
            while not stopped.is_set():
                name = uuid.uuid4().hex
                try:
                    answer = running.get(f"/slow?seconds=0.2&id={name}", timeout=20)
                except (OSError, http.client.HTTPException):
                    continue  # it was refused, or closed before the application saw it: the log tells
                if answer.body == f"end {name}\n":
                    answered.add(name)

        load = subprocess.Popen(
            [wrk, "--threads=1", "--connections=4", "--duration=60", f"http://127.0.0.1:{running.port}/"],
            stdout=subprocess.PIPE,
            text=True,
        )
        clients = [threading.Thread(target=ask) for _ in range(4)]
        try:
            for client in clients:
                client.start()
            harness.wait_for(lambda: len(answered) > 20 or None, 30)
            assert running.stop() == 0
        finally:
            stopped.set()
            load.send_signal(2)  # it prints what it has
            report = load.communicate()[0]
            for client in clients:
                client.join()
        assert begun(running) - answered == set(), running.logs()[-3000:]
        assert int(re.findall(r"(\d+) requests in", report)[0]) > 20, report
        assert "Non-2xx" not in report, report


@every_server
def test_second_signal(server: str, interface: str, image: Callable[[str], str]) -> None:
    """It ends at once what the first one would let finish."""
    with harness.container(image(interface), env={**SIZE, "TAXIWAY_SERVER": server}) as running:
        running.wait()
        name = uuid.uuid4().hex
        client = threading.Thread(target=lambda: _ignore(running, f"/slow?seconds=15&id={name}"))
        client.start()
        harness.wait_for(lambda: begun(running) or None, 20)
        running.engine("kill", "--signal=TERM", running.name)
        # From then on a sleep counts the seconds that requests get.
        harness.wait_for(lambda: "sleep" in running.engine("top", running.name, "comm").text or None, 10)
        running.engine("kill", "--signal=TERM", running.name)
        running.engine("wait", running.name)
        assert running.exit_status() == 143
        client.join()


def _ignore(running: Container, path: str) -> None:
    try:
        running.get(path)
    except (OSError, http.client.HTTPException):
        return
    raise AssertionError("it was answered")


@every_server
def test_failed_import(server: str, interface: str, image: Callable[[str], str]) -> None:
    """It ends the start, with its traceback and an error status."""
    env = {**SIZE, "TAXIWAY_SERVER": server, "FAIL_IMPORT": "1"}
    with harness.container(image(interface), *HARDENED, env=env) as running:
        running.engine("wait", running.name)
        logs = running.logs()
        assert running.exit_status() not in {0, 137, 143}, logs
        assert "RuntimeError: this application can't be imported" in logs
        assert "Traceback (most recent call last)" in logs


@pytest.mark.parametrize("interface", [WSGI, ASGI])
def test_port_that_the_user_may_not_have(interface: str, image: Callable[[str], str]) -> None:
    sysctl = "--sysctl=net.ipv4.ip_unprivileged_port_start=1024"
    with harness.container(image(interface), *HARDENED, sysctl, env={"PORT": "80"}) as running:
        running.engine("wait", running.name)
        assert running.exit_status() == 7
        assert "Couldn't listen on :: port 80: Permission denied." in running.logs()


def test_without_ipv6(image: Callable[[str], str]) -> None:
    """A container whose IPv6 is switched off; where the kernel has none, the other tests show it."""
    with harness.container(
        image(ASGI), "--sysctl=net.ipv6.conf.all.disable_ipv6=1", env={"TAXIWAY_SERVER": "uvicorn"}
    ) as running:
        assert running.wait().status == 200
