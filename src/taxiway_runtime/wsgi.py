"""The WSGI application that every server runs: the user's, with static files in front where the server serves none, then `proxy`.

`TAXIWAY_APP` names the application, `TAXIWAY_SERVER` the server, `TAXIWAY_PLAN` the launch plan.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from taxiway_runtime import proxy
from taxiway_runtime.loading import load


def _application() -> Callable[..., Any]:
    application = load(os.environ["TAXIWAY_APP"])
    plan = json.loads(Path(os.environ["TAXIWAY_PLAN"]).read_text(encoding="utf-8"))
    if plan["static_root"]:
        from django.conf import settings  # noqa: PLC0415

        # A storage with a manifest looks for it there. Only now: what was loaded may have chosen the settings itself.
        settings.STATIC_ROOT = settings.STATIC_ROOT or plan["static_root"]
    if plan["static"] and os.environ["TAXIWAY_SERVER"] != "mod_wsgi":
        from whitenoise import WhiteNoise  # type: ignore[import-not-found,unused-ignore]  # noqa: PLC0415

        static = WhiteNoise(application)
        for url, directory in plan["static"]:
            static.add_files(directory, prefix=url)
        return static  # type: ignore[no-any-return,unused-ignore]
    return application


application = proxy.wsgi(_application(), proxy.read_policy(os.environ))
