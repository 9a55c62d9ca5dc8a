"""What is taken for a secret, and what isn't."""

import pytest

from taxiway.audit import leaks

LETTERS = "aB3dE5gH7jK9mN1pQ3sT5vX7zA9cE1gH3jK5mN7pR9tV1xZ3bD5fH7kM9qS1uW3yA5"
UPPER = "Q7ZK2M4X6B3C5D2F7G3H4J6L2N5P7R3S4T6V2W5Y7Z3A4B6C2D5E7F3G4H6J2K5L7"
KEY = f"\n{LETTERS}\n{LETTERS}\n-----END"

# Assembled here, so that no search for secrets finds this file.
FOUND = {
    "AWS access key": "AKIA" + UPPER[:16],
    "GitHub token": "ghp_" + LETTERS[:36],
    "GitLab token": "glpat-" + LETTERS[:20],
    "PyPI token": "pypi-AgE" + LETTERS,
    "npm token": "npm_" + LETTERS[:36],
    "Docker Hub token": "dckr_pat_" + LETTERS[:27],
    "OpenShift token": "sha256~" + LETTERS[:43],
    "Slack token": "xoxb-" + "123456789012-" + LETTERS[:24],
    "Slack webhook": "https://hooks.slack.com" + "/services/T" + UPPER[:8] + "/B" + UPPER[:8] + "/" + LETTERS[:24],
    "Stripe key": "sk_live_" + LETTERS[:24],
    "Google API key": "AIza" + LETTERS[:35],
    "SendGrid key": "SG." + LETTERS[:22] + "." + LETTERS[:43],
    "HashiCorp Vault token": "hvs." + LETTERS[:24],
    "DigitalOcean token": "dop_v1_" + "0123456789abcdef" * 4,
    "Hugging Face token": "hf_" + "abcdefghijklmnopqrstuvwxyzABCDEFGH",
    "Anthropic key": "sk-ant-" + "api03-" + LETTERS * 2,
    "OpenAI key": "sk-proj-" + LETTERS,
    "Azure storage key": "AccountKey=" + LETTERS + LETTERS[:20] + "==",
    "age key": "AGE-SECRET-KEY-1" + UPPER[:58],
    "Kubernetes service account token": "eyJhbGciOi" + LETTERS + ".eyJ" + LETTERS * 2 + "." + LETTERS,
    "private key": "-----BEGIN " + "PRIVATE KEY-----" + KEY,
}


@pytest.mark.parametrize("kind", FOUND)
def test_found(kind: str) -> None:
    """In a line of its own, in quotes, in a URL."""
    assert [form.kind for form in leaks.FORMS if form.kind not in FOUND] == []
    for content in (FOUND[kind], f'x\n\nkey = "{FOUND[kind]}"\n'):
        assert [(s.kind, s.line) for s in leaks.secrets(content.encode())] == [
            (kind, content.count("\n", 0, content.index(FOUND[kind])) + 1)
        ]


@pytest.mark.parametrize(
    "header",
    [
        "RSA PRIVATE KEY",
        "EC PRIVATE KEY",
        "OPENSSH PRIVATE KEY",
        "ENCRYPTED PRIVATE KEY",
        "PGP PRIVATE KEY BLOCK",
    ],
)
def test_private_keys(header: str) -> None:
    """Whatever their kind; as JSON and source code have them; with the old headers of encryption."""
    start = "-----BEGIN " + header + "-----"
    for text in (
        start + KEY,
        (start + KEY).replace("\n", "\\n"),
        f"{start}\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,01AB\n{KEY}",
    ):
        assert [s.kind for s in leaks.secrets(text.encode())] == ["private key"], text


@pytest.mark.parametrize(
    "text",
    [
        'if line.startswith("-----BEGIN ' + 'RSA PRIVATE KEY-----"):\n    key = read(line)',  # a program that reads keys
        "-----BEGIN " + "RSA PRIVATE KEY-----\n" + LETTERS + "\n...",  # in documentation
        "-----BEGIN CERTIFICATE-----" + KEY,
        "-----BEGIN PUBLIC KEY-----" + KEY,
        "AKIA" + "IOSFODNN7EXAMPLE",  # in the manuals of AWS
        "ghp_" + "x" * 36,
        "ghp_<your token>",
        "base64AIza" + LETTERS[:35],  # within a word
        "hf_transformer_models_are_loaded_here_x",
        "npm_config_registry",
        'SECRET_KEY = os.environ["SECRET_KEY"]',  # Django's settings.py
        'SECRET_KEY = "django-insecure-' + LETTERS[:50] + '"',
        "SG.name.of.a.class",
        "sha256:" + "0123456789abcdef" * 4,
        "",
    ],
)
def test_not_found(text: str) -> None:
    assert list(leaks.secrets(text.encode())) == []


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("index-url = https://ci:pa55@index.example/simple", ["https URL with a password"]),
        ("\n\n-i HTTPS://ci:pa%40ss@index.example", ["https URL with a password"]),
        ("url = https://" + LETTERS[:24] + "@git.example/x.git", ["https URL with a token"]),
        ("postgresql+psycopg://shop:pw@[::1]/shop", ["postgresql+psycopg URL with a password"]),
        ("redis://:pw@cache:6379/0", ["redis URL with a password"]),
        ("ssh://git@git.example/x.git", []),
        ("git+https://git@git.example/x.git", []),
        ("https://user@index.example", []),
        ("https://${USER}:${PASSWORD}@index.example https://ci:$TOKEN@index.example https://u:****@h", []),
        ("https://ci:%(password)s@h https://u:{password}@h https://u:...@h https://u:xxxx@h", []),
        ("https://index.example/a:b@c", []),
        ("mail me: x:y@z", []),
        ("http://[::1]:8080/@", []),
    ],
)
def test_user_info(text: str, kinds: list[str]) -> None:
    assert [found.kind for found in leaks.user_info(text)] == kinds


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        ("DB_PASSWORD", "x", True),
        ("password", "hunter2", True),
        ("SECRET_KEY", "abc", True),
        ("SECRET_KEY_BASE", "abc", True),
        ("AWS_SECRET_ACCESS_KEY", "abc", True),
        ("npmAuthToken", "abc", True),
        ("INDEX", "https://ci:pw@h", True),
        ("NOTE", "ghp_" + LETTERS[:36], True),
        ("DB_PASSWORD", "", False),
        ("DB_PASSWORD", "${DB_PASSWORD}", False),
        ("DB_PASSWORD_FILE", "/run/secrets/db", False),
        ("TOKEN", "/var/run/secrets/token", False),
        ("USE_TOKEN", "true", False),
        ("PWD", "srv", False),
        ("TOKENIZERS_PARALLELISM", "2", False),
        ("GPG_KEY", "E3FF2839C048B25C084DEBE9B26995E310250568", False),
        ("PYTHON_SHA256", "0123", False),
        ("PATH", "/usr/bin", False),
        ("COMPASS", "north", False),
    ],
)
def test_variables(name: str, value: str, found: bool) -> None:  # noqa: FBT001
    assert bool(leaks.is_secret_variable(name, value)) is found


@pytest.mark.parametrize(
    ("row", "names", "others"),
    [
        ("|2 TOKEN=abc PROXY= /bin/sh -c pip install x", ["TOKEN"], []),  # Docker's classic builder
        ("RUN |1 TOKEN=abc /bin/sh -c make # buildkit", ["TOKEN"], []),
        ("/bin/sh -c #(nop) ENV A_TOKEN=\"b c\" D_TOKEN='e' F=g", ["A_TOKEN", "D_TOKEN"], []),
        ("/bin/sh -c curl --password=abc -H x; export B_KEY=$(cat /x) C_TOKEN=${D}", ["password"], []),
        ("ENV DB=postgresql://a:b@db/x", ["DB"], []),  # told once
        ("RUN pip install -i https://a:b@h/ x", [], ["https URL with a password"]),
        ("LABEL a.token=c", [], []),
        ("/bin/sh -c test $token=y", [], []),
    ],
)
def test_commands(row: str, names: list[str], others: list[str]) -> None:
    found = leaks.in_command(row)
    assert [name for name, _ in found.assigned] == names
    assert [secret.kind for secret in found.others] == others


SIZE = 1 << 18
HOSTILE = [
    "A",
    "-----BEGIN " + "PRIVATE KEY-----\n",
    "-----BEGIN " + "PRIVATE KEY-----\nAa: ",
    "-----BEGIN " + "PRIVATE KEY-----" + "\n" * 30,
    "-----BEGIN " + "PRIVATE KEY-----\n" + "A" * 100,
    "eyJhbGciOi-",
    "eyJhbGciOi-aaaaaaaaaa.eyJ",
    "github_pat_",
    "sk-proj--",
    "SG.",
    "https://a:",
    "a-",
    "a://b:c",
    "a://b:c@d ",
    "A_TOKEN=b ",
    'TOKEN="',
]


@pytest.mark.timeout(60)
@pytest.mark.parametrize("part", HOSTILE)
def test_hostile_text(part: str) -> None:
    """Files are untrusted: no repetition keeps the search busy, which the square of its length would for hours."""
    for text in (part * (SIZE // len(part)), part + "A" * SIZE, part + "\n" * SIZE, part + 'x"' * (SIZE // 2)):
        list(leaks.secrets(text.encode()))
        list(leaks.user_info(text))
        leaks.in_command(text)


def test_values_are_not_kept() -> None:
    """A report is read by more people than the image."""
    token = FOUND["GitHub token"]
    assert token not in repr(list(leaks.secrets(token.encode()))) + str(leaks.is_secret_variable("X", token))
