"""A WSGI application (PEP 3333) for the tests that every server has to pass."""

import hashlib
import json
import os
import sys
import time
from urllib.parse import parse_qs

if os.environ.get("FAIL_IMPORT"):
    raise RuntimeError("this application can't be imported")


def application(environ, start_response):
    """Answer by the path."""
    query = {name: values[-1] for name, values in parse_qs(environ.get("QUERY_STRING", "")).items()}
    path = environ["PATH_INFO"]
    if path == "/boom":
        raise RuntimeError("boom on purpose")
    if path == "/slow":
        print(f"begin {query['id']}", file=sys.stderr, flush=True)
        time.sleep(float(query["seconds"]))
        body = f"end {query['id']}\n"
    elif path == "/upload":
        digest, length = hashlib.sha256(), 0
        while part := environ["wsgi.input"].read(65536):
            digest.update(part)
            length += len(part)
        body = f"{length} {digest.hexdigest()}\n"
    else:
        body = json.dumps({"uid": os.getuid(), "peer": environ["REMOTE_ADDR"], "id": environ.get("HTTP_X_REQUEST_ID")})
    data = body.encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(data)))])
    return [data]
