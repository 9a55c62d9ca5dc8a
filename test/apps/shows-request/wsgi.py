"""Answers with what the server tells about the request, as JSON."""

import json


def application(environ, start_response):
    # A body in chunks has no length; servers that end the input themselves say so.
    length = None if environ.get("wsgi.input_terminated") else int(environ.get("CONTENT_LENGTH") or 0)
    body = environ["wsgi.input"].read(*[] if length is None else [length])
    seen = {
        "client": environ.get("REMOTE_ADDR"),
        "client_port": environ.get("REMOTE_PORT"),
        "scheme": environ["wsgi.url_scheme"],
        "server": environ["SERVER_NAME"],
        "port": environ["SERVER_PORT"],
        "prefix": environ["SCRIPT_NAME"],
        "path": environ["PATH_INFO"],
        "query": environ["QUERY_STRING"],
        "method": environ["REQUEST_METHOD"],
        "body": body.decode("latin-1"),
        "headers": {
            key[5:].lower().replace("_", "-"): value for key, value in environ.items() if key.startswith("HTTP_")
        },
    }
    text = json.dumps(seen).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(text)))])
    return [text]
