"""Whose proxy headers are believed: settings to a policy, which `taxiway_runtime.proxy` enforces in front of the application.

The default trusts nobody. docs/proxies.md tells how trust works. This module is on the way of every container start:
`ipaddress` is imported only where somebody is trusted.
"""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from taxiway.errors import BadProxyPolicyError
from taxiway.launch_plan import PROGRAMS
from taxiway.settings import MIDDLEWARE, NATIVE, Settings

if TYPE_CHECKING:
    from ipaddress import IPv4Network, IPv6Network

# The headers that can be trusted, in families: of one family only one can be, because two would be asked in an order that the
# front end doesn't know. As mod_wsgi has them, with X-Forwarded-Prefix and RFC 7239 added; taxiway_runtime.proxy has the same.
FAMILIES = {
    "client": ("X-Forwarded-For", "X-Client-IP", "X-Real-IP"),
    "host": ("X-Forwarded-Host", "X-Host"),
    "server": ("X-Forwarded-Server",),
    "port": ("X-Forwarded-Port",),
    "scheme": (
        *("X-Forwarded-Proto", "X-Forwarded-Scheme", "X-Scheme"),
        *("X-Forwarded-SSL", "X-Forwarded-HTTPS", "X-HTTPS"),
    ),
    "prefix": ("X-Script-Name", "X-Forwarded-Script-Name", "X-Forwarded-Prefix"),
    "forwarded": ("Forwarded",),
}
_NAMES = {name.lower(): (name, family) for family, names in FAMILIES.items() for name in names}
_NOT_NATIVE = ("Forwarded", "X-Forwarded-Prefix")  # mod_wsgi takes an unknown name silently

NONE, UNIX, ANYONE = "none", "unix", "*"
_LOOPBACK = ("127.0.0.0/8", "::1/128")
_PRIVATE = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")  # RFC 1918, RFC 4193
_USUAL = ("X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host")  # what Caddy, and configurations of nginx, set
_ROUTER = (*_USUAL, "X-Forwarded-Port")


class Preset(NamedTuple):
    """A name for proxies, and for the headers that these set."""

    networks: tuple[str, ...]
    headers: tuple[str, ...]


PRESETS = {
    NONE: Preset((), ()),
    "loopback": Preset(_LOOPBACK, _USUAL),
    "private": Preset((*_LOOPBACK, *_PRIVATE), _USUAL),
    # The defaults of OpenShift 4's networks: clusterNetwork, and OVN-Kubernetes' internalJoinSubnet, which a router on the
    # host's network comes from. Source: its documentation, "Cluster Network Operator".
    "openshift": Preset(("10.128.0.0/14", "100.64.0.0/16", "fd01::/48", "fd98::/64"), _ROUTER),
    # Pod networks differ from cluster to cluster; 100.64.0.0/10 (RFC 6598) is used by several providers.
    "kubernetes": Preset((*_PRIVATE, "100.64.0.0/10"), _ROUTER),
}


class Policy(NamedTuple):
    """Whose headers are believed, and which."""

    trust: tuple[str, ...] = ()
    """Networks, `unix` for peers on a Unix socket, `*` for anyone."""
    headers: tuple[str, ...] = ()
    """The trusted header of each family."""
    hops: int | None = None
    """How many proxies a request passes at most; None means that the networks alone decide."""
    engine: str = MIDDLEWARE

    def to_json(self) -> str:
        """Write the policy as `taxiway_runtime.proxy` reads it."""
        return json.dumps(self._asdict(), separators=(",", ":"))

    @property
    def warning(self) -> str | None:
        """What the user has to know about a policy that believes anyone."""
        if not _is_anyone(self.trust):
            return None
        return (
            f"Proxy headers are believed from anyone who reaches the port: {', '.join(self.headers)}. Client address, host and "
            f"scheme can be made up unless every request passes {self.hops} {'proxy' if self.hops == 1 else 'proxies'} that "
            "set them. Name the proxies' networks instead: trust-proxy."
        )


def decide(settings: Settings, server: str) -> Policy:
    """Decide whose headers are believed; a pure function.

    Raises:
        BadProxyPolicyError: Settings that can't be used, or not together; all of them are named.
    """
    if settings.trust_proxy == (NONE,) or not (settings.trust_proxy or settings.trust_proxy_headers):
        return Policy()
    problems: list[str] = []
    policy = Policy(
        trust=tuple(dict.fromkeys(_trusted(settings, problems))),
        headers=tuple(dict.fromkeys(_headers(settings, problems))),
        hops=settings.trust_proxy_hops,
        engine=settings.proxy_engine,
    )
    if not problems:
        problems += _together(policy, settings, server)
    if problems:
        raise BadProxyPolicyError(problems)
    return policy


def warnings(policy: Policy, server: str, interface: str) -> Iterator[str]:
    """Yield what the user has to know about a policy when the application starts."""
    if policy.warning:
        yield policy.warning
    if policy.trust and server == "uwsgi":
        yield (
            "uWSGI can't tell X_Forwarded_For from X-Forwarded-For: whoever comes through the trusted proxies can send "
            "headers in their place, unless the proxies drop header names with underscores."
        )
    if policy.trust and interface in PROGRAMS:
        yield f"The policy about proxies isn't enforced: a {interface} program reads the headers itself."


def _trusted(settings: Settings, problems: list[str]) -> Iterator[str]:
    for word in settings.trust_proxy:
        where = f"{word!r} in {settings.origin('trust-proxy')}"
        if word == NONE:
            problems.append(f"{where} stands beside others, but means that nobody is trusted")
        elif word in PRESETS:
            yield from PRESETS[word].networks
        elif word in {UNIX, ANYONE}:
            yield word
        else:
            try:
                yield str(_network(word))
            except ValueError as error:
                problems.append(f"{where} {error}")


def _network(word: str) -> "IPv4Network | IPv6Network":
    """Read an address or network; an IPv4 network in IPv6 notation (::ffff:10.0.0.0/104) is the IPv4 one."""
    import ipaddress  # noqa: PLC0415  # only where somebody is trusted

    try:
        if "%" in word:  # a zone, which only means something on one machine
            raise ValueError(word)  # noqa: TRY301
        network = ipaddress.ip_network(word, strict=False)
        address = ipaddress.ip_address(word.partition("/")[0])
    except ValueError:
        from difflib import get_close_matches  # noqa: PLC0415

        near = get_close_matches(word.lower(), (*PRESETS, UNIX), n=1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        raise ValueError(f"is no address, network or preset{hint}; names are never resolved") from None
    if network.network_address != address:
        raise ValueError(f"has bits beyond its network; write {network}, or {address} for one address")
    mapped = getattr(address, "ipv4_mapped", None)
    if mapped and network.prefixlen >= 96:  # noqa: PLR2004  # the bits in front of the IPv4 address
        return ipaddress.ip_network(f"{mapped}/{network.prefixlen - 96}")
    return network


def _headers(settings: Settings, problems: list[str]) -> Iterator[str]:
    """Yield the trusted headers: those that are set, else those of the presets."""
    if not settings.trust_proxy_headers:
        for word in settings.trust_proxy:
            yield from PRESETS[word].headers if word in PRESETS else ()
        return
    origin = settings.origin("trust-proxy-headers")
    chosen: dict[str, str] = {}
    for word in dict.fromkeys(word.lower() for word in settings.trust_proxy_headers):
        if word not in _NAMES:
            from difflib import get_close_matches  # noqa: PLC0415

            near = get_close_matches(word, _NAMES, n=1)
            hint = f" (did you mean {_NAMES[near[0]][0]}?)" if near else ""
            problems.append(f"{word!r} in {origin} is no proxy header that taxiway knows{hint}")
            continue
        name, family = _NAMES[word]
        if family in chosen:
            problems.append(
                f"{chosen[family]} and {name} in {origin} tell the same ({family}): a client could send the one that the proxy "
                "doesn't set; keep the one that it sets"
            )
        chosen.setdefault(family, name)
        yield name
    if "forwarded" in chosen and len(chosen) > 1:
        problems.append(f"Forwarded in {origin} tells all that the other headers do: trust it alone, or not at all")


def _together(policy: Policy, settings: Settings, server: str) -> Iterator[str]:
    """Yield what is wrong between settings that are right each for itself."""
    if policy.headers and not policy.trust:
        yield f"headers are trusted ({settings.origin('trust-proxy-headers')}), but no proxies: anyone could send them"
    if policy.trust and not policy.headers:
        yield f"proxies are trusted ({settings.origin('trust-proxy')}), but none of their headers: trust-proxy-headers names them"
    if _is_anyone(policy.trust) and policy.hops is None:
        yield (
            f"everybody is trusted ({settings.origin('trust-proxy')}): the client could write any address in front of its own; "
            "name the proxies, or say with trust-proxy-hops how many each request passes"
        )
    if policy.engine != NATIVE:
        return
    where = f"the engine native ({settings.origin('proxy-engine')})"
    if server != "mod_wsgi":
        yield f"{where} is mod_wsgi's, and the server is {server}"
    if policy.hops is not None or {UNIX, ANYONE} & {*policy.trust}:
        yield f"{where} knows addresses and networks only: no hops, {UNIX} or {ANYONE}"
    for name in {*_NOT_NATIVE} & {*policy.headers}:
        yield f"{where} doesn't know the header {name}"


def _is_anyone(trust: tuple[str, ...]) -> bool:
    """Tell whether every IPv4 or every IPv6 address is trusted, however that is written."""
    if ANYONE in trust:
        return True
    networks = [word for word in trust if word != UNIX]
    if not networks:
        return False
    import ipaddress  # noqa: PLC0415  # only where somebody is trusted

    four = ipaddress.collapse_addresses(ipaddress.IPv4Network(word) for word in networks if ":" not in word)
    six = ipaddress.collapse_addresses(ipaddress.IPv6Network(word) for word in networks if ":" in word)
    return any(n.prefixlen == 0 for n in four) or any(n.prefixlen == 0 for n in six)
