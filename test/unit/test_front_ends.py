"""Front ends: what is asked for is checked, and gives the texts in examples/front-ends and test/unit/front_ends.

The texts are written anew by `python test/unit/test_front_ends.py`.
"""

import itertools
import re
import shlex
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from click.testing import CliRunner
from referencing import Registry, Resource

import taxiway_runtime.proxy
from taxiway import front_ends, proxy
from taxiway.cli import taxiway
from taxiway.errors import BadFrontEndError
from taxiway.front_ends import FrontEnd
from taxiway.settings import resolve

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples" / "front-ends"
STORED = Path(__file__).parent / "front_ends"
FILES = {
    "apache": "apache.conf",
    "nginx": "nginx.conf",
    "haproxy": "haproxy.cfg",
    "caddy": "Caddyfile",
    "traefik": "traefik.yaml",
    "openshift-route": "route.yaml",
}
TLS: dict[str, Any] = {"certificate": "/etc/ssl/blog.pem", "key": "/etc/ssl/blog.pem.key"}
NONE: dict[str, Any] = {
    "hosts": (),
    "upstream": None,
    "sites": (),
    "certificate": None,
    "key": None,
    "http_only": False,
    "http_port": 80,
    "https_port": 443,
    "prefix": "",
    "behind": (),
    "kept": (),
    "addresses": (),
    "request_timeout_s": 60,
    "max_body_bytes": 1024**3,
}


def upstream(name: str) -> str:
    return "blog:8080" if name == front_ends.ROUTE else "127.0.0.1:8080"


def parse(name: str, **options: Any) -> FrontEnd:
    """What the command line gives for one site, changed by the options."""
    one = {"hosts": ("blog.example.com",), "upstream": upstream(name)}
    return front_ends.parse(name, **(NONE | one | ({} if name == front_ends.ROUTE or "http_only" in options else TLS) | options))


def example(name: str) -> str:
    """Two sites, everything else as it comes."""
    second = f"shop.example.com={'shop' if name == front_ends.ROUTE else '127.0.0.1'}:8081"
    return front_ends.render(name, parse(name, sites=(second,)))


def unusual(name: str) -> str:
    """Without TLS, below a prefix, on another port, and behind other proxies."""
    options = {
        "http_only": True,
        "http_port": 8000,
        "prefix": "/blog",
        "behind": ("10.0.0.0/8", "fd00::1"),
        "request_timeout_s": 30,
        "max_body_bytes": 10 * 1024**2,
    }
    if name == front_ends.ROUTE:
        del options["http_port"]
    return front_ends.render(name, parse(name, **options))


def behind_cdn(name: str) -> str:
    """Behind a proxy that sets two of the four headers."""
    return front_ends.render(name, parse(name, behind=("192.0.2.0/24",), kept=(front_ends.FOR, front_ends.PROTO)))


@pytest.mark.parametrize("name", front_ends.NAMES)
def test_texts(name: str) -> None:
    assert example(name) == (EXAMPLES / FILES[name]).read_text()
    assert unusual(name) == (STORED / FILES[name]).read_text()
    assert behind_cdn(name) == (STORED / f"cdn-{FILES[name]}").read_text()


@pytest.mark.parametrize("name", front_ends.NAMES)
def test_settings_are_a_policy(name: str) -> None:
    """What the texts advise is a policy that taxiway accepts, and that believes this front end alone."""
    front_end = parse(name, behind=("10.0.0.0/8",), prefix="/blog")
    environ = dict(line.split("=", 1) for line in front_end.settings)
    policy = proxy.decide(resolve(environ=environ, project={}), "gunicorn")
    own = proxy.PRESETS["openshift"].networks if name == front_ends.ROUTE else ("127.0.0.1/32",)
    assert policy.trust == (*own, "10.0.0.0/8")
    assert policy.headers == front_end.headers
    assert policy.warning is None
    for line in front_end.settings:
        assert f"#   {line}\n" in front_ends.render(name, front_end)


def test_every_header_that_the_policy_knows_is_set_or_taken_away() -> None:
    known = set(taxiway_runtime.proxy.KNOWN)
    for prefix in ("", "/blog"):
        front_end = parse("nginx", prefix=prefix)
        mentioned = [header.lower() for header in (*front_end.headers, *front_end.stripped)]
        assert known == set(mentioned)
        assert len(mentioned) == len(set(mentioned))


@pytest.mark.parametrize("name", ["nginx", "haproxy", "caddy", "apache", "traefik"])
def test_all_headers_are_named(name: str) -> None:
    text = example(name)
    for header in (*parse(name).headers, *parse(name).stripped):
        assert (
            header in text or (name == "caddy" and header == front_ends.FOR) or (name == "traefik" and header == front_ends.FOR)
        )


def test_apache_refuses_underscores() -> None:
    found = re.search('SetEnvIfNoCase "([^"]+)"', example("apache"))
    assert found
    pattern = re.compile(found[1], re.IGNORECASE)
    front_end = parse("apache")
    for header in (*front_end.headers, *front_end.stripped):
        words = header.split("-")
        for joints in itertools.product("-_", repeat=len(words) - 1):
            spelled = "".join(itertools.chain(*zip(words, (*joints, ""), strict=True)))
            assert bool(pattern.match(spelled)) == ("_" in spelled), spelled
    for name in ("SCRIPT_NAME", "Path_Info"):
        assert pattern.match(name)
    for name in ("api_key", "X-Requested-With", "X_Token", "User-Agent"):
        assert not pattern.match(name)


@pytest.mark.parametrize(
    ("options", "settings"),
    [
        ({}, "127.0.0.1"),
        ({"upstream": "[::1]:8080"}, "::1"),
        ({"upstream": "127.0.0.5:8080"}, "127.0.0.1"),
        ({"upstream": "localhost:8080"}, "127.0.0.1,::1"),
        ({"sites": ("shop.example.com=[::1]:1",)}, "127.0.0.1,::1"),
        ({"upstream": "app.internal:8080", "addresses": ("10.1.2.3",)}, "10.1.2.3"),
        ({"upstream": "app.internal:8080", "addresses": ("10.1.2.3/32", "private")}, "10.1.2.3,private"),
        ({"behind": ("fd00::/8",)}, "127.0.0.1,fd00::/8"),
    ],
)
def test_whom_to_trust(options: dict[str, Any], settings: str) -> None:
    assert parse("nginx", **options).settings[0] == f"TAXIWAY_TRUST_PROXY={settings}"


@pytest.mark.parametrize("name", ["nginx", "haproxy", "caddy", "apache"])
def test_files_of_each_site(name: str) -> None:
    key = "/tls/{host}.pem.key"
    text = front_ends.render(
        name, parse(name, sites=("shop.example.com=127.0.0.1:8081",), certificate="/tls/{host}.pem", key=key)
    )
    for host in ("blog.example.com", "shop.example.com"):
        assert f"/tls/{host}.pem" in text
    assert "{host}" not in text


ALL = (front_ends.FOR, front_ends.PROTO, front_ends.HOST, front_ends.PORT)


@pytest.mark.parametrize(
    ("name", "kept", "headers"),
    [
        ("nginx", (), ALL),
        ("nginx", ("x-forwarded-for", "X-Forwarded-Proto"), ALL[:3]),  # the public port is the scheme's
        ("nginx", ("X-Forwarded-For",), ALL),
        ("nginx", ("X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Port"), ALL),
        ("openshift-route", (), ALL),
        ("openshift-route", ("X-Forwarded-For", "X-Forwarded-Proto"), ALL[:2]),  # the router would keep what anyone sends
    ],
)
def test_what_is_kept_of_proxies_in_front(name: str, kept: tuple[str, ...], headers: tuple[str, ...]) -> None:
    front_end = parse(name, behind=("10.0.0.0/8",), kept=kept)
    assert front_end.headers == headers
    assert [header for header in ALL if header in front_end.stripped] == [header for header in ALL if header not in headers]


def test_caddy_gets_certificates_itself() -> None:
    text = front_ends.render("caddy", parse("caddy", certificate=None, key=None))
    assert "ACME" in text
    assert text.count("    tls ") == 1  # of the site that refuses


def test_names_are_lower_case() -> None:
    assert parse("nginx", hosts=("Blog.Example.COM",)).sites[0].host == "blog.example.com"


WRONG_HOSTS = [
    *(
        "",
        "blog example.com",
        "blog.example.com;",
        "blog.example.com\n",
        "blog.example.com\nserver {",
        "blog{}",
        "a..b",
        "-a.b",
        "a-.b",
    ),
    *(
        "*.example.com",
        "blog.example.com:80",
        "blög.example",
        "blog.example.com.",
        "x" * 64,
        "/etc",
        "$host",
        "%{HTTP_HOST}",
        "`id`",
    ),
    *('blog"', "blog'", "blog\\", "blog#", "blog.example.com\x00", "_", "a_b.example"),
]


@pytest.mark.parametrize("host", WRONG_HOSTS)
def test_wrong_host(host: str) -> None:
    with pytest.raises(BadFrontEndError) as raised:
        parse("nginx", hosts=(host,))
    assert f"host {host.lower()!r}: expected a name such as blog.example.com" in str(raised.value)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "127.0.0.1",
            "127.0.0.1:",
            "127.0.0.1:0",
            "127.0.0.1:65536",
            ":8080",
            "::1:8080",
            "[::1",
            "[127.0.0.1]:80",
            "http://a:80",
        ),
        *("a:80;", "a:80\n", "a:80 b", "a:\uff18\uff10", "unix:/x", "a/b:80", "{a}:80", "[::1%lo]:80", "[::1;]:80"),
    ],
)
def test_wrong_upstream(text: str) -> None:
    with pytest.raises(BadFrontEndError) as raised:
        parse("haproxy", upstream=text)
    expected = "expected ADDRESS:PORT, such as 127.0.0.1:8080 or [::1]:8080"
    assert f"upstream {text!r} of 'blog.example.com': {expected}" in str(raised.value)


@pytest.mark.parametrize(
    ("name", "options", "problem"),
    [
        (
            "nginx",
            {"hosts": (), "upstream": None},
            "no site: give --host NAME --upstream ADDRESS:PORT, or --site NAME=ADDRESS:PORT",
        ),
        ("nginx", {"upstream": None}, "--host without --upstream: where does the application listen?"),
        (
            "nginx",
            {"hosts": (), "sites": ("a.example=[::1]:1",)},
            "--upstream without --host: which name is it for?",
        ),
        ("nginx", {"sites": ("blog.example.com=[::1]:1",)}, "host 'blog.example.com' has two upstreams"),
        ("nginx", {"key": None}, "--certificate and --key belong together"),
        ("nginx", {"http_only": True, **TLS}, "--http-only has no use for --certificate and --key"),
        (
            "nginx",
            {"certificate": None, "key": None},
            "no certificate: give --certificate FILE --key FILE, or --http-only behind a proxy that ends TLS itself",
        ),
        (
            "openshift-route",
            TLS,
            "--certificate, --key: a Route has the router's own certificate; put another one into spec.tls",
        ),
        ("openshift-route", {"https_port": 8443}, "--http-port, --https-port: a Route has the router's ports"),
        (
            "openshift-route",
            {"upstream": "[::1]:80"},
            "upstream '[::1]:80' of 'blog.example.com': expected SERVICE:PORT, such as blog:8080",
        ),
        (
            "haproxy",
            {"key": "/etc/ssl/blog.key"},
            "--key '/etc/ssl/blog.key': HAProxy reads the key from the certificate's own file, or from /etc/ssl/blog.pem.key",
        ),
        (
            "nginx",
            {"certificate": "blog.pem"},
            "--certificate 'blog.pem': expected an absolute path of letters, digits and ./_+@-, {host} for a site's name",
        ),
        (
            "nginx",
            {"key": "/a;\n/{x}"},
            r"--key '/a;\n/{x}': expected an absolute path of letters, digits and ./_+@-, {host} for a site's name",
        ),
        ("nginx", {"http_port": 443}, "--http-port and --https-port are both 443"),
        *(
            ("nginx", {"prefix": prefix}, f"--prefix {prefix!r}: expected a path such as /blog")
            for prefix in ("blog", "//evil", "/a/../b", "/..", "/blog;", "/a b", "/blog\n", "/{}", "/blög", "/a%2f")
        ),
        (
            "nginx",
            {"behind": ("10.0.0.1/8",)},
            "--behind-proxy '10.0.0.1/8': expected an address or a network, such as 10.0.0.0/8",
        ),
        ("nginx", {"kept": ("X-Forwarded-For",)}, "--kept-header without --behind-proxy: whose headers are kept?"),
        (
            "nginx",
            {"behind": ("::1",), "kept": ("X-Real-IP",)},
            "--kept-header 'X-Real-IP': expected one of X-Forwarded-For, X-Forwarded-Proto, X-Forwarded-Host, X-Forwarded-Port",
        ),
        ("nginx", {"addresses": ("local",)}, "--address 'local': expected an address or a network, such as 10.0.0.0/8"),
        (
            "nginx",
            {"upstream": "app.internal:8080"},
            (
                "upstream 'app.internal:8080' is on another machine: say with --address which address or network "
                "the application sees this front end as"
            ),
        ),
    ],
)
def test_wrong(name: str, options: dict[str, Any], problem: str) -> None:
    """The problem is told, and is the only one."""
    with pytest.raises(BadFrontEndError) as raised:
        parse(name, **options)
    told = str(raised.value).split("\n\n")[0].splitlines()
    assert told == ["No front end can be configured from this:", f"  {problem}"]


def test_all_problems_are_told() -> None:
    with pytest.raises(BadFrontEndError) as raised:
        parse("nginx", hosts=("a b",), prefix="x", behind=("y",))
    assert len(str(raised.value).split("\n\n")[0].splitlines()) == 4


@pytest.mark.parametrize("text", [example(front_ends.ROUTE), unusual(front_ends.ROUTE)])
def test_routes_match_their_schema(text: str) -> None:
    schemas = {path.name: yaml.safe_load(path.read_text()) for path in (ROOT / "test" / "schemas").glob("*.json")}
    registry: Registry[Any] = Registry().with_resources([(name, Resource.from_contents(body)) for name, body in schemas.items()])
    validator = jsonschema.Draft202012Validator(schemas["route.openshift.io_v1_Route.json"], registry=registry)
    routes = [body for body in yaml.safe_load_all(text) if body]
    assert routes
    for route in routes:
        assert [error.message for error in validator.iter_errors(route)] == []


@pytest.mark.parametrize("text", [example("traefik"), unusual("traefik")])
def test_traefik_is_whole(text: str) -> None:
    """Every name that is used is defined, and every router has its own host."""
    http = yaml.safe_load(text)["http"]
    static = yaml.safe_load("\n".join(line[4:] for line in text.split("\n") if line.startswith("#     ")))
    for name, router in http["routers"].items():
        assert router["service"] in http["services"], name
        assert set(router["middlewares"]) <= set(http["middlewares"]), name
        assert set(router["entryPoints"]) <= set(static["entryPoints"]), name
        assert f"Host(`{router['service']}`)" in router["rule"]
    for service in http["services"].values():
        assert service["loadBalancer"]["serversTransport"] in http["serversTransports"]


def commands() -> list[tuple[str, str]]:
    """The commands of the page, each with what it prints there."""
    page = (ROOT / "docs" / "front-ends.md").read_text()
    shown = "".join(re.findall(r"```console\n(.*?)```", page, re.DOTALL)).replace("\\\n", " ")
    return [(line, output) for line, output in re.findall(r"^\$ taxiway (proxy .*)\n((?:(?!\$ ).*\n)*)", shown, re.MULTILINE)]


@pytest.mark.parametrize(("line", "output"), commands())
def test_commands_of_the_page(line: str, output: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    words = shlex.split(line.partition(">")[0])
    result = CliRunner().invoke(taxiway, words)
    assert result.exit_code == 0, result.output or result.exception
    assert result.output == output or (not output and ">" in line)


def test_the_page_shows_each_front_end() -> None:
    page = (ROOT / "docs" / "front-ends.md").read_text()
    assert all(f"| `{name}` | [{file}](../examples/front-ends/{file}) |" in page for name, file in FILES.items())
    assert len(commands()) > len(FILES)


if __name__ == "__main__":
    for kind, file in FILES.items():
        (EXAMPLES / file).write_text(example(kind))
        (STORED / file).write_text(unusual(kind))
        (STORED / f"cdn-{file}").write_text(behind_cdn(kind))
