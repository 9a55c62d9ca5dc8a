"""What the words of compilers and loaders say about missing Debian packages."""

import pytest

from taxiway.dependencies import native
from taxiway.errors import DependenciesError


@pytest.mark.parametrize(
    ("output", "found"),
    [
        (
            "Modules/x.c:3:10: fatal error: ldap.h: No such file or directory\ncompilation terminated.",
            {"the header ldap.h": "libldap-dev"},
        ),
        ("a.c:1: fatal error: libxml/xmlversion.h: No such file or directory", {"the header libxml/xmlversion.h": "libxml2-dev"}),
        ("a.c:1: fatal error: gssapi/gssapi.h: No such file or directory", {"the header gssapi/gssapi.h": "libkrb5-dev"}),
        ("a.c:1: fatal error: own/strange.h: No such file or directory", {"the header own/strange.h": None}),
        ("Error: pg_config executable not found.", {"the program pg_config": "libpq-dev"}),
        ("/bin/sh: 1: mysql_config: not found", {"the program mysql_config": "libmariadb-dev"}),
        ("FileNotFoundError: [Errno 2] No such file or directory: 'cmake'", {"the program cmake": "cmake"}),
        ("error: Could not find `cargo`", {"the program cargo": "cargo"}),
        ("bash: wobble: command not found", {}),
        ("/usr/bin/ld: cannot find -lxmlsec", {"the library xmlsec to link with": None}),
        ("/usr/bin/ld: cannot find -lssl: No such file", {"the library ssl to link with": "libssl-dev"}),
        (
            "ImportError: libpq.so.5: cannot open shared object file: No such file or directory",
            {"the shared library libpq.so": "libpq5"},
        ),
        (
            "OSError: libgobject-2.0.so.0: cannot open shared object file",
            {"the shared library libgobject-2.0.so": "libglib2.0-0"},
        ),
        ("no such package", {}),
        ("", {}),
    ],
)
def test_missing(output: str, found: dict[str, str | None]) -> None:
    assert native.missing(output) == found


def test_error_of_the_installer_names_the_package() -> None:
    error = DependenciesError("uv pip install", "exit status 1", "x.c:1:1: fatal error: ldap.h: No such file or directory")
    assert str(error).endswith(
        "The image lacks the header ldap.h (Debian package libldap-dev).\n"
        'Declare it in [tool.taxiway]: system-packages = ["libldap-dev"]. See docs/system-packages.md'
    )
    assert native.advice("fatal error: own.h: No such file or directory") == (
        "The image lacks the header own.h.\n"
        "Declare it in [tool.taxiway]: system-packages, the Debian package that has it. See docs/system-packages.md"
    )
