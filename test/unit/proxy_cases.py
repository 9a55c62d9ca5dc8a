"""The truth table of trusted proxies: what a request tells, and what the application sees.

Numbers are those of the table in the specification of the rules; letters are variants. The same cases are run against
`overrides`, against the WSGI and the ASGI middleware (test_proxy.py), and against real servers
(test/image/test_proxy_servers.py).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from taxiway_runtime.proxy import Policy, overrides

TRUSTED_PEER, UNTRUSTED_PEER = "127.0.0.1", "127.0.0.9"
USUAL = ("X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Port", "X-Script-Name")
POLICY = {"trust": ["127.0.0.1/32", "10.0.0.0/8"], "headers": [*USUAL], "hops": None, "engine": "middleware"}
HOST, PORT = "inner.example:8080", 8080  # as the connection says

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What the application sees."""

    client: str = TRUSTED_PEER
    client_port: int | None = 40000
    """None: unknown."""
    scheme: str = "http"
    host: str = HOST
    server: str = "0.0.0.0"
    port: int = PORT
    prefix: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    """The proxy headers."""


@dataclass(frozen=True)
class Case:
    """A request and what is seen of it."""

    number: str
    headers: Headers
    seen: Seen
    peer: str = TRUSTED_PEER
    policy: dict[str, Any] = field(default_factory=lambda: POLICY)

    @property
    def policy_json(self) -> str:
        """The policy as `taxiway start` hands it over."""
        return json.dumps(self.policy)


def seen_through(policy: Policy, peer: str, headers: Headers, connection: Seen) -> Seen:
    """What the function that decides makes of a request, of which the application would see `connection` otherwise."""
    if not policy.trusts(peer):
        return connection
    told: dict[str, str] = {}
    for name, value in headers:
        key = name.lower()
        told[key] = f"{told[key]},{value}" if key in told else value
    values = tuple(told.get(name, "") for name in policy.headers.values())
    found = overrides(policy, values, connection.host, connection.scheme)
    return replace(
        connection,
        client=found.client or connection.client,
        client_port=found.client_port if found.client else connection.client_port,
        scheme=found.scheme or connection.scheme,
        host=found.host or connection.host,
        server=found.server or connection.server,
        port=found.port or connection.port,
        prefix=found.prefix or connection.prefix,
        headers=found.headers,
    )


def policy(*headers: str, trust: tuple[str, ...] = ("127.0.0.1/32", "10.0.0.0/8"), hops: int | None = None) -> dict[str, Any]:
    return {"trust": [*trust], "headers": [*headers], "hops": hops, "engine": "middleware"}


def client(address: str, *, port: int | None = None, kept: str | None = None) -> Seen:
    """The client is another one, told by X-Forwarded-For."""
    return Seen(client=address, client_port=port, headers={"x-forwarded-for": kept or address})


def single(name: str, value: str, **seen: Any) -> Seen:
    """One header stays, with this value."""
    return Seen(headers={name: value}, **seen)


def xff(*lines: str) -> Headers:
    return tuple(("X-Forwarded-For", line) for line in lines)


def proto(*lines: str) -> Headers:
    return tuple(("X-Forwarded-Proto", line) for line in lines)


def host(*lines: str) -> Headers:
    return tuple(("X-Forwarded-Host", line) for line in lines)


def port(*lines: str) -> Headers:
    return tuple(("X-Forwarded-Port", line) for line in lines)


def prefix(*lines: str) -> Headers:
    return tuple(("X-Script-Name", line) for line in lines)


def forwarded(*lines: str) -> Headers:
    return tuple(("Forwarded", line) for line in lines)


NOTHING = Seen()
HTTPS = single("x-forwarded-proto", "https", scheme="https", port=8080)  # the Host header has a port
EVERYTHING: Headers = (
    *xff("203.0.113.5"),
    *proto("https"),
    *host("pub.example"),
    *port("8443"),
    *prefix("/sub"),
    *(
        (name, "203.0.113.66")
        for name in ("X-Real-IP", "X-Client-IP", "CF-Connecting-IP", "True-Client-IP", "X-Forwarded-Server")
    ),
    *((name, "https") for name in ("X-Scheme", "X-Forwarded-Scheme", "X-Forwarded-Protocol")),
    *((name, "on") for name in ("X-Forwarded-SSL", "X-Forwarded-HTTPS", "X-HTTPS", "Front-End-Https")),
    *((name, "/evil") for name in ("X-Forwarded-Script-Name", "X-Forwarded-Prefix", "X-Original-URI")),
    *((name, "evil.example") for name in ("X-Host", "X-Original-Host")),
    ("Forwarded", "for=203.0.113.77;host=evil.example;proto=https"),
)
FORWARDED = policy("Forwarded")

CASES = (
    Case("0", (), NOTHING),
    Case("1", xff("203.0.113.5, 10.1.1.1"), client("203.0.113.5", kept="203.0.113.5, 10.1.1.1")),
    Case("2", xff("6.6.6.6, 203.0.113.5"), client("203.0.113.5")),
    Case("3", xff("10.9.9.9, 10.1.1.1"), client("10.9.9.9", kept="10.9.9.9, 10.1.1.1")),
    Case("4", xff("203.0.113.5,,10.1.1.1"), client("203.0.113.5", kept="203.0.113.5, 10.1.1.1")),
    Case("4b", xff("203.0.113.5,"), client("203.0.113.5")),
    Case("4c", xff(","), NOTHING),
    Case("4d", xff(""), NOTHING),
    Case("5", xff("203.0.113.5, unknown, 10.1.1.1"), client("10.1.1.1")),
    Case("6", xff("unknown"), NOTHING),
    Case("7", xff("203.0.113.5:4711"), client("203.0.113.5", port=4711)),
    Case("7b", xff("[2001:db8::1]:4711"), client("2001:db8::1", port=4711)),
    Case("7c", xff('"[2001:DB8:0::1]"'), client("2001:db8::1")),
    Case("7d", xff("203.0.113.5:0"), NOTHING),
    Case("7e", xff("203.0.113.5:65536"), NOTHING),
    Case("7f", xff("203.0.113.5:"), NOTHING),
    Case("7g", xff("[203.0.113.5]"), NOTHING),
    Case("7h", xff("[2001:db8::1"), NOTHING),
    Case("7i", xff("2001:db8::1%eth0"), NOTHING),
    Case("8", xff("203.0.113.5, 10.1.1.1:80"), client("203.0.113.5", kept="203.0.113.5, 10.1.1.1")),
    Case("9", xff("203.0.113.5, ::ffff:10.1.1.1"), client("203.0.113.5", kept="203.0.113.5, 10.1.1.1")),
    Case("10", xff("203.0.113.5, localhost"), NOTHING),
    Case("10b", xff("203.0.113.5, 127.1"), NOTHING),
    Case("10c", xff("203.0.113.5, 2130706433"), NOTHING),
    Case("10d", xff("203.0.113.5, 0x7f000001"), NOTHING),
    Case("10e", xff("203.0.113.5, 010.1.1.1"), NOTHING),
    Case("11", xff("203.0.113.5", "10.1.1.1"), client("203.0.113.5", kept="203.0.113.5, 10.1.1.1")),
    Case("11b", xff("6.6.6.6", "203.0.113.5"), client("203.0.113.5")),
    Case("12", proto("HTTPS"), HTTPS),
    Case("12b", proto("wss"), HTTPS),
    Case("13", proto("https, http"), single("x-forwarded-proto", "http", port=8080)),
    Case("13b", proto("http", "https"), HTTPS),
    Case(
        "13c",
        (*xff("203.0.113.5, 10.1.1.1"), *proto("https, http")),
        Seen(
            client="203.0.113.5",
            client_port=None,
            scheme="https",
            headers={"x-forwarded-for": "203.0.113.5, 10.1.1.1", "x-forwarded-proto": "https"},
        ),
    ),
    Case(
        "13d",  # the first proxy replaced what the client sent, the second added a line
        (*xff("203.0.113.5, 10.1.1.1"), *proto("https")),
        Seen(
            client="203.0.113.5",
            client_port=None,
            scheme="https",
            headers={"x-forwarded-for": "203.0.113.5, 10.1.1.1", "x-forwarded-proto": "https"},
        ),
    ),
    Case("14", proto("evil"), NOTHING),
    Case("14b", proto(""), NOTHING),
    Case("14c", proto("https,"), HTTPS),
    Case("15", host("evil.example, pub.example"), single("x-forwarded-host", "pub.example", host="pub.example")),
    Case(
        "15b",
        host("evil.example", "pub.example:81"),
        single("x-forwarded-host", "pub.example:81", host="pub.example:81", port=81),
    ),
    Case("16", host(""), NOTHING),
    *(
        Case(f"16{value}", host(value), NOTHING)
        for value in ("a/b", "a@b", "a b", ":80", "a:0", "a:x", "[::g]", "<a>", "a..", "-a")
    ),
    Case("16v6", host("[2001:db8::1]:81"), single("x-forwarded-host", "[2001:db8::1]:81", host="[2001:db8::1]:81", port=81)),
    Case("17", port("443, 80"), single("x-forwarded-port", "80", port=80)),
    Case("17b", port("abc"), NOTHING),
    *(Case(f"17-{value}", port(value), NOTHING) for value in ("0", "65536", "-1", "8 0", "\xb2", "443x", "")),
    Case("18", prefix("/sub"), single("x-script-name", "/sub", prefix="/sub")),
    Case("19", prefix("/sub/"), single("x-script-name", "/sub", prefix="/sub")),
    Case("19b", prefix("sub"), NOTHING),
    Case("19c", prefix("http://evil//x"), NOTHING),
    Case("19d", prefix("//evil.example"), NOTHING),
    *(
        Case(f"19{value}", prefix(value), NOTHING)
        for value in ("/a//b", "/..", "/a/../b", "/a?b", "/a#b", "/\\evil", "/a%2e", "/a//")
    ),
    Case("20", (*EVERYTHING[5:], *proto("https")), HTTPS),
    Case("21", (("X-Forwarded-Server", "x.example"), ("X-Forwarded-Prefix", "/x"), *forwarded("for=203.0.113.5")), NOTHING),
    Case("22", EVERYTHING, Seen(client=UNTRUSTED_PEER), peer=UNTRUSTED_PEER),
    Case("22b", EVERYTHING, NOTHING, policy=policy(trust=())),
    Case("23", xff("6.6.6.6, 203.0.113.5"), client("203.0.113.5"), policy=policy(*USUAL, trust=("*",), hops=1)),
    Case(
        "23b",
        xff("6.6.6.6, 203.0.113.5, 198.51.100.7"),
        client("203.0.113.5", kept="203.0.113.5, 198.51.100.7"),
        policy=policy(*USUAL, trust=("*",), hops=2),
    ),
    Case("23c", xff("10.9.9.9, 10.1.1.1"), client("10.1.1.1"), policy=policy(*USUAL, hops=1)),
    Case(
        "24",  # only the trusted one of the family counts
        (*xff("6.6.6.6"), ("X-Real-IP", "203.0.113.5")),
        Seen(client="203.0.113.5", client_port=None, headers={"x-real-ip": "203.0.113.5"}),
        policy=policy("X-Real-IP"),
    ),
    Case(
        "24b",
        (("X-Real-IP", "6.6.6.6, 10.1.1.1"),),
        Seen(client="10.1.1.1", client_port=None, headers={"x-real-ip": "10.1.1.1"}),
        policy=policy("X-Real-IP"),
    ),
    Case("26", (("X-Forwarded-SSL", "yes"),), NOTHING, policy=policy("X-Forwarded-SSL")),
    *(
        Case(f"26{value}", (("X-HTTPS", value),), single("x-https", value.lower(), scheme="https"), policy=policy("X-HTTPS"))
        for value in ("On", "true", "1")
    ),
    Case("26off", (("X-HTTPS", "off"),), single("x-https", "off"), policy=policy("X-HTTPS")),
    Case(
        "27",
        (*proto("https"), *host("pub.example")),
        Seen(
            scheme="https",
            host="pub.example",
            port=443,
            headers={"x-forwarded-proto": "https", "x-forwarded-host": "pub.example"},
        ),
    ),
    Case(
        "28",
        (*proto("https"), *host("pub.example"), *port("8443")),
        Seen(
            scheme="https",
            host="pub.example:8443",
            port=8443,
            headers={"x-forwarded-proto": "https", "x-forwarded-host": "pub.example:8443", "x-forwarded-port": "8443"},
        ),
    ),
    Case(
        "28b",
        (*proto("https"), *host("pub.example"), *port("443")),
        Seen(
            scheme="https",
            host="pub.example",
            port=443,
            headers={"x-forwarded-proto": "https", "x-forwarded-host": "pub.example", "x-forwarded-port": "443"},
        ),
    ),
    Case("30", EVERYTHING, Seen(client=""), peer=""),
    Case(
        "30b",
        xff("203.0.113.5"),
        client("203.0.113.5"),
        peer="",
        policy=policy("X-Forwarded-For", trust=("unix",)),
    ),
    Case("mapped-peer", xff("203.0.113.5"), client("203.0.113.5"), peer="::ffff:127.0.0.1"),
    Case("mapped-peer-untrusted", xff("203.0.113.5"), Seen(client=UNTRUSTED_PEER), peer=f"::ffff:{UNTRUSTED_PEER}"),
    Case("zone", xff("203.0.113.5"), client("203.0.113.5"), peer="fe80::1%eth0", policy=policy(*USUAL, trust=("fe80::/10",))),
    Case(
        "server",
        (("X-Forwarded-Server", "front.example"),),
        single("x-forwarded-server", "front.example", server="front.example"),
        policy=policy("X-Forwarded-Server"),
    ),
    Case("server-port", (("X-Forwarded-Server", "front.example:80"),), NOTHING, policy=policy("X-Forwarded-Server")),
    Case(
        "prefix",
        (("X-Forwarded-Prefix", "/a, /b"),),
        single("x-forwarded-prefix", "/b", prefix="/b"),
        policy=policy("X-Forwarded-Prefix"),
    ),
    # RFC 7239
    Case(
        "f1",
        forwarded('For="[2001:db8::1]:4711";Proto=HTTPS;host="pub.example:8443"', "for=10.1.1.1"),
        Seen(
            client="2001:db8::1",
            client_port=4711,
            scheme="https",
            host="pub.example:8443",
            port=8443,
            headers={"forwarded": 'for="[2001:db8::1]";proto="https";host="pub.example:8443", for=10.1.1.1'},
        ),
        policy=FORWARDED,
    ),
    Case(
        "f2",
        forwarded("for=6.6.6.6;host=evil.example, for=203.0.113.5;proto=http"),
        Seen(client="203.0.113.5", client_port=None, headers={"forwarded": 'for=203.0.113.5;proto="http"'}),
        policy=FORWARDED,
    ),
    Case("f3", forwarded("for=unknown"), NOTHING, policy=FORWARDED),
    Case(
        "f4",
        forwarded("for=_hidden;proto=https"),
        Seen(scheme="https", headers={"forwarded": 'proto="https"'}),
        policy=FORWARDED,
    ),
    Case(
        "f5",  # the client leaves a quote open
        forwarded('for="6.6.6.6', 'for=203.0.113.5;by="[2001:db8::2]"'),
        Seen(client="203.0.113.5", client_port=None, headers={"forwarded": "for=203.0.113.5"}),
        policy=FORWARDED,
    ),
    Case(
        "f6",
        forwarded("for=203.0.113.5:_secret"),
        Seen(client="203.0.113.5", client_port=None, headers={"forwarded": "for=203.0.113.5"}),
        policy=FORWARDED,
    ),
    *(
        Case(f"f7{value}", forwarded(value), NOTHING, policy=FORWARDED)
        for value in ("for", "for=", "=", ";", ",", "for=203.0.113.5;for=6.6.6.6", 'for="203.0.113.5', "for = 203.0.113.5", "")
    ),
    Case("f8", EVERYTHING[:-1], NOTHING, policy=FORWARDED),
)
