"""Settings: which source of a value wins, and what is refused."""

from collections.abc import Mapping

import pytest

from taxiway import settings
from taxiway.errors import BadSettingError, UnknownSettingError
from taxiway.settings import SETTINGS, Settings, resolve


def resolved(
    environ: Mapping[str, str] | None = None,
    project: Mapping[str, object] | None = None,
    options: Mapping[str, object] | None = None,
) -> Settings:
    return resolve(environ=environ or {}, project=project or {}, options=options)


def test_defaults() -> None:
    found = resolved()
    assert found == Settings(
        app=None,
        app_file=None,
        app_script=None,
        app_config=None,
        app_home=".",
        server=None,
        server_args="",
        port=8080,
        processes=None,
        threads=None,
        process="web",
        graceful_timeout=20,
        request_timeout=60,
        max_body=1024**3,
        log_format="text",
        static=(),
        collectstatic=True,
        keep_git=False,
        immutable=False,
        writable=(),
        dependencies=(),
        extras=(),
        groups=(),
        strict=False,
        install_pyproject=True,
        install_setup_py=True,
        install_pip=False,
        migrate="start",
        migrate_databases=(),
        migrate_timeout=300,
        health_path="/",
        health_host="localhost",
        trust_proxy=(),
        trust_proxy_headers=(),
        trust_proxy_hops=None,
        proxy_engine="middleware",
        credentials="/etc/taxiway/credentials",
        installer="uv",
        system_packages=(),
        origins=found.origins,
    )
    assert set(found.origins.values()) == {"default"}


def test_table_and_settings_have_the_same_names() -> None:
    assert [s.name.replace("-", "_") for s in SETTINGS] == [name for name in Settings._fields if name != "origins"]
    assert all(s.help.endswith(".") for s in SETTINGS)


# Each source is stronger than those below it: kind, name, value, origin.
PORT_SOURCES: list[tuple[str, str, int, str]] = [
    ("options", "port", 1, "--port"),
    ("environ", "TAXIWAY_PORT", 2, "TAXIWAY_PORT"),
    ("environ", "PORT", 3, "PORT"),
    ("project", "port", 4, "[tool.taxiway]"),
    ("environ", "WARPDRIVE_HTTP_PORT", 5, "WARPDRIVE_HTTP_PORT"),
    ("none", "", 8080, "default"),
]


@pytest.mark.parametrize("strongest", range(len(PORT_SOURCES)))
def test_precedence(strongest: int) -> None:
    """A source wins over all weaker ones, and is what the user is told."""
    given = PORT_SOURCES[strongest:]
    found = resolve(
        environ={name: str(value) for kind, name, value, _ in given if kind == "environ"},
        project={name: value for kind, name, value, _ in given if kind == "project"},
        options={name: value for kind, name, value, _ in given if kind == "options"},
    )
    assert (found.port, found.origin("port")) == given[0][2:]


@pytest.mark.parametrize(
    ("environ", "name", "value"),
    [
        ({"TAXIWAY_APP": "a:b"}, "app", "a:b"),
        ({"APP_MODULE": "a:b"}, "app", "a:b"),
        ({"TAXIWAY_APP": "a:b", "APP_MODULE": "c:d"}, "app", "a:b"),
        ({"APP_MODULE": "a.b"}, "app", "a.b:application"),  # as gunicorn reads it
        ({"APP_MODULE": "a.b:make()"}, "app", "a.b:make()"),
        ({"TAXIWAY_APP_HOME": "site"}, "app_home", "site"),
        ({"APP_HOME": "site"}, "app_home", "site"),
        ({"WARPDRIVE_APP_HOME": "site"}, "app_home", "site"),
        ({"APP_HOME": "one", "WARPDRIVE_APP_HOME": "two"}, "app_home", "one"),
        ({"TAXIWAY_SERVER": "gunicorn"}, "server", "gunicorn"),
        ({"WARPDRIVE_SERVER_TYPE": "gunicorn"}, "server", "gunicorn"),
        ({"TAXIWAY_SERVER_ARGS": "--a --b"}, "server_args", "--a --b"),
        ({"TAXIWAY_PORT": "80"}, "port", 80),
        ({"PORT": "80"}, "port", 80),
        ({"WARPDRIVE_HTTP_PORT": "80"}, "port", 80),
        ({"WEB_CONCURRENCY": "3"}, "processes", 3),
        ({"TAXIWAY_PROCESSES": "4", "WEB_CONCURRENCY": "3"}, "processes", 4),
        ({"TAXIWAY_THREADS": "7"}, "threads", 7),
        ({"TAXIWAY_GRACEFUL_TIMEOUT": "5"}, "graceful_timeout", 5),
        ({"TAXIWAY_REQUEST_TIMEOUT": "300"}, "request_timeout", 300),
        ({"TAXIWAY_MAX_BODY": "10"}, "max_body", 10),
        ({"TAXIWAY_MAX_BODY": "10m"}, "max_body", 10 * 1024**2),
        ({"TAXIWAY_MAX_BODY": "2GiB"}, "max_body", 2 * 1024**3),
        ({"TAXIWAY_MAX_BODY": "3KB"}, "max_body", 3 * 1024),
        ({"TAXIWAY_LOG_FORMAT": "json"}, "log_format", "json"),
        ({"TAXIWAY_STATIC": "/static=public /media=files"}, "static", ("/static=public", "/media=files")),
        ({"TAXIWAY_COLLECTSTATIC": "no"}, "collectstatic", False),
        ({"TAXIWAY_COLLECTSTATIC": "ON"}, "collectstatic", True),
        ({"DISABLE_COLLECTSTATIC": "1"}, "collectstatic", False),
        ({"TAXIWAY_COLLECTSTATIC": "yes", "DISABLE_COLLECTSTATIC": "1"}, "collectstatic", True),
        ({"TAXIWAY_KEEP_GIT": "true"}, "keep_git", True),
    ],
)
def test_variables(environ: dict[str, str], name: str, value: object) -> None:
    assert getattr(resolved(environ), name) == value


def test_peers_are_weaker_than_the_project() -> None:
    found = resolved({"APP_MODULE": "peer:app", "DISABLE_COLLECTSTATIC": "1"}, {"app": "own:app", "collectstatic": True})
    assert (found.app, found.collectstatic) == ("own:app", True)
    assert found.origin("app") == "[tool.taxiway]"


@pytest.mark.parametrize("value", ["", " ", "''", '""'])
@pytest.mark.parametrize("name", ["TAXIWAY_PORT", "PORT", "APP_MODULE", "DISABLE_COLLECTSTATIC", "WEB_CONCURRENCY", "APP_HOME"])
def test_an_empty_variable_is_unset(name: str, value: str) -> None:
    """OpenShift's templates pass empty strings."""
    found = resolved({name: value})
    assert set(found.origins.values()) == {"default"}


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        ("web:app", "web:app"),
        ('"web:app"', "web:app"),
        ("'web:app'", "web:app"),
        (' "web:app" ', "web:app"),
        ("\"'web:app'\"", "'web:app'"),  # one pair
        ("'web:app\"", "'web:app\""),  # no pair
        ('"', '"'),
        ('"a b" "c d"', '"a b" "c d"'),  # two pairs belong to what is inside
    ],
)
def test_one_pair_of_quotes_is_taken_off(raw: str, value: str) -> None:
    """S2I keeps the quotes in .s2i/environment as part of the value."""
    assert resolved({"TAXIWAY_SERVER": raw}).server == value


@pytest.mark.parametrize(
    "environ",
    [
        {"TAXIWAY_PORT": "tcp://172.30.1.2:8080"},  # a service called taxiway; also the name of a setting
        {
            "TAXIWAY_SERVICE_HOST": "172.30.1.2",
            "TAXIWAY_SERVICE_PORT": "8080",
            "TAXIWAY_SERVICE_PORT_HTTP": "8080",
            "TAXIWAY_PORT_8080_TCP": "tcp://172.30.1.2:8080",
            "TAXIWAY_PORT_8080_TCP_PROTO": "tcp",
            "TAXIWAY_PORT_8080_TCP_PORT": "8080",
            "TAXIWAY_PORT_8080_TCP_ADDR": "172.30.1.2",
        },
        {
            "TAXIWAY_X_PORT": "tcp://172.30.1.2:80",
            "TAXIWAY_X_SERVICE_HOST": "172.30.1.2",
            "TAXIWAY_X_SERVICE_PORT": "80",
            "TAXIWAY_X_SERVICE_PORT_WEB_1": "80",
            "TAXIWAY_X_PORT_80_TCP": "tcp://172.30.1.2:80",
            "TAXIWAY_X_PORT_80_TCP_ADDR": "172.30.1.2",
        },
        {"TAXIWAY_DNS_PORT": "udp://172.30.1.2:53", "TAXIWAY_DNS_PORT_53_UDP": "udp://172.30.1.2:53"},
        {"TAXIWAY_TEL_PORT": "sctp://172.30.1.2:5060", "TAXIWAY_TEL_PORT_5060_SCTP_PROTO": "sctp"},
        {"WARPDRIVE_HTTP_PORT": "tcp://172.30.1.2:80"},
        {"TAXIWAY_PHASE": "build", "TAXIWAY_PLAN": "/plan", "TAXIWAY_CACHE": "/cache"},  # taxiway's own
        {"TAXIWAYS": "1", "MY_TAXIWAY_PORT": "1"},
    ],
)
def test_variables_that_are_no_settings(environ: dict[str, str]) -> None:
    """Kubernetes adds variables for each service of the namespace; no service may change or stop an application."""
    assert set(resolved(environ).origins.values()) == {"default"}


def test_a_service_hides_nothing() -> None:
    assert resolved({"TAXIWAY_PORT": "tcp://172.30.1.2:80", "PORT": "9090"}).port == 9090


def test_unknown_variables_are_named_together_with_the_nearest_setting() -> None:
    with pytest.raises(UnknownSettingError) as caught:
        resolved({"TAXIWAY_THREAD": "2", "TAXIWAY_SREVER": "gunicorn", "TAXIWAY_QQQQ": "", "TAXIWAY_X_PORT": "80"})
    assert str(caught.value) == (
        "Unknown settings in the environment:\n"
        "  TAXIWAY_QQQQ\n"
        "  TAXIWAY_SREVER (did you mean TAXIWAY_SERVER?)\n"
        "  TAXIWAY_THREAD (did you mean TAXIWAY_THREADS?)\n"
        "  TAXIWAY_X_PORT (did you mean TAXIWAY_PORT?)\n\n"
        "Correct or remove them. All settings: taxiway settings --help"
    )


def test_unknown_key_of_the_project() -> None:
    with pytest.raises(UnknownSettingError) as caught:
        resolve(environ={}, project={"app_home": "site"}, project_origin="taxiway.toml")
    assert str(caught.value).splitlines()[:2] == [
        "Unknown settings in taxiway.toml:",
        "  app_home (did you mean app-home?)",
    ]


@pytest.mark.parametrize(
    ("environ", "project", "line"),
    [
        ({"PORT": "http"}, {}, "Found 'http' in the variable PORT; expected a whole number from 1 to 65535."),
        ({"PORT": "0"}, {}, "Found '0' in the variable PORT; expected a whole number from 1 to 65535."),
        ({"PORT": "65536"}, {}, "Found '65536' in the variable PORT; expected a whole number from 1 to 65535."),
        ({"PORT": "80.5"}, {}, "Found '80.5' in the variable PORT; expected a whole number from 1 to 65535."),
        ({"WEB_CONCURRENCY": "-1"}, {}, "Found '-1' in the variable WEB_CONCURRENCY; expected a whole number from 1 to 1024."),
        ({}, {"port": 8080.0}, "Found 8080.0 in [tool.taxiway]; expected a whole number from 1 to 65535."),
        ({}, {"port": True}, "Found True in [tool.taxiway]; expected a whole number from 1 to 65535."),
        ({}, {"server": 1}, "Found 1 in [tool.taxiway]; expected text."),
        ({}, {"app": ["a:b"]}, "Found ['a:b'] in [tool.taxiway]; expected an import string, package.module:name."),
        ({}, {"collectstatic": "perhaps"}, "Found 'perhaps' in [tool.taxiway]; expected true or false."),
        ({}, {"collectstatic": 1}, "Found 1 in [tool.taxiway]; expected true or false."),
        ({"TAXIWAY_KEEP_GIT": "2"}, {}, "Found '2' in the variable TAXIWAY_KEEP_GIT; expected true or false."),
        (
            {"TAXIWAY_STATIC": "static=public"},
            {},
            "Found 'static=public' in the variable TAXIWAY_STATIC; expected URL=DIRECTORY pairs, each URL beginning with /.",
        ),
        ({}, {"static": ["/a"]}, "Found ['/a'] in [tool.taxiway]; expected URL=DIRECTORY pairs, each URL beginning with /."),
        ({}, {"static": [1]}, "Found [1] in [tool.taxiway]; expected URL=DIRECTORY pairs, each URL beginning with /."),
        *(
            ({}, {"writable": [path]}, f"Found [{path!r}] in [tool.taxiway]; expected directories in the source.")
            for path in ("/srv", "..", "a/../../b", ".", "")
        ),
        ({}, {"static": 1}, "Found 1 in [tool.taxiway]; expected URL=DIRECTORY pairs, each URL beginning with /."),
    ],
)
def test_bad_values(environ: dict[str, str], project: dict[str, object], line: str) -> None:
    with pytest.raises(BadSettingError) as caught:
        resolved(environ, project)
    assert str(caught.value).splitlines()[1] == line


def test_bad_option() -> None:
    with pytest.raises(BadSettingError) as caught:
        resolved(options={"port": 0})
    assert str(caught.value) == (
        "The setting port has a value that can't be used.\n"
        "Found 0 in the command line; expected a whole number from 1 to 65535.\n\n"
        "Correct it there. What it means: taxiway settings --help"
    )


def test_options_that_are_not_given() -> None:
    assert resolved({"PORT": "81"}, options={"port": None, "app": None}).port == 81


@pytest.mark.parametrize(
    ("project", "name", "value"),
    [
        ({"static": ["/static=a b", "/m=c"]}, "static", ("/static=a b", "/m=c")),
        ({"static": "/static=a /m=c"}, "static", ("/static=a", "/m=c")),
        ({"port": "81"}, "port", 81),
        ({"keep-git": True}, "keep_git", True),
    ],
)
def test_values_of_the_project(project: dict[str, object], name: str, value: object) -> None:
    assert getattr(resolved(project=project), name) == value


@pytest.mark.parametrize(
    ("value", "warnings"),
    [
        ("1", []),
        ("true", []),
        ("anything", []),
        ("", []),
        ("false", ["DISABLE_COLLECTSTATIC=false counts as set, as any value does; remove the variable to unset it."]),
        ("No", ["DISABLE_COLLECTSTATIC=No counts as set, as any value does; remove the variable to unset it."]),
        ("0", ["DISABLE_COLLECTSTATIC=0 counts as set, as any value does; remove the variable to unset it."]),
    ],
)
def test_a_flag_of_a_peer_counts_with_any_value(value: str, warnings: list[str]) -> None:
    """s2i-python-container takes DISABLE_COLLECTSTATIC=false for true; taxiway does the same and says so."""
    told: list[str] = []
    found = resolve(environ={"DISABLE_COLLECTSTATIC": value}, project={}, warn=told.append)
    assert (found.collectstatic, told) == (not value, warnings)


def test_variable_names() -> None:
    assert {s.variable for s in settings.SETTINGS} >= {"TAXIWAY_APP_HOME", "TAXIWAY_PORT", "TAXIWAY_KEEP_GIT"}
    names = [n for s in settings.SETTINGS for n in (s.variable, *s.platform, *(p.lstrip("!").partition("=")[0] for p in s.peers))]
    assert len(names) == len(set(names))


def test_processes_is_a_number_or_a_table() -> None:
    """The table holds process types; the number, worker processes."""
    assert resolve(environ={}, project={"processes": {"worker": "python worker.py"}}).processes is None
    assert resolve(environ={}, project={"processes": 3}).processes == 3
