"""Settings: one table, one function that decides which source of a value wins.

Highest first: command line; `TAXIWAY_*` and the platform's own names (`PORT`, `WEB_CONCURRENCY`); `[tool.taxiway]`; the names of
the builders that taxiway replaces (`APP_MODULE`, `WARPDRIVE_*`); the default. An empty variable means unset, because
OpenShift's templates pass empty strings.

This module is on the way of every container start: it imports nothing heavy.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from taxiway.errors import BadSettingError, UnknownSettingError

# Set by taxiway itself for hooks and the server; not settings.
RESERVED = frozenset(
    {
        "TAXIWAY_SOCKET",
        "TAXIWAY_SUPERVISOR",
        "TAXIWAY_PHASE",
        "TAXIWAY_PLAN",
        "TAXIWAY_PROXY",
        "TAXIWAY_CACHE",
        "TAXIWAY_STATIC_ROOT",
        "TAXIWAY_SOURCE_URL",
        "TAXIWAY_SOURCE_COMMIT",
        "TAXIWAY_SOURCE_REFERENCE",
    }
)
# Tables below [tool.taxiway]: of settings, where a setting's key says so; the others are read by modules of their own.
# How the names of other builders begin.
PEERS = ("APP_", "WARPDRIVE_", "MOD_WSGI_")
TYPED = ("--server", "TAXIWAY_SERVER")  # origins of a server that the project itself doesn't ask for
TABLES = frozenset({"audit", "env", "processes", "proxy", "servers"})
_FALSE = frozenset({"0", "false", "no", "off"})
_TRUE = frozenset({"1", "true", "yes", "on"})


class Kind(NamedTuple):
    """How a setting's value is written."""

    expected: str
    convert: Callable[[object], Any]
    """Turns text, or a TOML value, into the setting's value; raises ValueError."""


class Setting(NamedTuple):
    """One row of the table."""

    name: str
    kind: Kind
    default: object
    help: str
    platform: tuple[str, ...] = ()
    """Names of the platform, as strong as TAXIWAY_*."""
    peers: tuple[str, ...] = ()
    """Names of other builders, weaker than [tool.taxiway]. With NAME set, `!NAME` means the value `off`, `NAME=VALUE` VALUE."""
    off: object = False
    key: str = ""
    """Where it stands in [tool.taxiway], `table.key`, if not by its name."""

    @property
    def variable(self) -> str:
        """The environment variable of taxiway's own."""
        return "TAXIWAY_" + self.name.upper().replace("-", "_")


class Settings(NamedTuple):
    """All settings, with the origin of each by name."""

    app: str | None
    app_file: str | None
    app_script: str | None
    app_config: str | None
    app_home: str
    server: str | None
    server_args: str
    port: int
    processes: int | None
    threads: int | None
    process: str
    graceful_timeout: int
    request_timeout: int
    max_body: int
    log_format: str
    static: tuple[str, ...]
    collectstatic: bool
    keep_git: bool
    immutable: bool
    writable: tuple[str, ...]
    dependencies: tuple[str, ...]
    extras: tuple[str, ...]
    groups: tuple[str, ...]
    strict: bool
    install_pyproject: bool
    install_setup_py: bool
    install_pip: bool
    credentials: str
    installer: str
    system_packages: tuple[str, ...]
    migrate: str
    migrate_databases: tuple[str, ...]
    migrate_timeout: int
    health_path: str
    health_host: str
    trust_proxy: tuple[str, ...]
    trust_proxy_headers: tuple[str, ...]
    trust_proxy_hops: int | None
    proxy_engine: str
    origins: Mapping[str, str]

    def origin(self, name: str) -> str:
        """Return what decided a setting, to be told to the user."""
        return self.origins[name.replace("_", "-")]


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError
    return value


def import_string(value: object) -> str:
    """Complete an import string: a module alone means its `application`, as gunicorn reads it."""
    text = _text(value)
    return text if ":" in text or text.partition("#")[0].endswith(".ini") else f"{text}:application"


def _integer(low: int, high: int) -> Kind:
    def convert(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int | str):
            raise ValueError
        number = int(value)
        if not low <= number <= high:
            raise ValueError
        return number

    return Kind(f"a whole number from {low} to {high}", convert)


def _flag(value: object) -> bool:
    if isinstance(value, bool):
        return value
    word = _text(value).lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise ValueError


def _words(value: object) -> tuple[str, ...]:
    if isinstance(value, list | tuple):
        return tuple(_text(item) for item in value)
    return tuple(_text(value).split())


def _installer(value: object) -> str:
    if value not in {"uv", "pip"}:
        raise ValueError
    return _text(value)


def _packages(value: object) -> tuple[str, ...]:
    words = _words(value)
    # Debian Policy, 5.6.1: these stand in a command of a Dockerfile.
    if not all(word[0].isalnum() and set(word) <= set("abcdefghijklmnopqrstuvwxyz0123456789+-.") for word in words):
        raise ValueError
    return words


def _directories(value: object) -> tuple[str, ...]:
    words = tuple(word.strip("/") if not word.startswith("/") else "" for word in _words(value))
    if not all(part not in {"", ".", ".."} for word in words for part in word.split("/")):
        raise ValueError
    return words


def _static(value: object) -> tuple[str, ...]:
    words = _words(value)
    if not all(url.startswith("/") and directory for url, _, directory in (w.partition("=") for w in words)):
        raise ValueError
    return words


def _listed(value: object) -> tuple[str, ...]:
    return _words(value.replace(",", " ") if isinstance(value, str) else value)


def _migrate(value: object) -> str:
    if value not in (START, MANUAL):
        raise ValueError
    return _text(value)


def _url_path(value: object) -> str:
    if not _host(value).startswith("/"):
        raise ValueError
    return _text(value)


def _host(value: object) -> str:
    text = _text(value)
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError
    return text


def _engine(value: object) -> str:
    if value not in (MIDDLEWARE, NATIVE):
        raise ValueError
    return _text(value)


START, MANUAL = "start", "manual"
MIDDLEWARE, NATIVE = "middleware", "native"


def _size(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        number = value
    else:
        text = _text(value).upper().removesuffix("B").removesuffix("I")
        number = int(text.rstrip("KMG")) * 1024 ** ("KMG".find(text[-1:]) + 1)
    if number < 1:
        raise ValueError
    return number


def _log_format(value: object) -> str:
    if value not in {TEXT_LOG, JSON_LOG}:
        raise ValueError
    return str(value)


TEXT_LOG, JSON_LOG = "text", "json"
SIZE = Kind("a number of bytes, or one with K, M or G", _size)
TEXT = Kind("text", _text)
WORDS = Kind("words", _words)
FLAG = Kind("true or false", _flag)

SETTINGS = (
    Setting(
        "app",
        Kind("an import string, package.module:name", import_string),
        None,
        "The WSGI callable: package.module:name, or package.module:factory() for one that makes it. Default: found.",
        peers=("APP_MODULE", "WARPDRIVE_WSGI_MODULE_NAME", "MOD_WSGI_ENTRY_POINT"),
    ),
    Setting(
        "app-file",
        TEXT,
        None,
        "A Python program to start instead of an import string; it has to listen on PORT by itself.",
        peers=("APP_FILE", "WARPDRIVE_PYTHON_FILE"),
    ),
    Setting(
        "app-script",
        TEXT,
        None,
        "A script, such as app.sh, to start instead of an import string; it has to listen on PORT by itself.",
        peers=("APP_SCRIPT", "WARPDRIVE_SHELL_FILE"),
    ),
    Setting(
        "app-config",
        TEXT,
        None,
        "gunicorn's configuration file, relative to the application's directory. Default: gunicorn.conf.py, if it is there.",
        peers=("APP_CONFIG",),
    ),
    Setting(
        "app-home",
        TEXT,
        ".",
        "The application's directory, relative to the top of the source.",
        peers=("APP_HOME", "WARPDRIVE_APP_HOME"),
    ),
    Setting(
        "server",
        TEXT,
        None,
        "The server. Default: one in the application's requirements that fits; else mod_wsgi for WSGI, uvicorn for ASGI.",
        peers=("WARPDRIVE_SERVER_TYPE",),
    ),
    Setting(
        "server-args",
        TEXT,
        "",
        "Arguments added to the server's command, split as a shell would, after taxiway's own.",
    ),
    Setting(
        "port",
        _integer(1, 65535),
        8080,
        "The TCP port to listen on.",
        platform=("PORT",),
        peers=("WARPDRIVE_HTTP_PORT",),
    ),
    Setting(
        "processes",
        _integer(1, 1024),
        None,
        "Worker processes. Default: from the CPU and memory limits of the container.",
        platform=("WEB_CONCURRENCY",),
    ),
    Setting(
        "threads",
        _integer(1, 1024),
        None,
        "Threads of each worker process. Default: from the CPU limit of the container.",
    ),
    Setting(
        "process",
        TEXT,
        "web",
        "The process types that this container runs: a name, several with commas between them, or all.",
    ),
    Setting(
        "graceful-timeout",
        _integer(1, 3600),
        20,
        "Seconds that requests in flight may take to finish after SIGTERM.",
    ),
    Setting(
        "request-timeout",
        _integer(1, 86400),
        60,
        "Seconds that a request may take until its answer begins; then it is ended, and a process that is stuck is replaced.",
    ),
    Setting("max-body", SIZE, 1024**3, "The largest request body, in bytes or as 10M, 2G; a larger one is answered with 413."),
    Setting(
        "log-format",
        Kind("text or json", _log_format),
        TEXT_LOG,
        "The access log: text, as the server writes it; or json, an object for each request with its ID and duration.",
    ),
    Setting(
        "static",
        Kind("URL=DIRECTORY pairs, each URL beginning with /", _static),
        (),
        "Static files to serve: URL=DIRECTORY, relative to the application's directory. Django's are found by themselves.",
        peers=("WARPDRIVE_WSGI_STATIC_URL",),
    ),
    Setting(
        "collectstatic",
        FLAG,
        True,  # noqa: FBT003
        "Whether the build runs Django's collectstatic.",
        peers=("!DISABLE_COLLECTSTATIC",),
    ),
    Setting("keep-git", FLAG, False, "Whether the image keeps the source's .git directory."),  # noqa: FBT003
    Setting(
        "immutable",
        FLAG,
        False,  # noqa: FBT003
        "Whether code and dependencies can't be changed in a container, whichever user it runs as.",
    ),
    Setting(
        "writable",
        Kind("directories in the source", _directories),
        (),
        "Directories that the application writes to although it is immutable, relative to the source; made if they aren't there.",
    ),
    Setting(
        "dependencies",
        WORDS,
        (),
        "The lock, or the requirements files, to install from, relative to the source. Default: the first format that is there.",
        peers=(
            "ENABLE_PIPENV=Pipfile.lock|requirements.txt",
            "ENABLE_MICROPIPENV=Pipfile.lock|poetry.lock|requirements.txt",
            "WARPDRIVE_PIP_PACKAGES",
        ),
    ),
    Setting("extras", WORDS, (), "Extras of the project that are installed too."),
    Setting("groups", WORDS, (), "Dependency groups that are installed too; without this none is, development groups included."),
    Setting("strict", FLAG, False, "Whether dependencies without exact version and hash are refused."),  # noqa: FBT003
    Setting(
        "install-pyproject",
        FLAG,
        True,  # noqa: FBT003
        "Whether a project with a pyproject.toml is installed itself, and its dependencies without a lock.",
        peers=("!DISABLE_PYPROJECT_TOML_PROCESSING",),
    ),
    Setting(
        "install-setup-py",
        FLAG,
        True,  # noqa: FBT003
        "Whether a project with a setup.py or setup.cfg is installed itself.",
        peers=("!DISABLE_SETUP_PY_PROCESSING",),
    ),
    Setting(
        "install-pip",
        FLAG,
        False,  # noqa: FBT003
        "Whether the application's environment gets pip, setuptools and wheel, in the builder image's versions.",
        peers=("UPGRADE_PIP_TO_LATEST=true",),
    ),
    Setting(
        "credentials",
        TEXT,
        "/etc/taxiway/credentials",
        "Directory of netrc, pip.conf, uv.toml and ca.crt, mounted for the build alone.",
    ),
    Setting(
        "installer",
        Kind("uv or pip", _installer),
        "uv",
        "What installs the dependencies. The result is the same.",
    ),
    Setting(
        "system-packages",
        Kind("names of Debian packages", _packages),
        (),
        "Debian packages that the application needs, to be built or to run.",
    ),
    Setting(
        "migrate",
        Kind("start or manual", _migrate),
        START,
        "When Django's migrations run: at each start, one container at a time; or only by `taxiway migrate`.",
        peers=("!DISABLE_MIGRATE",),
        off=MANUAL,
    ),
    Setting("migrate-databases", WORDS, (), "The names in Django's DATABASES that are migrated. Default: `default` alone."),
    Setting(
        "migrate-timeout",
        _integer(1, 86400),
        300,
        "Seconds to wait for another container that migrates the same database.",
    ),
    Setting(
        "health-path",
        Kind("a path that begins with /", _url_path),
        "/",
        "What `taxiway alive` and `taxiway ready` ask the server for.",
    ),
    Setting(
        "health-host",
        Kind("a host name", _host),
        "localhost",
        "The host that they name: one of Django's ALLOWED_HOSTS.",
    ),
    Setting(
        "trust-proxy",
        Kind("addresses, networks, unix, * or presets", _listed),
        (),
        "Proxies whose headers are believed: addresses, networks, unix, *; or none, private, openshift, kubernetes, loopback. "
        "In [tool.taxiway.proxy]: trust.",
        key="proxy.trust",
    ),
    Setting(
        "trust-proxy-headers",
        Kind("names of headers", _listed),
        (),
        "The headers of theirs that are believed, one of each family. Default: those of the preset. "
        "In [tool.taxiway.proxy]: headers.",
        key="proxy.headers",
    ),
    Setting(
        "trust-proxy-hops",
        _integer(1, 100),
        None,
        "How many proxies a request passes at most; has to be set where * is trusted. In [tool.taxiway.proxy]: hops.",
        key="proxy.hops",
    ),
    Setting(
        "proxy-engine",
        Kind("middleware or native", _engine),
        MIDDLEWARE,
        "What enforces the trust: taxiway's middleware, or mod_wsgi's own code (native). In [tool.taxiway.proxy]: engine.",
        key="proxy.engine",
    ),
)


def resolve(
    *,
    environ: Mapping[str, str],
    project: Mapping[str, object],
    project_origin: str = "[tool.taxiway]",
    options: Mapping[str, object] | None = None,
    warn: Callable[[str], None] = lambda _: None,
) -> Settings:
    """Decide every setting.

    Args:
        environ: The environment.
        project: The table `[tool.taxiway]`, or taxiway.toml.
        project_origin: Where that table was read, for messages.
        options: Values from the command line by setting name; None means not given.
        warn: Takes a warning.

    Raises:
        UnknownSettingError: A TAXIWAY_* variable or a key that doesn't exist.
        BadSettingError: A value of the wrong form.
    """
    _refuse_unknown(_own_variables(environ), (s.variable for s in SETTINGS), "the environment")
    _refuse_unknown((key for key in project if key not in TABLES), (s.name for s in SETTINGS if not s.key), project_origin)
    _refuse_unknown_below(project, project_origin)
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for setting in SETTINGS:
        value, origin = _choose(setting, environ, project, project_origin, options or {}, warn)
        values[setting.name.replace("-", "_")] = value
        origins[setting.name] = origin
    return Settings(**values, origins=origins)


def _choose(  # noqa: PLR0917
    setting: Setting,
    environ: Mapping[str, str],
    project: Mapping[str, object],
    project_origin: str,
    options: Mapping[str, object],
    warn: Callable[[str], None],
) -> tuple[object, str]:
    if options.get(setting.name) is not None:
        return _convert(setting, options[setting.name], "the command line"), f"--{setting.name}"
    for name in (setting.variable, *setting.platform):
        if value := variable(environ, name):
            return _convert(setting, value, f"the variable {name}"), name
    if (found := _in_project(setting, project)) != "":
        return _convert(setting, found, project_origin), project_origin
    for peer in setting.peers:
        name, _, meant = peer.lstrip("!").partition("=")
        value = variable(environ, name)
        if not value:
            continue
        if (meant or peer.startswith("!")) and value.lower() in _FALSE:
            warn(f"{name}={value} counts as set, as any value does; remove the variable to unset it.")
        return setting.off if peer.startswith("!") else _convert(setting, meant or value, f"the variable {name}"), name
    return setting.default, "default"


def _in_project(setting: Setting, project: Mapping[str, object]) -> object:
    table, _, key = setting.key.rpartition(".")
    found = (project.get(table, {}) if table else project).get(key or setting.name, "")  # type: ignore[attr-defined]  # checked
    return "" if setting.name in TABLES and isinstance(found, dict) else found  # that is the table of process types


def sources(
    setting: Setting, environ: Mapping[str, str], project: Mapping[str, object], project_origin: str
) -> list[tuple[str, object]]:
    """List what a setting may come from, the strongest first, each with what stands there; empty where that is nothing."""
    peers = [peer.lstrip("!").partition("=")[0] for peer in setting.peers]
    return [
        *((name, variable(environ, name)) for name in (setting.variable, *setting.platform)),
        (project_origin, _in_project(setting, project)),
        *((name, variable(environ, name)) for name in peers),
        ("default", setting.default),
    ]


def variable(environ: Mapping[str, str], name: str) -> str:
    """Return a variable's value without one pair of quotes around it; empty means unset.

    S2I keeps the quotes of `NAME="value"` in .s2i/environment as part of the value. What Kubernetes sets for a service, such as
    TAXIWAY_PORT=tcp://10.0.0.1:80 for one named taxiway, counts as unset.
    """
    value = environ.get(name, "").strip()
    if _is_of_service(name, value):
        return ""
    if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'" and value[0] not in value[1:-1]:
        return value[1:-1]
    return value


def _convert(setting: Setting, value: object, origin: str) -> object:
    try:
        return setting.kind.convert(value)
    except ValueError:
        raise BadSettingError(setting.name, value, origin, setting.kind.expected) from None


def _own_variables(environ: Mapping[str, str]) -> list[str]:
    """List the TAXIWAY_* variables, but for those that Kubernetes adds for a service whose name begins with taxiway."""
    return [
        name
        for name, value in environ.items()
        if name.startswith("TAXIWAY_") and name not in RESERVED and not _is_of_service(name, value)
    ]


def _is_of_service(name: str, value: str) -> bool:
    """Tell the variables that Kubernetes adds for each service.

    Source: Kubernetes' documentation, "Accessing the Service": NAME_SERVICE_HOST, NAME_SERVICE_PORT[_PORTNAME],
    NAME_PORT=PROTOCOL://..., NAME_PORT_NUMBER_PROTOCOL[_PROTO|_PORT|_ADDR].
    """
    if name.endswith("_SERVICE_HOST") or "_SERVICE_PORT" in name or (name.endswith("_PORT") and "://" in value):
        return True
    words = name.split("_")
    return any(
        word == "PORT" and number.isdecimal() and protocol in {"TCP", "UDP", "SCTP"}
        for word, number, protocol in zip(words, words[1:], words[2:], strict=False)
    )


def _refuse_unknown_below(project: Mapping[str, object], origin: str) -> None:
    """Refuse what is no key in a table of settings, or no table."""
    keys = [setting.key.split(".") for setting in SETTINGS if setting.key]
    for table in {table for table, _ in keys} & project.keys():
        found = project[table]
        if not isinstance(found, Mapping):
            raise BadSettingError(table, found, origin, f"a table, [tool.taxiway.{table}]")
        _refuse_unknown(found, (key for owner, key in keys if owner == table), f"{origin}, table {table}")


def _refuse_unknown(names: Iterable[str], known: Iterable[str], where: str) -> None:
    known = tuple(known)
    unknown = [name for name in names if name not in known]
    if unknown:
        from difflib import get_close_matches  # noqa: PLC0415  # only on the way to an error

        # Compared without the prefix: for its sake any two variables would be near.
        short = {name.removeprefix("TAXIWAY_"): name for name in known}
        near = {name: get_close_matches(name.removeprefix("TAXIWAY_"), short, n=1) for name in sorted(unknown)}
        raise UnknownSettingError({name: short[found[0]] if found else None for name, found in near.items()}, where)
