"""warpdrive's files and modes."""

import pytest
from trees import Tree

from taxiway import warpdrive
from taxiway.errors import BadSettingError

SERVERS = ("mod_wsgi", "gunicorn")


@pytest.mark.parametrize(
    ("files", "environ", "added"),
    [
        ({}, {}, {}),
        ({".warpdrive/home": "site\n"}, {"WARPDRIVE_APP_HOME": "x"}, {"WARPDRIVE_APP_HOME": "site"}),
        ({".warpdrive/server_type": "gunicorn\n"}, {}, {"WARPDRIVE_SERVER_TYPE": "gunicorn"}),
        ({}, {"WARPDRIVE_DEPLOY_MODE": "gunicorn"}, {"WARPDRIVE_SERVER_TYPE": "gunicorn"}),
        ({}, {"WARPDRIVE_DEPLOY_MODE": "shell"}, {"WARPDRIVE_SHELL_FILE": "app.sh"}),
        ({}, {"WARPDRIVE_DEPLOY_MODE": "python"}, {"WARPDRIVE_PYTHON_FILE": "app.py"}),
        ({}, {"WARPDRIVE_DEPLOY_MODE": "wsgi"}, {"WARPDRIVE_WSGI_MODULE_NAME": "wsgi:application"}),
        (
            {},
            {"WARPDRIVE_DEPLOY_MODE": "wsgi", "WARPDRIVE_WSGI_MODULE_NAME": "a.b", "WARPDRIVE_WSGI_CALLABLE_OBJECT": "c"},
            {"WARPDRIVE_WSGI_MODULE_NAME": "a.b:c"},
        ),
        ({}, {"WARPDRIVE_DEPLOY_MODE": '"shell"'}, {"WARPDRIVE_DEPLOY_MODE": "shell", "WARPDRIVE_SHELL_FILE": "app.sh"}),
        # Another mode's names count for nothing.
        (
            {".warpdrive/deploy_mode": "python\n"},
            {"WARPDRIVE_DEPLOY_MODE": "shell", "WARPDRIVE_SHELL_FILE": "x.sh", "WARPDRIVE_WSGI_MODULE_NAME": "m"},
            {
                "WARPDRIVE_DEPLOY_MODE": "python",
                "WARPDRIVE_PYTHON_FILE": "app.py",
                "WARPDRIVE_SHELL_FILE": None,
                "WARPDRIVE_WSGI_MODULE_NAME": None,
            },
        ),
        (
            {},
            {"WARPDRIVE_WSGI_STATIC_URL": "'/files/'", "WARPDRIVE_WSGI_STATIC_ROOT": "public"},
            {"WARPDRIVE_WSGI_STATIC_URL": "/files/=public", "WARPDRIVE_WSGI_STATIC_ROOT": "public"},
        ),
        ({}, {"WARPDRIVE_WSGI_STATIC_URL": "/files/"}, {"WARPDRIVE_WSGI_STATIC_URL": None}),
        ({"x.sh": ""}, {"WARPDRIVE_DEPLOY_MODE": "django", "WARPDRIVE_SHELL_FILE": "x.sh"}, {"WARPDRIVE_SHELL_FILE": None}),
        ({}, {"MOD_WSGI_ENTRY_POINT": "a.b"}, {"MOD_WSGI_ENTRY_POINT": "a.b:application"}),
        (
            {},
            {"MOD_WSGI_ENTRY_POINT": "a/b.py", "MOD_WSGI_CALLABLE_OBJECT": "c", "MOD_WSGI_APPLICATION_TYPE": "script"},
            {"MOD_WSGI_ENTRY_POINT": "a.b:c"},
        ),
        ({}, {"MOD_WSGI_ENTRY_POINT": "web/x.wsgi"}, {"MOD_WSGI_ENTRY_POINT": "web/x.wsgi:application"}),
        ({}, {"MOD_WSGI_ENTRY_POINT": "production.ini"}, {}),
        # By itself it takes what is there.
        (
            {"site/x.sh": "", "site/m/n.py": ""},
            {
                "WARPDRIVE_APP_HOME": "site",
                "WARPDRIVE_SHELL_FILE": "x.sh",
                "WARPDRIVE_PYTHON_FILE": "y.py",
                "WARPDRIVE_WSGI_MODULE_NAME": "m.n",
            },
            {"WARPDRIVE_PYTHON_FILE": None, "WARPDRIVE_WSGI_MODULE_NAME": "m.n:application"},
        ),
    ],
)
def test_translate(tree: Tree, files: dict[str, str], environ: dict[str, str], added: dict[str, str | None]) -> None:
    expected = {name: value for name, value in {**environ, **added}.items() if value is not None}
    assert warpdrive.translate(environ, str(tree(files)), SERVERS) == expected


def test_unknown_mode(tree: Tree) -> None:
    with pytest.raises(BadSettingError) as caught:
        warpdrive.translate({"WARPDRIVE_DEPLOY_MODE": "tomcat"}, str(tree({})), SERVERS)
    assert str(caught.value).splitlines()[1] == (
        "Found 'tomcat' in WARPDRIVE_DEPLOY_MODE, or .warpdrive/deploy_mode; "
        "expected auto, django, shell, python, wsgi, or a server: mod_wsgi, gunicorn."
    )


@pytest.mark.parametrize(
    ("name", "environ", "expected"),
    [
        ("pre-build", {}, ("build", "", "local")),
        ("build", {"STI_SCRIPTS_PATH": "/usr/libexec/s2i"}, ("build", "", "docker")),
        ("deploy-cfg", {}, ("deploy", "start", "local")),
        ("deploy", {}, ("deploy", "start", "local")),
        ("setup", {}, ("deploy", "setup", "local")),
    ],
)
def test_what_a_hook_is_told(name: str, environ: dict[str, str], expected: tuple[str, str, str]) -> None:
    told = warpdrive.for_hook(name, {**environ, "VIRTUAL_ENV": "/env", "PORT": "9000"}, "/source")
    assert (told["WARPDRIVE_PHASE"], told["WARPDRIVE_ACTION"], told["WARPDRIVE_BUILD_SYSTEM"]) == expected
    assert (told["WARPDRIVE_APP_ROOT"], told["WARPDRIVE_SRC_ROOT"], told["WARPDRIVE_HTTP_PORT"]) == ("/env", "/source", "9000")


@pytest.mark.parametrize("kind", ["static", "paste"])
def test_what_cannot_be_started(tree: Tree, kind: str) -> None:
    environ = {"MOD_WSGI_ENTRY_POINT": "files", "MOD_WSGI_APPLICATION_TYPE": kind}
    with pytest.raises(BadSettingError) as caught:
        warpdrive.translate(environ, str(tree({})), SERVERS)
    assert str(caught.value).splitlines()[1] == (
        "Found 'files' in the variable MOD_WSGI_ENTRY_POINT; expected a module, a .py or .wsgi file, or PasteDeploy's .ini file."
    )
