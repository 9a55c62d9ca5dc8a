"""What a secret looks like: tokens and keys in files, user info in URLs, variables with secret values. Pure functions.

The forms of tokens are those that their issuers document, so that a search for them finds little else: a prefix of their own, and
a length. What has no such form (a password in a file of the application's own) can't be told from other text.
"""

import re
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple


class Form(NamedTuple):
    """How one kind of secret is written."""

    kind: str
    prefix: bytes
    """What it starts with, literally."""
    rest: bytes
    """What follows, as a regular expression."""


_WORD = rb"[A-Za-z0-9_]"
_DASHED = rb"[A-Za-z0-9_-]"

# Sources: the issuers' own pages on the formats of their tokens; PEM: RFC 7468 and PROTOCOL.key of OpenSSH. Repetitions are
# bounded and possessive: files are untrusted, and may be made to keep a search busy.
FORMS = (
    # A key has lines of base64 between header and end; programs that read keys have the header alone, and documentation the first
    # line. In JSON and in source code a line break is written \n. Headers of old encrypted keys (Proc-Type) stand between.
    Form(
        "private key",
        b"-----BEGIN ",
        rb"(?:[A-Z0-9]{1,20} ){0,2}PRIVATE KEY(?: BLOCK)?-----(?:\s|\\r|\\n|\"){1,20}+"
        rb"(?:[A-Z][\w-]{1,30}: [^\n\\]{1,200}+(?:\s|\\n){1,20}+){0,5}+(?:[A-Za-z0-9+/=\s\"']|\\[nr]){40,20000}+-----END",
    ),
    Form("AWS access key", b"AKIA", rb"[A-Z2-7]{16}\b"),
    Form("AWS access key", b"ASIA", rb"[A-Z2-7]{16}\b"),
    Form("GitHub token", b"ghp_", rb"[A-Za-z0-9]{36,255}+"),
    Form("GitHub token", b"gho_", rb"[A-Za-z0-9]{36,255}+"),
    Form("GitHub token", b"ghu_", rb"[A-Za-z0-9]{36,255}+"),
    Form("GitHub token", b"ghs_", rb"[A-Za-z0-9]{36,255}+"),
    Form("GitHub token", b"ghr_", rb"[A-Za-z0-9]{36,255}+"),
    Form("GitHub token", b"github_pat_", _WORD + rb"{60,255}+"),
    Form("GitLab token", b"glpat-", _DASHED + rb"{20,255}+"),
    Form("GitLab token", b"gldt-", _DASHED + rb"{20,255}+"),
    Form("GitLab token", b"glrt-", _DASHED + rb"{20,255}+"),
    Form("PyPI token", b"pypi-AgE", _DASHED + rb"{60,255}+"),
    Form("npm token", b"npm_", rb"[A-Za-z0-9]{36}\b"),
    Form("Docker Hub token", b"dckr_pat_", _DASHED + rb"{27,255}+"),
    Form("OpenShift token", b"sha256~", _DASHED + rb"{43}\b"),
    # A JSON Web Token whose header begins with "alg" and whose payload is a service account's.
    Form(
        "Kubernetes service account token",
        b"eyJhbGciOi",
        _DASHED + rb"{10,1000}+\.eyJ" + _DASHED + rb"{100,3000}+\." + _DASHED + rb"{20,1000}+",
    ),
    Form("Slack token", b"xoxb-", rb"[0-9]{10,255}+-[0-9A-Za-z-]{20,255}+"),
    Form("Slack token", b"xoxp-", rb"[0-9]{10,255}+-[0-9A-Za-z-]{20,255}+"),
    Form("Slack webhook", b"https://hooks.slack.com/services/T", rb"[A-Z0-9]{6,255}+/B[A-Z0-9]{6,255}+/[A-Za-z0-9]{20,255}+"),
    Form("Stripe key", b"sk_live_", rb"[A-Za-z0-9]{24,255}+"),
    Form("Stripe key", b"rk_live_", rb"[A-Za-z0-9]{24,255}+"),
    Form("Google API key", b"AIza", _DASHED + rb"{35}\b"),
    Form("SendGrid key", b"SG.", _DASHED + rb"{22}\." + _DASHED + rb"{43}\b"),
    Form("HashiCorp Vault token", b"hvs.", _DASHED + rb"{24,255}+"),
    Form("DigitalOcean token", b"dop_v1_", rb"[a-f0-9]{64}\b"),
    Form("Hugging Face token", b"hf_", rb"[A-Za-z]{34}\b"),
    Form("Anthropic key", b"sk-ant-", rb"[a-z0-9]+-" + _DASHED + rb"{80,255}+"),
    Form("OpenAI key", b"sk-proj-", _DASHED + rb"{60,255}+"),
    Form("Azure storage key", b"AccountKey=", rb"[A-Za-z0-9+/]{86}=="),
    Form("age key", b"AGE-SECRET-KEY-1", rb"[A-Z0-9]{58}\b"),
)
_PREFIXES = re.compile(b"|".join(re.escape(form.prefix) for form in FORMS))
_RESTS = {form.prefix: (form.kind, re.compile(form.rest)) for form in FORMS}
MOST = 20
"""Of the secrets in one text that are told; lines are counted for each."""
_FEWEST_CHARACTERS = 8
"""Different ones in a token: xxxxxxxx in an example has fewer."""


class Secret(NamedTuple):
    """A secret that was found, without its value: a report is read by more people than the image."""

    kind: str
    line: int
    """From 1 on."""


def secrets(content: bytes) -> Iterator[Secret]:
    """Find tokens and private keys, the first `MOST` of them."""
    return islice(_secrets(content), MOST)


def _secrets(content: bytes) -> Iterator[Secret]:
    for match in _PREFIXES.finditer(content):
        start = match.start()
        if start and content[start - 1 : start].isalnum():
            continue  # within a longer word, such as base64
        kind, rest = _RESTS[match[0]]
        found = rest.match(content, match.end())
        if found and len(set(found[0])) >= _FEWEST_CHARACTERS and not found[0].endswith(b"EXAMPLE"):
            yield Secret(kind, content.count(b"\n", 0, start) + 1)


_URL = re.compile(r"\b([a-z][a-z0-9+.-]{1,20})://([^/@\s\"'`<>?#]{1,500})@[\w.\[-]", re.IGNORECASE)
_PLACEHOLDER = re.compile(r"\$\{?\w+\}?|\*{3,}|%\(?\w+\)?s?|\{\w*\}|\.{3}|x{4,}", re.IGNORECASE)
_TOKEN_LENGTH = 20
"""From here on, a user name without a password is taken for a token."""


def user_info(text: str) -> Iterator[Secret]:
    """Find URLs with a password, or with a token in the place of a user name; `ssh://git@host` is none. The first `MOST`."""
    return islice(_user_info(text), MOST)


def _user_info(text: str) -> Iterator[Secret]:
    for match in _URL.finditer(text):
        user, has_password, password = match[2].partition(":")
        value = password if has_password else user
        if not value or _PLACEHOLDER.fullmatch(value) or (not has_password and len(user) < _TOKEN_LENGTH):
            continue
        yield Secret(
            f"{match[1].lower()} URL with {'a password' if has_password else 'a token'}", text.count("\n", 0, match.start()) + 1
        )


_SECRET_WORDS = frozenset(
    {"PASSWORD", "PASSWD", "PASSPHRASE", "PWD", "PASS", "SECRET", "TOKEN", "CREDENTIAL", "CREDENTIALS", "APIKEY"}
)
_SECRET_PAIRS = frozenset({
    ("API", "KEY"), ("SECRET", "KEY"), ("PRIVATE", "KEY"), ("ACCESS", "KEY"), ("ENCRYPTION", "KEY"), ("SIGNING", "KEY"),
    ("ACCOUNT", "KEY"), ("KEY", "BASE"), ("AUTH", "KEY"),
})  # fmt: skip
_NO_VALUES = frozenset({"", "true", "false", "yes", "no", "none", "null", "0", "1"})


def is_secret_name(name: str) -> bool:
    """Tell whether a variable is named as one that holds a secret: DB_PASSWORD is, PASSWORD_FILE and PWD aren't."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).upper().replace("-", "_").strip("_").split("_")
    if words in (["PWD"], ["OLDPWD"]):
        return False
    return words[-1] in _SECRET_WORDS or tuple(words[-2:]) in _SECRET_PAIRS


def is_secret_variable(name: str, value: str) -> str | None:
    """Tell whether a variable holds a secret, by its name or by its value; returns what it is.

    A value that is a path or the name of another variable is a way to a secret, not one.
    """
    if found := next(secrets(value.encode()), None) or next(user_info(value), None):
        return found.kind
    if value.strip().lower() in _NO_VALUES or value.startswith(("/", "./", "file:")) or _PLACEHOLDER.fullmatch(value):
        return None
    return "a secret by its name" if is_secret_name(name) else None


_ASSIGNMENT = re.compile(r"(?<![\w$./-])(?:--)?([A-Za-z_][\w-]{0,60})=(\"[^\"]*\"|'[^']*'|[^\s;&|\"']+)")


class Command(NamedTuple):
    """What was found in a row of an image's history."""

    assigned: tuple[tuple[str, str], ...]
    """Names with what they hold."""
    others: tuple[Secret, ...]


def in_command(command: str) -> Command:
    """Find secrets in a row of an image's history: build arguments stand there, and ENV, and whatever a RUN has."""
    assigned: list[tuple[str, str]] = []

    def take(match: re.Match[str]) -> str:
        value = match[2].strip("\"'")
        found = None if value.startswith("$") else is_secret_variable(match[1], value)
        if not found:
            return match[0]
        assigned.append((match[1], found))
        return ""

    rest = _ASSIGNMENT.sub(take, command)
    return Command(tuple(assigned), (*secrets(rest.encode(errors="replace")), *user_info(rest)))
