import os
from wsgiref.simple_server import make_server


def answer(environ, start_response):
    start_response("200 OK", [])
    return [b"run as told\n"]


make_server("0.0.0.0", int(os.environ["PORT"]), answer).serve_forever()
