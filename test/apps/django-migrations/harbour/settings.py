"""SQLite in a file, or PostgreSQL or MariaDB by DATABASE_ENGINE and DATABASE_HOST."""

import os

if os.environ.get("DATABASE_ENGINE") == "mysql":
    import pymysql

    pymysql.install_as_MySQLdb()

SECRET_KEY = "a-test-application-has-no-secrets-to-keep"
ALLOWED_HOSTS = ["*"]
INSTALLED_APPS = ["django.contrib.contenttypes", "berths"]
MIDDLEWARE = ["django.middleware.common.CommonMiddleware"]
ROOT_URLCONF = "harbour.urls"
WSGI_APPLICATION = "harbour.wsgi.application"
HARBOUR_NAME = os.environ["HARBOUR_NAME"]

if engine := os.environ.get("DATABASE_ENGINE"):
    DATABASES = {
        "default": {
            "ENGINE": f"django.db.backends.{engine}",
            "HOST": os.environ["DATABASE_HOST"],
            "PORT": os.environ["DATABASE_PORT"],
            "NAME": "harbour",
            "USER": "harbour",
            "PASSWORD": os.environ["DATABASE_PASSWORD"],
        }
    }
else:
    DATABASES = {
        "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ["DATABASE_PATH"], "OPTIONS": {"timeout": 20}}
    }
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
