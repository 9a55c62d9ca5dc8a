"""The ASGI application that every server runs: composed as `wsgi` does it."""

import os

from taxiway_runtime import proxy, static
from taxiway_runtime.loading import load_planned

application, plan = load_planned(os.environ)
if plan["static"]:
    application = static.asgi(application, static.from_plan(plan))
application = proxy.asgi(application, proxy.read_policy(os.environ))
