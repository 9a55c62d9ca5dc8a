"""Three docks: an application as warpdrive's users have it."""

import json
import os
import threading

import dockwords

HERE = os.path.dirname(os.path.abspath(__file__))


def harbour(environ, start_response):
    top = os.path.dirname(os.path.dirname(HERE))
    notes = {}
    for name in ("pre-build", "build", "deploy-cfg", "deploy", "setup", "migrate"):
        path = os.path.join(top, f"{name}.note")
        notes[name] = open(path).read().splitlines() if os.path.exists(path) else []
    names = ("WITHOUT_EXPORT", "BUILD_WORD", "DEPLOY_WORD", "VIRTUAL_ENV")
    told = {
        "moored": dockwords.MOORED,
        "notes": notes,
        "environ": {name: os.environ.get(name) for name in names},
        "directory": os.path.basename(os.getcwd()),
        "server": environ["SERVER_SOFTWARE"],
        "threads": os.environ.get("GUNICORN_CMD_ARGS", ""),
        "thread": threading.current_thread().name,
    }
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(told, indent=1, sort_keys=True).encode()]
