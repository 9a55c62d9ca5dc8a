"""Why an answer differs from the one that the rules ask for: each reason is a row of the truth table, or of a server's table."""

from collections.abc import Iterable
from dataclasses import asdict

from proxy_cases import HOST, Headers, Seen

from taxiway_runtime.proxy import _node

Reasons = set[str]

# Raw requests that a server answers in a way of its own, and why that is no harm: server and name of the request.
KNOWN_ODD = {
    **{
        (name, "another host in the first line"): "the Host header counts; proxies send this form to proxies only"
        for name in ("gunicorn-WSGI", "gunicorn-ASGI", "uvicorn-ASGI", "hypercorn-ASGI", "granian-ASGI", "waitress-WSGI")
    },
    ("waitress-WSGI", "a tab in the first line"): "any blank separates; answered as HTTP/1.0, and the connection ends",
    **{
        (
            "uwsgi-WSGI",
            f"Host: {HOST} | {headers}",
        ): "the underscore makes the same name; a start warns of that"
        for headers in (
            *("X_Forwarded_For: 6.6.6.6", "X-Forwarded_For: 6.6.6.6"),
            "X-Forwarded-For: 203.0.113.5 | X_Forwarded_For: 6.6.6.6",
        )
    },
}
# uWSGI's parser takes nearly everything. That harms nobody who isn't believed: a connection carries one request.
LAX = ("uwsgi-WSGI",)


def _values(headers: Headers, name: str) -> list[str]:
    """The values of a header, empty ones left out, as one list over all its lines."""
    lines = [value for found, value in headers if found.lower() == name]
    return [value.strip() for value in ",".join(lines).split(",") if value.strip()]


def _lines(headers: Headers, name: str) -> list[str]:
    return [value for found, value in headers if found.lower() == name]


def explain_native(headers: Headers, expected: Seen, found: Seen) -> Reasons:
    """Why mod_wsgi's own code gives another answer; numbers are those of the truth table.

    Returns:
        A reason for each field that differs; a field without one is there by its own name.
    """
    reasons: Reasons = set()
    wanted, got = asdict(expected), asdict(found)
    for name in wanted:
        if wanted[name] != got[name] and name != "headers":
            reasons.add(_of_field(name, headers, expected, found) or name)
    for name in {*expected.headers, *found.headers}:
        if expected.headers.get(name) != found.headers.get(name):
            reasons.add(_of_header(name, headers, expected, found) or name)
    return reasons


def _of_field(field: str, headers: Headers, expected: Seen, found: Seen) -> str | None:
    match field:
        case "client" | "client_port":
            return _of_client(_values(headers, "x-forwarded-for"), field)
        case "scheme":
            return _of_scheme(_values(headers, "x-forwarded-proto"))
        case "host":
            return _of_host(headers, expected, found)
        case "port":
            return _of_port(headers, expected)
        case "prefix":
            return "19: a prefix in another form, or a list" if _lines(headers, "x-script-name") else None
    return None


def _of_client(entries: list[str], field: str) -> str | None:
    nodes = [(entry, _node(entry)) for entry in entries]
    if any(node is None for _, node in nodes):
        return "5, 6, 7, 10: an entry that is no address"
    if any(node and entry != node[0] for entry, node in nodes):
        return "7, 8, 9: port, brackets or quotes at an address, or not its normal form"
    return "r7: the port of another peer is none of the client's" if field == "client_port" and entries else None


def _of_scheme(values: list[str]) -> str | None:
    if len(values) > 1:
        return "13: a list of schemes"
    if values and values[0].lower() in {"wss", "ws"}:
        return "12b: wss means https"
    if len(values) == 1:
        return "4, 13: empty values in a list"
    return None


def _of_host(headers: Headers, expected: Seen, found: Seen) -> str | None:
    lines, values = _lines(headers, "x-forwarded-host"), _values(headers, "x-forwarded-host")
    if len(values) > 1 or len(lines) > 1 or "," in "".join(lines):
        return "15: a list of hosts"
    if lines and expected.host.startswith(f"{found.host}:"):
        return "28: a port that isn't the scheme's"
    if lines and found.host == ",".join(lines).strip():
        return "16: an empty host, or none"
    return None


def _of_port(headers: Headers, expected: Seen) -> str | None:
    if _lines(headers, "x-forwarded-port"):
        return "17: a list of ports, or none"
    if _lines(headers, "x-forwarded-proto") or _lines(headers, "x-forwarded-host"):
        return "27: the port that host or scheme tell" if expected.port else None
    return None


UNTRUSTED_FAMILIES = {"x-forwarded-server", "forwarded"}  # of which no member is configured
FAMILIES_WITHOUT = {"x-forwarded-prefix", "x-forwarded-protocol", "x-original-host", "cf-connecting-ip"}


def _of_header(name: str, headers: Headers, expected: Seen, found: Seen) -> str | None:
    if name in UNTRUSTED_FAMILIES | FAMILIES_WITHOUT:
        return "21: a header that isn't configured" if name not in expected.headers else None
    raw = _lines(headers, name)
    if not raw:
        return None
    if name in expected.headers:
        if found.headers.get(name) is None:
            return None
        return "r9: the trusted header is rewritten"
    return "4, 6, 14, 17, 19: a value that isn't applied is dropped"


def explain_silence(name: str, headers: Headers, status: int | None) -> str:
    """Why a server doesn't let a request through."""
    if name == "uwsgi-WSGI" and status is None and not "".join(value for _, value in headers).isascii():
        return "answered nothing: uWSGI fails with a scheme that isn't UTF-8"
    return f"answered {status}"


def explain(name: str, headers: Headers, expected: Seen, found: Seen) -> Iterable[str]:
    """Why a server gives another answer; what isn't explained is the name of a field or header, without a colon."""
    if name == "mod_wsgi-native":
        return explain_native(headers, expected, found)
    wanted, got = asdict(expected), asdict(found)
    fields = {field for field in wanted if wanted[field] != got[field]}
    if name == "uwsgi-WSGI" and found.client_port is None:
        fields = {f"{field}: uWSGI doesn't tell it" if field == "client_port" else field for field in fields}
    return fields
