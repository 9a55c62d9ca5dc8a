"""Proxy headers: the truth table, on the function that decides and on the middleware for WSGI and ASGI."""

import asyncio
import json
import sys
from collections.abc import MutableMapping
from typing import Any

import pytest
from proxy_cases import CASES, EVERYTHING, HOST, NOTHING, POLICY, PORT, Case, Headers, Seen, policy, proto, seen_through, xff

from taxiway import proxy as settings_of_proxies
from taxiway_runtime import proxy
from taxiway_runtime.proxy import DONE, Policy, asgi, read_policy, wsgi

table = pytest.mark.parametrize("case", CASES, ids=lambda case: case.number)


def policy_of(case: Case) -> Policy:
    return read_policy({"TAXIWAY_PROXY": case.policy_json})


def environ_of(case: Case) -> dict[str, Any]:
    environ: dict[str, Any] = {
        "REMOTE_ADDR": case.peer,
        "REMOTE_PORT": "40000",
        "HTTP_HOST": HOST,
        "SERVER_NAME": "0.0.0.0",
        "SERVER_PORT": str(PORT),
        "SCRIPT_NAME": "",
        "PATH_INFO": "/path",
        "wsgi.url_scheme": "http",
        "HTTP_ACCEPT": "*/*",
    }
    for name, value in case.headers:
        key = "HTTP_" + name.upper().replace("-", "_")
        environ[key] = f"{environ[key]},{value}" if key in environ else value
    return environ


def scope_of(case: Case, kind: str = "http") -> dict[str, Any]:
    return {
        "type": kind,
        "client": (case.peer, 40000) if case.peer else None,
        "server": ("0.0.0.0", PORT),
        "scheme": {"http": "http", "websocket": "ws"}[kind],
        "root_path": "",
        "path": "/path",
        "raw_path": b"/path",
        "headers": [
            (b"host", HOST.encode()),
            (b"accept", b"*/*"),
            *((name.lower().encode(), value.encode()) for name, value in case.headers),
        ],
    }


def through_wsgi(policy: Policy, environ: dict[str, Any]) -> dict[str, Any]:
    def application(environ: dict[str, Any], _: object) -> list[bytes]:
        return [environ["PATH_INFO"].encode()]

    assert wsgi(application, policy)(environ, lambda *_: None) == [b"/path"]
    return environ


def through_asgi(policy: Policy, scope: dict[str, Any]) -> dict[str, Any]:
    seen: list[MutableMapping[str, Any]] = []

    async def application(scope: MutableMapping[str, Any], *_: object) -> None:
        await asyncio.sleep(0)
        seen.append(scope)

    async def nothing() -> None: ...

    asyncio.run(asgi(application, policy)(scope, nothing, nothing))  # type: ignore[arg-type]
    return dict(seen[0])


def seen_by_wsgi(environ: dict[str, Any]) -> Seen:
    known = {name: environ[proxy.variable(name)] for name in proxy.KNOWN if proxy.variable(name) in environ}
    port = environ.get("REMOTE_PORT")
    return Seen(
        client=environ["REMOTE_ADDR"],
        client_port=int(port) if port else None,
        scheme=environ["wsgi.url_scheme"],
        host=environ["HTTP_HOST"],
        server=environ["SERVER_NAME"],
        port=int(environ["SERVER_PORT"]),
        prefix=environ["SCRIPT_NAME"],
        headers=known,
    )


def seen_by_asgi(scope: dict[str, Any]) -> Seen:
    headers = [(name.decode(), value.decode()) for name, value in scope["headers"]]
    assert len([name for name, _ in headers if name == "host"]) == 1
    prefix = scope["root_path"]
    assert (scope["path"], scope["raw_path"]) == (f"{prefix}/path", f"{prefix}/path".encode())
    address, port = scope["client"] or ("", 40000)
    return Seen(
        client=address,
        client_port=port or None,
        scheme=scope["scheme"],
        host=dict(headers)["host"],
        server=scope["server"][0],
        port=scope["server"][1],
        prefix=prefix,
        headers={name: value for name, value in headers if name in proxy.KNOWN},
    )


@table
def test_wsgi(case: Case) -> None:
    assert seen_by_wsgi(through_wsgi(policy_of(case), environ_of(case))) == case.seen


@table
def test_asgi(case: Case) -> None:
    assert seen_by_asgi(through_asgi(policy_of(case), scope_of(case))) == case.seen


@pytest.mark.parametrize("case", [c for c in CASES if "." in c.peer and ":" not in c.peer], ids=lambda case: case.number)
def test_overrides(case: Case) -> None:
    assert seen_through(policy_of(case), case.peer, case.headers, Seen(client=case.peer)) == case.seen


@pytest.mark.parametrize(("told", "scheme"), [("https", "wss"), ("wss", "wss"), ("http", "ws")])
def test_websocket(told: str, scheme: str) -> None:
    case = Case("ws", proto(told), NOTHING)
    assert through_asgi(policy_of(case), scope_of(case, "websocket"))["scheme"] == scheme


LENGTHS = (("Content-Length", "5"), ("Transfer-Encoding", "chunked"))


@pytest.mark.parametrize("headers", [LENGTHS, (("Host", "evil.example"),)])
def test_ambiguous_requests(headers: Headers) -> None:
    """Who is in front may have understood something else; and a server might answer what was smuggled behind."""
    sent: list[dict[str, Any]] = []

    async def application(*_: object) -> None:
        await asyncio.sleep(0)
        pytest.fail("the application was called")

    async def send(message: dict[str, Any]) -> None:
        await asyncio.sleep(0)
        sent.append(message)

    case = Case("", headers, NOTHING)
    asyncio.run(asgi(application, Policy())(scope_of(case), send, send))  # type: ignore[arg-type]
    assert [message.get("status") for message in sent] == [400, None]
    assert (b"connection", b"close") in sent[0]["headers"]

    statuses: list[str] = []
    environ = environ_of(case)
    if "HTTP_CONTENT_LENGTH" in environ:
        environ["CONTENT_LENGTH"] = environ.pop("HTTP_CONTENT_LENGTH")
    body = wsgi(lambda *_: pytest.fail("the application was called"), Policy())(
        environ, lambda status, _: statuses.append(status)
    )
    assert statuses == ["400 Bad Request"]
    assert b"".join(body) == sent[1]["body"]


def test_lifespan_is_left_alone() -> None:
    assert through_asgi(Policy(), {"type": "lifespan"}) == {"type": "lifespan"}


@pytest.mark.parametrize("name", ["x_forwarded_for", "x-forwarded_for", "X_Forwarded-For"])
def test_underscores(name: str) -> None:
    """Case 25: a server that makes environ of ASGI headers couldn't tell them from dashes."""
    scope = scope_of(Case("25", ((name, "6.6.6.6"), *xff("203.0.113.5")), NOTHING))
    policy = read_policy({"TAXIWAY_PROXY": json.dumps(POLICY)})
    seen = through_asgi(policy, scope)
    assert seen["client"][0] == "203.0.113.5"
    assert [name for name, _ in seen["headers"]] == [b"x-forwarded-for", b"host", b"accept"]


@pytest.mark.parametrize("case", [Case("once", EVERYTHING, NOTHING), Case("once", xff("203.0.113.5"), NOTHING, peer="127.0.0.9")])
def test_a_second_time_changes_nothing(case: Case) -> None:
    """Rule r10: what a trusted proxy told mustn't be taken for a peer."""
    policy = policy_of(case)
    environ = through_wsgi(policy, environ_of(case))
    again = dict(environ) | {"HTTP_X_FORWARDED_FOR": "6.6.6.6"}
    assert through_wsgi(policy, dict(again)) == again
    scope = through_asgi(policy, scope_of(case))
    more = dict(scope) | {"headers": [(b"x-forwarded-for", b"6.6.6.6")]}
    assert through_asgi(policy, dict(more)) == more


def test_long_values_are_not_kept() -> None:
    """A cache of what clients send is bounded in its bytes, not in its entries alone."""
    value = ",".join(["203.0.113.5"] * 100)
    for length, grows in ((20, True), (len(value), False)):
        case = Case("long", (("X-Forwarded-For", value[-length:]),), NOTHING)
        before = proxy._wsgi_changes.cache_info().currsize  # noqa: SLF001
        assert through_wsgi(policy_of(case), environ_of(case))["REMOTE_ADDR"] == "203.0.113.5"
        assert (proxy._wsgi_changes.cache_info().currsize > before) is grows  # noqa: SLF001


def test_originals() -> None:
    """Rule r9: they stay below one key."""
    case = Case("9", (*xff("203.0.113.5"), ("X-Real-IP", "6.6.6.6")), NOTHING)
    before = through_wsgi(policy_of(case), environ_of(case) | {"REMOTE_HOST": "127.0.0.1"})[DONE]
    assert before == {
        "REMOTE_ADDR": "127.0.0.1",
        "REMOTE_PORT": "40000",
        "REMOTE_HOST": "127.0.0.1",
        "HTTP_X_FORWARDED_FOR": "203.0.113.5",
        "HTTP_X_REAL_IP": "6.6.6.6",
    }
    scope = scope_of(case)
    given = list(scope["headers"])
    assert through_asgi(policy_of(case), scope)[DONE] == {"client": ("127.0.0.1", 40000), "headers": given}


@pytest.mark.parametrize(
    ("peer", "told", "https", "modules", "scheme"),
    [
        ("127.0.0.9", "http", None, (), "http"),
        ("127.0.0.9", "https", None, (), "https"),  # a server with a certificate of its own
        ("127.0.0.9", "evil", None, (), "http"),
        ("127.0.0.9", "https", None, ("uwsgi",), "http"),  # taken from X-Forwarded-Proto
        ("127.0.0.9", "https", "on", ("uwsgi",), "https"),
        ("", "https", None, (), "http"),  # gunicorn believes each peer on a Unix socket
    ],
)
def test_scheme_of_the_connection(  # noqa: PLR0917
    monkeypatch: pytest.MonkeyPatch, peer: str, told: str, https: str | None, modules: tuple[str, ...], scheme: str
) -> None:
    for name in modules:
        monkeypatch.setitem(sys.modules, name, sys)
    environ = environ_of(Case("7", (), NOTHING, peer=peer)) | {"wsgi.url_scheme": told} | ({"HTTPS": https} if https else {})
    assert through_wsgi(Policy(), environ)["wsgi.url_scheme"] == scheme


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "{}",
        "[]",
        "null",
        "{",
        *(
            json.dumps(POLICY | {key: value})
            for key, values in {
                "trust": (None, [1], ["router"], ["10.0.0.0/x"], ["10.0.0.0/33"], ["10.0.0.0"]),
                "headers": (None, ["X-Other"]),
                "hops": ("x", []),
            }.items()
            for value in values
        ),
    ],
)
def test_it_never_fails_open(text: str | None, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a policy that can be read, nobody is trusted, and that is told."""
    policy = read_policy({} if text is None else {"TAXIWAY_PROXY": text})
    case = Case("22", EVERYTHING, NOTHING)
    assert seen_by_wsgi(through_wsgi(policy, environ_of(case))) == NOTHING
    assert seen_by_asgi(through_asgi(policy, scope_of(case))) == NOTHING
    assert capsys.readouterr().err.startswith("taxiway: no proxy is trusted, TAXIWAY_PROXY can't be read: ")


def test_native_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """The middleware is off where mod_wsgi enforces the policy, and nowhere else."""

    def application(*_: object) -> list[bytes]:
        return []

    text = json.dumps(POLICY | {"engine": "native"})
    assert wsgi(application, read_policy({"TAXIWAY_PROXY": text})) is not application
    monkeypatch.setitem(sys.modules, "mod_wsgi", sys)
    assert wsgi(application, read_policy({"TAXIWAY_PROXY": text})) is application
    nobody = json.dumps(policy() | {"trust": [], "engine": "native"})
    assert wsgi(application, read_policy({"TAXIWAY_PROXY": nobody})) is not application


def test_policy_of_settings() -> None:
    """What the settings know as headers, the middleware knows."""
    assert {f: tuple(n.lower() for n in names) for f, names in settings_of_proxies.FAMILIES.items()} == proxy.FAMILIES
