"""A page with a style sheet, one that needs the database, a slow one, and one that shows the environment."""

import os
import sys
import time

from django.http import HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils import timezone

from .models import Visit


def index(request):
    """Render a template; the local time needs the system's time zone data."""
    return render(request, "board/index.html", {"now": timezone.now()})


def visits(request):
    """Write one row and count them: works only after migrate."""
    Visit.objects.create()
    return HttpResponse(f"visits so far: {Visit.objects.count()}\n", content_type="text/plain")


def slow(request):
    """Answer after `seconds`; the log says when the request has begun."""
    seconds = min(float(request.GET.get("seconds", "1")), 60)
    print(f"slow: begin {seconds:g}", file=sys.stderr, flush=True)
    time.sleep(seconds)
    return HttpResponse(f"slept {seconds:g} s\n", content_type="text/plain")


def env(request):
    """Show what the process was given, and what the server says about the request."""
    names = ("PORT", "WEB_CONCURRENCY", "HOME", "PATH", "PYTHONPATH", "VIRTUAL_ENV", "DJANGO_SETTINGS_MODULE")
    environ = {k: v for k, v in os.environ.items() if k in names or k.startswith("TAXIWAY_")}
    shown = ("REMOTE_", "SERVER_", "SCRIPT_NAME", "HTTP_", "HTTPS", "wsgi.", "mod_wsgi.version")
    wsgi = {k: str(v) for k, v in request.META.items() if k.startswith(shown)}
    software = wsgi.get("SERVER_SOFTWARE", "").partition("/")[0]
    return JsonResponse(
        {
            "environ": environ,
            "uid": os.getuid(),
            "gid": os.getgid(),
            "groups": os.getgroups(),
            "pid": os.getpid(),
            "cwd": os.getcwd(),
            "python": sys.version.split()[0],
            "prefix": sys.prefix,
            "server": "mod_wsgi" if "mod_wsgi.version" in wsgi else software,
            "wsgi": wsgi,
        }
    )
