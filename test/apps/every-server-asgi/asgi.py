"""An ASGI application for the tests that every server has to pass."""

import asyncio
import hashlib
import json
import os
import sys
from urllib.parse import parse_qs

if os.environ.get("FAIL_IMPORT"):
    raise RuntimeError("this application can't be imported")


async def application(scope, receive, send):
    """Answer by the path."""
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                return
    query = {name: values[-1] for name, values in parse_qs(scope["query_string"].decode()).items()}
    path = scope["path"]
    if path == "/boom":
        raise RuntimeError("boom on purpose")
    if path == "/slow":
        print(f"begin {query['id']}", file=sys.stderr, flush=True)
        await asyncio.sleep(float(query["seconds"]))
        body = f"end {query['id']}\n"
    elif path == "/upload":
        digest, length, more = hashlib.sha256(), 0, True
        while more:
            message = await receive()
            part, more = message.get("body", b""), message.get("more_body", False)
            digest.update(part)
            length += len(part)
        body = f"{length} {digest.hexdigest()}\n"
    else:
        headers = dict(scope["headers"])
        id_ = headers.get(b"x-request-id", b"").decode() or None
        body = json.dumps({"uid": os.getuid(), "peer": scope["client"][0], "id": id_})
    data = body.encode()
    headers = [(b"content-type", b"text/plain"), (b"content-length", str(len(data)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": data})
