from pathlib import Path

BASE_DIR = Path(__file__).resolve().parents[2]
SECRET_KEY = "only-for-tests"
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "harvest.urls"
WSGI_APPLICATION = "harvest.wsgi.application"
INSTALLED_APPS = ["django.contrib.staticfiles", "harvest"]
STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "collected"
