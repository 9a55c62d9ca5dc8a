"""Apache's httpd: a file of virtual hosts. Written for 2.4.47 and later, with a prefix for 2.4.58.

Facts, by its documentation and by trying: `RequestHeader` runs before mod_proxy builds the request for the application, and
`ProxyAddHeaders Off` keeps mod_proxy from adding headers of its own. mod_proxy takes away each header that the request's
Connection names, those that were just set included, so Connection is reduced to what it is for. Header names with underscores
can be found by a pattern (mod_setenvif; "^" as the value finds absent headers too), but only taken away by their exact name: such
requests are refused.
"""

from taxiway.front_ends import (
    CONNECT_TIMEOUT_S,
    FOR,
    KEEP_ALIVE_S,
    PREFIX,
    FrontEnd,
    Site,
    indent,
    introduction,
)

_MODULES = "headers proxy_http setenvif"


def render(front_end: FrontEnd) -> str:
    """Write the configuration."""
    modules = f"{_MODULES} ssl http2" if front_end.tls else _MODULES
    lines = introduction(
        front_end,
        "Apache",
        "Write it to /etc/apache2/sites-available/000-taxiway.conf: it has to come first, because its first virtual hosts refuse",
        "unknown names. On Debian: a2dissite 000-default; a2enmod " + modules + "; a2ensite 000-taxiway.",
        "Check it with: apachectl configtest",
    )
    ports = [front_end.http_port, *([front_end.https_port] if front_end.tls else [])]
    lines += ["", *(f"Listen {port}" for port in ports if port not in {80, 443})]
    lines += ["# Names that nobody knows."]
    lines += _host(front_end.http_port, "ServerName unknown.invalid", "Redirect 421 /")
    if front_end.tls:
        tls = _tls(*front_end.files(front_end.sites[0]))
        lines += _host(front_end.https_port, "ServerName unknown.invalid", *tls, "Redirect 421 /")
    for site in front_end.sites:
        lines += ["", f"# {site.host}"]
        if front_end.tls:
            lines += _host(front_end.http_port, f"ServerName {site.host}", f"Redirect 308 / {front_end.url(site)}/")
        lines += _host(front_end.port, *_site(front_end, site))
    return "\n".join(lines) + "\n"


def _host(port: int, *lines: str) -> list[str]:
    return [f"<VirtualHost *:{port}>", *indent(lines), "</VirtualHost>"]


def _tls(certificate: str, key: str) -> list[str]:
    return [
        "SSLEngine on",
        f"SSLCertificateFile {certificate}",
        f"SSLCertificateKeyFile {key}",
        "SSLProtocol -all +TLSv1.2 +TLSv1.3",
    ]


def _site(front_end: FrontEnd, site: Site) -> list[str]:
    lines = [f"ServerName {front_end.url(site)}"]
    if front_end.tls:
        lines += [*_tls(*front_end.files(site)), "Protocols h2 http/1.1"]
    lines += [
        "",
        "# LimitRequestBody isn't for what is proxied. A chunked body is limited by the application's server.",
        f'<If "%{{HTTP:Content-Length}} -gt {front_end.max_body_bytes}">',
        "    Redirect 413 /",
        "</If>",
        "",
        "# No header of proxies gets through: what the application trusts is set below. Spellings with underscores, which",
        "# no honest client sends, are refused.",
        f'SetEnvIfNoCase "^(?=.*_)({_beginnings((*front_end.headers, *front_end.stripped))})" "." taxiway_refused',
        '<Location "/">',
        "    <RequireAll>",
        "        Require all granted",
        "        Require not env taxiway_refused",
        "    </RequireAll>",
        "</Location>",
    ]
    lines += [f"RequestHeader unset {header}" for header in front_end.stripped]
    lines += [
        "# Nobody has a trusted header taken away by naming it in Connection.",
        'RequestHeader edit* Connection "(?i)(^|,)\\s*(?!(?:close|keep-alive|upgrade)\\s*(?:,|$))[^,]+" "$1 ignored"',
        "",
        "# The trusted headers.",
        "ProxyAddHeaders Off",
        "ProxyPreserveHost On",
        f"RequestHeader set Host {front_end.authority(site)}",
    ]
    if front_end.behind:
        others = " || ".join(f"%{{CONN_REMOTE_ADDR}} -ipmatch '{network}'" for network in front_end.behind)
        lines += ["# What the proxies in front of this one say is kept."]
        lines += [f'RequestHeader unset {header} "expr=!({others})"' for header in front_end.kept]
    lines += [f'RequestHeader {"append" if FOR in front_end.kept else "set"} {FOR} "expr=%{{CONN_REMOTE_ADDR}}"']
    for header, value in front_end.own(site).items():
        lines += [f"RequestHeader {'setifempty' if header in front_end.kept else 'set'} {header} {value}"]
    if front_end.prefix:
        lines += [f"RequestHeader set {PREFIX} {front_end.prefix}"]
    lines += [
        "",
        "AllowEncodedSlashes NoDecode",
        f"ProxyTimeout {front_end.read_timeout_s}",
    ]
    options = f"nocanon upgrade=websocket connectiontimeout={CONNECT_TIMEOUT_S} ttl={KEEP_ALIVE_S}"
    if front_end.prefix:
        mount = front_end.prefix.replace(".", "\\.")
        lines += ["RedirectRelative On", f'RedirectMatch 308 "^{mount}$" {front_end.prefix}/']
        lines += [f'RedirectMatch 404 "^(?!{mount}(/|$))"']
    return [*lines, f"ProxyPass {front_end.prefix}/ http://{site.upstream}/ {options}"]


def _beginnings(headers: tuple[str, ...]) -> str:
    """Write a pattern of how the names begin; and of variables of CGI, which gunicorn takes from a peer that it trusts."""
    names = [header.lower().split("-") for header in headers]
    after_x = "|".join(dict.fromkeys(words[1] for words in names if words[0] == "x"))
    others = dict.fromkeys("[-_]".join(words[:2]) for words in names if words[0] != "x" and len(words) > 1)
    return "|".join((f"x[-_]({after_x})", *others, "script_name", "path_info"))
