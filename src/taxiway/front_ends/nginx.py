"""nginx: a file for /etc/nginx/conf.d. Written for 1.19.4 and later.

Facts, by its documentation: `proxy_set_header` with an empty value takes a header away; headers with an underscore in their
name are dropped unless `underscores_in_headers` is on in the default server; `$realip_remote_addr` is the peer's address.
"""

from taxiway.front_ends import (
    CONNECT_TIMEOUT_S,
    FOR,
    HOST,
    KEEP_ALIVE_S,
    PORT,
    PREFIX,
    PROTO,
    FrontEnd,
    Site,
    block,
    introduction,
)

_KEPT = {HOST: "host", PORT: "port", PROTO: "proto"}


def render(front_end: FrontEnd) -> str:
    """Write the configuration."""
    lines = introduction(
        front_end,
        "nginx",
        "Write it to /etc/nginx/conf.d/taxiway.conf. The default server of the distribution has to go (on Debian:",
        "rm /etc/nginx/sites-enabled/default), because the one below refuses unknown names. Check it with: nginx -t",
    )
    lines += ["", "# Only an upgrade to a WebSocket gets through (an upgrade to h2c would be a way around this front end)."]
    lines += block("map $http_upgrade $taxiway_upgrade", "~*^websocket$ websocket;", 'default "";')
    lines += block("map $taxiway_upgrade $taxiway_connection", "websocket upgrade;", 'default "";')
    if front_end.behind:
        lines += _maps(front_end)
    for upstream in dict.fromkeys(site.upstream for site in front_end.sites):
        lines += [
            "",
            *block(f"upstream {_name(upstream)}", f"server {upstream};", "keepalive 16;", f"keepalive_timeout {KEEP_ALIVE_S}s;"),
        ]
    lines += ["", "# Names that nobody knows."]
    refuse = ["server_name _;", "underscores_in_headers off;"]
    if front_end.tls:
        refuse += [*_listen(front_end.https_port, "ssl http2 default_server"), "ssl_reject_handshake on;"]
    lines += block("server", *_listen(front_end.http_port, "default_server"), *refuse, "return 421;")
    for site in front_end.sites:
        lines += ["", f"# {site.host}"]
        if front_end.tls:
            lines += block(
                "server",
                *_listen(front_end.http_port),
                f"server_name {site.host};",
                f"return 308 {front_end.url(site)}$request_uri;",
            )
        lines += _site(front_end, site)
    return "\n".join(lines) + "\n"


def _name(upstream: str) -> str:
    return "taxiway_" + "".join("_" if char in "[]:" else char for char in upstream)


def _listen(port: int, *words: str) -> list[str]:
    return [" ".join(("listen", address, *words)) + ";" for address in (str(port), f"[::]:{port}")]


def _maps(front_end: FrontEnd) -> list[str]:
    """Keep what proxies in front say, and nobody else."""
    lines = ["", "# What the proxies in front of this one say is kept; from others it is replaced."]
    lines += block("geo $realip_remote_addr $taxiway_proxied", "default 0;", *(f"{network} 1;" for network in front_end.behind))
    if FOR in front_end.kept:
        lines += block("map $taxiway_proxied $taxiway_for", "1 $proxy_add_x_forwarded_for;", "default $remote_addr;")
    for header, name in _KEPT.items():
        if header not in front_end.kept:
            continue
        lines += block(
            f"map $taxiway_proxied:$http_{header.lower().replace('-', '_')} $taxiway_{name}",
            f'"~^1:(?<taxiway_kept_{name}>.+)$" $taxiway_kept_{name};',
            f"default $taxiway_own_{name};",
        )
    return lines


def _site(front_end: FrontEnd, site: Site) -> list[str]:
    lines = [*_listen(front_end.port, *(["ssl http2"] if front_end.tls else [])), f"server_name {site.host};"]
    if front_end.tls:
        certificate, key = front_end.files(site)
        lines += [f"ssl_certificate {certificate};", f"ssl_certificate_key {key};", "ssl_protocols TLSv1.2 TLSv1.3;"]
    lines += [
        "",
        f"client_max_body_size {front_end.max_body_bytes};",
        f"proxy_connect_timeout {CONNECT_TIMEOUT_S}s;",
        f"proxy_send_timeout {front_end.read_timeout_s}s;",
        f"proxy_read_timeout {front_end.read_timeout_s}s;  # for a WebSocket: the longest silence",
        "proxy_http_version 1.1;",
        "proxy_redirect off;  # the application knows its public URL",
        "proxy_set_header Upgrade $taxiway_upgrade;",
        "proxy_set_header Connection $taxiway_connection;",
        f"proxy_set_header Host {front_end.authority(site)};",
        "",
        "# The trusted headers; what the client sent is replaced.",
    ]
    lines += [f"proxy_set_header {FOR} {'$taxiway_for' if FOR in front_end.kept else '$remote_addr'};"]
    for header, value in front_end.own(site).items():
        if header in front_end.kept:
            lines += [f"set $taxiway_own_{_KEPT[header]} {value};", f"proxy_set_header {header} $taxiway_{_KEPT[header]};"]
        else:
            lines += [f"proxy_set_header {header} {value};"]
    if front_end.prefix:
        lines += [f"proxy_set_header {PREFIX} {front_end.prefix};"]
    lines += ["", "# No other header of proxies gets through."]
    lines += [f'proxy_set_header {header} "";' for header in front_end.stripped]
    name = _name(site.upstream)
    if front_end.prefix:
        lines += ["", *block(f"location {front_end.prefix}/", f"proxy_pass http://{name}/;")]
        lines += block(f"location = {front_end.prefix}", "absolute_redirect off;", f"return 308 {front_end.prefix}/;")
        lines += block("location /", "return 404;")
    else:
        lines += ["", *block("location /", f"proxy_pass http://{name};")]
    return block("server", *lines)
