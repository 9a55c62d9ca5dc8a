"""Apache's rules for static files: the same answers as `taxiway_runtime.static` gives, which is left with directories.

Everything is a rule of mod_rewrite for the whole server, in the phase before Apache maps an address to a file, so that no
`.htaccess`, index, listing or redirect to a directory comes into it. mod_rewrite heeds such rules only in a virtual host that
has a directive of its own, and the one that mod_wsgi-express writes is empty; so there is one before it.
"""

from collections.abc import Iterable, Sequence

# As in taxiway_runtime.static; a unit test compares.
HASHED = r"\.[0-9a-f]{12}\.|[.-](?=[a-f]*\d)(?=\d*[a-f])[0-9a-f]{8,64}\."
IMMUTABLE = "public, max-age=31536000, immutable"
SHORT = "public, max-age=60"
TYPES = {"map": "application/json"}
DEFAULT_TYPE = "application/octet-stream"
ENCODINGS = ("br", "gzip")

_ENV = "TAXIWAY_STATIC"  # set for what is served here
_REGEX = frozenset(".^$*+?()[]{}|\\")


def first(port: int, generated: str) -> str:
    """Write the file that Apache reads instead of the one that mod_wsgi-express generated, and which includes that; pure.

    Where arguments of the user's give the server a name, and with it virtual hosts, the rules don't count.
    """
    return (
        "# Written by taxiway.\n"
        "LoadModule rewrite_module '${MOD_WSGI_MODULES_DIRECTORY}/mod_rewrite.so'\n"
        "<IfDefine !MOD_WSGI_VIRTUAL_HOST>\n"
        f"<VirtualHost _default_:{port}>\n"
        "  RewriteEngine On\n"
        "  RewriteOptions Inherit\n"
        "</VirtualHost>\n"
        "</IfDefine>\n"
        f"Include '{generated}'\n"
    )


def rules(pairs: Sequence[tuple[str, str]], variants: str) -> str:
    """Write the configuration; a pure function.

    Args:
        pairs: URL prefix and absolute directory, without symbolic links.
        variants: The directory with compressed variants, by encoding and path.
    """
    if not pairs:
        return ""
    lines = ["RewriteEngine On"]
    for url, directory in sorted(pairs, key=lambda pair: -len(pair[0].rstrip("/"))):
        lines += _place(url.rstrip("/") + "/", directory, variants)
    served = f"\"expr=reqenv('{_ENV}') != ''\""
    hashed = f"\"expr=reqenv('{_ENV}') != '' && %{{REQUEST_URI}} =~ m#({HASHED})[^/]*$#\""
    lines += [
        *(f"AddType {kind} .{extension}" for extension, kind in TYPES.items()),
        f'Header set Cache-Control "{SHORT}" {served}',
        f'Header set Cache-Control "{IMMUTABLE}" {hashed}',
        f"Header set Access-Control-Allow-Origin * {served}",
        "Header append Vary Accept-Encoding env=TAXIWAY_VARIANTS",
        *(f"Header set Content-Encoding {name} env=TAXIWAY_{name.upper()}" for name in ENCODINGS),
        f"Header set Content-Type {DEFAULT_TYPE} \"expr=reqenv('{_ENV}') != '' && -z %{{CONTENT_TYPE}}\"",
        f'Header edit Content-Type ^(text/[^;]+)$ "$1; charset=utf-8" {served}',
    ]
    for directory in dict.fromkeys(path for _, path in pairs):
        lines += _allowed(directory)
        for name in ENCODINGS:
            lines += _allowed(f"{variants}/{name}{directory}")
    return "\n".join(lines) + "\n"


def _place(url: str, directory: str, variants: str) -> Iterable[str]:
    pattern = "".join(f"\\{char}" if char in _REGEX else char for char in url)
    missing = "[R=404,L]" if url != "/" else "[L]"  # below / it is the application's, and / is the last place
    path = _substitution(directory)
    yield f"# {url}"
    if url != "/":
        yield rf'RewriteCond %{{THE_REQUEST}} "^\S+ {pattern}([^?\s]*(/|%2f))?(\.|%2e)" [NC]'
        yield 'RewriteRule "^" - [R=404,L]'
    yield rf'RewriteRule "^{pattern}(.*[?]|(.*/)?\.)" - {missing}'
    # -F asks Apache itself, whom Options forbids symbolic links.
    yield f'RewriteCond "{path}/$1" -d'  # for taxiway_runtime.static: Apache's own redirects tell the container's address
    yield f'RewriteRule "^{pattern}(.*)$" - [L]'
    yield f'RewriteCond "{path}/$1" !-f [OR]'
    yield f'RewriteCond "{path}/$1" !-F'
    yield f'RewriteRule "^{pattern}(.*)$" - {missing}'
    yield 'RewriteCond %{REQUEST_METHOD} "!^(GET|HEAD)$"'
    yield f'RewriteRule "^{pattern}" - [R=405,L]'
    variant = f"{_substitution(variants)}/%s{path}/$1"
    for name in ENCODINGS:
        yield rf'RewriteCond %{{HTTP:Accept-Encoding}} "(^|,)\s*{name}\s*(,|$|;(?!\s*q\s*=\s*0(\.0*)?\s*(,|$)))" [NC]'
        yield f'RewriteCond "{variant % name}" -f'
        yield f'RewriteRule "^{pattern}(.+)$" "{variant % name}" [E={_ENV}:1,E=TAXIWAY_VARIANTS:1,E=TAXIWAY_{name.upper()}:1,L]'
    yield f'RewriteCond "{variant % ENCODINGS[-1]}" -f'
    yield f'RewriteRule "^{pattern}(.+)$" "{path}/$1" [E={_ENV}:1,E=TAXIWAY_VARIANTS:1,L]'
    yield f'RewriteRule "^{pattern}(.+)$" "{path}/$1" [E={_ENV}:1,L]'


def _allowed(directory: str) -> Iterable[str]:
    return (
        f'<Directory "{directory}">',
        "  Options None",
        "  AllowOverride None",
        "  MaxRanges 1",
        "  RequestHeader unset Range \"expr=%{REQUEST_METHOD} == 'HEAD'\"",  # RFC 9110, 14.2: only GET has ranges
        "  Require all granted",
        "</Directory>",
    )


def _substitution(text: str) -> str:
    """Write a path for the right side of a rule."""
    return "".join(f"\\{char}" if char in '$%\\"' else char for char in text)
