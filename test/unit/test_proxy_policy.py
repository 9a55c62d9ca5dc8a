"""Settings of trusted proxies: to a policy, or refused with all that is wrong."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from taxiway import proxy
from taxiway.errors import BadProxyPolicyError, BadSettingError, UnknownSettingError
from taxiway.proxy import FAMILIES, PRESETS, Policy
from taxiway.settings import resolve

USUAL = ("X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host")


def decided(trust: str | list[str] = "", headers: str | list[str] = "", server: str = "gunicorn", **more: Any) -> Policy:
    return proxy.decide(resolve(environ={}, project={"proxy": {"trust": trust, "headers": headers, **more}}), server)


TABLE = "in [tool.taxiway]"
NO_ADDRESS = f"{TABLE} is no address, network or preset"
ANYONE = (
    "everybody is trusted ([tool.taxiway]): the client could write any address in front of its own; "
    "name the proxies, or say with trust-proxy-hops how many each request passes"
)
SAME_FAMILY = (
    f"X-Real-IP and X-Forwarded-For {TABLE} tell the same (client): a client could send the one that the proxy doesn't set; "
    "keep the one that it sets"
)


def refused(*given: Any, **more: Any) -> list[str]:
    with pytest.raises(BadProxyPolicyError) as caught:
        decided(*given, **more)
    lines = str(caught.value).splitlines()
    assert lines[0] == "The settings of trusted proxies can't be used:"
    return [line.removeprefix("  ") for line in lines[1 : lines.index("")]]


@pytest.mark.parametrize(
    ("trust", "headers", "policy"),
    [
        ("", "", Policy()),
        ("none", "", Policy()),
        ("none", "X-Forwarded-For", Policy()),  # switches off what the project trusts
        ("10.1.2.3", "x-forwarded-for", Policy(("10.1.2.3/32",), ("X-Forwarded-For",))),
        (["10.0.0.0/8", "unix"], ["X-REAL-IP"], Policy(("10.0.0.0/8", "unix"), ("X-Real-IP",))),
        ("10.0.0.0/8,::1", "Forwarded", Policy(("10.0.0.0/8", "::1/128"), ("Forwarded",))),
        ("2001:DB8::/32", "X-HTTPS, X-Host", Policy(("2001:db8::/32",), ("X-HTTPS", "X-Host"))),
        ("::ffff:10.0.0.0/104 ::ffff:a01:203", "X-Host", Policy(("10.0.0.0/8", "10.1.2.3/32"), ("X-Host",))),
        ("loopback", "", Policy(("127.0.0.0/8", "::1/128"), USUAL)),
        ("loopback 10.1.2.3", "X-Real-IP", Policy(("127.0.0.0/8", "::1/128", "10.1.2.3/32"), ("X-Real-IP",))),
        ("loopback loopback", "X-Host x-host", Policy(("127.0.0.0/8", "::1/128"), ("X-Host",))),
    ],
)
def test_policy(trust: str | list[str], headers: str | list[str], policy: Policy) -> None:
    assert decided(trust, headers) == policy


@pytest.mark.parametrize(
    ("environ", "options", "trust"),
    [
        ({"TAXIWAY_TRUST_PROXY": "10.0.0.0/8"}, {}, ("10.0.0.0/8",)),
        ({"TAXIWAY_TRUST_PROXY": "10.0.0.0/8"}, {"trust-proxy": ("10.1.0.0/16", "unix")}, ("10.1.0.0/16", "unix")),
        ({"TAXIWAY_TRUST_PROXY": "none"}, {}, ()),
        ({}, {}, ("192.0.2.0/24",)),
    ],
)
def test_sources(environ: Mapping[str, str], options: Mapping[str, object], trust: tuple[str, ...]) -> None:
    project = {"proxy": {"trust": ["192.0.2.0/24"], "headers": ["X-Forwarded-For"], "hops": 2, "engine": "middleware"}}
    settings = resolve(environ=environ, project=project, options=options)
    assert settings.trust_proxy_hops == 2
    assert proxy.decide(settings, "gunicorn").trust == trust


@pytest.mark.parametrize("name", [name for name in PRESETS if name != "none"])
def test_presets(name: str) -> None:
    """Each can be used by itself, on every server, with either engine."""
    assert set(USUAL) <= set(decided(name).headers)
    assert decided(name, server="mod_wsgi", engine="native").engine == "native"
    assert decided(name).warning is None


def test_presets_together() -> None:
    both = decided("loopback openshift")
    assert both.headers == (*USUAL, "X-Forwarded-Port")
    assert both.trust == (*PRESETS["loopback"].networks, *PRESETS["openshift"].networks)


@pytest.mark.parametrize(
    ("trust", "headers", "problems"),
    [
        ("", "X-Forwarded-For", ["headers are trusted ([tool.taxiway]), but no proxies: anyone could send them"]),
        (
            "10.1.2.3",
            "",
            ["proxies are trusted ([tool.taxiway]), but none of their headers: trust-proxy-headers names them"],
        ),
        (
            "router.example 10.0.0.1/8 10.0.0.256 openshfit fe80::1%eth0 010.1.1.1",
            "X-Forwarded-Fro X-Auth",
            [
                f"'router.example' {NO_ADDRESS}; names are never resolved",
                "'10.0.0.1/8' in [tool.taxiway] has bits beyond its network; write 10.0.0.0/8, or 10.0.0.1 for one address",
                f"'10.0.0.256' {NO_ADDRESS}; names are never resolved",
                f"'openshfit' {NO_ADDRESS} (did you mean openshift?); names are never resolved",
                f"'fe80::1%eth0' {NO_ADDRESS}; names are never resolved",
                f"'010.1.1.1' {NO_ADDRESS}; names are never resolved",
                "'x-forwarded-fro' in [tool.taxiway] is no proxy header that taxiway knows (did you mean X-Forwarded-For?)",
                "'x-auth' in [tool.taxiway] is no proxy header that taxiway knows",
            ],
        ),
        ("none loopback", "", ["'none' in [tool.taxiway] stands beside others, but means that nobody is trusted"]),
        (
            "loopback",
            "X-Real-IP X-Forwarded-For",
            [SAME_FAMILY],
        ),
        (
            "loopback",
            "Forwarded X-Forwarded-For",
            ["Forwarded in [tool.taxiway] tells all that the other headers do: trust it alone, or not at all"],
        ),
        *(
            (
                anyone,
                "X-Forwarded-For",
                [ANYONE],
            )
            for anyone in ("*", "0.0.0.0/0", "::/0", "0.0.0.0/1 128.0.0.0/1", "loopback *", "::ffff:0.0.0.0/96")
        ),
    ],
)
def test_refused(trust: str, headers: str, problems: list[str]) -> None:
    assert refused(trust, headers) == problems


@pytest.mark.parametrize(
    ("trust", "headers", "more", "problem"),
    [
        ("loopback", "", {"server": "gunicorn"}, "is mod_wsgi's, and the server is gunicorn"),
        ("*", "X-Host", {"hops": 1}, "knows addresses and networks only: no hops, unix or *"),
        ("unix", "X-Host", {}, "knows addresses and networks only: no hops, unix or *"),
        ("loopback", "X-Host", {"hops": 2}, "knows addresses and networks only: no hops, unix or *"),
        ("loopback", "Forwarded", {}, "doesn't know the header Forwarded"),
        ("loopback", "X-Forwarded-Prefix", {}, "doesn't know the header X-Forwarded-Prefix"),
    ],
)
def test_native_engine(trust: str, headers: str, more: dict[str, Any], problem: str) -> None:
    given = {"server": "mod_wsgi", "engine": "native", **more}
    assert refused(trust, headers, **given) == [f"the engine native ([tool.taxiway]) {problem}"]


def test_anyone_is_warned_about() -> None:
    warning = decided("*", "X-Forwarded-For", hops=1).warning
    assert warning == (
        "Proxy headers are believed from anyone who reaches the port: X-Forwarded-For. Client address, host and scheme can be "
        "made up unless every request passes 1 proxy that set them. Name the proxies' networks instead: trust-proxy."
    )
    assert "2 proxies" in (decided("0.0.0.0/0", "X-Forwarded-For", hops=2).warning or "")
    assert decided("10.0.0.0/8", "X-Forwarded-For", hops=2).warning is None


@pytest.mark.parametrize(
    ("trust", "server", "interface", "starts"),
    [
        ("loopback", "gunicorn", "WSGI", []),
        ("none", "uwsgi", "WSGI", []),
        ("none", "python", "python", []),
        ("loopback", "uwsgi", "WSGI", ["uWSGI can't tell X_Forwarded_For"]),
        ("loopback", "python", "python", ["The policy about proxies isn't enforced: a python program reads"]),
        ("*", "uwsgi", "WSGI", ["Proxy headers are believed from anyone", "uWSGI can't tell"]),
    ],
)
def test_warnings(trust: str, server: str, interface: str, starts: list[str]) -> None:
    headers, hops = ("X-Forwarded-For", 1) if trust == "*" else ("", None)
    policy = decided(trust, headers, server, **({"hops": hops} if hops else {}))
    found = list(proxy.warnings(policy, server, interface))
    assert len(found) == len(starts)
    assert all(text.startswith(start) for text, start in zip(found, starts, strict=True))


@pytest.mark.parametrize(
    ("project", "kind", "line"),
    [
        ({"proxy": {"trusted": "*"}}, UnknownSettingError, "  trusted (did you mean trust?)"),
        ({"proxy": "openshift"}, BadSettingError, "Found 'openshift' in [tool.taxiway]; expected a table, [tool.taxiway.proxy]."),
        ({"proxy": {"engine": "apache"}}, BadSettingError, "Found 'apache' in [tool.taxiway]; expected middleware or native."),
        ({"proxy": {"engine": []}}, BadSettingError, "Found [] in [tool.taxiway]; expected middleware or native."),
        (
            {"proxy": {"trust": 1}},
            BadSettingError,
            "Found 1 in [tool.taxiway]; expected addresses, networks, unix, * or presets.",
        ),
        ({"proxy": {"hops": 0}}, BadSettingError, "Found 0 in [tool.taxiway]; expected a whole number from 1 to 100."),
        ({"trust-proxy": "*"}, UnknownSettingError, "  trust-proxy"),  # it stands in the table proxy
    ],
)
def test_bad_table(project: dict[str, object], kind: type[Exception], line: str) -> None:
    with pytest.raises(kind) as caught:
        resolve(environ={}, project=project)
    assert str(caught.value).splitlines()[1] == line


def test_json() -> None:
    policy = decided("loopback", hops=2)
    assert json.loads(policy.to_json()) == {
        "trust": ["127.0.0.0/8", "::1/128"],
        "headers": [*USUAL],
        "hops": 2,
        "engine": "middleware",
    }


def test_each_header_is_of_one_family() -> None:
    names = [name for family in FAMILIES.values() for name in family]
    assert len({name.lower() for name in names}) == len(names)
