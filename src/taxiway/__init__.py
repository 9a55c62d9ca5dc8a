"""taxiway: from a Python web application's source to a running production image."""

__version__ = "0.1.0"
