"""A decoy: APP_MODULE goes before what is found by its name."""


def application(environ, start_response):
    """Answer with an error."""
    start_response("500 Internal Server Error", [("Content-Type", "text/plain")])
    return [b"the decoy in wsgi.py was served\n"]
