import getpass
import os
import pwd

from django.contrib import admin
from django.contrib.auth.models import User
from django.http import JsonResponse
from django.shortcuts import render
from django.urls import path


def env(request):
    names = ("PORT", "WEB_CONCURRENCY", "HOME", "APP_ROOT", "VIRTUAL_ENV", "PYTHON_VERSION", "PYTHONUNBUFFERED", "FERRY_LIMITS")
    with open(os.path.expanduser("~/assembled.txt")) as file:
        assembled = file.read()
    return JsonResponse(
        {
            "environ": {name: os.environ.get(name) for name in names},
            "server": request.META["SERVER_SOFTWARE"],
            "user": getpass.getuser(),
            "named": pwd.getpwuid(os.getuid()).pw_name == getpass.getuser(),
            "assembled": assembled,
            "directory": os.getcwd(),
            "users": User.objects.count(),  # migrated at the start
        }
    )


urlpatterns = [
    path("", lambda request: render(request, "ferry.html")),
    path("env", env),
    path("admin/", admin.site.urls),
]
