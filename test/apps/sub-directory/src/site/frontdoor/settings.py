"""A small Django project without a database."""

from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent

SECRET_KEY = "a-test-application-has-no-secrets-to-keep"
DEBUG = False
ALLOWED_HOSTS = ["*"]
INSTALLED_APPS = ["django.contrib.staticfiles", "pages"]
ROOT_URLCONF = "frontdoor.urls"
WSGI_APPLICATION = "frontdoor.wsgi.application"
USE_TZ = True
STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "static-collected"
