"""Rules U: who the container is, and who can become somebody else."""

import posixpath
import re
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from taxiway.audit.image import Image, Probe
from taxiway.audit.rules.rule import Hit, Rule
from taxiway.audit.tar import DIRECTORY, FILE, SYMLINK, Entry

_ACCOUNT_BYTES = 1 << 20
_POLICY_BYTES = 1 << 16
_USER = re.compile(r"([1-9][0-9]{0,9})(?::([0-9]{1,10}))?")
_LOCKED = ("!", "*")  # passwd(5): no password that can be typed begins with these
_UID = re.compile(r"\s*[+-]?[0-9]+")  # as strtoul of the C library reads it: "+0" and "00" are root too
_BECOMES_ROOT = frozenset({"sudo", "doas", "pkexec"})
_POLICIES = ("/etc/sudoers", "/etc/doas.", "/etc/pam.", "/usr/lib/pam.d/", "/usr/etc/sudoers")
_WITHOUT_PASSWORD = re.compile(rb"^[^#\n]*\bNOPASSWD\b.*|^\s*permit\b[^#\n]*\bnopass\b.*", re.MULTILINE)
_NULLOK = re.compile(rb"^[^#\n]*\bnullok(?:_secure)?\b.*", re.MULTILINE)

# By the end of their names: /etc/passwd may be a link, such as to the store of NixOS.
ACCOUNTS: Probe[str] = Probe(
    lambda entry: _ACCOUNT_BYTES if entry.path.endswith(("passwd", "group", "shadow")) else 0,
    lambda entry, data: data.decode("utf-8", "replace") if entry.size == len(data) else None,
)
POLICIES: Probe[tuple[list[str], list[str]]] = Probe(
    lambda entry: _POLICY_BYTES if entry.path.startswith(_POLICIES) else 0,
    lambda _, data: (_lines(_WITHOUT_PASSWORD, data), _lines(_NULLOK, data)),
)


def _lines(pattern: re.Pattern[bytes], data: bytes) -> list[str]:
    return [found[0].decode("utf-8", "replace").strip() for found in pattern.finditer(data)]


class _Account(NamedTuple):
    """A line of passwd."""

    name: str
    password: str
    uid: int | None
    gid: int | None


def _rows(image: Image, path: str) -> list[list[str]]:
    text = image.read(ACCOUNTS, path) or ""
    lines = (line.lstrip() for line in text.splitlines())
    return [line.split(":") for line in lines if line and not line.startswith("#")]


def _accounts(image: Image) -> list[_Account]:
    def number(text: str) -> int | None:
        return int(text) % (1 << 32) if _UID.fullmatch(text) and len(text) < 20 else None  # noqa: PLR2004 # 64 bits

    rows = [[*row, "", "", ""] for row in _rows(image, "/etc/passwd")]
    return [_Account(row[0], row[1], number(row[2]), number(row[3])) for row in rows]


def _numeric_user(image: Image) -> Iterator[Hit]:
    if not _USER.fullmatch(image.config.user):
        yield Hit(f"USER is {image.config.user!r}, expected a number above 0 without a sign or leading zeros", path="config.User")


def _group_zero(image: Image) -> Iterator[Hit]:
    found = _USER.fullmatch(image.config.user)
    if not found:
        return
    uid, group = found.groups()
    if group is not None and group != "0":
        yield Hit(f"USER is {image.config.user!r}, in group {group}", path="config.User")
    rows = [account for account in _accounts(image) if account.uid == int(uid)]
    if group is None and rows and rows[0].gid != 0:
        yield Hit(
            f"user {uid} has group {rows[0].gid} there: Docker and Kubernetes take the group from it",
            image.tree.resolve("/etc/passwd"),
        )


def _one_root(image: Image) -> Iterator[Hit]:
    entry = image.tree.resolve("/etc/passwd")
    if not entry:
        return
    if image.fact(ACCOUNTS, entry) is None:
        yield Hit("what /etc/passwd leads to is no file of a usual name and size, so its accounts aren't known", entry)
        return
    accounts = _accounts(image)
    for account in accounts:
        yield from (Hit(f"the account {account.name!r} {problem}", entry) for problem in _problems(account))
    for what, counts in (("user ID", Counter(a.uid for a in accounts)), ("name", Counter(a.name for a in accounts))):
        for value, count in counts.items():
            if value is not None and count > 1:
                yield Hit(f"{count} accounts have the {what} {value}", entry)


def _problems(account: _Account) -> Iterator[str]:
    if account.name.startswith(("+", "-")):
        yield "stands for those of a network service"
    elif account.uid is None:
        yield "has no number as its user ID"
    elif (account.uid == 0) != (account.name == "root"):
        yield f"has user ID {account.uid}"
    if not account.password:
        yield "has an empty password"


def _locked_passwords(image: Image) -> Iterator[Hit]:
    """Look for passwords, without showing them.

    An empty field of gshadow gives nobody anything (newgrp(1)), and Fedora's images have it.
    """
    for path, allowed in (("/etc/passwd", ("x", "")), ("/etc/shadow", ()), ("/etc/gshadow", ("",))):
        entry = image.tree.resolve(path)
        if entry and image.fact(ACCOUNTS, entry) is None:
            yield Hit(f"what {path} leads to is no file of a usual name and size, so its passwords aren't known", entry)
        for name, password in ((row[0], row[1] if len(row) > 1 else "") for row in _rows(image, path)):
            if password not in allowed and not password.startswith(_LOCKED):
                yield Hit(f"{name!r} has {'a password' if password else 'an empty password'}, expected * or !", entry)


def _becoming_root(image: Image) -> Iterator[Hit]:
    for entry in image.tree.values():
        directory, name = posixpath.split(entry.path)
        if name in _BECOMES_ROOT and directory.endswith("bin") and entry.kind in {FILE, SYMLINK}:
            yield Hit("its purpose is to become another user", entry)
    root = [row[1] for row in _rows(image, "/etc/shadow") if row[0] == "root" and len(row) > 1]
    root_is_locked = all(password.startswith(_LOCKED) for password in root)
    for entry in image.tree.values():
        without_password, nullok = image.fact(POLICIES, entry) or ([], [])
        for line in without_password:
            yield Hit(f"it lets somebody become another user without a password: {line}", entry)
        if nullok and not root_is_locked:
            yield Hit(f"it accepts empty passwords, and root isn't locked: {nullok[0]}", entry)


def _protected_accounts(image: Image) -> Iterator[Hit]:
    for path in ("/etc/passwd", "/etc/group", "/etc/shadow", "/etc/gshadow"):
        entry = image.tree.resolve(path)
        if entry and entry.mode & 0o022:
            yield Hit(f"its mode is {entry.mode:04o}: others than root can write it and become anyone", entry)
        elif entry and entry.uid:
            yield Hit(f"it belongs to user {entry.uid}, who can write it and become anyone", entry)


def _usable_home(image: Image) -> Iterator[Hit]:
    home = image.config.variables.get("HOME", "")
    if not home:
        yield Hit("HOME isn't set: for a user that passwd doesn't have it is /", path="config.Env")
        return
    entry = image.tree.resolve(home)
    if not entry or entry.kind != DIRECTORY:
        yield Hit(f"HOME is {home!r}, which isn't a directory of the image", path="config.Env")
    elif not _group_zero_may_use(entry):
        yield Hit(f"HOME's mode is {entry.mode:04o}, its group {entry.gid}: group 0 can't read it", entry)


def _group_zero_may_use(entry: Entry) -> bool:
    bits = entry.mode >> 3 if entry.gid == 0 else entry.mode
    return bits & 0o5 == 0o5  # noqa: PLR2004 # r-x


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
        id="U2",
        title="The user's group is 0",
        severity="error",
        source="OpenShift starts images as an arbitrary user of group 0; elsewhere they should have the same rights",
        profiles=frozenset({"taxiway", "openshift"}),
        fix="USER 1001:0, or make 0 the group of that user in /etc/passwd",
        check=_group_zero,
        probes=(ACCOUNTS,),
    ),
    Rule(
        id="U3",
        title="One account is root, and no two are the same user",
        severity="error",
        source="an account remapped to user ID 0 is root under another name (CIS Distribution Independent Linux 6.2)",
        profiles=frozenset({"taxiway", "openshift", "cis"}),
        fix="remove the line from /etc/passwd, in the layer that adds it",
        check=_one_root,
        probes=(ACCOUNTS,),
    ),
    Rule(
        id="U4",
        title="No account has a password",
        severity="error",
        source="nobody logs in to a container; an empty or known password is a way to become that user (shadow(5))",
        profiles=frozenset({"taxiway", "cis"}),
        fix="passwd --lock NAME, or * in the second field",
        check=_locked_passwords,
        probes=(ACCOUNTS,),
    ),
    Rule(
        id="U5",
        title="Nothing in the image is there to become root",
        severity="error",
        source="OpenShift's guidelines and hadolint DL3004: no use in a container; sudoers(5), doas.conf(5), pam_unix(8)",
        profiles=frozenset({"taxiway", "openshift", "cis"}),
        fix="remove the program or the line; do what needs root before USER",
        check=_becoming_root,
        probes=(ACCOUNTS, POLICIES),
    ),
    Rule(
        id="U6",
        title="Only root can write passwd, group and shadow",
        severity="error",
        source="a group-writable passwd lets an arbitrary user ID become root (CVE-2019-19335 and its family)",
        profiles=frozenset({"taxiway", "openshift", "cis"}),
        fix="chown 0 and chmod 0644 /etc/passwd /etc/group, 0640 /etc/shadow /etc/gshadow, in the layer that makes them",
        check=_protected_accounts,
    ),
    Rule(
        id="U7",
        title="HOME is a directory that group 0 can use",
        severity="warning",
        source="OpenShift's guidelines; without HOME, an arbitrary user's is /, where it can write nothing",
        profiles=frozenset({"taxiway", "openshift"}),
        fix="ENV HOME=/opt/app-root/src, and chgrp 0 and chmod g=u for that directory",
        check=_usable_home,
    ),
)
