"""Bottle, and a date that its dependency reads."""

import bottle
from dateutil.parser import parse

application = bottle.Bottle()


@application.get("/")
def index():
    """Say which packages are installed."""
    from importlib.metadata import distributions

    names = sorted(found.name for found in distributions())
    return f"{parse('22 November 2026'):%Y-%m-%d} {' '.join(names)}\n"
