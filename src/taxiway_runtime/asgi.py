"""The ASGI application that every server runs: composed as `wsgi` does it."""

import os

from taxiway_runtime import compose, error_log
from taxiway_runtime.loading import load_planned

application, plan = load_planned(os.environ)
if plan["static"]:
    from taxiway_runtime import static

    application = static.asgi(application, static.from_plan(plan))
application = compose.asgi(application)
error_log.show_django_errors()
