"""Pages that show what the container's start has done."""

import getpass
import os
import pwd
from pathlib import Path

from django.conf import settings
from django.http import HttpResponse, JsonResponse

from berths.models import Migrated, Visit


def index(request):
    """Works only after the migrations."""
    Visit.objects.create()
    return JsonResponse(
        {
            "name": settings.HARBOUR_NAME,
            "migrated by": list(Migrated.objects.values_list("host", flat=True)),
            "visits": Visit.objects.count(),
        }
    )


def who(request):
    """Who runs this, as libraries ask."""
    entry = pwd.getpwuid(os.getuid())
    umask = os.umask(0)
    os.umask(umask)
    return JsonResponse(
        {
            "getuser": getpass.getuser(),
            "home": str(Path("~").expanduser()),
            "passwd": [entry.pw_name, entry.pw_uid, entry.pw_gid, entry.pw_dir],
            "umask": oct(umask),
            "environ": {name: os.environ.get(name) for name in ("LD_PRELOAD", "XDG_CACHE_HOME", "USER", "HOME")},
        }
    )


def append(request):
    """Add a line to a file on the volume."""
    directory = Path("/data/notes")
    directory.mkdir(exist_ok=True)
    with (directory / "users").open("a") as file:
        file.write(f"{os.getuid()}\n")
    return HttpResponse((directory / "users").read_text())


def health(request):
    """For the probes; 503 while the file is there."""
    return HttpResponse("well\n" if not Path("/tmp/sick").exists() else "sick\n", status=503 if Path("/tmp/sick").exists() else 200)
