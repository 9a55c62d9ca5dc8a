"""A page that needs little of what is installed."""

import django


def application(environ, start_response):
    """Answer with Django's version."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [django.get_version().encode()]
