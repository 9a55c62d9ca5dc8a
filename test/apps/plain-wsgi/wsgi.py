"""A WSGI application (PEP 3333) of the standard library alone; it can look at its own container."""

import json
import os
import pwd
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import parse_qs


def application(environ, start_response):
    """Answer from PAGES, or 404."""
    query = {name: values[-1] for name, values in parse_qs(environ.get("QUERY_STRING", "")).items()}
    page = PAGES.get(environ.get("PATH_INFO") or "/")
    answer = page(environ, query) if page else "no such page\n"
    if isinstance(answer, str):
        kind, body = "text/plain", answer.encode()
    else:
        kind, body = "application/json", json.dumps(answer).encode()
    headers = [("Content-Type", f"{kind}; charset=utf-8"), ("Content-Length", str(len(body)))]
    start_response("200 OK" if page else "404 Not Found", headers)
    return [body]


def index(_environ, _query):
    """Say hello."""
    return "plain WSGI, and nothing to install\n"


def slow(_environ, query):
    """Answer after `seconds`; the log says when the request has begun."""
    seconds = min(float(query.get("seconds", "1")), 60)
    print(f"slow: begin {seconds:g}", file=sys.stderr, flush=True)
    time.sleep(seconds)
    return f"slept {seconds:g} s\n"


def env(environ, _query):
    """Show what the process was given, and what the server says about the request."""
    names = ("PORT", "WEB_CONCURRENCY", "HOME", "PATH", "PYTHONPATH", "VIRTUAL_ENV", "LANG", "LC_ALL")
    shown = ("REMOTE_", "SERVER_", "SCRIPT_NAME", "HTTP_", "HTTPS", "wsgi.", "mod_wsgi.version")
    wsgi = {k: str(v) for k, v in environ.items() if k.startswith(shown)}
    software = wsgi.get("SERVER_SOFTWARE", "").partition("/")[0]
    try:
        user = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # an arbitrary UID needs no passwd entry
        user = None
    return {
        "environ": {k: v for k, v in os.environ.items() if k in names or k.startswith("TAXIWAY_")},
        "uid": os.getuid(),
        "gid": os.getgid(),
        "groups": os.getgroups(),
        "user": user,
        "pid": os.getpid(),
        "cwd": os.getcwd(),
        "python": sys.version.split()[0],
        "prefix": sys.prefix,
        "server": "mod_wsgi" if "mod_wsgi.version" in wsgi else software,
        "wsgi": wsgi,
    }


def orphan(_environ, query):
    """Leave a `sleep` behind whose parent is gone: PID 1 inherits it and has to reap it.

    Returns its process id. Once it has ended, /processes must not show it any more, not even as state Z.
    """
    seconds = min(float(query.get("seconds", "1")), 60)
    command = f"sleep {seconds:g} </dev/null >/dev/null 2>&1 & echo $!"
    shell = subprocess.run(["/bin/sh", "-c", command], check=True, capture_output=True, text=True)
    return {"pid": int(shell.stdout)}


def processes(_environ, _query):
    """List the processes of the container, as /proc tells."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            stat = (entry / "stat").read_text()
        except OSError:  # it ended meanwhile
            continue
        name, rest = stat[stat.index("(") + 1 : stat.rindex(")")], stat[stat.rindex(")") + 2 :].split()
        found.append({"pid": int(entry.name), "name": name, "state": rest[0], "parent": int(rest[1])})
    return sorted(found, key=lambda process: process["pid"])


PAGES = {"/": index, "/slow": slow, "/env": env, "/orphan": orphan, "/processes": processes}
