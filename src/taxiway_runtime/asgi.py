"""The ASGI application that every server runs: the user's, composed as `wsgi` does it for WSGI.

`TAXIWAY_APP` names the application.
"""

import os

from taxiway_runtime import proxy
from taxiway_runtime.loading import load

application = proxy.asgi(load(os.environ["TAXIWAY_APP"]), proxy.read_policy(os.environ))
