"""Configurations of front ends: one module each, one line in the table below.

Each module has `render`, a pure function from what was asked for to the text. A front end sets exactly the headers that the
application is told to trust, to values of its own: the name and the port of a site are written into the configuration as they
are, so nothing of a request's Host gets through. All other headers of proxies are taken away, and with them what a server like
CGI couldn't tell from them: underscores in the place of dashes.
"""

import ipaddress
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Protocol, cast

from taxiway.errors import BadFrontEndError
from taxiway.proxy import PRESETS

NAMES = ("apache", "nginx", "haproxy", "caddy", "traefik", "openshift-route")
ROUTE = "openshift-route"

FOR, HOST, PORT, PROTO = "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-Proto"
PREFIX = "X-Forwarded-Prefix"
_KEEPABLE = (FOR, PROTO, HOST, PORT)
# What else could be taken for the word of a proxy: the rest of what taxiway's policy can trust, and what it throws away from
# everybody (`taxiway_runtime.proxy` has the same names; a unit test compares).
OTHERS = (
    *("Forwarded", "Forwarded-For", "X-Forwarded", "X-Forwarded-By", "X-Forwarded-Client-Cert", "Proxy"),
    *("X-Client-IP", "X-Real-IP", "X-Cluster-Client-IP", "X-Remote-IP", "X-Remote-Addr", "X-Originating-IP", "X-ProxyUser-Ip"),
    *("Client-IP", "True-Client-IP", "CF-Connecting-IP", "CF-Connecting-IPv6", "CF-Visitor", "Fastly-Client-IP"),
    *("Proxy-Client-IP", "WL-Proxy-Client-IP", "X-Azure-ClientIP", "X-Azure-SocketIP", "X-Envoy-External-Address"),
    *("X-Original-Forwarded-For", "X-Original-Forwarded-Host"),
    *("X-Host", "X-Original-Host", "X-Forwarded-Server"),
    *("X-Forwarded-Scheme", "X-Forwarded-Protocol", "X-Forwarded-SSL", "X-Forwarded-HTTPS", "X-Scheme", "X-HTTPS"),
    *("X-Url-Scheme", "Front-End-Https"),
    *("X-Script-Name", "X-Forwarded-Script-Name", "X-Forwarded-Path", "X-Forwarded-Uri", "X-Forwarded-Method"),
    *("X-Original-URI", "X-Original-URL", "X-Original-Method", "X-Rewrite-URL"),
)

CONNECT_TIMEOUT_S = 5
# The servers keep an idle connection for 75 s; the front end drops it earlier, so as not to send a request into a closing one.
KEEP_ALIVE_S = 60
TUNNEL_TIMEOUT_S = 3600  # an idle WebSocket
_ABOVE_SERVER_S = 5  # the server's own time limit is met first, and its answer gets through

_LABEL = r"(?!-)[a-z0-9-]{1,63}(?<!-)"
_NAME = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(\.{_LABEL})*")  # RFC 1123, section 2.1
_PATH = re.compile(r"/[\w./+@-]+", re.ASCII)
_PREFIX = re.compile(r"(/(?!\.{1,2}(/|\Z))[\w.~-]+)+", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class Site:
    """A name, and where its application listens."""

    host: str
    upstream: str
    """`host:port`, IPv6 addresses in brackets; for a Route `service:port`."""


@dataclass(frozen=True, kw_only=True)
class FrontEnd:
    """What a configuration is written from; every value is checked."""

    sites: tuple[Site, ...]
    certificate: str | None = None
    """Path of the certificate chain; `{host}` stands for a site's name. None: HTTP only, or the front end's own certificates."""
    key: str | None = None
    tls: bool = True
    http_port: int = 80
    https_port: int = 443
    prefix: str = ""
    """Where the application is mounted, `/blog`; empty for the root."""
    behind: tuple[str, ...] = ()
    """Networks of the proxies in front."""
    kept: tuple[str, ...] = ()
    """The headers that those set: from them, and from nobody else, these are kept."""
    addresses: tuple[str, ...] = ()
    """What the application sees the front end as: addresses, networks, presets."""
    adds_only: bool = False
    """Whether it adds its word to what any client said, as OpenShift's router behind proxies: only what those set is true."""
    request_timeout_s: int
    max_body_bytes: int

    @property
    def port(self) -> int:
        """The port of the sites."""
        return self.https_port if self.tls else self.http_port

    @property
    def scheme(self) -> str:
        """The scheme of the sites."""
        return "https" if self.tls else "http"

    @property
    def read_timeout_s(self) -> int:
        """Seconds to wait for the application's answer."""
        return self.request_timeout_s + _ABOVE_SERVER_S

    @property
    def tells_port(self) -> bool:
        """Whether a port is told: where the proxies in front tell the scheme alone, that stands for its usual port."""
        return PORT in self.kept or PROTO not in self.kept

    @property
    def headers(self) -> tuple[str, ...]:
        """The headers that are set, and to be trusted."""
        set_here = self.kept if self.adds_only else (FOR, PROTO, HOST, *([PORT] if self.tells_port else []))
        return (*set_here, *([PREFIX] if self.prefix else []))

    @property
    def stripped(self) -> tuple[str, ...]:
        """The headers that are taken away."""
        return tuple(header for header in (*OTHERS, *_KEEPABLE, PREFIX) if header not in self.headers)

    @property
    def settings(self) -> tuple[str, ...]:
        """The settings of the application, as lines of an environment file."""
        return (
            f"TAXIWAY_TRUST_PROXY={','.join((*self.addresses, *self.behind))}",
            f"TAXIWAY_TRUST_PROXY_HEADERS={','.join(self.headers)}",
        )

    def authority(self, site: Site) -> str:
        """Return the name of a site as browsers send it, with the port where that isn't the scheme's own."""
        is_usual = self.port == (443 if self.tls else 80)
        return site.host if is_usual or not self.tells_port else f"{site.host}:{self.port}"

    def own(self, site: Site) -> dict[str, str]:
        """Return what the front end itself says of a site, by header; of the client, it says the address of its peer."""
        return {PROTO: self.scheme, HOST: self.authority(site)} | ({PORT: str(self.port)} if self.tells_port else {})

    def url(self, site: Site) -> str:
        """Return the URL of a site, without a path."""
        return f"{self.scheme}://{self.authority(site)}"

    def files(self, site: Site) -> tuple[str, str]:
        """Return the paths of a site's certificate and key."""
        return (self.certificate or "").replace("{host}", site.host), (self.key or "").replace("{host}", site.host)


class Renderer(Protocol):
    """What a module of this package offers."""

    def render(self, front_end: FrontEnd) -> str:
        """Write the configuration."""


def render(name: str, front_end: FrontEnd) -> str:
    """Write the configuration of one of `NAMES`."""
    return cast("Renderer", import_module(f"taxiway.front_ends.{name.replace('-', '_')}")).render(front_end)


def parse(
    name: str,
    *,
    hosts: Sequence[str],
    upstream: str | None,
    sites: Sequence[str],
    certificate: str | None,
    key: str | None,
    http_only: bool,
    http_port: int,
    https_port: int,
    prefix: str,
    behind: Sequence[str],
    kept: Sequence[str],
    addresses: Sequence[str],
    request_timeout_s: int,
    max_body_bytes: int,
) -> FrontEnd:
    """Check what was asked for, in the words of the command line.

    Raises:
        BadFrontEndError: Something of it can't be used; all of that is named.
    """
    problems: list[str] = []
    pairs = [(host, upstream) for host in hosts] + [(host, to) for host, _, to in (text.partition("=") for text in sites)]
    found = tuple(Site(host=host.lower(), upstream=to) for host, to in pairs if to is not None)
    if not pairs:
        problems.append("no site: give --host NAME --upstream ADDRESS:PORT, or --site NAME=ADDRESS:PORT")
    elif hosts and upstream is None:
        problems.append("--host without --upstream: where does the application listen?")
    elif upstream is not None and not hosts:
        problems.append("--upstream without --host: which name is it for?")
    problems += _wrong_sites(name, found)
    problems += _wrong_tls(name, certificate, key, http_only=http_only)
    if name == ROUTE and (http_port, https_port) != (80, 443):
        problems.append("--http-port, --https-port: a Route has the router's ports")
    if not http_only and http_port == https_port:
        problems.append(f"--http-port and --https-port are both {http_port}")
    if prefix.rstrip("/") and not _PREFIX.fullmatch(prefix.rstrip("/")):
        problems.append(f"--prefix {prefix!r}: expected a path such as /blog")
    networks = [_network("--behind-proxy", text, problems) for text in behind]
    problems += _wrong_kept(kept, behind)
    trusted = [text if text in PRESETS else _network("--address", text, problems) for text in addresses]
    if not trusted and not problems:
        trusted = list(dict.fromkeys(_seen_as(name, found, problems)))
    if problems:
        raise BadFrontEndError(problems)
    return FrontEnd(
        sites=found,
        certificate=certificate,
        key=key,
        tls=not http_only,
        http_port=http_port,
        https_port=https_port,
        prefix=prefix.rstrip("/"),
        behind=tuple(networks),
        kept=tuple(header for header in _KEEPABLE if behind and (not kept or header.lower() in map(str.lower, kept))),
        addresses=tuple(trusted),
        adds_only=name == ROUTE and bool(behind),
        request_timeout_s=request_timeout_s,
        max_body_bytes=max_body_bytes,
    )


def _wrong_tls(name: str, certificate: str | None, key: str | None, *, http_only: bool) -> Iterator[str]:
    if name == ROUTE and (certificate or key):
        yield "--certificate, --key: a Route has the router's own certificate; put another one into spec.tls"
    elif http_only and (certificate or key):
        yield "--http-only has no use for --certificate and --key"
    elif not (http_only or certificate or key or name in {"caddy", ROUTE}):
        yield "no certificate: give --certificate FILE --key FILE, or --http-only behind a proxy that ends TLS itself"
    elif name == "haproxy":
        if certificate and key not in {None, f"{certificate}.key"}:
            yield f"--key {key!r}: HAProxy reads the key from the certificate's own file, or from {certificate}.key"
    elif (certificate is None) != (key is None):
        yield "--certificate and --key belong together"
    for option, file in (("--certificate", certificate), ("--key", key)):
        if file and not _PATH.fullmatch(file.replace("{host}", "")):
            yield f"{option} {file!r}: expected an absolute path of letters, digits and ./_+@-, {{host}} for a site's name"


def _wrong_kept(kept: Sequence[str], behind: Sequence[str]) -> Iterator[str]:
    if kept and not behind:
        yield "--kept-header without --behind-proxy: whose headers are kept?"
    for text in kept:
        if text.lower() not in map(str.lower, _KEEPABLE):
            yield f"--kept-header {text!r}: expected one of {', '.join(_KEEPABLE)}"


def _wrong_sites(name: str, sites: Sequence[Site]) -> Iterator[str]:
    """Yield what is wrong with sites; their texts are told as Python writes them, so that nothing of them is invisible."""
    for site in sites:
        if not _NAME.fullmatch(site.host):
            yield f"host {site.host!r}: expected a name such as blog.example.com"
        if not _is_upstream(name, site.upstream):
            expected = (
                "SERVICE:PORT, such as blog:8080" if name == ROUTE else "ADDRESS:PORT, such as 127.0.0.1:8080 or [::1]:8080"
            )
            yield f"upstream {site.upstream!r} of {site.host!r}: expected {expected}"
    hosts = [site.host for site in sites]
    for host in sorted({host for host in hosts if hosts.count(host) > 1}):
        yield f"host {host!r} has two upstreams"


def _is_upstream(name: str, text: str) -> bool:
    host, _, port = text.rpartition(":")
    if not (port.isascii() and port.isdecimal() and 0 < int(port) < 65536) and not (name == ROUTE and re.fullmatch(_LABEL, port)):  # noqa: PLR2004
        return False
    if host.startswith("[") and host.endswith("]"):
        return name != ROUTE and _address(host[1:-1]) == 6  # noqa: PLR2004
    return _NAME.fullmatch(host) is not None


def _address(text: str) -> int:
    """Return the version of an IP address, 0 for what is none."""
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return 0
    return 0 if "%" in text else found.version


def _network(option: str, text: str, problems: list[str]) -> str:
    try:
        network = ipaddress.ip_network(text)
    except ValueError:
        problems.append(f"{option} {text!r}: expected an address or a network, such as 10.0.0.0/8")
        return ""
    return str(network.network_address if network.prefixlen == network.max_prefixlen else network)


def _seen_as(name: str, sites: Iterable[Site], problems: list[str]) -> Iterator[str]:
    """Yield the addresses that applications on this machine see the front end as."""
    if name == ROUTE:
        yield "openshift"
        return
    for site in sites:
        host = site.upstream.rpartition(":")[0].strip("[]")
        if host == "localhost":
            yield from ("127.0.0.1", "::1")
        elif _address(host) and ipaddress.ip_address(host).is_loopback:
            yield "::1" if ":" in host else "127.0.0.1"
        else:
            problems.append(
                f"upstream {site.upstream!r} is on another machine: say with --address which address or network "
                "the application sees this front end as"
            )


def indent(lines: Iterable[str], spaces: int = 4) -> list[str]:
    """Indent lines, but not empty ones."""
    return [" " * spaces + line if line else "" for line in lines]


def block(head: str, *lines: str) -> list[str]:
    """Write a block in braces."""
    return [f"{head} {{", *indent(lines), "}"]


def introduction(front_end: FrontEnd, title: str, *lines: str) -> list[str]:
    """Write the comment that a configuration begins with."""
    hosts = ", ".join(site.host for site in front_end.sites)
    return [
        f"# {title} for {hosts}; written by taxiway proxy.",
        "#",
        *(f"# {line}".rstrip() for line in lines),
        "#",
        "# The applications behind it need these settings, which believe these headers of this front end and no others:",
        *(f"#   {line}" for line in front_end.settings),
    ]
