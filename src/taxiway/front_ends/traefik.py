"""Traefik: a file of its dynamic configuration. Written by the documentation of version 3, and not tried with Traefik itself.

Facts, by its documentation: X-Forwarded-* and X-Real-Ip of clients are thrown away unless the entry point's `trustedIPs` has
them; an empty value in `customRequestHeaders` takes a header away; names that no router has are answered with 404. There is no
limit of the body's size that doesn't collect the whole body first, so the application's server limits it.
"""

from taxiway.front_ends import (
    CONNECT_TIMEOUT_S,
    KEEP_ALIVE_S,
    PREFIX,
    FrontEnd,
    Site,
    indent,
    introduction,
)


def render(front_end: FrontEnd) -> str:
    """Write the configuration."""
    lines = introduction(
        front_end,
        "Traefik",
        "Write it to a file in the directory of the file provider. Traefik's static configuration has to have this:",
        "",
        *indent(_static(front_end)),
    )
    lines += ["", "http:", *indent(_http(front_end), 2)]
    if front_end.tls:
        lines += ["", "tls:", "  options:", "    default:", "      minVersion: VersionTLS12"]
        lines += ["      sniStrict: true  # no certificate for names that nobody knows", "  certificates:"]
        for certificate, key in dict.fromkeys(front_end.files(site) for site in front_end.sites):
            lines += [f'    - certFile: "{certificate}"', f'      keyFile: "{key}"']
    return "\n".join(lines) + "\n"


def _static(front_end: FrontEnd) -> list[str]:
    lines = ["entryPoints:"]
    for name, port in (("web", front_end.http_port), *([("websecure", front_end.https_port)] if front_end.tls else [])):
        lines += [f"  {name}:", f'    address: ":{port}"']
        if front_end.behind:
            networks = ", ".join(f'"{network}"' for network in front_end.behind)
            lines += ["    forwardedHeaders:", f"      trustedIPs: [{networks}]"]
    return [*lines, "providers:", "  file:", "    directory: /etc/traefik/dynamic"]


def _http(front_end: FrontEnd) -> list[str]:
    lines = ["routers:"]
    for site in front_end.sites:
        path = f" && PathPrefix(`{front_end.prefix}/`)" if front_end.prefix else ""
        lines += indent(_router(front_end, site, path), 2)
    lines += ["services:"]
    for site in front_end.sites:
        lines += indent(
            [
                f'"{site.host}":',
                "  loadBalancer:",
                "    serversTransport: taxiway",
                "    servers:",
                f'      - url: "http://{site.upstream}"',
            ],
            2,
        )
    lines += ["serversTransports:", "  taxiway:", "    forwardingTimeouts:"]
    lines += [
        f"      dialTimeout: {CONNECT_TIMEOUT_S}s",
        f"      responseHeaderTimeout: {front_end.read_timeout_s}s",
        f"      idleConnTimeout: {KEEP_ALIVE_S}s",
    ]
    lines += ["middlewares:"]
    for site in front_end.sites:
        lines += indent(_headers(front_end, site), 2)
    if front_end.prefix:
        lines += [
            "  taxiway-prefix:",
            "    stripPrefix:",
            f'      prefixes: ["{front_end.prefix}"]',
        ]
    if front_end.tls:
        port = f'      port: "{front_end.https_port}"'
        lines += ["  taxiway-https:", "    redirectScheme:", "      scheme: https", port, "      permanent: true"]
    return lines


def _router(front_end: FrontEnd, site: Site, path: str) -> list[str]:
    rule = f'  rule: "Host(`{site.host}`){path}"'
    entry_point = "websecure" if front_end.tls else "web"
    # The headers come last: what stripPrefix sets for itself is replaced.
    middlewares = [*(['"taxiway-prefix"'] if front_end.prefix else []), f'"{site.host}"']
    lines = [f'"{site.host}":', rule, f"  entryPoints: [{entry_point}]", f'  service: "{site.host}"']
    lines += [f"  middlewares: [{', '.join(middlewares)}]"]
    if front_end.tls:
        lines += ["  tls: {}"]
        lines += [
            f'"{site.host}-http":',
            rule,
            "  entryPoints: [web]",
            f'  service: "{site.host}"',
            "  middlewares: [taxiway-https]",
        ]
    return lines


def _headers(front_end: FrontEnd, site: Site) -> list[str]:
    # Of what the proxies in front say, Traefik keeps what they do say, and adds the rest.
    own = {"Host": front_end.authority(site)}
    own |= {header: value for header, value in front_end.own(site).items() if header not in front_end.kept}
    if front_end.prefix:
        own[PREFIX] = front_end.prefix
    lines = [f'"{site.host}":', "  headers:", "    customRequestHeaders:"]
    lines += [f'      {header}: "{value}"' for header, value in own.items()]
    lines += ["      # No other header of proxies gets through, in any spelling."]
    names = (*front_end.stripped, *(name for header in (*front_end.headers, *front_end.stripped) for name in _spellings(header)))
    return [*lines, *(f'      {name}: ""' for name in names)]


def _spellings(header: str) -> list[str]:
    """List the spellings of a header with underscores in the place of some dashes, as Go's HTTP library writes them."""
    found = [""]
    for word in header.split("-"):
        found = [start + joint + word for start in found for joint in ("-", "_")] if found != [""] else [word]
    return ["-".join(part[:1].upper() + part[1:].lower() for part in name.split("-")) for name in found if "_" in name]
