"""Caddy: a whole Caddyfile. Written for 2.6 and later.

Facts, by its documentation: `X-Forwarded-For`, `-Proto` and `-Host` of clients are replaced unless `trusted_proxies` has them;
`header_up` comes after Connection's headers were taken away; names with a `*` at both ends are compared by what is in between; a
body that is longer than `max_size` isn't refused before it is sent, so what announces its length is refused by that.
"""

from taxiway.front_ends import (
    CONNECT_TIMEOUT_S,
    FOR,
    KEEP_ALIVE_S,
    PREFIX,
    FrontEnd,
    Site,
    block,
    indent,
    introduction,
)


def render(front_end: FrontEnd) -> str:
    """Write the configuration."""
    lines = introduction(
        front_end,
        "Caddy",
        "Write it to /etc/caddy/Caddyfile. Check it with: caddy validate --config /etc/caddy/Caddyfile",
        *(
            ["Caddy gets the certificates itself (ACME), so the names have to lead here."]
            * (front_end.tls and not front_end.certificate)
        ),
    )
    lines += ["", "{", *indent(_global(front_end)), "}"]
    lines += ["", "# Names that nobody knows."]
    lines += block(f"http://:{front_end.http_port}", "respond 421")
    if front_end.tls:
        own = [f"tls {' '.join(front_end.files(front_end.sites[0]))}"] if front_end.certificate else ["tls internal"]
        lines += block(f"https://:{front_end.https_port}", *own, "respond 421")
    for site in front_end.sites:
        lines += ["", f"# {site.host}"]
        if front_end.tls:
            lines += block(f"http://{site.host}:{front_end.http_port}", f"redir {front_end.url(site)}{{uri}} 308")
        lines += _site(front_end, site)
    return "\n".join(lines) + "\n"


def _global(front_end: FrontEnd) -> list[str]:
    lines = [f"http_port {front_end.http_port}"]
    if front_end.tls:
        lines += [f"https_port {front_end.https_port}"]
    return [*lines, "auto_https disable_redirects  # they are written below"]


def _site(front_end: FrontEnd, site: Site) -> list[str]:
    lines = [f"tls {' '.join(front_end.files(site))}"] if front_end.certificate else []
    length = "{http.request.header.Content-Length}"
    lines += [
        f'@too_large expression {length} != "" && int({length}) > {front_end.max_body_bytes}',
        "# An upgrade to h2c would be a way around this front end.",
        "@other_upgrade {",
        "    header Upgrade *",
        "    not header Upgrade websocket",
        "}",
    ]
    if front_end.behind:
        lines += [f"@direct not remote_ip {' '.join(front_end.behind)}"]
    first = [
        "respond @too_large 413",
        *block("request_body", f"max_size {front_end.max_body_bytes}"),
        "request_header @other_upgrade -Upgrade",
    ]
    if not front_end.prefix:
        lines += block("route", *first, *_proxy(front_end, site))
    else:
        mount = front_end.prefix
        strip = f"uri strip_prefix {mount}"
        lines += [f"redir {mount} {mount}/ 308"]
        lines += block(f"route {mount}/*", *first, strip, *_proxy(front_end, site))
        lines += ["respond 404"]
    return block(f"{front_end.scheme}://{site.host}:{front_end.port}", *lines)


def _proxy(front_end: FrontEnd, site: Site) -> list[str]:
    before: list[str] = []
    lines: list[str] = []
    kept = [header for header in front_end.own(site) if header in front_end.kept]
    if kept:
        before += ["# What the proxies in front of this one say is kept; from others it is replaced."]
        before += [f"request_header @direct -{header}" for header in kept]
        for header in kept:
            own = front_end.own(site)[header]
            before += block(f"map {{http.request.header.{header}}} {_kept(header)}", '~^(.+)$ "${1}"', f"default {own}")
    if FOR in front_end.kept:
        lines += [f"trusted_proxies {' '.join(front_end.behind)}", ""]
    lines += ["# No header of proxies gets through, in any spelling.", "header_up -*_*"]
    lines += [f"header_up -{header}" for header in front_end.stripped]
    lines += ["", f"# The trusted headers; {FOR} is set by Caddy itself.", f"header_up Host {front_end.authority(site)}"]
    for header, value in front_end.own(site).items():
        lines += [f"header_up {header} {_kept(header) if header in kept else value}"]
    if front_end.prefix:
        lines += [f"header_up {PREFIX} {front_end.prefix}"]
    transport = (
        f"dial_timeout {CONNECT_TIMEOUT_S}s",
        f"response_header_timeout {front_end.read_timeout_s}s",
        f"keepalive {KEEP_ALIVE_S}s",
    )
    return [*before, *block(f"reverse_proxy {site.upstream}", *lines, "", *block("transport http", *transport))]


def _kept(header: str) -> str:
    return "{taxiway_" + header.lower().rpartition("-")[2] + "}"
