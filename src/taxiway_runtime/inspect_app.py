"""Import the application once, in its own interpreter, and write what that shows as JSON.

usage: inspect_app.py IMPORT-STRING FILE [collect]

The answer has some of: `interface` (WSGI or ASGI), `import_bytes` (memory then), `free_threaded` (Python without a global
lock), `static_url`, `static_root`, `static_root_supplied` (the settings have none) and `serves_static` (Django), `missing` (a
variable that the settings need), `settings_failed` (Django's settings couldn't be loaded), `wrong` (why this can't be the
application), `error` (why it couldn't be imported here). With `collect`, Django's collectstatic runs in this process as well, as
importing Django takes most of its time; if it succeeds, `collected` is what it said.
"""

import faulthandler
import functools
import inspect
import io
import json
import os
import re
import sys
import sysconfig
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

_WRAPPERS = 20  # layers of middleware, at the most
_STEP_BYTES = 4 << 20  # it takes some pages more or less each time, and an image that is built again is to be the same
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
        if "serves_static" not in found and "DJANGO_SETTINGS_MODULE" in os.environ:  # set by what was imported
            found |= _django_static()
    except _Wrong as problem:
        found["wrong"] = str(problem)
    except BaseException as error:  # noqa: BLE001  # SystemExit too: a module may end the process
        name = missing_variable(error)
        if name:
            found["missing"] = name
        found["error"] = "".join(traceback.format_exception_only(error)).strip()
    return found


def private_memory(status: str) -> int | None:
    """Read the bytes that a process shares with no other, from /proc/PID/status (proc_pid_status(5)).

    What it shares, the code of Python and of libraries, is there once for all workers.
    """
    match = re.search(r"^RssAnon:\s*(\d+) kB$", status, re.MULTILINE)
    return int(match[1]) * 1024 if match else None


class _Wrong(Exception):  # noqa: N818
    """The import string can't be right."""


def _load(app: str) -> Callable[..., Any]:
    from taxiway_runtime.loading import load  # noqa: PLC0415  # its directory is put on the path below

    module, _, name = app.partition(":")
    try:
        return load(app)
    except ModuleNotFoundError as error:
        if error.name and any(part == error.name or part.startswith(f"{error.name}.") for part in module.split("+")):
            raise _Wrong(f"there is no module {error.name}") from error
        raise _Wrong(f"importing {module} needs the module {error.name}, which isn't installed") from error
    except AttributeError as error:
        if module in sys.modules and error.obj is sys.modules[module]:
            raise _Wrong(f"the module {module} has no {name.removesuffix('()')}") from error
        raise
    except TypeError as error:
        place = traceback.extract_tb(error.__traceback__)[-1].filename
        if place == sys.modules[load.__module__].__file__:  # nothing of the application was reached
            raise _Wrong(str(error)) from error
        raise


def interface(application: Any) -> str:
    """Tell WSGI (PEP 3333: environ, start_response) from ASGI (version 3: awaitable, scope, receive, send) by the object itself.

    A decorated or wrapped application shows nothing of its own (`*args`): what it wraps counts.
    """
    for _ in range(_WRAPPERS):
        if isinstance(application, functools.partial):
            application = application.func
            continue
        is_class = inspect.isclass(application)  # its instances answer one request each
        called = application.__init__ if is_class else application if inspect.isroutine(application) else application.__call__
        is_async = not is_class and any(map(inspect.iscoroutinefunction, (application, called, inspect.unwrap(called))))
        names = _positional(called, skip_self=is_class)
        if names is not None and len(names) == 1 and (is_class or names == ["scope"]):
            raise _Wrong(
                f"{_describe(application)} takes {names[0]} alone, as in version 2 of ASGI, which servers don't speak any more; "
                "wrap it: asgiref.compatibility.guarantee_single_callable(...)"
            )
        if is_async or (names and {"receive", "send"} <= set(names)):
            return "ASGI"
        if names is not None:
            if len(names) == 2:  # noqa: PLR2004  # environ, start_response, whatever they are called
                return "WSGI"
            raise _Wrong(
                f"{_describe(application)} takes {', '.join(names) or 'no arguments'}; "
                "a WSGI application takes environ and start_response, an ASGI application is async"
            )
        inner = _wrapped(application, called)
        if inner is None:
            break
        application = inner
    return "WSGI"


def _positional(called: Any, *, skip_self: bool) -> list[str] | None:
    """List the names of the arguments that must be given; None where the signature takes any."""
    try:
        parameters = list(inspect.signature(called).parameters.values())[skip_self:]
    except (TypeError, ValueError):
        return None
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return None
    return [p.name for p in parameters if p.default is p.empty and p.kind in {p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD}]


def _wrapped(application: Any, called: Any) -> Any:
    """Return what a wrapper has inside: an attribute of the usual name, or a function that it closes over."""
    for name in ("app", "application", "_app", "asgi_app", "wsgi_app", "wrapped"):
        inner = getattr(application, name, None)
        if callable(inner) and inner is not application:
            return inner
    for cell in getattr(called, "__closure__", None) or ():
        if callable(cell.cell_contents) and cell.cell_contents is not application:
            return cell.cell_contents
    return None


def _describe(application: Any) -> str:
    return (
        getattr(application, "__qualname__", None) or f"a {type(application).__module__}.{type(application).__qualname__} object"
    )


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
        settings.STATIC_ROOT = os.environ.get("TAXIWAY_STATIC_ROOT") or settings.STATIC_ROOT
        found["static_root_supplied"] = not settings.STATIC_ROOT
        root = settings.STATIC_ROOT or Path.cwd() / "staticfiles"
        found["static_root"] = str(Path(root).resolve())
    return found


def _collect(static_root: str) -> str | None:
    """Run collectstatic, after an import that succeeded; None: it failed, and may fail again alone, where its output is seen."""
    from taxiway_runtime import collect_static  # noqa: PLC0415  # it imports Django

    said = io.StringIO()
    try:
        collect_static.main(static_root, said)
    except BaseException:  # noqa: BLE001  # as above
        return None
    return said.getvalue()


def main(app: str, file: str, *, collect: bool = False) -> None:
    """Write the answer; an import that takes too long ends with the place where it waits."""
    faulthandler.dump_traceback_later(LIMIT_S, exit=True)
    here = str(Path(__file__).resolve().parent)
    sys.path[:] = [place for place in sys.path if place != here]  # a module of ours must not hide one of theirs
    home = Path.cwd()
    sys.path.insert(0, str(home))
    found = answer(app)
    if "interface" in found:
        needed = private_memory(Path("/proc/self/status").read_text(encoding="ascii", errors="replace"))
        found["import_bytes"] = needed and -(-needed // _STEP_BYTES) * _STEP_BYTES
        found["free_threaded"] = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))  # PEP 703
        faulthandler.cancel_dump_traceback_later()
        if collect and "static_root" in found and Path.cwd() == home:
            found["collected"] = _collect(found["static_root"])
    Path(file).write_text(json.dumps(found), encoding="utf-8")
    sys.stdout.flush()
    os._exit(0)  # threads that the application started don't matter here


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], collect="collect" in sys.argv[3:])
