"""warpdrive's files and deploy modes, as the variables that settings know: its users' sources build as they are.

This module is on the way of every container start.
"""

import os
from collections.abc import Mapping

from taxiway.errors import BadSettingError
from taxiway.settings import variable as setting_value

_FILES = {
    "home": "WARPDRIVE_APP_HOME",
    "server_type": "WARPDRIVE_SERVER_TYPE",
    "deploy_mode": "WARPDRIVE_DEPLOY_MODE",
}
_SHELL, _PYTHON, _MODULE, _NAME = (
    "WARPDRIVE_SHELL_FILE",
    "WARPDRIVE_PYTHON_FILE",
    "WARPDRIVE_WSGI_MODULE_NAME",
    "WARPDRIVE_WSGI_CALLABLE_OBJECT",
)
_URL, _ROOT = "WARPDRIVE_WSGI_STATIC_URL", "WARPDRIVE_WSGI_STATIC_ROOT"
_MODES = {"shell": (_SHELL, "app.sh"), "python": (_PYTHON, "app.py"), "wsgi": (_MODULE, "wsgi")}


_ENTRY_POINT, _CALLABLE, _TYPE = "MOD_WSGI_ENTRY_POINT", "MOD_WSGI_CALLABLE_OBJECT", "MOD_WSGI_APPLICATION_TYPE"


def translate(environ: Mapping[str, str], source: str, servers: tuple[str, ...]) -> dict[str, str]:
    """Return the environment with warpdrive's choices as settings know them.

    Its files (`.warpdrive/home`, `server_type`, `deploy_mode`) go before its variables. In the mode `auto`, which is the default,
    its names of files and modules are only looked at if they are there, so they count for nothing here unless they are.

    Args:
        environ: The environment.
        source: The top of the source.
        servers: Names of servers, which warpdrive takes as modes too.

    Raises:
        BadSettingError: There is no such mode.
    """
    result = {**environ, **_written(source), **_mod_wsgi(environ)}
    for name in (*_FILES.values(), _SHELL, _PYTHON, _MODULE, _NAME, _URL, _ROOT):
        if name in result:
            result[name] = setting_value(result, name)
    mode = result.get("WARPDRIVE_DEPLOY_MODE") or "auto"
    chosen, default = _MODES.get(mode, (None, ""))
    if chosen is None and mode in servers:
        result["WARPDRIVE_SERVER_TYPE"] = mode
    elif chosen is None and mode not in {"auto", "django"}:
        expected = f"auto, django, {', '.join(_MODES)}, or a server: {', '.join(servers)}"
        raise BadSettingError("WARPDRIVE_DEPLOY_MODE", mode, "WARPDRIVE_DEPLOY_MODE, or .warpdrive/deploy_mode", expected)
    home = os.path.join(source, result.get("WARPDRIVE_APP_HOME") or ".")
    for variable, _ in _MODES.values():
        counts = mode != "django" and chosen is None and _is_there(home, variable, result.get(variable, ""))
        if variable != chosen and not counts:
            result.pop(variable, None)
    if chosen:
        result[chosen] = result.get(chosen) or default
    if _MODULE in result and ":" not in result[_MODULE]:
        result[_MODULE] = f"{result[_MODULE]}:{result.get(_NAME) or 'application'}"
    url, root = result.pop(_URL, ""), result.get(_ROOT, "")
    if url and root:
        result[_URL] = f"{url}={root}"  # the setting `static` takes pairs
    return result


def for_hook(name: str, environ: Mapping[str, str], source: str) -> dict[str, str]:
    """Return what warpdrive tells its hooks.

    Args:
        name: The hook's name.
        environ: The environment that the hook gets besides.
        source: The top of the source.
    """
    building = name in {"pre-build", "build"}
    return {
        "WARPDRIVE_APP_ROOT": environ.get("VIRTUAL_ENV", ""),
        "WARPDRIVE_SRC_ROOT": source,
        "WARPDRIVE_PHASE": "build" if building else "deploy",
        "WARPDRIVE_ACTION": "" if building else "start" if name.startswith("deploy") else name,
        "WARPDRIVE_BUILD_SYSTEM": "docker" if environ.get("STI_SCRIPTS_PATH") else "local",
        "WARPDRIVE_HTTP_PORT": environ.get("PORT", ""),
    }


def _mod_wsgi(environ: Mapping[str, str]) -> dict[str, str]:
    """Read what MOD_WSGI_ENTRY_POINT names, a module, a file with a program, or one of PasteDeploy, as an import string.

    Raises:
        BadSettingError: It is something else, that can't be imported.
    """
    found, name, kind = (setting_value(environ, variable) for variable in (_ENTRY_POINT, _CALLABLE, _TYPE))
    if not found or found.endswith(".ini"):
        return {}
    if kind in {"static", "paste"}:
        expected = "a module, a .py or .wsgi file, or PasteDeploy's .ini file"
        raise BadSettingError(_ENTRY_POINT, found, f"the variable {_ENTRY_POINT}", expected)
    if not found.endswith(".wsgi"):
        found = found.removeprefix("./").removesuffix(".py").replace("/", ".")
    return {_ENTRY_POINT: f"{found}:{name or 'application'}"}


def _written(source: str) -> dict[str, str]:
    """Read the files, by the variables that they stand for."""
    found = {}
    for name, variable in _FILES.items():
        path = os.path.join(source, ".warpdrive", name)
        if os.path.isfile(path):
            with open(path, encoding="utf-8") as file:
                found[variable] = file.read().strip()
    return found


def _is_there(home: str, variable: str, name: str) -> bool:
    if variable != _MODULE:
        return bool(name) and os.path.isfile(os.path.join(home, name))
    path = os.path.join(home, *name.partition(":")[0].split("."))
    return bool(name) and (os.path.isfile(f"{path}.py") or os.path.isfile(os.path.join(path, "__init__.py")))
