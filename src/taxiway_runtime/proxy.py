"""Proxy headers: what trusted proxies tell about a request is applied, all else of the kind is taken away.

`TAXIWAY_PROXY` holds the policy as `taxiway start` decided it. Without it, or with one that can't be read, nobody is trusted: it
never fails open. `wsgi` and `asgi` go in front of all else; between them and the servers' ways to write a request,
`overrides` is the one place that decides. docs/proxies.md tells the rules.
"""

import functools
import itertools
import json
import re
import sys
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, MutableMapping
from socket import AF_INET, AF_INET6, inet_ntop, inet_pton
from typing import Any, NamedTuple, TypeVar

T = TypeVar("T")
_Nodes = list[tuple[str, int | None]]
WSGIApplication = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
ASGIApplication = Callable[[MutableMapping[str, Any], Callable[..., Any], Callable[..., Any]], Awaitable[None]]

DONE = "taxiway.proxy"
"""The key of the environ or scope below which the original values are; where it is set, nothing is done again."""

FAMILIES = {
    "client": ("x-forwarded-for", "x-client-ip", "x-real-ip"),
    "host": ("x-forwarded-host", "x-host"),
    "server": ("x-forwarded-server",),
    "port": ("x-forwarded-port",),
    "scheme": (
        *("x-forwarded-proto", "x-forwarded-scheme", "x-scheme"),
        *("x-forwarded-ssl", "x-forwarded-https", "x-https"),
    ),
    "prefix": ("x-script-name", "x-forwarded-script-name", "x-forwarded-prefix"),
    "forwarded": ("forwarded",),
}
# What else proxies and their vendors tell in; nobody is believed. `Proxy` would become HTTP_PROXY (httpoxy, CVE-2016-5385).
_OTHERS = (
    *("x-forwarded", "x-forwarded-by", "x-forwarded-protocol", "x-forwarded-method", "x-forwarded-path", "x-forwarded-uri"),
    *("x-forwarded-client-cert", "forwarded-for", "x-url-scheme", "front-end-https", "x-original-uri", "x-original-url"),
    *("x-original-host", "x-original-forwarded-for", "x-original-forwarded-host", "x-original-method", "x-rewrite-url"),
    *("x-cluster-client-ip", "x-remote-ip", "x-remote-addr", "x-originating-ip", "client-ip", "true-client-ip", "proxy"),
    *("cf-connecting-ip", "cf-connecting-ipv6", "cf-visitor", "fastly-client-ip", "x-envoy-external-address"),
    *("x-azure-clientip", "x-azure-socketip", "proxy-client-ip", "wl-proxy-client-ip", "x-proxyuser-ip"),
)
KNOWN = (*itertools.chain.from_iterable(FAMILIES.values()), *_OTHERS)


def variable(name: str) -> str:
    """Return the name of a header in the environ."""
    return "HTTP_" + name.upper().replace("-", "_")


_WSGI_NAMES = frozenset(map(variable, KNOWN))
# With every spelling that has underscores: a WSGI server between would make the same name of them.
_ASGI_NAMES = frozenset(
    "".join(letters).encode()
    for name in KNOWN
    for letters in itertools.product(*("-_" if letter == "-" else letter for letter in name))
)
_ASGI_NAMES_AND_HOST = _ASGI_NAMES | {b"host"}

_MAPPED = bytes(10) + b"\xff\xff"  # ::ffff:0.0.0.0/96, IPv4 addresses of a socket that is bound to [::]
_FLAGS = {"on": "https", "true": "https", "1": "https", "off": "http", "false": "http", "0": "http"}
_SCHEMES = {"https": "https", "wss": "https", "http": "http", "ws": "http"}  # Traefik tells wss
_DEFAULT_PORTS = {"https": 443, "http": 80}
_LONG = 512  # characters of headers that a cache keeps
# Compiled when the first header of a trusted proxy comes: re keeps them then.
_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._~-]*[A-Za-z0-9_~-])?\.?|\[[0-9A-Fa-f:.]+\]"
_HOST = rf"({_NAME})(?::([0-9]{{1,5}}))?"
_PREFIX = r"(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._~!$&'()*+;=:@-]+)*"
_OBFUSCATED = r"_[A-Za-z0-9._-]+"  # RFC 7239 section 6.3


class Policy:
    """Whose headers are believed, and which; two are equal only if they are the same, so that caches find them quickly."""

    def __init__(
        self,
        trusts: Callable[[str], bool] = lambda _: False,
        headers: Mapping[str, str] | None = None,
        hops: int = sys.maxsize,
        *,
        is_native: bool = False,
    ) -> None:
        """Take a policy.

        Args:
            trusts: Takes an address as `_address` writes it; an empty one is a peer without, on a Unix socket.
            headers: The trusted header of each family, in small letters.
            hops: How many proxies a request passes at most.
            is_native: Whether the server enforces it itself.
        """
        self.trusts = trusts
        self.headers = dict(headers or {})
        self.hops = hops
        self.is_native = is_native
        self.environ_names = tuple(map(variable, self.headers.values()))
        self.raw_names = tuple(name.encode() for name in self.headers.values())


class Overrides(NamedTuple):
    """What trusted proxies told; None leaves what the connection says."""

    client: str | None
    client_port: int | None
    scheme: str | None
    host: str | None
    server: str | None
    port: int | None
    prefix: str | None
    headers: Mapping[str, str]
    """The trusted headers as the application may see them: checked, and without what somebody before the client wrote."""


def read_policy(environ: Mapping[str, str]) -> Policy:
    """Read the policy from TAXIWAY_PROXY; nobody is trusted if that isn't possible."""
    try:
        found = json.loads(environ["TAXIWAY_PROXY"])
        families = {name: family for family, names in FAMILIES.items() for name in names}
        return Policy(
            trusts=_trusts(tuple(found["trust"])),
            headers={families[name.lower()]: name.lower() for name in found["headers"]},
            hops=sys.maxsize if found["hops"] is None else int(found["hops"]),
            is_native=found["engine"] == "native" and bool(found["trust"]) and "mod_wsgi" in sys.modules,
        )
    except (KeyError, ValueError, TypeError, AttributeError, OSError) as error:
        sys.stderr.write(f"taxiway: no proxy is trusted, TAXIWAY_PROXY can't be read: {type(error).__name__}: {error}\n")
        return Policy()


def _trusts(words: tuple[str, ...]) -> Callable[[str], bool]:
    if not all(isinstance(word, str) for word in words):
        raise TypeError(words)
    networks: list[tuple[int, int, int]] = []
    for word in words:
        if word not in {"unix", "*"}:
            address, _, length = word.partition("/")
            packed = inet_pton(AF_INET6 if ":" in address else AF_INET, address)
            shift = len(packed) * 8 - int(length)
            networks.append((len(packed), shift, int.from_bytes(packed, "big") >> shift))

    @functools.lru_cache(maxsize=1024)
    def trusts(address: str) -> bool:
        if "*" in words:
            return True
        if not address:
            return "unix" in words
        packed = inet_pton(AF_INET6 if ":" in address else AF_INET, address)
        number = int.from_bytes(packed, "big")
        return any(len(packed) == size and number >> shift == start for size, shift, start in networks)

    return trusts


def _address(text: str) -> str | None:
    """Return an address in its normal form, an IPv4 one in IPv6 notation as IPv4; None for what is no literal address."""
    try:
        if ":" not in text:
            inet_pton(AF_INET, text)
            return text
        packed = inet_pton(AF_INET6, text)
    except (OSError, ValueError):
        return None
    return inet_ntop(AF_INET, packed[12:]) if packed.startswith(_MAPPED) else inet_ntop(AF_INET6, packed)


@functools.lru_cache(maxsize=1024)
def _peer(text: str) -> str:
    """Return the address of the connection in its normal form; an empty text for a Unix socket."""
    return _address(text.partition("%")[0]) or ""


def _port(text: str) -> int | None:
    number = int(text) if text.isascii() and text.isdecimal() and len(text) <= 5 else 0  # noqa: PLR2004  # digits of 65535
    return number if 0 < number < 2**16 else None


def _node(text: str) -> tuple[str, int | None] | None:
    """Read address, [address], and either with :port, in quotes or not; None if it is something else, such as `unknown`."""
    text = _unquoted(text)
    separator = port = ""
    if text.startswith("["):
        text, bracket, rest = text[1:].partition("]")
        before, separator, port = rest.partition(":")
        if not bracket or before or ":" not in text:
            return None
    elif text.count(":") == 1:
        text, separator, port = text.partition(":")
    address = _address(text)
    number = _port(port)
    if address is None or (separator and number is None and not re.fullmatch(_OBFUSCATED, port)):
        return None
    return address, number


def _unquoted(text: str) -> str:
    text = text.strip(" \t")
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' else text


def overrides(policy: Policy, values: tuple[str, ...], host: str, scheme: str) -> Overrides:
    """Decide what a trusted peer's headers change; a pure function.

    Args:
        policy: Which headers are trusted.
        values: The values of these, in the policy's order: several lines joined by a comma, empty for one that isn't there.
        host: The Host header.
        scheme: http or https, as the connection is.
    """
    headers = dict(zip(policy.headers.values(), values, strict=True))
    if "forwarded" in policy.headers:
        nodes, told, kept = _forwarded(policy, headers.get("forwarded", ""))
    else:
        nodes, told, kept = _families(policy, headers)
    new_scheme = told.get("scheme")
    new_host = told.get("host")
    new_port = _port(told["port"]) if "port" in told else None
    default = _DEFAULT_PORTS[new_scheme or scheme]
    if new_host and new_port not in {None, default} and not _port_of(new_host):
        new_host = f"{new_host}:{new_port}"
    if new_port is None and (new_host or new_scheme):
        new_port = _port_of(new_host or host) or (default if new_scheme else None)
    if "host" in policy.headers and new_host:
        kept[policy.headers["host"]] = new_host
    address, port = nodes[-1] if nodes else (None, None)
    return Overrides(address, port, new_scheme, new_host, told.get("server"), new_port, told.get("prefix"), kept)


def _walk(policy: Policy, entries: Iterable[str]) -> _Nodes:
    """Go from the nearest hop towards the client, which is the last: the first that isn't trusted, or before what is invalid."""
    found: _Nodes = []
    for entry in entries:
        node = _node(entry)
        if node is None or len(found) >= policy.hops:
            break
        found.append(node)
        if not policy.trusts(node[0]):
            break
    return found


def _families(policy: Policy, headers: Mapping[str, str]) -> tuple[_Nodes, dict[str, str], dict[str, str]]:
    """Return the hops, the value of each family, and the headers that stay."""
    nodes: _Nodes = []
    told: dict[str, str] = {}
    kept: dict[str, str] = {}
    name = policy.headers.get("client", "")
    entries = [entry for entry in reversed(headers.get(name, "").split(",")) if entry.strip(" \t")]
    if entries:
        nodes = _walk(policy, entries if name == "x-forwarded-for" else entries[:1])
        if nodes:
            kept[name] = ", ".join(address for address, _ in reversed(nodes))
    hops = len(nodes) or 1
    for family, name in policy.headers.items():
        if family == "client" or name not in headers:
            continue
        value = headers[name]
        if "," in value:
            values = [item for item in value.split(",") if item.strip(" \t")]
            value = values[-min(hops, len(values))] if values else ""
        value = value.strip(" \t")
        checked = _FLAGS.get(value.lower()) if name in _FLAG_HEADERS else _CHECKS[family](value)
        if checked is not None:
            told[family] = checked
            kept[name] = value.lower() if name in _FLAG_HEADERS else checked
    return nodes, told, kept


def _forwarded(policy: Policy, value: str) -> tuple[_Nodes, dict[str, str], dict[str, str]]:
    """Return the same from RFC 7239's header: scheme and host are those that the client's element tells."""
    elements = [_pairs(text) for text in _elements(value)]
    if not elements:
        return [], {}, {}
    nodes = _walk(policy, (element.get("for", "") for element in elements))
    used = elements[(len(nodes) or 1) - 1]
    told: dict[str, str] = {}
    for family, key in (("scheme", "proto"), ("host", "host")):
        checked = _CHECKS[family](used.get(key, ""))
        if checked is not None:
            told[family] = checked
    hops = [f'for="[{address}]"' if ":" in address else f"for={address}" for address, _ in reversed(nodes)]
    first = [*hops[:1], *(f'{key}="{told[family]}"' for family, key in (("scheme", "proto"), ("host", "host")) if family in told)]
    kept = {"forwarded": ", ".join((";".join(first), *hops[1:]))} if first else {}
    return nodes, told, kept


def _elements(text: str) -> Iterator[str]:
    """Split at the commas outside quotes, from the right: a quote that the client left open can't hide what proxies added."""
    while text:
        text, _, element = text.rpartition(",")
        while element.count('"') % 2 and text:
            text, _, more = text.rpartition(",")
            element = f"{more},{element}"
        if element.strip(" \t"):
            yield element.strip(" \t")


def _pairs(element: str) -> dict[str, str]:
    """Read the pairs of one element; nothing if one is malformed, or there twice."""
    found: dict[str, str] = {}
    for pair in filter(None, (item.strip(" \t") for item in element.split(";"))):
        name, separator, value = pair.partition("=")
        value = _unquoted(value) if value == value.strip(" \t") else ""
        if not separator or not value or '"' in value or "\\" in value or name.lower() in found:
            return {}
        found[name.lower()] = value
    return found


def _port_of(host: str) -> int | None:
    match = re.fullmatch(_HOST, host)
    return _port(match[2]) if match and match[2] else None


def _check_host(text: str) -> str | None:
    match = re.fullmatch(_HOST, text)
    if not match or (match[2] and not _port(match[2])) or not _is_name(match[1]):
        return None
    return text


def _is_name(text: str) -> bool:
    return bool(re.fullmatch(_NAME, text)) and (text[0] != "[" or _address(text[1:-1]) is not None)


def _check_port(text: str) -> str | None:
    number = _port(text)
    return str(number) if number else None


def _check_scheme(text: str) -> str | None:
    return _SCHEMES.get(text.lower())


def _check_prefix(text: str) -> str | None:
    prefix = text.removesuffix("/")
    return prefix if text and re.fullmatch(_PREFIX, prefix) else None


_FLAG_HEADERS = frozenset({"x-forwarded-ssl", "x-forwarded-https", "x-https"})
_CHECKS: Mapping[str, Callable[[str], str | None]] = {
    "host": _check_host,
    "server": lambda text: text if _is_name(text) else None,
    "port": _check_port,
    "scheme": _check_scheme,
    "prefix": _check_prefix,
}


def wsgi(application: WSGIApplication, policy: Policy) -> WSGIApplication:
    """Put the policy in front of a WSGI application."""
    if policy.is_native:
        return application

    def trusting(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if DONE not in environ:
            if ("HTTP_TRANSFER_ENCODING" in environ and environ.get("CONTENT_LENGTH")) or "," in environ.get("HTTP_HOST", ""):
                start_response("400 Bad Request", [("Content-Type", "text/plain"), ("Content-Length", str(len(_AMBIGUOUS)))])
                return [_AMBIGUOUS]
            _apply_wsgi(policy, environ)
        return application(environ, start_response)

    return trusting


def _apply_wsgi(policy: Policy, environ: dict[str, Any]) -> None:
    before: dict[str, Any] = {}
    environ[DONE] = before
    told = environ.get("REMOTE_ADDR", "")
    peer = _peer(told)
    if peer and peer != told:
        before["REMOTE_ADDR"] = told
        environ["REMOTE_ADDR"] = peer
    scheme = environ["wsgi.url_scheme"]
    if not peer or "uwsgi" in sys.modules or scheme not in _DEFAULT_PORTS:
        # uWSGI takes it from X-Forwarded-Proto, whoever sends that, and gunicorn from peers on a Unix socket.
        before["wsgi.url_scheme"] = scheme
        scheme = "https" if str(environ.get("HTTPS")).lower() in {"on", "1"} else "http"
        environ["wsgi.url_scheme"] = scheme
    if _WSGI_NAMES.isdisjoint(environ):
        return
    for name in _WSGI_NAMES.intersection(environ):
        before[name] = environ.pop(name)
    if not policy.trusts(peer):
        return
    values = tuple([before.get(name, "") for name in policy.environ_names])
    changes, gone = _remembered(_wsgi_changes, policy, values, environ.get("HTTP_HOST", ""), scheme)
    for name in changes:
        if name in environ and name not in before:
            before[name] = environ[name]
    environ.update(changes)
    for name in gone:
        if name in environ:
            before.setdefault(name, environ.pop(name))


def _remembered(
    compute: Callable[..., T], policy: Policy, values: tuple[str, ...] | tuple[bytes, ...], host: str | bytes, scheme: str
) -> T:
    """Call a function that has a cache; not with long values, which would fill the memory."""
    if sum(map(len, values)) + len(host) > _LONG:
        compute = compute.__wrapped__  # type: ignore[attr-defined]  # functools.lru_cache sets it
    return compute(policy, values, host, scheme)


@functools.lru_cache(maxsize=1024)
def _wsgi_changes(policy: Policy, values: tuple[str, ...], host: str, scheme: str) -> tuple[dict[str, str], tuple[str, ...]]:
    """Names of the environ with their new values, and the names that are taken away."""
    new = overrides(policy, values, host, scheme)
    changes = {variable(name): value for name, value in new.headers.items()}
    told = {
        "REMOTE_ADDR": new.client,
        "wsgi.url_scheme": new.scheme,
        "HTTP_HOST": new.host,
        "SERVER_NAME": new.server,
        "SERVER_PORT": str(new.port) if new.port else None,
        "SCRIPT_NAME": new.prefix,
    }
    changes |= {name: value for name, value in told.items() if value is not None}
    if new.client is None:
        return changes, ()
    if new.client_port:
        changes["REMOTE_PORT"] = str(new.client_port)
    # Some servers write the peer's address into REMOTE_HOST.
    return changes, ("REMOTE_HOST",) if new.client_port else ("REMOTE_HOST", "REMOTE_PORT")


def asgi(application: ASGIApplication, policy: Policy) -> ASGIApplication:
    """Put the policy in front of an ASGI application."""

    async def trusting(scope: MutableMapping[str, Any], receive: Callable[..., Any], send: Callable[..., Any]) -> None:
        if scope["type"] != "lifespan" and DONE not in scope:
            headers = scope["headers"]
            found = dict(headers)
            is_ambiguous = b"transfer-encoding" in found and b"content-length" in found
            if len(found) < len(headers):
                is_ambiguous |= sum(name == b"host" for name, _ in headers) > 1
                found = _joined(headers)
            if is_ambiguous and scope["type"] == "http":
                await _refuse(send)
                return
            _apply_asgi(policy, scope, headers, found)
        await application(scope, receive, send)

    return trusting


def _joined(headers: Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    found: dict[bytes, bytes] = {}
    for name, value in headers:
        found[name] = b"%s,%s" % (found[name], value) if name in found else value
    return found


# Who is in front may have understood something else: a request is smuggled behind such a one (RFC 9112, sections 3.2 and 6.1).
# uvicorn with h11 would answer what comes after the chunks as a request of its own.
_AMBIGUOUS = b"The request has several Host headers, or a Content-Length and a Transfer-Encoding.\n"


async def _refuse(send: Callable[..., Any]) -> None:
    headers = [(b"content-type", b"text/plain"), (b"content-length", str(len(_AMBIGUOUS)).encode()), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 400, "headers": headers})
    await send({"type": "http.response.body", "body": _AMBIGUOUS})


def _apply_asgi(
    policy: Policy, scope: MutableMapping[str, Any], headers: list[tuple[bytes, bytes]], found: Mapping[bytes, bytes]
) -> None:
    """Change the scope in place, so that the server's access log tells the client too."""
    before: dict[str, Any] = {}
    scope[DONE] = before
    client = scope.get("client")
    peer = _peer(client[0]) if client else ""
    if client and peer and peer != client[0]:
        before["client"] = client
        scope["client"] = (peer, client[1])
        if server := scope.get("server"):  # of the same socket, so it's written the same way
            before["server"] = server
            scope["server"] = (_peer(server[0]) or server[0], server[1])
    if _ASGI_NAMES.isdisjoint(found):
        return
    before["headers"] = headers
    if not policy.trusts(peer):
        scope["headers"] = [pair for pair in headers if pair[0] not in _ASGI_NAMES]
        return
    values = tuple([found.get(name, b"") for name in policy.raw_names])
    host = found.get(b"host", b"")
    scheme = "https" if scope.get("scheme") in {"https", "wss"} else "http"
    new, lines, replaced = _remembered(_asgi_changes, policy, values, host, scheme)
    scope["headers"] = lines + [pair for pair in headers if pair[0] not in replaced]
    changes = _changes(new, scope, host)
    for key in changes:
        if key not in before:
            before[key] = scope.get(key)
    scope.update(changes)


def _changes(new: Overrides, scope: MutableMapping[str, Any], host: bytes) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    if new.client is not None:
        changes["client"] = (new.client, new.client_port or 0)
    if new.scheme is not None:
        changes["scheme"] = new.scheme.replace("http", "ws") if scope["type"] == "websocket" else new.scheme
    if new.server is not None or new.port is not None:
        name, port = scope.get("server") or (host.decode("latin-1").partition(":")[0], None)
        changes["server"] = (new.server or name, new.port or port)
    if new.prefix is not None:
        changes |= {"root_path": new.prefix, "path": new.prefix + scope["path"]}
        if scope.get("raw_path") is not None:
            changes["raw_path"] = new.prefix.encode() + scope["raw_path"]
    return changes


@functools.lru_cache(maxsize=1024)
def _asgi_changes(
    policy: Policy, values: tuple[bytes, ...], host: bytes, scheme: str
) -> tuple[Overrides, list[tuple[bytes, bytes]], frozenset[bytes]]:
    """What is new, the lines of the headers, and the names of those to take away."""
    new = overrides(policy, tuple(value.decode("latin-1") for value in values), host.decode("latin-1"), scheme)
    lines = [(name.encode(), value.encode()) for name, value in new.headers.items()]
    if new.host is None:
        return new, lines, _ASGI_NAMES
    return new, [(b"host", new.host.encode()), *lines], _ASGI_NAMES_AND_HOST
