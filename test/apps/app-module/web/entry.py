"""The application, where no search by usual names would find it."""

import os


def handler(environ, start_response):
    """Greet as told by the environment."""
    body = f"The greeting is: {os.environ.get('GREETING', 'none')}\n".encode()
    headers = [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body)))]
    start_response("200 OK", headers)
    return [body]
