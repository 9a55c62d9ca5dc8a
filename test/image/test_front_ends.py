"""Front ends: what `taxiway proxy` writes, with the real Apache, nginx, HAProxy and Caddy in front of real applications.

All containers are on the host's network, so that the applications see the front ends as 127.0.0.1, and the front ends see the
tests as 127.0.0.77. A third upstream records what it receives: there the applications' own policy can't hide what gets through.
"""

import itertools
import json
import os
import ssl
import sys
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import harness
import pytest
import raw_http
from raw_http import CLIENT, Answer, Door

from taxiway import front_ends

BASE = os.environ.get("BASE_IMAGE", f"localhost/taxiway-base:{harness.SUITE}")
IMAGE = f"{harness.TEST_IMAGES}/fronts"
CONTAINERFILE = f"""\
FROM {BASE}
RUN apt-get update \\
    && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends \\
        apache2 caddy curl haproxy nginx-light openssl \\
    && rm -rf /var/lib/apt/lists/* /etc/nginx/sites-enabled/default \\
    && a2dissite --quiet 000-default && a2enmod --quiet headers http2 proxy_http setenvif ssl
"""
CERTIFICATES = """\
cd /tls
key='-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes'
openssl req -x509 $key -keyout ca.key -out ca.pem -days 2 -subj '/CN=authority of a test'
openssl req -new $key -keyout site.pem.key -out site.csr -subj /CN=site
echo 'subjectAltName=DNS:blog.example.com,DNS:wiki.example.com,DNS:shop.example.com' >extensions
sed -i 's/$/,DNS:raw.example.com,DNS:raw6.example.com/' extensions
openssl x509 -req -in site.csr -CA ca.pem -CAkey ca.key -days 2 -extfile extensions -out site.pem
chmod a+r *
"""


@dataclass(frozen=True)
class Kind:
    """A front end: where its configuration goes, how it is checked, and how it is started."""

    name: str
    file: str
    check: str
    start: str


KINDS = {
    kind.name: kind
    for kind in (
        Kind("apache", "/etc/apache2/sites-enabled/000-taxiway.conf", "apachectl configtest", "exec apachectl -D FOREGROUND"),
        Kind("nginx", "/etc/nginx/conf.d/taxiway.conf", "nginx -t", "exec nginx -g 'daemon off;'"),
        Kind("haproxy", "/etc/haproxy/haproxy.cfg", "haproxy -c -f {file}", "exec haproxy -db -f {file}"),
        Kind("caddy", "/etc/caddy/Caddyfile", "caddy validate --config {file}", "exec caddy run --config {file}"),
    )
}

WSGI = """\
import json
from wsgiref.util import request_uri

NAMES = ("REMOTE_ADDR", "SCRIPT_NAME", "PATH_INFO", "HTTP_HOST", "SERVER_PORT")


def application(environ, start_response):
    length = len(environ["wsgi.input"].read())
    told = {name: environ.get(name, "") for name in NAMES}
    told["url"] = request_uri(environ)
    told["headers"] = sorted(name for name in environ if name.startswith("HTTP_"))
    told["body"] = length
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(told).encode()]
"""
ASGI = """\
import json


async def application(scope, receive, send):
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        text = (await receive())["text"]
        host = dict(scope["headers"])[b"host"].decode()
        await send({"type": "websocket.send", "text": f"{scope['scheme']}://{host} {scope['client'][0]} {text}"})
        await send({"type": "websocket.close"})
    elif scope["type"] == "http":
        headers = dict(scope["headers"])
        path, query = scope["raw_path"].decode(), scope["query_string"].decode()
        told = {"REMOTE_ADDR": scope["client"][0], "SCRIPT_NAME": scope["root_path"], "SERVER_PORT": str(scope["server"][1])}
        told["url"] = f"{scope['scheme']}://{headers[b'host'].decode()}{path}" + (f"?{query}" if query else "")
        told["headers"] = sorted(name.decode() for name in headers)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
        await send({"type": "http.response.body", "body": json.dumps(told).encode()})
"""
REQUIREMENTS = {"wsgi.py": "gunicorn\nmod_wsgi\n", "asgi.py": "uvicorn\nwebsockets\n"}
MAX_BODY = 5 * 1024**3  # more than 32 bits hold
PROJECT = '[tool.taxiway]\nstatic = ["/docs/=docs", "/=root"]\n'
BLOG, WIKI, SHOP, RAW, RAW6 = (f"{name}.example.com" for name in ("blog", "wiki", "shop", "raw", "raw6"))
APPLICATIONS = {BLOG: ("wsgi.py", "gunicorn"), WIKI: ("wsgi.py", "mod_wsgi"), SHOP: ("asgi.py", "uvicorn")}
KNOWN = (front_ends.FOR, front_ends.HOST, front_ends.PORT, front_ends.PROTO, front_ends.PREFIX, *front_ends.OTHERS)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An image with all front ends."""
    options = () if harness.environ().get("ENGINE_PUBLISH") == "yes" else ("--network=host",)
    harness.podman_build(CONTAINERFILE, IMAGE, tmp_path_factory.mktemp("fronts"), *options)
    yield IMAGE
    harness.podman("rmi", "--force", IMAGE, check=False)


@pytest.fixture(scope="module")
def tls(image: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a certificate for all sites, and the authority that signed it."""
    directory = tmp_path_factory.mktemp("tls")
    harness.podman("run", "--rm", f"--volume={directory}:/tls", image, "sh", "-euc", CERTIFICATES)
    return directory


@pytest.fixture(scope="module")
def trusting(tls: Path) -> ssl.SSLContext:
    """What a browser that knows the authority uses."""
    return ssl.create_default_context(cafile=str(tls / "ca.pem"))


@contextmanager
def on_network(network: str, image: str, *options: str, command: tuple[str, ...] = ()) -> Iterator[harness.Container]:
    """Start a container; it is removed in the end."""
    name = f"taxiway-test-{uuid.uuid4().hex[:12]}"
    try:
        harness.podman("run", "--detach", f"--network={network}", f"--name={name}", *options, image, *command)
        yield harness.Container(name, 0)
    finally:
        harness.podman("rm", "--force", "--time=1", name, check=False)


@pytest.fixture(scope="module")
def app_images(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The two applications, built by taxiway."""
    images = {}
    for file, text in (("wsgi.py", WSGI), ("asgi.py", ASGI)):
        source = tmp_path_factory.mktemp("application") / "source"
        source.mkdir()
        (source / file).write_text(text)
        (source / "pyproject.toml").write_text(PROJECT)
        for directory in ("docs", "docs/sub", "root/guide"):
            (source / directory).mkdir(parents=True)
            (source / directory / "index.html").write_text("a page")
        (source / "requirements.txt").write_text(REQUIREMENTS[file])
        images[file] = f"{harness.TEST_IMAGES}/front-ends-{file[:4]}"
        build = (
            f"FROM {harness.BUILDER}\nENV TAXIWAY_APP={file[:4]}\nCOPY --chown=1001:0 . /tmp/src\nRUN /usr/libexec/s2i/assemble\n"
        )
        harness.podman_build(build, images[file], source)
    yield images
    for built in images.values():
        harness.podman("rmi", "--force", built, check=False)


@contextmanager
def application(image: str, server: str, settings: str, tmp_path: Path) -> Iterator[int]:
    """Start an application with settings as `taxiway proxy --settings` prints them; gives its port."""
    port = harness.free_port()
    file = tmp_path / f"{port}.env"
    file.write_text(settings)
    variables = (f"--env-file={file}", f"--env=PORT={port}", f"--env=TAXIWAY_SERVER={server}")
    with on_network("host", image, *variables, command=("/usr/libexec/s2i/run",)) as container:
        harness.Container(container.name, port).wait()
        yield port


@contextmanager
def applications(images: Mapping[str, str], settings: str, tmp_path: Path) -> Iterator[dict[str, str]]:
    """Start all applications; gives where each host's listens."""
    with ExitStack() as stack:
        yield {
            host: f"127.0.0.1:{stack.enter_context(application(images[file], server, settings, tmp_path))}"
            for host, (file, server) in APPLICATIONS.items()
        }


def write(kind: str, *options: str) -> str:
    """What the command line writes."""
    environ = {"PYTHONPATH": str(harness.ROOT / "src"), "TAXIWAY_MAX_BODY": str(MAX_BODY)}
    source = str(harness.APPS / "plain-wsgi")
    return harness.run(sys.executable, "-m", "taxiway", "proxy", kind, source, *options, env=environ).text


@dataclass(frozen=True)
class Front:
    """A running front end."""

    kind: str
    container: harness.Container
    http: Door
    https: Door

    def url(self, host: str) -> str:
        """The public URL of a site, without a path."""
        return f"https://{host}:{self.https.port}" if self.https.port else f"http://{host}:{self.http.port}"


class Fronts:
    """Starts front ends."""

    def __init__(self, image: str, tls: Path, trusting: ssl.SSLContext, directory: Path) -> None:
        self.image, self.tls, self.trusting, self.directory = image, tls, trusting, directory

    @contextmanager
    def run(self, kind: Kind, *options: str, network: str = "host") -> Iterator[harness.Container]:
        """Write the configuration, check it with the front end's own command, and start it."""
        file = self.directory / uuid.uuid4().hex
        file.write_text(write(kind.name, *options))
        ports = self.directory / f"ports-{network[:4]}"  # Debian's, but those of the host's network aren't for tests
        ports.write_text("" if network == "host" else "Listen 80\nListen 443\n")
        script = f"{kind.check} && {kind.start}".format(file=kind.file)
        volumes = (
            f"--volume={file}:{kind.file}:ro",
            f"--volume={self.tls}:/tls:ro",
            f"--volume={ports}:/etc/apache2/ports.conf:ro",
        )
        admin = f"--env=CADDY_ADMIN=127.0.0.1:{harness.free_port()}"
        with on_network(network, self.image, *volumes, admin, command=("sh", "-euc", script)) as container:
            yield container

    @contextmanager
    def start(self, kind: Kind, *options: str, tls: bool = True) -> Iterator[Front]:
        """Start one on free ports, and wait until it listens."""
        http, https = harness.free_port(), harness.free_port() if tls else 0
        options += (f"--http-port={http}", *((f"--https-port={https}",) if tls else ("--http-only",)))
        if tls:
            options += ("--certificate=/tls/site.pem", "--key=/tls/site.pem.key")
        with self.run(kind, *options) as container:
            front = Front(kind.name, container, Door(http), Door(https, self.trusting if tls else None))
            harness.wait_for(lambda: self._is_up(front), harness.START_TIMEOUT_S)
            yield front

    def _is_up(self, front: Front) -> bool | None:
        try:
            with front.http.connect("", source="127.0.0.1"):
                return True
        except OSError:
            assert front.container.is_running(), front.container.logs()
            return None


@pytest.fixture(scope="module")
def fronts(image: str, tls: Path, trusting: ssl.SSLContext, tmp_path_factory: pytest.TempPathFactory) -> Fronts:
    return Fronts(image, tls, trusting, tmp_path_factory.mktemp("configurations"))


@pytest.fixture(scope="module")
def upstreams(app_images: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Where each host's application listens: with settings from the command, and two recorders."""
    tmp_path = tmp_path_factory.mktemp("settings")
    settings = write("nginx", "--host=x", "--upstream=127.0.0.1:1", "--http-only", "--settings")
    with (
        applications(app_images, settings, tmp_path) as found,
        raw_http.recorder("127.0.0.1") as port,
        raw_http.recorder("::1") as port6,
    ):
        yield found | {RAW: f"127.0.0.1:{port}", RAW6: f"[::1]:{port6}"}


@pytest.fixture(scope="module", params=KINDS)
def front(request: pytest.FixtureRequest, fronts: Fronts, upstreams: Mapping[str, str]) -> Iterator[Front]:
    """Each front end, with TLS and four sites."""
    with fronts.start(KINDS[request.param], *(f"--site={host}={upstream}" for host, upstream in upstreams.items())) as running:
        yield running


def get(front: Front, host: str, path: str = "/", *headers: str) -> Answer:
    """Ask as a browser would."""
    return front.https.get(path, f"{host}:{front.https.port}", *headers, name=host)


@pytest.mark.parametrize("host", APPLICATIONS)
def test_application_knows_its_url_and_its_client(front: Front, host: str) -> None:
    told = get(front, host, "/a%20page?x=1&y=%2F").data
    assert told["url"] == f"{front.url(host)}/a%20page?x=1&y=%2F"
    assert told["REMOTE_ADDR"] == CLIENT
    assert told["SERVER_PORT"] == str(front.https.port)
    assert told["SCRIPT_NAME"] == ""


def received(answer: Answer) -> list[tuple[str, str]]:
    """The headers that a recorder got, but for those of the connection."""
    assert answer.status == 200, answer
    headers = [(name.lower(), value) for name, value in answer.data["headers"]]
    return sorted((name, value) for name, value in headers if name not in {"connection", "x-harmless", "accept-encoding", "via"})


def test_recorder_gets_exactly_the_trusted_headers(front: Front) -> None:
    port = str(front.https.port)
    expected = {
        "x-forwarded-for": CLIENT,
        "x-forwarded-proto": "https",
        "x-forwarded-host": f"{RAW}:{port}",
        "x-forwarded-port": port,
        "host": f"{RAW}:{port}",
    }
    got = dict(received(get(front, RAW)))
    got.pop("user-agent", None)  # Caddy's, and empty
    assert got == expected


@pytest.mark.parametrize("evil", ["6.6.6.6", "evil.example", "http", "/evil", "for=6.6.6.6;host=evil.example;proto=http"])
def test_headers_of_the_client_have_no_effect(front: Front, evil: str) -> None:
    """Every header of every family, in every spelling, twice; what the upstreams see stays the same."""
    plain = received(get(front, RAW))
    for spelled in raw_http.spellings(KNOWN):
        half = len(spelled) // 2  # the front ends take about 100 headers
        for host, names in itertools.product((*APPLICATIONS, RAW), (spelled[:half], spelled[half:])):
            lines = [f"{name}: {evil}" for name in names for _ in range(2)]
            answer = get(front, host, "/", *lines)
            if front.kind == "apache" and "_" in "".join(names):  # it can't take headers away by a pattern, and refuses these
                assert answer.status == 403
            else:
                assert received(answer) == plain if host == RAW else answer.data == get(front, host).data, names


@pytest.mark.parametrize("name", [front_ends.FOR, front_ends.PROTO, front_ends.HOST, front_ends.PORT])
def test_a_trusted_header_has_one_value_whatever_the_client_sends(front: Front, name: str) -> None:
    plain = received(get(front, RAW))
    for (spelled,) in raw_http.spellings([name]):
        answer = get(front, RAW, "/", f"{spelled}: 1, 2", f"{spelled}:", f"{spelled}: 3")
        assert answer.status == 403 if front.kind == "apache" and "_" in spelled else received(answer) == plain, spelled
    # A proxy takes away what Connection names: that may not be what the front end has just set.
    for connection in (f"close, {name}", f"{name},close", f"close, {name.lower()} , {name}"):
        assert received(get(front, RAW, "/", f"Connection: {connection}")) == plain, connection


@pytest.mark.parametrize("host", [*APPLICATIONS, RAW])
def test_the_name_is_the_sites_own_however_it_is_written(front: Front, host: str) -> None:
    """Either the front end refuses, or the application sees the site's own name and port."""

    def shown(answer: Answer) -> object:
        return received(answer) if host == RAW else answer.data

    plain = shown(get(front, host))
    authority = f"{host}:{front.https.port}"
    for written in (host, host.upper(), f"{host}:1", f"{host}:99999", f"{host}:", f"{host}.", f"{host}:80, evil.example"):
        answer = front.https.get("/", written, name=host)
        assert answer.status in {400, 404, 421} or shown(answer) == plain, (written, answer)
    for lines in (
        (f"Host: {authority}", "Host: evil.example"),
        ("Host: evil.example", f"Host: {authority}"),
        (f"Host: {authority}", f"Host: {authority}"),
        (f"Host: {authority}", "Host : evil.example"),
        ("Host: evil.example", f" {authority}"),
    ):
        answer = front.https.send(raw_http.request("GET", "/", *lines, "Connection: close"), host)
        assert answer.status in {400, 404, 421} or shown(answer) == plain, (lines, answer)
    for target in (f"https://{authority}/", "https://evil.example/", f"http://{authority}/"):
        answer = front.https.send(raw_http.request("GET", target, f"Host: {authority}", "Connection: close"), host)
        assert answer.status in {400, 404, 421} or shown(answer) == plain, (target, answer)


def test_unknown_names_are_refused(front: Front) -> None:
    assert front.http.get("/", "unknown.example").status == 421
    assert front.http.get("/", "127.0.0.1").status == 421
    assert front.https.get("/", "unknown.example").status == 421
    try:
        answer = front.https.get("/", "unknown.example", name="unknown.example")
    except OSError:  # no certificate for it
        return
    assert answer.status == 421


def test_no_certificate_is_made_up(front: Front) -> None:
    with pytest.raises(OSError, match=r"(?i)ssl|tls|reset"), front.https.connect("unknown.example"):
        pass


@pytest.mark.parametrize("path", ["/", "/a%20b?x=1&y=//z", "//evil.example/x", "/%0d%0aSet-Cookie:a=b", "/\\evil.example"])
def test_http_is_redirected(front: Front, path: str) -> None:
    answer = front.http.get(path, BLOG)
    assert answer.status == 308 or (answer.status == 400 and "\\" in path)
    assert answer.status == 400 or answer.headers["location"].startswith(f"{front.url(BLOG)}/")
    assert "set-cookie" not in answer.headers
    if "evil" not in path and "%0d" not in path:
        assert answer.headers["location"] == f"{front.url(BLOG)}{path}"
    assert front.http.get(path, f"{BLOG}:1").headers.get("location") == answer.headers.get("location")


def test_target_without_slash_redirects_nowhere_else(front: Front) -> None:
    for target in (".evil.example/", "@evil.example/", ":1/", "evil.example:80"):
        answer = front.http.send(raw_http.request("GET", target, f"Host: {BLOG}", "Connection: close"))
        assert answer.status >= 400 or urlsplit(answer.headers["location"]).hostname == BLOG, (target, answer)


def test_websocket(front: Front) -> None:
    status, text = front.https.echo("/", f"{SHOP}:{front.https.port}", "hello")
    assert (status, text) == (101, f"wss://{SHOP}:{front.https.port} {CLIENT} hello")


def test_only_websockets_are_upgrades(front: Front) -> None:
    """With h2c a client would get a connection to the application on which nothing of the front end counts."""
    answer = get(front, RAW, "/", "Upgrade: h2c", "Connection: Upgrade, HTTP2-Settings", "HTTP2-Settings: AAMAAABkAAQAAP__")
    assert answer.status == 200
    assert "upgrade" not in dict(received(answer))


def test_large_body_is_refused(front: Front) -> None:
    lines = (f"Host: {RAW}:{front.https.port}", f"Content-Length: {MAX_BODY + 1}", "Expect: 100-continue")
    assert front.https.send(raw_http.request("POST", "/", *lines, "Connection: close"), RAW).status == 413


@pytest.mark.parametrize("host", [BLOG, WIKI, RAW, RAW6])
def test_bodies_get_through(front: Front, host: str) -> None:
    """With a length and chunked, to IPv4 and IPv6."""
    body = b"x" * 100_000
    lines = (f"Host: {host}:{front.https.port}", "Connection: close")
    chunked = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:7], body[7:], b""))
    for request in (
        raw_http.request("POST", "/", *lines, f"Content-Length: {len(body)}", body=body),
        raw_http.request("POST", "/", *lines, "Transfer-Encoding: chunked", body=chunked),
    ):
        answer = front.https.send(request, host)
        assert answer.status == 200, answer
        assert answer.data["body"] == len(body)


def test_large_headers_get_through(front: Front) -> None:
    cookie = "c" * 6000
    assert ("cookie", cookie) in received(get(front, RAW, "/", f"Cookie: {cookie}"))


def test_encoded_paths_arrive_as_they_were_sent(front: Front) -> None:
    for path in ("/a%2Fb", "/a%20b/%C3%A4?q=%2F+%20", "/a//b", "/%7Euser"):
        assert get(front, RAW, path).data["path"] == path


@pytest.mark.parametrize("host", APPLICATIONS)
def test_directories_are_redirected_within_the_site(front: Front, host: str) -> None:
    """Static directories: by Apache with mod_wsgi, by the server's own process elsewhere."""
    for path in ("/docs", "/docs/sub", "/guide", "//docs", "/docs?x=1", "//guide?y=//evil.example"):
        answer = get(front, host, path)
        assert answer.status == 301, answer
        target = urljoin(front.url(host) + path, answer.headers["location"])
        name, _, query = path.partition("?")
        # urljoin makes one slash of two, browsers don't; both addresses are the page's.
        assert target == f"{front.url(host)}{name.replace('//', '/')}/" + (f"?{query}" if query else "")
        assert get(front, host, target.removeprefix(front.url(host))).body == "a page"
    for path in (
        "//evil.example/..",
        "//evil.example/%2e%2e",
        "/docs//evil.example",
        "/\\evil.example",
        "/docs/..//evil.example",
    ):
        assert "location" not in get(front, host, path).headers, path


def test_http2(front: Front) -> None:
    """As a browser: HTTP/2 outside, HTTP/1.1 to the application."""
    resolve = ("--resolve", f"{BLOG}:{front.https.port}:127.0.0.1")
    options = ("--silent", "--http2", "--cacert", "/tls/ca.pem", *resolve, "--header", "X-Forwarded-For: 6.6.6.6")
    found = front.container.execute(
        "curl", *options, "--interface", CLIENT, "--write-out", "\n%{http_version}", f"{front.url(BLOG)}/x"
    )
    text, _, version = found.rpartition("\n")
    told = Answer(200, {}, text).data
    assert (version, told["url"], told["REMOTE_ADDR"]) == ("2", f"{front.url(BLOG)}/x", CLIENT)


@pytest.fixture(scope="module")
def mounted(app_images: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Applications that believe in a prefix and in a proxy in front of the front end."""
    tmp_path = tmp_path_factory.mktemp("mounted")
    inner = ("--host=x", "--upstream=127.0.0.1:1", "--http-only", "--prefix=/blog-2.0", "--behind-proxy=127.0.0.1")
    settings = write("nginx", *inner, "--settings")
    with applications(app_images, settings, tmp_path) as found, raw_http.recorder("127.0.0.1") as port:
        yield found | {RAW: f"127.0.0.1:{port}"}


@dataclass(frozen=True)
class Row:
    """Two front ends in a row."""

    edge: Front
    inner: Front


@pytest.fixture(scope="module", params=KINDS)
def row(request: pytest.FixtureRequest, fronts: Fronts, mounted: Mapping[str, str]) -> Iterator[Row]:
    """HAProxy in front of each front end, which passes on to applications below a prefix."""
    options = [f"--site={host}={upstream}" for host, upstream in mounted.items()]
    with fronts.start(KINDS[request.param], *options, "--prefix=/blog-2.0", "--behind-proxy=127.0.0.1", tls=False) as inner:
        hosts = [f"--host={host}" for host in mounted]
        with fronts.start(KINDS["haproxy"], *hosts, f"--upstream=127.0.0.1:{inner.http.port}") as edge:
            yield Row(edge, inner)


@pytest.mark.parametrize("host", APPLICATIONS)
def test_two_in_a_row(row: Row, host: str) -> None:
    """The application sees the first one's public URL, and its client."""
    spoofed = (
        "X-Forwarded-For: 6.6.6.6, 127.0.0.1",
        "X-Forwarded-Proto: http",
        "X-Forwarded-Prefix: /evil",
        "Forwarded: for=6.6.6.6",
    )
    for lines in ((), spoofed, ("Connection: close, X-Forwarded-For, X-Forwarded-Proto, X-Forwarded-Host, X-Forwarded-Port",)):
        told = get(row.edge, host, "/blog-2.0/a%20page?x=1", *lines).data
        assert told["url"] == f"{row.edge.url(host)}/blog-2.0/a%20page?x=1"
        assert told["REMOTE_ADDR"] == CLIENT
        assert told["SERVER_PORT"] == str(row.edge.https.port)
        assert told["SCRIPT_NAME"] == "/blog-2.0"
    location = get(row.edge, host, "/blog-2.0/docs").headers["location"]
    assert urljoin(f"{row.edge.url(host)}/blog-2.0/docs", location) == f"{row.edge.url(host)}/blog-2.0/docs/"
    assert get(row.edge, host, "/blog-2.0/docs/").body == "a page"
    assert get(row.edge, host, "/blog-2.0").headers["location"] == "/blog-2.0/"
    assert get(row.edge, host, "/blog-2.0s").status == 404
    assert get(row.edge, host, "/").status == 404


@pytest.mark.parametrize("host", APPLICATIONS)
def test_second_in_a_row_believes_the_first_alone(row: Row, host: str) -> None:
    plain = row.inner.http.get("/blog-2.0/", host).data
    assert plain["url"] == f"{row.inner.url(host)}/blog-2.0/"
    assert plain["REMOTE_ADDR"] == CLIENT
    for evil in ("6.6.6.6", "https", "evil.example", "443"):
        lines = [f"{name}: {evil}" for name in KNOWN[: len(KNOWN) // 2]]
        assert row.inner.http.get("/blog-2.0/", host, *lines).data == plain
        assert row.inner.http.get("/blog-2.0/", host, "Connection: close, X-Forwarded-For, X-Forwarded-Prefix").data == plain


def test_second_in_a_row_keeps_what_the_first_says(row: Row) -> None:
    headers = received(get(row.edge, RAW, "/blog-2.0/x"))
    got = {name: ", ".join(value for other, value in headers if other == name) for name, _ in headers}  # in one line or two
    assert sorted(got["x-forwarded-for"].split(", ")) == ["127.0.0.1", CLIENT]
    assert got["x-forwarded-proto"] == "https"
    assert got["x-forwarded-host"] == f"{RAW}:{row.edge.https.port}"
    assert got["x-forwarded-port"] == str(row.edge.https.port)
    assert got["x-forwarded-prefix"] == "/blog-2.0"


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_behind_a_proxy_that_sets_two_headers(kind: Kind, fronts: Fronts) -> None:
    """As many a CDN, which hands on what its clients make up in the others."""
    kept = (f"--kept-header={front_ends.FOR}", f"--kept-header={front_ends.PROTO}")
    with raw_http.recorder("127.0.0.1") as port:
        site = f"--site={RAW}=127.0.0.1:{port}"
        with fronts.start(kind, site, "--behind-proxy=127.0.0.1", *kept, tls=False) as front:
            made_up = ("X-Forwarded-Host: evil.example", "X-Forwarded-Port: 1", "X-Forwarded-Prefix: /evil")
            told = ("X-Forwarded-For: 6.6.6.6, 203.0.113.5", "X-Forwarded-Proto: https", *made_up)
            headers = received(front.http.get("/", RAW, *told, source="127.0.0.1"))
            got = {name: ", ".join(value for other, value in headers if other == name) for name, _ in headers}
            got.pop("user-agent", None)
            told_for = got.pop("x-forwarded-for")
            assert sorted(told_for.split(", ")) == ["127.0.0.1", "203.0.113.5", "6.6.6.6"]
            assert told_for.index("6.6.6.6") < told_for.index("203.0.113.5")
            assert got == {"host": RAW, "x-forwarded-host": RAW, "x-forwarded-proto": "https"}
            direct = dict(received(front.http.get("/", RAW, *told)))
            assert (direct["x-forwarded-for"], direct["x-forwarded-proto"]) == (CLIENT, "http")


class DefaultPorts:
    """An application, and in its network one front end after the other."""

    def __init__(self, fronts: Fronts, container: str, port: int) -> None:
        self._fronts, self._container, self._port = fronts, container, port

    def ask(self, kind: Kind) -> tuple[dict[str, str], str]:
        """Ask over HTTPS and HTTP; gives the application's answer, and where HTTP is redirected to."""
        options = (
            f"--host={BLOG}",
            f"--upstream=127.0.0.1:{self._port}",
            "--certificate=/tls/site.pem",
            "--key=/tls/site.pem.key",
        )
        with self._fronts.run(kind, *options, network=f"container:{self._container}") as container:
            asked = ("curl", "--silent", "--cacert", "/tls/ca.pem", "--retry-connrefused", "--retry", "20", "--retry-delay", "1")
            resolve = ("--resolve", f"{BLOG}:443:127.0.0.1", "--resolve", f"{BLOG}:80:127.0.0.1")
            told = json.loads(container.execute(*asked, *resolve, f"https://{BLOG}/x"))
            location = container.execute(
                *asked, *resolve, "--output", "/dev/null", "--write-out", "%{redirect_url}", f"http://{BLOG}/x"
            )
            return told, location


@pytest.fixture(scope="module")
def default_ports(fronts: Fronts, app_images: Mapping[str, str]) -> Iterator[DefaultPorts]:
    settings = write("nginx", f"--host={BLOG}", "--upstream=127.0.0.1:8080", "--http-only", "--settings")
    variables = tuple(f"--env={line}" for line in settings.split())
    with on_network(
        "none", app_images["wsgi.py"], *variables, "--env=TAXIWAY_SERVER=gunicorn", command=("/usr/libexec/s2i/run",)
    ) as container:
        harness.wait_for(lambda: "Listening at" in container.logs() or None, harness.START_TIMEOUT_S)
        yield DefaultPorts(fronts, container.name, 8080)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_default_ports(kind: Kind, default_ports: DefaultPorts) -> None:
    """Neither port stands in the URL. In a network of its own, because it is 80 and 443."""
    told, location = default_ports.ask(kind)
    assert told["url"] == f"https://{BLOG}/x"
    assert told["HTTP_HOST"] == BLOG
    assert told["SERVER_PORT"] == "443"
    assert told["REMOTE_ADDR"] == "127.0.0.1"
    assert location == f"https://{BLOG}/x"
