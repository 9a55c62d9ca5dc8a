"""The WSGI application that every server runs: the user's, then `static`, then `compose`."""

import os
import signal
import sys
import traceback

from taxiway_runtime import compose, error_log
from taxiway_runtime.loading import load_planned

try:
    application, plan = load_planned(os.environ)
    if plan["static"]:  # of them, Apache serves all but the index of a directory
        from taxiway_runtime import static

        application = static.wsgi(application, static.from_plan(plan))
    application = compose.wsgi(application)
    error_log.show_django_errors()
except BaseException:
    if os.environ["TAXIWAY_SERVER"] == "mod_wsgi" and "TAXIWAY_SUPERVISOR" in os.environ:
        # mod_wsgi would stay up, and try the import again with each request; graceful.sh ends it.
        traceback.print_exc()
        sys.stderr.flush()
        os.kill(int(os.environ["TAXIWAY_SUPERVISOR"]), signal.SIGABRT)
    raise
