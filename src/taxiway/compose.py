"""`taxiway compose`: a compose file for the application and its databases, and an overlay for development.

Source of the format: the Compose Specification, https://github.com/compose-spec/compose-spec. What databases there are is found
in the requirements, in Django's settings, and in the defaults of declared variables; how the application is told of them, by the
variables that its source reads.
"""

import ast
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from taxiway.build.source import VALUES
from taxiway.detect import AppFacts
from taxiway.plan import BuildPlan
from taxiway.processes import RELEASE
from taxiway.scaffold import is_secret, read_variables
from taxiway.variables import Variable

DIRECTORY = VALUES
WEB = "web"
_SOURCE = "/opt/app-root/src"
_PORT = 8080


class Kind(NamedTuple):
    """A kind of database server."""

    name: str
    image: str
    """The official image, as it is on Docker Hub."""
    port: int
    scheme: str
    """Of URLs, as dj-database-url, SQLAlchemy and redis-py know them."""
    django: tuple[str, ...]
    """Parts of Django's names of engines."""
    packages: tuple[str, ...]
    """Distributions by which an application shows that it wants one."""
    data: str
    """Where the server keeps its data."""
    environment: Mapping[str, str]
    """What the image is told: {name} and {user} stand for the database's."""
    password: str
    """The variable for the password; empty where there is none."""
    health: Sequence[str]


POSTGRESQL = Kind(
    name="postgresql",
    image="docker.io/library/postgres:17",
    port=5432,
    scheme="postgresql",
    django=("postgresql", "postgis", "psqlextra"),
    packages=("psycopg", "psycopg2", "psycopg2-binary", "psycopg-binary", "asyncpg", "pg8000"),
    data="/var/lib/postgresql/data",
    environment={"POSTGRES_DB": "{name}", "POSTGRES_USER": "{user}"},
    password="POSTGRES_PASSWORD",  # noqa: S106  # a variable's name
    health=("pg_isready", "--username={user}", "--dbname={name}"),
)
MYSQL = Kind(
    name="mysql",
    image="docker.io/library/mysql:8.4",
    port=3306,
    scheme="mysql",
    django=("mysql",),
    packages=("mysqlclient", "pymysql", "mysql-connector-python", "aiomysql", "asyncmy"),
    data="/var/lib/mysql",
    environment={"MYSQL_DATABASE": "{name}", "MYSQL_USER": "{user}", "MYSQL_RANDOM_ROOT_PASSWORD": "yes"},
    password="MYSQL_PASSWORD",  # noqa: S106
    health=("mysqladmin", "ping", "--host=127.0.0.1"),
)
MARIADB = MYSQL._replace(
    name="mariadb",
    image="docker.io/library/mariadb:11.8",
    django=(),
    packages=("mariadb",),
    environment={"MARIADB_DATABASE": "{name}", "MARIADB_USER": "{user}", "MARIADB_RANDOM_ROOT_PASSWORD": "yes"},
    password="MARIADB_PASSWORD",  # noqa: S106
    health=("healthcheck.sh", "--connect", "--innodb_initialized"),
)
REDIS = Kind(
    name="redis",
    image="docker.io/library/redis:8",
    port=6379,
    scheme="redis",
    django=(),
    packages=("redis", "django-redis", "rq", "django-rq", "hiredis"),
    data="/data",
    environment={},
    password="",
    health=("redis-cli", "ping"),
)
KINDS = (POSTGRESQL, MYSQL, MARIADB, REDIS)
_RELATIONAL = (POSTGRESQL, MYSQL, MARIADB)


class Database(NamedTuple):
    """A database of the application."""

    kind: Kind
    image: str
    name: str
    user: str
    origin: str

    @property
    def service(self) -> str:
        """The service's name, and so the host's."""
        return "redis" if self.kind is REDIS else "database"


@dataclass(frozen=True, kw_only=True)
class Stack:
    """All that a compose file is written from."""

    project: str
    image: str
    databases: tuple[Database, ...]
    variables: tuple[str, ...]
    """Names that the source reads."""
    declared: tuple[Variable, ...]
    processes: tuple[str, ...]
    """Process types besides `web`."""
    collects_static: bool
    short_engine: bool
    """Whether Django's engine is told without its package."""


# --- look


class _DjangoDatabase(NamedTuple):
    engine: str
    name: str | None
    user: str | None


def look(
    source: Path, plan: BuildPlan, facts: AppFacts, declared: Sequence[Variable], *, told: Sequence[str], image: str
) -> Stack:
    """Read what the source shows of databases and variables.

    Args:
        source: The application's source.
        plan: What is built from it.
        facts: What else it shows.
        declared: The variables of `[tool.taxiway.env]`.
        told: Names of kinds that were asked for; none: found.
        image: The application's image.
    """
    home = source / plan.home
    project = re.sub(r"[^a-z0-9_-]+", "-", source.resolve().name.lower()).strip("-_") or "app"
    engines, short = _of_settings(home, plan.django_settings)
    found = dict(_found(engines, facts, declared))
    kinds = [kind for kind in KINDS if kind.name in told] if told else _chosen(found)
    names = next(((row.name, row.user) for row in engines if row.name), (None, None))
    identifier = re.sub(r"\W", "_", project)
    return Stack(
        project=project,
        image=image or f"localhost/{project}:latest",
        databases=tuple(
            Database(kind, kind.image, names[0] or identifier, names[1] or identifier, found.get(kind.name, "--database"))
            for kind in kinds
        ),
        variables=tuple(sorted(set(read_variables(home, all_of_them=True)))),
        declared=tuple(declared),
        processes=tuple(name for name, _ in plan.processes if name != RELEASE),
        collects_static=plan.collectstatic,
        short_engine=short,
    )


def _chosen(found: Mapping[str, str]) -> list[Kind]:
    """Take one relational database at most: an application that knows several connects to one of them."""
    relational = [kind for kind in _RELATIONAL if kind.name in found][:1]
    return [*relational, *([REDIS] if REDIS.name in found else [])]


def _found(engines: Iterable[_DjangoDatabase], facts: AppFacts, declared: Iterable[Variable]) -> Iterator[tuple[str, str]]:
    """Find kinds of databases, the weaker signs first, as the later of two is kept."""
    for kind in KINDS:
        if package := next((name for name in kind.packages if facts.requires(name)), None):
            yield kind.name, f"{package} in the requirements"
        if engine := next((row.engine for row in engines if any(part in row.engine for part in kind.django)), None):
            yield kind.name, f"the engine {engine} in Django's settings"
        schemes = {kind.scheme, kind.name} | ({"postgres"} if kind is POSTGRESQL else set())
        for row in declared:
            if row.default.partition(":")[0].partition("+")[0] in schemes:
                yield kind.name, f"the default of {row.name} in [tool.taxiway.env]"
    if facts.requires("celery"):
        yield REDIS.name, "celery in the requirements, as its broker"


def _of_settings(home: Path, module: str | None) -> tuple[list[_DjangoDatabase], bool]:
    """Read the dictionaries with an ENGINE out of Django's settings, and whether a name of one is put together."""
    if module is None:
        return [], False
    base = home / Path(*module.split("."))
    files = [path for path in (base.with_suffix(".py"), *sorted(base.parent.glob("*.py"))) if path.is_file()]
    trees = [tree for path in dict.fromkeys(files) if (tree := _parse(path))]
    rows = [row for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Dict) and (row := _database(node))]
    short = any(
        isinstance(node, ast.JoinedStr) and ast.unparse(node).startswith(("f'django.db.backends.", 'f"django.db.backends.'))
        for tree in trees
        for node in ast.walk(tree)
    )
    return rows, short


def _parse(path: Path) -> ast.Module | None:
    try:
        return ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):
        return None


def _database(node: ast.Dict) -> _DjangoDatabase | None:
    items = {key.value: value for key, value in zip(node.keys, node.values, strict=True) if isinstance(key, ast.Constant)}
    if "ENGINE" not in items:
        return None

    def text(name: str) -> str | None:
        value = items.get(name)
        return value.value if isinstance(value, ast.Constant) and isinstance(value.value, str) else None

    return _DjangoDatabase(text("ENGINE") or "", text("NAME"), text("USER"))


def with_images(stack: Stack, database: str | None, redis: str | None) -> Stack:
    """Return the stack with other images of database servers; pure."""
    given = {True: redis, False: database}
    return replace(stack, databases=tuple(db._replace(image=given[db.kind is REDIS] or db.image) for db in stack.databases))


# --- decide

# The part of a variable's name that says what of a database it is.
_PARTS = {
    **dict.fromkeys(("URL", "URI", "DSN"), "url"),
    **dict.fromkeys(("HOST", "HOSTNAME", "SERVER"), "host"),
    "PORT": "port",
    **dict.fromkeys(("NAME", "DB", "DATABASE"), "name"),
    **dict.fromkeys(("USER", "USERNAME"), "user"),
    **dict.fromkeys(("PASSWORD", "PASS"), "password"),
    "ENGINE": "engine",
}
_RELATIONAL_PREFIXES = ("DATABASE", "DB", "POSTGRES", "POSTGRESQL", "PG", "SQL", "SQLALCHEMY_DATABASE", "MYSQL", "MARIADB")
_REDIS_PREFIXES = ("REDIS", "RQ_REDIS", "CELERY_BROKER", "BROKER", "CACHE", "CHANNELS_REDIS")


def part_of(name: str, kind: Kind) -> str | None:
    """Return what of a database a variable means, such as `host`; None where it means something else; pure."""
    prefixes = _REDIS_PREFIXES if kind is REDIS else _RELATIONAL_PREFIXES
    if name == "CELERY_RESULT_BACKEND" and kind is REDIS:
        return "url"
    for prefix in prefixes:
        rest = name.removeprefix(prefix)
        if rest != name and (part := _PARTS.get(rest.removeprefix("_"))):
            return part
    return None


def environment(stack: Stack, password: str) -> dict[str, str]:
    """Return the application's variables, for the file that compose hands to it; empty ones have to be filled in; pure."""
    names = dict.fromkeys((*stack.variables, *(row.name for row in stack.declared)))
    needed = {row.name for row in stack.declared if row.required and not row.default}
    found: dict[str, str] = {}
    for name in names:
        for database in stack.databases:
            if part := part_of(name, database.kind):
                found[name] = _value(part, database, password, short=stack.short_engine)
                break
        else:
            if name in needed:
                found[name] = ""
    for database in stack.databases:  # nothing in the source says how it is told: the usual name
        url = "REDIS_URL" if database.kind is REDIS else "DATABASE_URL"
        if not any(part_of(name, database.kind) for name in names):
            found[url] = _value("url", database, password, short=False)
    return found


def _value(part: str, database: Database, password: str, *, short: bool) -> str:
    kind, host = database.kind, database.service
    user = "" if kind is REDIS else f"{database.user}:{password}@"
    path = "0" if kind is REDIS else database.name
    engine = next(iter(kind.django), "mysql")
    return {
        "url": f"{kind.scheme}://{user}{host}:{kind.port}/{path}",
        "host": host,
        "port": str(kind.port),
        "name": path,
        "user": "" if kind is REDIS else database.user,
        "password": "" if kind is REDIS else password,
        "engine": engine if short else f"django.db.backends.{engine}",
    }[part]


def compose(stack: Stack) -> dict[str, Any]:
    """Write the compose file as data; pure."""
    services = {WEB: _web(stack)}
    services |= {name: _worker(name, stack) for name in stack.processes}
    services |= {database.service: _server(database) for database in stack.databases}
    volumes: dict[str, Any] = {database.service: {} for database in stack.databases}
    return {"name": stack.project, "services": services, **({"volumes": volumes} if volumes else {})}


def _application(stack: Stack) -> dict[str, Any]:
    """What all containers of the application have in common; they need no capability."""
    return {
        "image": stack.image,
        "env_file": [f"{DIRECTORY}/{WEB}.env"],
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges"],
        "restart": "unless-stopped",
    }


def _web(stack: Stack) -> dict[str, Any]:
    return {
        **_application(stack),
        "ports": [f"${{BIND:-127.0.0.1}}:${{PORT:-{_PORT}}}:{_PORT}"],
        "healthcheck": _health("taxiway", "ready", start="60s"),
        **_depends(database.service for database in stack.databases),
    }


def _worker(name: str, stack: Stack) -> dict[str, Any]:
    """Another process type: after the web process, which migrates the database."""
    return {
        **_application(stack),
        "environment": {"TAXIWAY_PROCESS": name},
        "healthcheck": _health("taxiway", "alive", start="60s"),
        **_depends([*(database.service for database in stack.databases), WEB]),
    }


def _server(database: Database) -> dict[str, Any]:
    kind = database.kind
    names = {"name": database.name, "user": database.user}
    told = {key: value.format(**names) for key, value in kind.environment.items()}
    return {
        "image": database.image,
        **({"environment": told} if told else {}),
        **({"env_file": [f"{DIRECTORY}/{database.service}.env"]} if kind.password else {}),
        "volumes": [f"{database.service}:{kind.data}"],
        "healthcheck": _health(*(word.format(**names) for word in kind.health), start="30s"),
        "restart": "unless-stopped",
    }


def _health(*argv: str, start: str) -> dict[str, Any]:
    return {"test": ["CMD", *argv], "interval": "10s", "timeout": "5s", "retries": 3, "start_period": start}


def _depends(services: Iterable[str]) -> dict[str, Any]:
    found = {service: {"condition": "service_healthy"} for service in services}
    return {"depends_on": found} if found else {}


def development(stack: Stack) -> dict[str, Any]:
    """Write the overlay for development as data: the source mounted, started anew after a change, databases reachable; pure."""
    mounts = [f"./:{_SOURCE}:z"]  # labelled for both where there is SELinux
    if stack.collects_static:  # the mount would hide what the build collected
        mounts.append(f"{_SOURCE}/staticfiles")
    command = ["taxiway", "start", "--reload"]
    services: dict[str, Any] = {WEB: {"volumes": mounts, "command": command}}
    services |= {name: {"volumes": mounts[:1], "command": command} for name in stack.processes}
    services |= {
        database.service: {
            "ports": [f"127.0.0.1:${{{database.service.upper()}_PORT:-{database.kind.port}}}:{database.kind.port}"]
        }
        for database in stack.databases
    }
    return {"services": services}


def env_file(values: Mapping[str, str], secrets: Mapping[str, str]) -> str:
    """Write an env file; a value that is to be filled in says so; pure.

    Args:
        values: By name.
        secrets: Values that were made up for what is still empty.
    """
    lines = ["# Values for compose. Not for version control: the directory has a .gitignore."]
    for name, value in values.items():
        if not value and name not in secrets:
            lines.append("# has to be filled in:")
        lines.append(f"{name}={value or secrets.get(name, '')}")
    return "\n".join(lines) + "\n"


def wants_secret(stack: Stack) -> list[str]:
    """List the variables that get a made-up value: keys with which the application signs, needed and unset; pure."""
    needed = {row.name for row in stack.declared if row.required and not row.default} | set(stack.variables)
    return [name for name in sorted(needed) if is_secret(name) and re.search(r"(SECRET|SIGNING|SESSION|APP)_?KEY$", name)]


# --- act


def render(data: Mapping[str, Any], comments: Sequence[str]) -> str:
    """Write data as YAML: block style, strings quoted as in JSON where they need it; pure."""
    return "".join(f"# {line}\n" for line in comments) + "".join(_block(data, 0))


_PLAIN = re.compile(r"[A-Za-z_./][A-Za-z0-9_./+=-]*")
_WORDS = frozenset({"true", "false", "yes", "no", "on", "off", "null", "y", "n"})


def _scalar(value: object) -> str:
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    return json.dumps(value, ensure_ascii=False)


def _block(value: object, depth: int) -> Iterator[str]:
    indent = "  " * depth
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if isinstance(inner, Mapping) and inner:
                yield f"{indent}{_scalar(key)}:\n"
                yield from _block(inner, depth + 1)
            else:
                yield f"{indent}{_scalar(key)}: {_flow(inner)}\n"


def _flow(value: object) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_scalar, value))}]"
    return _scalar(value)
