"""What a server does besides answering: Django's errors in the log, requests that take too long, Ctrl-C, reload, programs."""

import http.client
import json
import re
import threading
import uuid
from collections.abc import Iterator

import harness
import pytest
from harness import Container
from server_matrix import SERVERS

FILES = {
    "pyproject.toml": "",
    "hangar/__init__.py": "",
    "hangar/settings.py": """\
SECRET_KEY = "only for this test"
DEBUG = False
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "hangar.urls"
""",
    "hangar/urls.py": """\
import sys, time
from django.http import HttpResponse
from django.urls import path

def page(request):
    return HttpResponse("first text")

def boom(request):
    raise RuntimeError("boom on purpose")

def slow(request):
    seconds = float(request.GET["seconds"])
    print(f"slow: begin {request.GET['seconds']}", file=sys.stderr, flush=True)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            time.sleep(0.02)
        except Exception:  # nothing that an application catches ends it
            pass
    return HttpResponse(f"slept {seconds:.0f} s\\n")

urlpatterns = [path("", page), path("boom", boom), path("slow", slow)]
""",
    "hangar/wsgi.py": """\
import os
from django.core.wsgi import get_wsgi_application
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hangar.settings")
django = get_wsgi_application()

def application(environ, start_response):
    if environ["PATH_INFO"] != "/plain":  # Django reads no body whose length isn't told
        return django(environ, start_response)
    length = sum(map(len, iter(lambda: environ["wsgi.input"].read(4096), b"")))
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"%d" % length]
""",
    "hangar/asgi.py": """\
import os
from django.core.asgi import get_asgi_application
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hangar.settings")
django = get_asgi_application()

async def application(scope, receive, send):
    if scope["type"] != "http" or scope["path"] != "/plain":
        return await django(scope, receive, send)
    length, more = 0, True
    while more:
        message = await receive()
        length += len(message["body"])
        more = message.get("more_body", False)
    text = b"%d" % length
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": text})
""",
    # A program that finishes what it has begun.
    "program.py": """\
import http.server, os, signal, sys, threading, time
from urllib.parse import parse_qs, urlsplit

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        seconds = parse_qs(urlsplit(self.path).query).get("seconds", ["0"])[0]
        print(f"slow: begin {seconds}", file=sys.stderr, flush=True)
        time.sleep(float(seconds))
        body = f"slept {seconds} s\\n".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

class Server(http.server.ThreadingHTTPServer):
    daemon_threads = False

server = Server(("", int(os.environ["PORT"])), Handler)
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
server.serve_forever()
server.server_close()
""",
    "program.sh": '#!/bin/bash\npython program.py\necho "the shell goes on"\n',
}
PINNED = re.compile(r"^([a-z0-9-]+==\S+)", re.MULTILINE)
# The launch plan of either interface; the rest is what S2I's run does.
START = 'cp "/opt/app-root/.taxiway/${0,,}.json" /opt/app-root/.taxiway/launch.json && exec taxiway start "$@"'
SIZE = {"TAXIWAY_PROCESSES": "2", "TAXIWAY_THREADS": "2"}


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Django project with all servers, which is built for both interfaces."""
    source = tmp_path_factory.mktemp("launch") / "source"
    for name, text in FILES.items():
        path = source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (source / "program.sh").chmod(0o755)
    versions = PINNED.findall((harness.ROOT / "requirements" / "servers.txt").read_text())
    (source / "requirements.txt").write_text("\n".join([*versions, "django==5.2.8"]) + "\n")
    assemble = (
        "for interface in wsgi asgi; do cp -r /tmp/app /tmp/src && "
        "PIP_FIND_LINKS=/opt/taxiway/wheelhouse TAXIWAY_APP=hangar.$interface:application /usr/libexec/s2i/assemble && "
        "cp /opt/app-root/.taxiway/launch.json /opt/app-root/.taxiway/$interface.json || exit 1; done"
    )
    name = f"{harness.TEST_IMAGES}/launch"
    text = f"FROM {harness.BUILDER}\nCOPY --chown=1001:0 . /tmp/app\nRUN {assemble}\n"
    harness.podman_build(text, name, source, *harness.certificates())
    yield name
    harness.podman("rmi", "--force", name, check=False)


def start(image: str, interface: str, *options: str, env: dict[str, str], arguments: tuple[str, ...] = ()) -> Iterator[Container]:
    command = ("bash", "-c", START, interface, *arguments)
    with harness.container(image, *options, command=command, env={**SIZE, **env}) as running:
        yield running


@pytest.fixture
def started(image: str, request: pytest.FixtureRequest) -> Iterator[Container]:
    """A container of a server."""
    server, interface = request.param
    yield from start(image, interface, env={"TAXIWAY_SERVER": server, "TAXIWAY_REQUEST_TIMEOUT": "1"})


@pytest.mark.parametrize("started", SERVERS, indirect=True, ids="-".join)
def test_django(started: Container) -> None:
    """A 500's traceback is in the log with DEBUG off; bodies in chunks; what takes too long gets a 504; Ctrl-C stops."""
    started.wait()
    assert started.get("/boom").status == 500
    wait_for_log(started, "RuntimeError: boom on purpose")
    assert "Traceback (most recent call last):" in started.logs()
    assert send_chunks(started, "/plain", b"x" * 70_000, b"y") == "70001"
    assert started.get("/slow?seconds=4").status == 504
    assert started.get("/").body == "first text"
    answers: list[str] = []
    client = threading.Thread(target=lambda: answers.append(started.get("/slow?seconds=0.7").body))
    client.start()
    wait_for_log(started, "slow: begin 0.7")
    started.engine("kill", "--signal=INT", started.name)
    started.engine("wait", started.name)
    client.join()
    assert answers == ["slept 1 s\n"], started.logs()[-3000:]
    assert started.exit_status() == 0


def send_chunks(running: Container, path: str, *parts: bytes) -> str:
    """Send a body whose length isn't told before."""
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=20)
    connection.request("POST", path, iter(parts), {"Transfer-Encoding": "chunked"}, encode_chunked=True)
    text = connection.getresponse().read().decode()
    connection.close()
    return text


def wait_for_log(running: Container, text: str) -> None:
    harness.wait_for(lambda: text in running.logs() or None, 20)


@pytest.mark.parametrize(("server", "interface"), [("mod_wsgi", "WSGI"), ("gunicorn", "WSGI"), ("uvicorn", "ASGI")])
def test_reload(server: str, interface: str, image: str) -> None:
    """A changed file is served, although the bytecode that the build made isn't compared with its source."""
    for running in start(image, interface, env={"TAXIWAY_SERVER": server}, arguments=("--reload",)):
        assert running.wait().body == "first text"
        running.execute("sed", "-i", "s/first text/second text/", "hangar/urls.py")
        # A worker that is slow to start may have read the second text already; the old ones answer while they finish.
        wait_for_log(running, "Changed: hangar/urls.py; starting again")
        harness.wait_for(lambda running=running: running.wait().body == "second text" or None, 20)  # type: ignore[misc]
        assert running.stop() == 0


@pytest.mark.parametrize(("variable", "file"), [("TAXIWAY_APP_FILE", "program.py"), ("TAXIWAY_APP_SCRIPT", "program.sh")])
def test_programs_finish_what_they_have_begun(variable: str, file: str, image: str) -> None:
    """What a script runs without `exec` as well, which its shell doesn't tell."""
    for running in start(image, "WSGI", env={variable: file}):
        running.wait()
        harness.assert_request_in_flight_finishes(running, "/?seconds=4")
        assert "the shell goes on" not in running.logs()


@pytest.fixture
def shared() -> Iterator[str]:
    name = f"taxiway-test-{uuid.uuid4().hex[:12]}"
    harness.podman("volume", "create", name)
    yield name
    harness.podman("volume", "rm", "--force", name, check=False)


@pytest.fixture
def two(image: str, shared: str) -> Iterator[list[Container]]:
    """Two containers with the same user and the same /tmp."""
    options = (f"--volume={shared}:/tmp:U", *harness.ARBITRARY_USER)
    for one in start(image, "WSGI", *options, env={"TAXIWAY_SERVER": "mod_wsgi"}):
        one.wait()
        for other in start(image, "WSGI", *options, env={"TAXIWAY_SERVER": "mod_wsgi"}):
            other.wait()
            yield [one, other]


def test_containers_that_share_their_tmp(two: list[Container]) -> None:
    """Each has a directory of its own there, as long as it runs, and the probes of each ask their own server."""
    first, second = two
    directories = "ls -d /tmp/taxiway-1000680000*"
    assert second.execute("sh", "-c", directories).split() == ["/tmp/taxiway-1000680000", "/tmp/taxiway-1000680000-2"]
    assert [json.loads(each.execute(*_ROOTS))[-1] for each in two] == ["taxiway-1000680000", "taxiway-1000680000-2"]
    assert first.stop() == 0
    assert second.get("/").body == "first text"
    assert second.execute("taxiway", "alive").startswith("alive")
    harness.podman("start", first.name)
    assert first.wait().status == 200
    assert second.get("/").status == 200


# The directories of the servers that run in a container, by their command lines.
_ROOTS = (
    *("python3", "-c"),
    (
        "import glob, json, re; lines = [open(p).read() for p in glob.glob('/proc/[0-9]*/cmdline')]; "
        "print(json.dumps(sorted({m[1] for line in lines for m in [re.search('/tmp/(taxiway-[0-9-]+)/mod_wsgi', line)] if m})))"
    ),
)
