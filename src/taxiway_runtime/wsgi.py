"""The WSGI application that every server runs: the user's, then `static` where the server serves no files, then `proxy`."""

import os

from taxiway_runtime import proxy, static
from taxiway_runtime.loading import load_planned

application, plan = load_planned(os.environ)
if plan["static"] and os.environ["TAXIWAY_SERVER"] != "mod_wsgi":  # Apache serves them itself
    application = static.wsgi(application, static.from_plan(plan))
application = proxy.wsgi(application, proxy.read_policy(os.environ))
