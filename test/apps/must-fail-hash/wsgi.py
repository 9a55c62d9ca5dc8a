"""A good application; its requirements aren't what was locked."""

from itsdangerous import URLSafeSerializer


def application(environ, start_response):
    """Answer with something signed."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [URLSafeSerializer("key").dumps("never served").encode()]
