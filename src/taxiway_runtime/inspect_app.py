"""Import the application once, in its own interpreter, and write what that shows as JSON.

usage: inspect_app.py IMPORT-STRING FILE

The answer has some of: `interface` (WSGI or ASGI), `static_url`, `static_root`, `static_root_supplied` (the settings have none)
and `serves_static` (Django), `missing` (a variable that the settings need), `settings_failed` (Django's settings couldn't be
loaded), `wrong` (why this can't be the application), `error` (why it couldn't be imported here).
"""

import faulthandler
import inspect
import json
import os
import re
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

LIMIT_S = 120  # a database that isn't there during the build may be waited for at the import
_STATIC_MIDDLEWARE = ("whitenoise", "servestatic", "dj_static")
_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*")
_ASKED_FOR = re.compile(
    r"^(?P<decouple>[A-Z][A-Z0-9_]*) not found"
    r"|[Ss]et the \W*(?P<django>[A-Z][A-Z0-9_]*)\W* env"
    r"|[Ee]nvironment variable \W*(?P<environs>[A-Z][A-Z0-9_]*)\W* not set"
)


def answer(app: str) -> dict[str, Any]:
    """Import and look."""
    found: dict[str, Any] = {}
    try:
        if "DJANGO_SETTINGS_MODULE" in os.environ:
            found["settings_failed"] = True
            found |= _django_static()
            del found["settings_failed"]
        found["interface"] = interface(_load(app))
    except _Wrong as problem:
        found["wrong"] = str(problem)
    except BaseException as error:  # noqa: BLE001  # SystemExit too: a module may end the process
        name = missing_variable(error)
        if name:
            found["missing"] = name
        found["error"] = "".join(traceback.format_exception_only(error)).strip()
    return found


class _Wrong(Exception):  # noqa: N818
    """The import string can't be right."""


def _load(app: str) -> Callable[..., Any]:
    from taxiway_runtime.loading import load  # noqa: PLC0415  # its directory is put on the path below

    module, _, name = app.partition(":")
    try:
        return load(app)
    except ModuleNotFoundError as error:
        if error.name and (module == error.name or module.startswith(f"{error.name}.")):
            raise _Wrong(f"there is no module {error.name}") from error
        raise _Wrong(f"importing {module} needs the module {error.name}, which isn't installed") from error
    except AttributeError as error:
        if module in sys.modules and error.obj is sys.modules[module]:
            raise _Wrong(f"the module {module} has no {name.removesuffix('()')}") from error
        raise
    except TypeError as error:
        if "can't be called" in str(error):
            raise _Wrong(str(error)) from error
        raise


def interface(application: Callable[..., Any]) -> str:
    """Tell WSGI (two arguments) from ASGI (a coroutine function; ASGI specification 3.0) by the object itself."""
    called = application if inspect.isroutine(application) else type(application).__call__
    if inspect.iscoroutinefunction(called) or inspect.iscoroutinefunction(application):
        return "ASGI"
    return "WSGI"


def missing_variable(error: BaseException | None) -> str | None:
    """Return the environment variable for want of which the import failed, if that is the reason."""
    while error is not None:
        if isinstance(error, KeyError) and error.args and isinstance(error.args[0], str):
            name = error.args[0]
            if _VARIABLE.fullmatch(name) and name not in os.environ:
                return name
        # django-environ and Django: "Set the NAME environment variable"; python-decouple: "NAME not found. Declare ...";
        # environs: 'Environment variable "NAME" not set'.
        if type(error).__name__ in {"ImproperlyConfigured", "UndefinedValueError", "EnvError"}:
            match = _ASKED_FOR.search(str(error))
            asked = match and match[match.lastgroup or 0]
            if asked and asked not in os.environ:
                return str(asked)
        error = error.__cause__ or error.__context__
    return None


def _django_static() -> dict[str, Any]:
    from django.conf import settings  # noqa: PLC0415

    middleware = any(name in path for path in settings.MIDDLEWARE for name in _STATIC_MIDDLEWARE)
    found: dict[str, Any] = {"serves_static": middleware}
    if "django.contrib.staticfiles" in settings.INSTALLED_APPS:
        url = settings.STATIC_URL or "/static/"
        found["static_url"] = url if url.startswith("/") or "://" in url else f"/{url}"
        found["static_root_supplied"] = not settings.STATIC_ROOT
        root = settings.STATIC_ROOT or Path.cwd() / "staticfiles"
        found["static_root"] = str(Path(root).resolve())
    return found


def main(app: str, file: str) -> None:
    """Write the answer; an import that takes too long ends with the place where it waits."""
    faulthandler.dump_traceback_later(LIMIT_S, exit=True)
    here = str(Path(__file__).resolve().parent)
    sys.path[:] = [place for place in sys.path if place != here]  # a module of ours must not hide one of theirs
    sys.path.insert(0, str(Path.cwd()))
    Path(file).write_text(json.dumps(answer(app)), encoding="utf-8")
    sys.stdout.flush()
    os._exit(0)  # threads that the application started don't matter here


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
