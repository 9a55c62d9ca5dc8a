"""HAProxy: a whole haproxy.cfg. Written for 2.6 and later.

Facts, by its configuration manual: header names are compared in lower case; `del-header -m` takes names by pattern; the
redirects and denials of a backend work as those of a frontend; `req.body_size` is what Content-Length announces.
"""

from taxiway.front_ends import (
    CONNECT_TIMEOUT_S,
    FOR,
    KEEP_ALIVE_S,
    PREFIX,
    TUNNEL_TIMEOUT_S,
    FrontEnd,
    Site,
    indent,
    introduction,
)


def render(front_end: FrontEnd) -> str:
    """Write the configuration."""
    lines = introduction(
        front_end,
        "HAProxy",
        "Write it to /etc/haproxy/haproxy.cfg. Check it with: haproxy -c -f /etc/haproxy/haproxy.cfg",
        *(
            ["The certificate's file holds the key as well, or the key is beside it: the same name with .key added."]
            * front_end.tls
        ),
    )
    lines += ["", "global", *indent(["log stdout format raw daemon"])]
    if front_end.tls:
        lines += indent(["ssl-default-bind-options ssl-min-ver TLSv1.2"])
    lines += ["", "defaults"]
    lines += indent(
        [
            "mode http",
            "log global",
            "option httplog",
            f"timeout connect {CONNECT_TIMEOUT_S}s",
            f"timeout client {front_end.read_timeout_s}s",
            f"timeout server {front_end.read_timeout_s}s",
            "timeout http-request 30s",
            f"timeout http-keep-alive {KEEP_ALIVE_S}s",
            f"timeout tunnel {TUNNEL_TIMEOUT_S}s  # a WebSocket: the longest silence",
        ]
    )
    lines += ["", "frontend taxiway", *indent(_frontend(front_end))]
    lines += ["", "# Names that nobody knows.", "backend taxiway_unknown"]
    lines += indent(['http-request return status 421 content-type text/plain string "unknown host"'])
    for site in front_end.sites:
        lines += ["", f"backend {site.host}", *indent(_site(front_end, site))]
    return "\n".join(lines) + "\n"


def _frontend(front_end: FrontEnd) -> list[str]:
    lines = [f"bind :{front_end.http_port}", f"bind [::]:{front_end.http_port} v6only"]
    if front_end.tls:
        files = dict.fromkeys(front_end.files(site)[0] for site in front_end.sites)
        tls = " ".join(["ssl", *(f"crt {file}" for file in files), "alpn h2,http/1.1"])
        lines += [f"bind :{front_end.https_port} {tls}", f"bind [::]:{front_end.https_port} v6only {tls}"]
    lines += [
        "",
        "# https://name/path as a target becomes /path.",
        "http-request set-uri %[pathq]",
        "http-request deny deny_status 400 unless { path_beg / }",
        "# No header of proxies gets through, in any spelling: what the application trusts is set below.",
        "http-request del-header _ -m sub",
    ]
    lines += [f"http-request del-header {header}" for header in front_end.stripped]
    if front_end.behind:
        lines += ["# What the proxies in front of this one say is kept.", f"acl from_proxy src {' '.join(front_end.behind)}"]
    for header in front_end.headers:
        lines += [f"http-request del-header {header}" + (" unless from_proxy" if header in front_end.kept else "")]
    lines += [
        "# Only an upgrade to a WebSocket gets through (an upgrade to h2c would be a way around this front end).",
        "# Nobody has a trusted header taken away further on by naming it in Connection.",
        "acl is_websocket req.hdr(upgrade) -i -m str websocket",
        "http-request del-header Upgrade unless is_websocket",
        "http-request del-header Connection unless is_websocket",
        "http-request set-header Connection upgrade if is_websocket",
        "",
    ]
    lines += [f"use_backend {site.host} if {{ req.hdr(host),host_only,lower -m str {site.host} }}" for site in front_end.sites]
    return [*lines, "default_backend taxiway_unknown"]


def _site(front_end: FrontEnd, site: Site) -> list[str]:
    lines = []
    if front_end.tls:
        lines += [f"http-request redirect code 308 location {front_end.url(site)}%[pathq] unless {{ ssl_fc }}"]
    lines += [
        "# The length that a request announces; a chunked one is limited by the application's server.",
        f"http-request deny deny_status 413 if {{ req.body_size gt {front_end.max_body_bytes} }}",
    ]
    if front_end.prefix:
        mount = front_end.prefix
        lines += [
            f"http-request redirect code 308 location {mount}/ if {{ path {mount} }}",
            f'http-request return status 404 content-type text/plain string "not found" unless {{ path_beg {mount}/ }}',
            f"http-request replace-path {mount.replace('.', '[.]')}(/.*) \\1",
        ]
    lines += [
        "# The trusted headers.",
        f"http-request add-header {FOR} %[src]",
        f"http-request set-header Host {front_end.authority(site)}",
    ]
    for header, value in front_end.own(site).items():
        kept = f" unless {{ req.hdr({header}) -m found }}" if header in front_end.kept else ""
        lines += [f"http-request set-header {header} {value}{kept}"]
    if front_end.prefix:
        lines += [f"http-request set-header {PREFIX} {front_end.prefix}"]
    return [*lines, f"server application {site.upstream}"]
