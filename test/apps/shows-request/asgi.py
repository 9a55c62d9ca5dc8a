"""The same for ASGI."""

import json


async def application(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        body += message.get("body", b"")
        more = message.get("more_body", False)
    headers = {}
    for name, value in scope["headers"]:
        name, value = name.decode("latin-1"), value.decode("latin-1")
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    address, port = scope["client"] or (None, None)
    server, server_port = scope["server"] or (None, None)
    prefix = scope.get("root_path", "")
    seen = {
        "client": address,
        "client_port": port,
        "scheme": scope["scheme"],
        "server": server,
        "port": server_port,
        "prefix": prefix,
        "path": scope["path"].removeprefix(prefix),
        "query": scope["query_string"].decode("latin-1"),
        "method": scope["method"],
        "body": body.decode("latin-1"),
        "headers": headers,
    }
    text = json.dumps(seen).encode()
    head = [(b"content-type", b"application/json"), (b"content-length", str(len(text)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": head})
    await send({"type": "http.response.body", "body": text})
