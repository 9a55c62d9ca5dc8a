"""What installing and importing need of Debian: recognized in the words of compilers and loaders, named by its package. Pure."""

import json
import re
from collections.abc import Callable, Mapping

HEADERS: Mapping[str, str] = {
    "Python.h": "python3-dev",
    "apr.h": "libapr1-dev",
    "boost/": "libboost-dev",
    "bzlib.h": "libbz2-dev",
    "cairo.h": "libcairo2-dev",
    "curl/": "libcurl4-openssl-dev",
    "expat.h": "libexpat1-dev",
    "ffi.h": "libffi-dev",
    "freetype/": "libfreetype-dev",
    "ft2build.h": "libfreetype-dev",
    "gdal.h": "libgdal-dev",
    "geos_c.h": "libgeos-dev",
    "gmp.h": "libgmp-dev",
    "gssapi": "libkrb5-dev",
    "hiredis/": "libhiredis-dev",
    "jpeglib.h": "libjpeg-dev",
    "krb5.h": "libkrb5-dev",
    "lber.h": "libldap-dev",
    "lcms2.h": "liblcms2-dev",
    "ldap.h": "libldap-dev",
    "libmemcached/": "libmemcached-dev",
    "libpq-fe.h": "libpq-dev",
    "libssh2.h": "libssh2-1-dev",
    "libxml/": "libxml2-dev",
    "libxslt/": "libxslt1-dev",
    "lzma.h": "liblzma-dev",
    "magic.h": "libmagic-dev",
    "mpc.h": "libmpc-dev",
    "mpfr.h": "libmpfr-dev",
    "mysql.h": "libmariadb-dev",
    "mysql/": "libmariadb-dev",
    "openssl/": "libssl-dev",
    "pcre.h": "libpcre3-dev",
    "pcre2.h": "libpcre2-dev",
    "png.h": "libpng-dev",
    "portaudio.h": "portaudio19-dev",
    "proj.h": "libproj-dev",
    "rdkafka.h": "librdkafka-dev",
    "librdkafka/": "librdkafka-dev",
    "sasl/": "libsasl2-dev",
    "snappy.h": "libsnappy-dev",
    "sodium.h": "libsodium-dev",
    "sql.h": "unixodbc-dev",
    "sqlite3.h": "libsqlite3-dev",
    "systemd/": "libsystemd-dev",
    "tiffio.h": "libtiff-dev",
    "unicode/": "libicu-dev",
    "uuid/uuid.h": "uuid-dev",
    "webp/": "libwebp-dev",
    "xmlsec/": "libxmlsec1-dev",
    "yaml.h": "libyaml-dev",
    "zlib.h": "zlib1g-dev",
    "zmq.h": "libzmq3-dev",
    "zstd.h": "libzstd-dev",
}
"""Headers, or their directories, by the package that has them in Debian 12 and later."""

PROGRAMS: Mapping[str, str] = {
    "cargo": "cargo",
    "cmake": "cmake",
    "curl-config": "libcurl4-openssl-dev",
    "gdal-config": "libgdal-dev",
    "geos-config": "libgeos-dev",
    "gfortran": "gfortran",
    "krb5-config": "libkrb5-dev",
    "mysql_config": "libmariadb-dev",
    "pg_config": "libpq-dev",
    "rustc": "rustc",
    "swig": "swig",
    "xml2-config": "libxml2-dev",
    "xslt-config": "libxslt1-dev",
}
"""Programs that build scripts call."""

LIBRARIES: Mapping[str, str] = {
    "GL": "libgl1",
    "cairo": "libcairo2",
    "curl": "libcurl4",
    "ffi": "libffi8",
    "gdal": "libgdal-dev",
    "geos_c": "libgeos-c1v5",
    "glib-2.0": "libglib2.0-0",
    "gobject-2.0": "libglib2.0-0",
    "gomp": "libgomp1",
    "gssapi_krb5": "libgssapi-krb5-2",
    "ldap": "libldap2",
    "libmagic": "libmagic1",
    "magic": "libmagic1",
    "mariadb": "libmariadb3",
    "mysqlclient": "libmariadb3",
    "odbc": "unixodbc",
    "pango-1.0": "libpango-1.0-0",
    "pangocairo-1.0": "libpangocairo-1.0-0",
    "pq": "libpq5",
    "rdkafka": "librdkafka1",
    "sodium": "libsodium23",
    "xml2": "libxml2",
    "xmlsec1": "libxmlsec1",
    "xslt": "libxslt1.1",
    "yaml-0": "libyaml-0-2",
    "zmq": "libzmq5",
}
"""Shared libraries at run time, by the name between `lib` and `.so`."""

LINKED: Mapping[str, str] = {
    "crypto": "libssl-dev",
    "curl": "libcurl4-openssl-dev",
    "ffi": "libffi-dev",
    "gssapi_krb5": "libkrb5-dev",
    "lber": "libldap-dev",
    "ldap": "libldap-dev",
    "mariadb": "libmariadb-dev",
    "mysqlclient": "libmariadb-dev",
    "odbc": "unixodbc-dev",
    "pq": "libpq-dev",
    "sasl2": "libsasl2-dev",
    "ssl": "libssl-dev",
    "uuid": "uuid-dev",
    "xml2": "libxml2-dev",
    "xslt": "libxslt1-dev",
    "yaml": "libyaml-dev",
    "z": "zlib1g-dev",
}
"""Libraries by the name that follows the linker's -l."""


def header(name: str) -> str | None:
    """Return the package of a header, by its whole name or by its directory."""
    return HEADERS.get(name) or HEADERS.get(f"{name.split('/', maxsplit=1)[0]}/") or HEADERS.get(name.split("/", maxsplit=1)[0])


# What a program says, how to call what it lacks, and where to look that up.
_PATTERNS: tuple[tuple[str, str, Callable[[str], str | None]], ...] = (
    (r"fatal error: ([\w./+-]+\.(?:h|hpp|hh)): No such file", "the header {}", header),
    (r"cannot find -l([\w.+-]+)", "the library {} to link with", LINKED.get),
    (r"\b([\w.+-]+)(?:: command not found| executable not found|: not found)", "the program {}", PROGRAMS.get),
    (r"(?:No such file or directory: |ould(?: not|n't) find |ailed to run )['\"`]?([\w-]+)", "the program {}", PROGRAMS.get),
    (r"\blib([\w.+-]+?)\.so[\d.]*: cannot open shared object file", "the shared library lib{}.so", LIBRARIES.get),
)


def missing(output: str) -> dict[str, str | None]:
    """Find what a program's output says that it lacks, and the Debian package that has it; None where that isn't known.

    Args:
        output: What compilers, build scripts and the dynamic loader wrote.
    """
    found: dict[str, str | None] = {}
    for pattern, words, package_of in _PATTERNS:
        for match in re.finditer(pattern, output):
            package = package_of(match[1])
            if package or "program" not in words:  # any word may stand before "not found"
                found.setdefault(words.format(match[1]), package)
    return found


def advice(output: str) -> str:
    """Say what is lacking, and how to get it; empty where nothing is."""
    found = missing(output)
    if not found:
        return ""
    packages = sorted({package for package in found.values() if package})
    told = ", ".join(f"{what} (Debian package {package})" if package else what for what, package in list(found.items())[:3])
    way = f"system-packages = {json.dumps(packages)}" if packages else "system-packages, the Debian package that has it"
    return f"The image lacks {told}.\nDeclare it in [tool.taxiway]: {way}. See docs/system-packages.md"
