"""Every server gives the same answer: generated requests, sent to all of them from trusted and untrusted addresses.

What an application sees of each is compared with what `taxiway_runtime.proxy.overrides` decides. Apache's own code, with
`engine = "native"`, may differ where the truth table says why; any other difference fails.

PROXY_CASES=20000 sends more.
"""

import json
import os
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import harness
import proxy_lab
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from proxy_cases import CASES, POLICY, TRUSTED_PEER, UNTRUSTED_PEER, USUAL, Case, Headers, Seen, seen_through
from proxy_differences import KNOWN_ODD, LAX, explain, explain_silence
from proxy_lab import Running
from proxy_raw import END, RAW, Raw

from taxiway_runtime.proxy import FAMILIES, KNOWN, Policy, read_policy

COUNT = int(os.environ.get("PROXY_CASES", "1500"))
TRUSTED_PROXIES = ("127.0.0.1", "10.0.0.0/8")  # as POLICY has them
HOSTS = ("inner.example:8080", "inner.example")

addresses = st.sampled_from(
    [
        *("203.0.113.5", "198.51.100.7", "6.6.6.6", "10.1.1.1", "10.9.9.9", "127.0.0.1", "2001:db8::1", "2001:DB8:0::1", "::1"),
        *("203.0.113.5:4711", "10.1.1.1:80", "[2001:db8::1]:4711", "[2001:db8::1]", '"203.0.113.5"', '"[2001:db8::1]:1"'),
        *("::ffff:10.1.1.1", "::ffff:203.0.113.5", "unknown", "_hidden", "localhost", "127.1", "2130706433", "0x7f000001"),
        *("010.1.1.1", "10.1.1.256", "10.1.1.1.1", "10.1.1.1:", "10.1.1.1:0", "10.1.1.1:x", "[10.1.1.1]", "::1%lo", "", "\xe9"),
    ]
)
schemes = st.sampled_from(["https", "http", "HTTPS", "Http", "wss", "ws", "ftp", "evil", "on", "1", "", "https:", "http\xe9"])
hosts = st.sampled_from(
    [
        *(
            "pub.example",
            "pub.example:8443",
            "pub.example:443",
            "PUB.example.",
            "[2001:db8::1]:81",
            "[2001:db8::1]",
            "10.1.1.1:80",
        ),
        *("", ":80", "a b", "a/b", "u@h", "h:0", "h:99999", "h:x", "-h", "h..x", "h_1", "[::g]", "<h>", "h\xe9"),
    ]
)
ports = st.sampled_from(["443", "80", "8443", "0", "65535", "65536", "-1", "x", "", "4 4", "00443", "8443;"])
prefixes = st.sampled_from(
    ["/sub", "/sub/", "/a/b", "/", "", "sub", "//evil", "/a//b", "/..", "/a/../b", "/%2e", "http://evil//x", "/\\e"]
)
flags = st.sampled_from(["on", "On", "off", "true", "1", "0", "yes", "https", ""])
VALUES = {
    "client": addresses,
    "host": hosts,
    "server": hosts,
    "port": ports,
    "scheme": schemes | flags,
    "prefix": prefixes,
    "forwarded": st.sampled_from(["for=6.6.6.6", 'for="[2001:db8::1]:80";proto=https;host=evil', "for=", 'for="', "proto=https"]),
}
NAMES = {name: family for family, names in FAMILIES.items() for name in names}
TRUSTED = [name.lower() for name in USUAL]
lists = st.sampled_from([", ", ",", " ,", ",,", " , ,"])


@st.composite
def headers(draw: st.DrawFn) -> tuple[str, str]:
    """A header of some family, mostly a trusted one: one value, or a list."""
    name = draw(st.sampled_from([*TRUSTED * 3, *NAMES, "x-forwarded-protocol", "x-original-host", "cf-connecting-ip"]))
    one = VALUES[NAMES.get(name, "client")]
    longest = 5 if NAMES.get(name) == "client" else 3
    value = draw(lists).join(draw(st.lists(one, min_size=1, max_size=longest)))
    spelled = draw(st.sampled_from([name, name.title(), name.upper()]))
    return spelled, value


requests = st.tuples(
    st.sampled_from([TRUSTED_PEER, TRUSTED_PEER, UNTRUSTED_PEER]),
    st.sampled_from(HOSTS),
    st.lists(headers(), max_size=7).map(tuple),
)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    name = f"{harness.TEST_IMAGES}/proxies"
    proxy_lab.build(name, tmp_path_factory.mktemp("proxies"))
    yield name
    harness.podman("rmi", "--force", name, check=False)


@pytest.fixture(scope="module")
def all_servers(image: str) -> Iterator[list[Running]]:
    env = {"TAXIWAY_TRUST_PROXY": " ".join(TRUSTED_PROXIES), "TAXIWAY_TRUST_PROXY_HEADERS": " ".join(USUAL)}
    with proxy_lab.running(image, env) as found:
        yield found


def request_of(headers: Headers, host: str) -> bytes:
    lines = ["GET /path?query HTTP/1.1", f"Host: {host}", *(f"{name}: {value}" for name, value in headers)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def seen_of(told: dict[str, Any]) -> Seen:
    """What the application of a server saw, in one form for WSGI and ASGI."""
    assert (told["path"], told["query"], told["method"], told["body"]) == ("/path", "query", "GET", "")
    return Seen(
        client=told["client"],
        client_port=int(told["client_port"] or 0) or None,
        scheme=told["scheme"],
        host=told["headers"]["host"],
        server="",  # each server writes something else: its address, or the Host header
        port=int(told["port"]) if str(told["port"]).isdecimal() else -1,
        prefix=told["prefix"],
        headers={name: value for name, value in told["headers"].items() if name in KNOWN},
    )


def differences(server: Running, policy: Policy, source: str, host: str, headers: Headers) -> set[str]:
    """Send a request to a server, and tell why its answer isn't what the rules ask for; what has no reason has no colon."""
    reply, source_port = server.ask(source, request_of(headers, host))
    if reply is None or reply.seen is None:
        return {explain_silence(server.name, headers, reply.status if reply else None)}
    # Apache takes SERVER_PORT from the Host header, others from the socket.
    port = int(host.partition(":")[2] or server.port) if server.name.startswith("mod_wsgi") else server.port
    connection = Seen(client=source, client_port=source_port, host=host, server="", port=port)
    expected = replace(seen_through(policy, source, headers, connection), server="")
    found = seen_of(reply.seen)
    return set() if found == expected else set(explain(server.name, headers, expected, found))


LOOPBACK = {TRUSTED_PEER, UNTRUSTED_PEER}
TABLE = [case for case in CASES if case.policy == POLICY and case.peer in LOOPBACK]


@pytest.mark.parametrize("case", TABLE, ids=lambda case: case.number)
def test_truth_table(case: Case, all_servers: list[Running]) -> None:
    """The cases of the unit tests, through real sockets."""
    policy = read_policy({"TAXIWAY_PROXY": case.policy_json})
    for server in all_servers:
        why = differences(server, policy, case.peer, HOSTS[0], case.headers)
        assert [reason for reason in why if ":" not in reason] == [], server.name


@pytest.mark.parametrize("raw", RAW, ids=lambda raw: raw.name)
def test_raw_requests(raw: Raw, all_servers: list[Running]) -> None:
    """A server refuses them, or gives one of the stated answers, and takes no part of a body for a request of its own."""
    odd = {}
    for server in all_servers:
        replies = proxy_lab.exchange(server.port, TRUSTED_PEER, raw.request + END)
        seen = [reply.seen for reply in replies if reply.seen]
        facts = [{"host": "", **found, **found["headers"]} for found in seen]
        is_refused = not facts or facts[0]["path"] == "/end"
        is_answered = facts and any(answer.items() <= facts[0].items() for answer in raw.answers)
        is_harmless = server.name in LAX and len(facts) == 1 and facts[0]["client"] == TRUSTED_PEER
        if any(found["path"] == "/smuggled" for found in facts) or not (is_refused or is_answered or is_harmless):
            odd[server.name] = [(found["path"], found["client"], found["host"], found["body"]) for found in facts]
    assert {name: found for name, found in odd.items() if (name, raw.name) not in KNOWN_ODD} == {}


def test_generated_requests(all_servers: list[Running]) -> None:
    policy = read_policy({"TAXIWAY_PROXY": json.dumps(POLICY)})
    count = 0
    reasons: Counter[tuple[str, str]] = Counter()

    @settings(max_examples=COUNT, database=None, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
    @given(requests)
    def send(request: tuple[str, str, Headers]) -> None:
        nonlocal count
        source, host, headers = request
        count += 1
        unexplained = {}
        for server in all_servers:
            why = differences(server, policy, source, host, headers)
            reasons.update((server.name, reason) for reason in why)
            if odd := [reason for reason in why if ":" not in reason]:
                unexplained[server.name] = odd
        assert unexplained == {}

    send()
    lines = [f"{times:6} {name}: {reason}" for (name, reason), times in sorted(reasons.items())]
    sys.stdout.write("\n".join((f"\n{count} requests to each of {len(all_servers)} servers", *lines, "")))
