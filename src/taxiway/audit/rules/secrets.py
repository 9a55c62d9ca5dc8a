"""Rules S: secrets, in any layer: what a later layer removes, whoever pulls the image still has."""

import base64
import re
from collections.abc import Iterable, Iterator, Sequence
from urllib.parse import quote

from taxiway.audit import leaks
from taxiway.audit.image import Image, Probe
from taxiway.audit.leaks import Secret
from taxiway.audit.rules.rule import Hit, Rule
from taxiway.audit.tar import DIRECTORY, FILE, Entry
from taxiway.audit.tree import is_whiteout

_TEXT_BYTES = 1 << 20
"""Larger files aren't looked into: keys, tokens and configurations are small."""
_BINARY_BYTES = 8192
"""A zero byte up to here: it isn't text."""
_CANARY_BYTES = 64 << 20

# Files whose purpose is to hold credentials, by their name, and by the end of their path.
_CREDENTIAL_NAMES = frozenset({
    ".netrc", "_netrc", ".pypirc", ".git-credentials", ".pgpass", ".my.cnf", ".dockercfg", ".dockerconfigjson", ".htpasswd",
    ".vault-token", ".s3cfg", ".boto", ".kubeconfig", "kubeconfig", "id_rsa", "id_dsa", "id_ecdsa", "id_ecdsa_sk", "id_ed25519",
    "id_ed25519_sk", "application_default_credentials.json", "credentials.tfrc.json", "terraform.tfstate",
})  # fmt: skip
_CREDENTIAL_PLACES = (
    "/.docker/config.json", "/containers/auth.json", "/.aws/credentials", "/.kube/config", "/.azure/accessTokens.json",
    "/.config/gh/hosts.yml", "/.cargo/credentials.toml", "/pypoetry/auth.toml", "/etc/taxiway/credentials/pip.conf",
    "/etc/taxiway/credentials/uv.toml", "/etc/taxiway/credentials/netrc",
)  # fmt: skip
_KEY_STORES = (".p12", ".pfx", ".jks", ".keystore", ".kdbx", ".ppk")
# Where tools write the URL of an index or a repository.
_URL_NAMES = frozenset({
    "pip.conf", "pip.ini", "uv.toml", "direct_url.json", "pyproject.toml", "Pipfile", "poetry.toml", "pdm.toml", "setup.cfg",
    "sources.list", "auth.conf", ".gitmodules", ".npmrc", ".yarnrc", "taxiway.toml", "environment.yml",
})  # fmt: skip
_URL_SUFFIXES = (".lock", ".sources", ".list", "/.git/config", "/.s2i/environment")
_NPM_TOKEN = re.compile(
    rb"^[ \t]{0,20}//[^=\n]{1,200}:_(?:authToken|password|auth)[ \t]{0,20}=[ \t]{0,20}([^\s$]{8})", re.MULTILINE
)
_REPOSITORIES = frozenset({".git", ".hg", ".svn", ".bzr"})
_ENVIRONMENT_FILE = re.compile(r"\.env(\.(?!example$|sample$|template$|dist$|defaults?$)\w+)?|\.envrc")
_PACKAGED_TEST = re.compile(
    r"/(?:site|dist)-packages/(?:.*/)?(?:tests?|testing|testdata|test_data|dummyserver)/|/(?:site|dist)-packages/.*/test_[^/]*\.py$"
)
_HOST_KEY = re.compile(r"/etc/ssh/ssh_host_\w+_key")
_RANDOM_SEEDS = frozenset({"/var/lib/systemd/random-seed", "/var/lib/urandom/random-seed", "/var/lib/random-seed"})
_MACHINE_IDS = ("/etc/machine-id", "/var/lib/dbus/machine-id")
_MACHINE_ID_BYTES = 32
"""Fewer: it is empty, or says "uninitialized" (machine-id(5))."""


def _text_bytes(entry: Entry) -> int:
    return entry.size if entry.size <= _TEXT_BYTES else 0


def _look_for_secrets(_: Entry, data: bytes) -> list[Secret] | None:
    return None if b"\0" in data[:_BINARY_BYTES] else list(leaks.secrets(data)) or None


def _url_bytes(entry: Entry) -> int:
    name = entry.path.rpartition("/")[2]
    is_named = name in _URL_NAMES or name.endswith(_URL_SUFFIXES) or entry.path.endswith(_URL_SUFFIXES)
    return _text_bytes(entry) if is_named or (name.startswith("requirements") and name.endswith((".txt", ".in"))) else 0


def _look_for_urls(entry: Entry, data: bytes) -> list[Secret] | None:
    found = list(leaks.user_info(data.decode(errors="replace")))
    if entry.path.endswith(".npmrc"):
        found += [Secret("npm token", data.count(b"\n", 0, match.start()) + 1) for match in _NPM_TOKEN.finditer(data)]
    return found or None


TEXTS: Probe[list[Secret]] = Probe(_text_bytes, _look_for_secrets)
URLS: Probe[list[Secret]] = Probe(_url_bytes, _look_for_urls)


def _files(image: Image) -> Iterator[Entry]:
    """Every file of every layer that has content; S2I leaves empty ones of what it injected."""
    for layer in image.layers:
        for entry in layer.entries:
            if entry.kind == FILE and entry.size and not is_whiteout(entry.path):
                yield entry


def _is_published(entry: Entry) -> bool:
    """Tell the keys in the tests of installed packages: everybody has these, so they protect nothing."""
    return _PACKAGED_TEST.search(entry.path) is not None


def _still_there(image: Image, entry: Entry) -> str:
    """Say that removing a file later is of no use."""
    return "; a later layer removed it, but it is still in this one" if image.is_removed(entry) else ""


def _environment(image: Image) -> Iterator[Hit]:
    for name, value in image.config.environment:
        if found := leaks.is_secret_variable(name, value):
            yield Hit(
                f"the variable {name} has {found}, which everyone who can pull the image can read", path=f"config.Env.{name}"
            )


def _history(image: Image) -> Iterator[Hit]:
    told = {name for name, _ in image.config.environment}  # S1's
    for number, step in enumerate(image.config.history, 1):
        found = leaks.in_command(step.created_by)
        for name, what in found.assigned:
            if name not in told:
                told.add(name)  # a build argument stands in each later row again
                yield Hit(f"the build's command has {name} with {what}", path=f"history[{number}].{name}")
        for secret in found.others:
            yield Hit(f"the build's command has a {secret.kind}", path=f"history[{number}]")


def _credential_files(image: Image) -> Iterator[Hit]:
    for entry in _files(image):
        name = entry.path.rpartition("/")[2]
        if (
            name in _CREDENTIAL_NAMES or entry.path.endswith(_CREDENTIAL_PLACES) or name.endswith(_KEY_STORES)
        ) and not _is_published(entry):
            yield Hit(f"a file of this name holds credentials{_still_there(image, entry)}", entry)


def _keys_and_tokens(image: Image) -> Iterator[Hit]:
    for entry in _files(image):
        found = image.fact(TEXTS, entry)
        if found and not _is_published(entry):
            kinds = ", ".join(f"{secret.kind} in line {secret.line}" for secret in found[:3])
            yield Hit(f"it has a {kinds}{_still_there(image, entry)}", entry)


def _urls(image: Image) -> Iterator[Hit]:
    for entry in _files(image):
        if found := image.fact(URLS, entry):
            kinds = ", ".join(f"{secret.kind} in line {secret.line}" for secret in found[:3])
            yield Hit(f"it has a {kinds}{_still_there(image, entry)}", entry)


def _source_tree(image: Image) -> Iterator[Hit]:
    for layer in image.layers:
        for entry in layer.entries:
            name = entry.path.rpartition("/")[2]
            if name in _REPOSITORIES and entry.kind in {DIRECTORY, FILE}:
                what = "the repository has all that was ever committed, and often the URL with which it was cloned"
            elif _ENVIRONMENT_FILE.fullmatch(name) and entry.kind == FILE and entry.size and not _is_published(entry):
                what = "a file of variables for a developer's machine"
            else:
                continue
            yield Hit(f"{what}{_still_there(image, entry)}", entry)


def _identities(image: Image) -> Iterator[Hit]:
    for path in _MACHINE_IDS:
        entry = image.tree.get(path)
        if entry and entry.size >= _MACHINE_ID_BYTES:
            yield Hit("all containers would have the same machine ID, which programs use as if it were secret and unique", entry)
    for entry in _files(image):
        if _HOST_KEY.fullmatch(entry.path):
            yield Hit("a host key that all containers, and all who can pull the image, have", entry)
        elif entry.path in _RANDOM_SEEDS:
            yield Hit("a random seed that is the same in all containers", entry)


def encodings(value: str) -> frozenset[bytes]:
    """Return how a value may stand in a file: as it is, quoted for a URL, and in base64 at each of its three offsets; pure."""
    raw = value.encode()
    shifted = (base64.b64encode(bytes(offset) + raw) for offset in range(3))
    # What neighbouring bytes decide is left out: two characters at the start for each byte of the offset, and the last group.
    inner = [text[(0, 2, 3)[offset] : len(text) - 4] for offset, text in enumerate(shifted)]
    return frozenset({raw, quote(value, safe="").encode(), *(text for text in inner if len(text) >= len(raw))})


def canary(values: Sequence[str]) -> Rule:
    """Make the rule S7: these values are nowhere in the image.

    Args:
        values: What a build was given, such as a random password of a test.
    """
    needles = [(number, needle) for number, value in enumerate(values, 1) for needle in encodings(value)]

    def which(data: bytes) -> int | None:
        return next((number for number, needle in needles if needle in data), None)

    probe: Probe[int] = Probe(lambda entry: min(entry.size, _CANARY_BYTES), lambda _, data: which(data))

    def check(image: Image) -> Iterator[Hit]:
        config = image.config
        texts = [(f"config.Env.{name}", value) for name, value in config.environment]
        texts += [(f"config.Labels.{name}", value) for name, value in config.labels.items()]
        texts += [(f"history[{number}]", step.created_by) for number, step in enumerate(config.history, 1)]
        texts += [("config.Cmd", " ".join(config.command)), ("config.Entrypoint", " ".join(config.entrypoint))]
        for path, text in texts:
            if number := which(text.encode()):
                yield Hit(f"it has value {number} of those that must be nowhere", path=path)
        for entry in _files(image):
            number = image.fact(probe, entry) or which(entry.path.encode(errors="surrogateescape"))
            if number:
                yield Hit(f"it has value {number} of those that must be nowhere{_still_there(image, entry)}", entry)

    return Rule(
        id="S7",
        title="Given values are nowhere: in no layer, variable, label or row of the history",
        severity="error",
        source="a build with a random marker in place of a password shows where passwords would stay",
        profiles=frozenset({"taxiway"}),
        fix="mount it for the one command that needs it: docs/credentials.md",
        check=check,
        probes=(probe,),
    )


def read_values(lines: Iterable[str]) -> list[str]:
    """Return the values of a file for S7, one a line; short ones would be found everywhere; pure."""
    return [line.rstrip("\r\n") for line in lines if len(line.strip()) >= 6]  # noqa: PLR2004


_MOUNT = "mount it for the one command that needs it (docs/credentials.md), and change it: who pulled the image has it"

RULES = (
    Rule(
        id="S1",
        title="No variable holds a secret",
        severity="error",
        source="CIS Docker 4.10; variables are in the image's configuration",
        profiles=frozenset({"taxiway", "openshift", "cis"}),
        fix="set it where the container is started, from a Secret; required variables: [tool.taxiway.env]",
        check=_environment,
    ),
    Rule(
        id="S2",
        title="No secret in the history",
        severity="error",
        source="CIS Docker 4.10; engines write build arguments into each later row of the history",
        profiles=frozenset({"taxiway", "openshift", "cis"}),
        fix=_MOUNT,
        check=_history,
    ),
    Rule(
        id="S3",
        title="No file of credentials, in any layer",
        severity="error",
        source="CIS Docker 4.10; removing a file adds a layer, and the one below keeps it",
        profiles=frozenset({"taxiway", "openshift", "cis"}),
        fix=_MOUNT,
        check=_credential_files,
    ),
    Rule(
        id="S4",
        title="No private key and no token, in any layer",
        severity="error",
        source="CIS Docker 4.10; told by their form, so the file's name doesn't matter",
        profiles=frozenset({"taxiway", "openshift", "cis"}),
        fix=_MOUNT,
        check=_keys_and_tokens,
        probes=(TEXTS,),
    ),
    Rule(
        id="S5",
        title="No URL with a password in requirements, locks and configurations of tools",
        severity="error",
        source="pip-compile and uv write the index's URL with its password into requirements, if they are told to write it",
        profiles=frozenset({"taxiway", "openshift", "cis"}),
        fix="take user and password out of the URL, and give them as a netrc: docs/credentials.md; then change the password",
        check=_urls,
        probes=(URLS,),
    ),
    Rule(
        id="S6",
        title="No repository and no .env from the source tree",
        severity="warning",
        source="Dockle CIS-DI-0010; S2I and `COPY .` take along what lies there",
        profiles=frozenset({"taxiway", "cis"}),
        fix="name it in .dockerignore and .s2iignore, and leave out keep-git",
        check=_source_tree,
    ),
    Rule(
        id="S8",
        title="No machine ID, host key or random seed",
        severity="warning",
        source="machine-id(5): images are to have an empty one; all containers would share them",
        profiles=frozenset({"taxiway", "cis"}),
        fix="truncate /etc/machine-id, and remove host keys, in the layer that makes them",
        check=_identities,
    ),
)
