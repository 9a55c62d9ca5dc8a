"""The smallest applications, and in front of them what BENCH_VARIANT says: nothing, or the middleware about proxies."""

import json
import os

from taxiway_runtime import proxy

TEXT = b"Hello, world!\n"
HEADERS = ("X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Port")
VARIANT = os.environ["BENCH_VARIANT"]


def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(TEXT)))])
    return [TEXT]


async def asgi_application(scope, receive, send):
    if scope["type"] == "lifespan":
        return
    head = [(b"content-type", b"text/plain"), (b"content-length", str(len(TEXT)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": head})
    await send({"type": "http.response.body", "body": TEXT})


if VARIANT != "bare":
    trust = ["127.0.0.0/8", "10.0.0.0/8"] if VARIANT == "trusting" else []
    policy = proxy.read_policy(
        {"TAXIWAY_PROXY": json.dumps({"trust": trust, "headers": HEADERS, "hops": None, "engine": "middleware"})}
    )
    application = proxy.wsgi(application, policy)
    asgi_application = proxy.asgi(asgi_application, policy)
