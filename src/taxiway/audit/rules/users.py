"""Rules U: who the container is, and who can become somebody else."""

import re
from collections.abc import Iterator

from taxiway.audit.image import Image, Probe
from taxiway.audit.rules.rule import Hit, Rule

_ACCOUNT_FILES = frozenset({"/etc/passwd", "/etc/group", "/etc/shadow", "/etc/gshadow"})
_ACCOUNT_BYTES = 1 << 20
_USER = re.compile(r"([1-9][0-9]{0,9})(?::([0-9]+))?")

ACCOUNTS: Probe[bytes] = Probe(lambda entry: _ACCOUNT_BYTES if entry.path in _ACCOUNT_FILES else 0, lambda _, data: data)


def _numeric_user(image: Image) -> Iterator[Hit]:
    user = image.config.user
    if not _USER.fullmatch(user):
        yield Hit(f"USER is {user!r}, expected a number above 0 without a sign or leading zeros", path="config.User")


def _protected_accounts(image: Image) -> Iterator[Hit]:
    for path in sorted(_ACCOUNT_FILES):
        entry = image.tree.resolve(path)
        if entry and entry.mode & 0o022:
            yield Hit(f"its mode is {entry.mode:04o}: others than root can write it and become anyone", entry)


RULES = (
    Rule(
        id="U1",
        title="USER is a number above 0",
        severity="error",
        source="Kubernetes' runAsNonRoot refuses names, because it can't prove what they stand for; OpenShift; CIS Docker 4.1",
        profiles=frozenset({"taxiway", "openshift", "kubernetes-restricted", "cis"}),
        fix="end the Dockerfile with a numeric user: USER 1001",
        check=_numeric_user,
    ),
    Rule(
        id="U6",
        title="Only root can write passwd, group and shadow",
        severity="error",
        source="a group-writable passwd lets an arbitrary user ID become root (CVE-2019-19335 and its family)",
        profiles=frozenset({"taxiway", "openshift", "cis"}),
        fix="chmod 0644 /etc/passwd /etc/group && chmod 0640 /etc/shadow /etc/gshadow, in the layer that makes them",
        check=_protected_accounts,
    ),
)
