"""Credentials of package indexes, for the time of a build.

They are read from a directory that is mounted while the build runs, handed to the installer, hidden in all output, and in the end
looked for in what the build wrote. What stands in the environment instead stays in the image, and is warned about.
"""

import base64
import configparser
import gzip
import io
import lzma
import netrc
import os
import re
import time
import tomllib
import zipfile
import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from taxiway.errors import BadCredentialsError, SecretFoundError
from taxiway.layout import Layout

NETRC, PIP, UV, CERTIFICATE = FILES = ("netrc", "pip.conf", "uv.toml", "ca.crt")
SYSTEM_BUNDLE = "/etc/ssl/certs/ca-certificates.crt"

_USER_INFO = re.compile(r"://([^/@\s\"']+)@")
_PASSWORD_VARIABLE = re.compile(r"UV_INDEX_\w+_PASSWORD")
_TOKEN_LENGTH = 20  # from here on, a user name beside a password is taken for a token as well
_UNPACKED_BYTES = 64 << 20  # of an archive; what is behind isn't looked at, because unpacking has to end
_SHORTEST = 6  # shorter values would be found everywhere


@dataclass(frozen=True, kw_only=True)
class Secret:
    """A value that may not be seen."""

    value: str = field(repr=False)
    origin: str


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """What a build was given."""

    files: Mapping[str, Path] = field(default_factory=dict)
    """Those of `FILES` that are there."""
    pip: Mapping[str, str] = field(default_factory=dict, repr=False)
    """The options of pip.conf, by the names of pip's variables."""
    uv: Mapping[str, str] = field(default_factory=dict, repr=False)
    """The indexes of uv.toml, by the names of pip's variables."""
    secrets: tuple[Secret, ...] = ()
    since_s: float = field(default_factory=time.time, compare=False)
    """When they were read, which is when the build begins."""


def read(directory: Path, environ: Mapping[str, str]) -> Credentials:
    """Read the directory, which may be absent, and what the environment has.

    Raises:
        BadCredentialsError: A file can't be read, or isn't in its format.
    """
    files: dict[str, Path] = {}
    texts: dict[str, str] = {}
    for name in FILES:
        path = directory / name
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            continue
        except (OSError, UnicodeDecodeError) as error:
            raise BadCredentialsError(str(path), error.strerror or "" if isinstance(error, OSError) else "no UTF-8") from None
        if text.strip():  # S2I empties what it injected, and the empty files are still there in the next build
            files[name], texts[name] = path, text
    pip = _parsed(files, texts, PIP, pip_options)
    uv = _parsed(files, texts, UV, tomllib.loads)
    found = [("netrc", value) for value in _parsed(files, texts, NETRC, lambda _: netrc_passwords(files[NETRC]))]
    found += [("pip.conf", value) for text in pip.values() for value in user_info(text)]
    found += [("uv.toml", value) for text in _strings(uv) for value in user_info(text)]
    secrets = [Secret(value=value, origin=f"{name} in {directory}") for name, value in found]
    secrets += [Secret(value=v, origin=f"the variable {name}") for name, values in variables(environ).items() for v in values]
    return Credentials(files=files, pip=pip, uv=uv_indexes(uv), secrets=tuple(secrets))


def _parsed(files: Mapping[str, Path], texts: Mapping[str, str], name: str, parse: Any) -> Any:
    if name not in texts:
        return {}
    try:
        return parse(texts[name])
    except (configparser.Error, netrc.NetrcParseError, tomllib.TOMLDecodeError) as error:
        line = getattr(error, "lineno", None)  # the messages quote what they can't read, which may be a password
        where = f"line {line} isn't in its format" if line else "it isn't in its format"
        raise BadCredentialsError(str(files[name]), where) from None


def pip_options(text: str) -> dict[str, str]:
    """Return what a pip.conf sets, by the names of pip's variables; `[install]` wins over `[global]`."""
    parser = configparser.RawConfigParser()
    parser.read_string(text)
    found: dict[str, str] = {}
    for section in ("global", "download", "wheel", "install"):
        if parser.has_section(section):
            found |= {f"PIP_{key.upper().replace('-', '_')}": " ".join(value.split()) for key, value in parser.items(section)}
    return found


def uv_indexes(data: Mapping[str, Any]) -> dict[str, str]:
    """Return the indexes of a uv.toml, by the names of pip's variables."""
    options = {**data, **(data.get("pip") or {})}
    tables = [table for table in options.get("index") or () if isinstance(table, dict) and "url" in table]
    default = [table["url"] for table in tables if table.get("default")] or [options.get("index-url")]
    extra = [table["url"] for table in tables if not table.get("default")] + list(options.get("extra-index-url") or ())
    hosts = options.get("allow-insecure-host") or ()
    found = {"PIP_INDEX_URL": default[0] or "", "PIP_EXTRA_INDEX_URL": " ".join(extra), "PIP_TRUSTED_HOST": " ".join(hosts)}
    return {name: value for name, value in found.items() if value}


def netrc_passwords(path: Path) -> list[str]:
    """Return the passwords of a netrc; a login without one is a token."""
    hosts = netrc.netrc(path).hosts.values()
    return [value for login, _, password in hosts for value in _sensitive(login, password)]


def user_info(text: str) -> list[str]:
    """Return what is secret in the URLs of a text: passwords, and tokens in the place of a user name."""
    found: list[str] = []
    for info in _USER_INFO.findall(text):
        user, _, password = info.partition(":")
        for value in _sensitive(user, password):
            found += dict.fromkeys((value, unquote(value)))
        if password:  # as an Authorization header has it (RFC 7617)
            found.append(base64.b64encode(f"{unquote(user)}:{unquote(password)}".encode()).decode())
    return found


def _sensitive(user: str, password: str | None) -> list[str]:
    if not password:
        return [user] if user else []
    return [password, user] if len(user) >= _TOKEN_LENGTH else [password]


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _strings(item)
    elif isinstance(value, Sequence):
        for item in value:
            yield from _strings(item)


def variables(environ: Mapping[str, str]) -> dict[str, list[str]]:
    """Return the secrets in the variables of pip and uv, by their names."""
    found = {}
    for name, value in environ.items():
        if name.startswith(("PIP_", "UV_")):
            found[name] = [value] if _PASSWORD_VARIABLE.fullmatch(name) and value else user_info(value)
    return {name: values for name, values in found.items() if values}


def warning(names: Collection[str], directory: str) -> str:
    """Say that secrets in variables stay in the image."""
    holds = "holds" if len(names) == 1 else "hold"
    return (
        f"{', '.join(names)} {holds} a user name or password, which stays in the image's configuration. "
        f"Everyone who can pull the image can read it. Put it into a netrc or pip.conf in {directory}: docs/credentials.md"
    )


def bundle(credentials: Credentials, environ: Mapping[str, str]) -> str | None:
    """Return the certificates to trust, PEM: those of the system and the given one; None where none is given."""
    if CERTIFICATE not in credentials.files:
        return None
    base = Path(environ.get("SSL_CERT_FILE") or environ.get("PIP_CERT") or SYSTEM_BUNDLE)
    texts = [path.read_text(encoding="utf-8") for path in (base, credentials.files[CERTIFICATE]) if path.is_file()]
    return "\n".join(texts)


def check(secrets: Sequence[Secret], layout: Layout, since_s: float, elsewhere: Sequence[str] = ()) -> int:
    """Look for secrets in what a build wrote, also within zip archives and gzip files. Returns how many files were read.

    Args:
        secrets: What to look for.
        layout: The application's places.
        since_s: When the build began. What is older isn't read, but the source is: a moved directory's files keep their times.
        elsewhere: Other directories that get into the image.

    Raises:
        SecretFoundError: A file has one.
    """
    needles = {s.value.encode(): s for s in secrets if len(s.value) >= _SHORTEST}
    if not needles:
        return 0
    found: dict[str, str] = {}
    count = 0
    for path in _written(layout, since_s, elsewhere):
        try:
            content = Path(path).read_bytes()
        except OSError:
            continue  # a socket, or what this user can't read
        count += 1
        for part in unpacked(content):
            for secret in (secret for needle, secret in needles.items() if needle in part):
                found[path] = secret.origin
    if found:
        raise SecretFoundError([f"{path}: {origin}" for path, origin in found.items()])
    return count


def _written(layout: Layout, since_s: float, elsewhere: Sequence[str]) -> Iterator[str]:
    # S2I's file of variables says again what is in the image's configuration, which was warned about.
    variables_of_s2i = os.path.join(layout.source, ".s2i", "environment")
    for top in (layout.app_root, *elsewhere):
        for directory, names, files in os.walk(top):
            names[:] = [name for name in names if not os.path.ismount(os.path.join(directory, name))]  # no part of the image
            in_source = directory.startswith(layout.source)
            for path in (os.path.join(directory, name) for name in files):
                try:
                    is_new = in_source or os.lstat(path).st_ctime >= since_s
                except OSError:
                    continue
                if is_new and path != variables_of_s2i and not os.path.islink(path):
                    yield path


def unpacked(content: bytes) -> Iterator[bytes]:
    """Yield a file's content, and what is compressed in it: the members of a zip archive, such as a wheel, or gzip's; pure."""
    yield content
    left = _UNPACKED_BYTES
    try:
        if content.startswith(b"PK\x03\x04"):
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                for member in archive.infolist():
                    with archive.open(member) as file:
                        yield (part := file.read(left))
                    left -= len(part)
        elif content.startswith(b"\x1f\x8b"):
            with gzip.GzipFile(fileobj=io.BytesIO(content)) as packed:
                yield packed.read(left)
    except (OSError, EOFError, RuntimeError, ValueError, zipfile.BadZipFile, zlib.error, lzma.LZMAError):
        return  # damaged or encrypted: nobody else can read it either
