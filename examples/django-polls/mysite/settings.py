"""Settings of the polls site: everything that differs between places comes from the environment.

| variable               | default            | meaning                                                    |
| ---------------------- | ------------------ | ---------------------------------------------------------- |
| `SECRET_KEY`           | a random one       | signs sessions; set it when more than one container runs   |
| `DEBUG`                | off                | `1`, `true`, `yes` or `on`: Django's error pages           |
| `ALLOWED_HOSTS`        | `*`                | host names to answer for, separated by commas              |
| `CSRF_TRUSTED_ORIGINS` | none               | such as `https://polls.example.com`, separated by commas   |
| `DATABASE_PATH`        | in the temp folder | the SQLite file; put it on a volume to keep the votes      |

An empty variable counts as unset.
"""

import os
import secrets
import tempfile
from pathlib import Path


def _flag(name: str) -> bool:
    return os.environ.get(name, "").strip().lower() in {"1", "true", "yes", "on"}


def _names(name: str, default: str = "") -> list[str]:
    value = os.environ.get(name) or default
    return [item.strip() for item in value.split(",") if item.strip()]


BASE_DIR = Path(__file__).resolve().parent.parent

# A random key differs in each process, so `.taxiway/deploy-env` sets one for the whole container.
SECRET_KEY = os.environ.get("SECRET_KEY") or secrets.token_urlsafe(48)
DEBUG = _flag("DEBUG")
# A container seldom knows its public name: the router in front of it decides what reaches it.
ALLOWED_HOSTS = _names("ALLOWED_HOSTS", default="*")
CSRF_TRUSTED_ORIGINS = _names("CSRF_TRUSTED_ORIGINS")

INSTALLED_APPS = [
    "polls",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "mysite.urls"
WSGI_APPLICATION = "mysite.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        # The temp folder stays writable where the rest of the file system is read-only.
        "NAME": os.environ.get("DATABASE_PATH") or Path(tempfile.gettempdir()) / "polls.sqlite3",
        # Several server processes write: wait for the lock from a transaction's first statement.
        "OPTIONS": {
            "timeout": 20,
            "transaction_mode": "IMMEDIATE",
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL",
        },
    },
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

LANGUAGE_CODE = "en-gb"
TIME_ZONE = "UTC"
USE_TZ = True

STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
