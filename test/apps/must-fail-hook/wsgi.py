"""A good application with a build hook that fails."""


def application(environ, start_response):
    """Answer with a line that nobody gets to see."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"never served\n"]
