"""Each rule of `taxiway audit`: images that break it, and images that don't."""

from collections.abc import Mapping
from typing import Any

import pytest
from saved_images import Layer, directory, file, findings, hard_link, link

from taxiway.audit.rules import RULES

PASSWD = "root:x:0:0:root:/root:/bin/sh\n"
CAPABILITY = {"SCHILY.xattr.security.capability": "\x01\x00\x00\x02\x00\x04"}
PAM = "# nullok\nauth required pam_unix.so nullok\n"
HELLO_MD5 = "5d41402abc4b2a76b9719d911017c592"
MD5SUMS = f"{HELLO_MD5}  usr/bin/hello\n{HELLO_MD5}  bin/hello\n{HELLO_MD5}  usr/share/doc/removed\nnonsense\n"
DIVERSIONS = "/usr/bin/hello\n/usr/bin/hello.real\nother\n"
HOME = {"Env": ["HOME=/home/app"]}
PYTHON: dict[str, Any] = {"Cmd": ["python3", "-u", "-m", "shop"], "WorkingDir": "/srv"}


def passwd(*rows: str, **fields: Any) -> Layer:
    return [file("etc/passwd", PASSWD + "".join(f"{row}\n" for row in rows), **fields)]


def shadow(root: str) -> Layer:
    return [file("etc/shadow", f"root:{root}:1::::::\n", mode=0o640)]


def label(name: str, value: str) -> dict[str, Any]:
    return {"Labels": {f"io.taxiway.{name}": value}}


def path(value: str, name: str = "PATH") -> dict[str, Any]:
    return {"Env": [f"{name}={value}"]}


def owned(**fields: Any) -> Layer:
    return [directory("srv", **fields), file("srv/app.py", **fields), link("srv/link", "app.py", **fields)]


def packages(content: str, listing: str = "var/lib/dpkg/info/hello:amd64.md5sums") -> Layer:
    return [file("usr/bin/hello", content), link("bin", "usr/bin"), file(listing, MD5SUMS)]


IMMUTABLE = label("immutable", "true") | {"WorkingDir": "/srv"}

# Rule, layers, configuration, and the paths of what is found.
Case = tuple[str, list[Layer], Mapping[str, Any], list[str]]
CASES: list[Case] = [
    *(("U1", [], {"User": user}, ["config.User"]) for user in ("", "0", "0:0", "00", "+1", "root", "01", "1:x", "1 ")),
    *(("U1", [], {"User": user}, []) for user in ("1001", "1001:0", "1001:1001")),
    ("U2", [], {"User": "1001:1001"}, ["config.User"]),
    ("U2", [passwd("app:x:1001:1001::/:")], {"User": "1001"}, ["/etc/passwd"]),
    ("U2", [passwd("app:x:1001:1001::/:")], {"User": "1001:0"}, []),
    ("U2", [passwd("app:x:1001:0::/:")], {"User": "1001"}, []),
    ("U2", [], {"User": "1001"}, []),
    ("U3", [passwd("app:x:0:0::/:")], {}, ["/etc/passwd"] * 2),
    ("U3", [passwd("app:x:00:0::/:")], {}, ["/etc/passwd"] * 2),
    ("U3", [passwd("app:x:4294967296:0::/:")], {}, ["/etc/passwd"] * 2),
    ("U3", [passwd("a:x:1:1::/:", "b:x:1:1::/:")], {}, ["/etc/passwd"]),
    ("U3", [passwd("a:x:1:1::/:", "a:x:2:1::/:")], {}, ["/etc/passwd"]),
    ("U3", [passwd("a::1:1::/:")], {}, ["/etc/passwd"]),
    ("U3", [passwd("+::::::")], {}, ["/etc/passwd"] * 2),
    ("U3", [passwd("a:x:one:1::/:")], {}, ["/etc/passwd"]),
    ("U3", [[file("etc/passwd", "root:x:1:0::/:\n")]], {}, ["/etc/passwd"]),
    ("U3", [[file("srv/hidden", "a:x:0:0::/:\n"), link("etc/passwd", "../srv/hidden")]], {}, ["/srv/hidden"]),
    ("U3", [[file("etc/passwd", PASSWD + "#" * (1 << 20))]], {}, ["/etc/passwd"]),
    ("U3", [[file("store/abc-passwd", PASSWD), link("etc/passwd", "/store/abc-passwd")]], {}, []),
    ("U3", [passwd("app:x:0:0::/:"), passwd("# a remark", "", "app:x:1001:0::/:")], {}, []),
    *(("U4", [shadow(password)], {}, ["/etc/shadow"]) for password in ("", "$y$j9T$abc", "x")),
    *(("U4", [shadow(password)], {}, []) for password in ("*", "!", "!!", "!$y$j9T$abc")),
    ("U4", [passwd("app:$1$abc:1001:0::/:")], {}, ["/etc/passwd"]),
    ("U4", [[file("etc/gshadow", "staff:$1$abc::\n")]], {}, ["/etc/gshadow"]),
    ("U4", [passwd("app:*:1001:0::/:"), [file("etc/gshadow", "root:::\n")]], {}, []),
    ("U5", [[file("usr/bin/sudo", mode=0o755), hard_link("bin/doas", "usr/bin/sudo")]], {}, ["/bin/doas", "/usr/bin/sudo"]),
    ("U5", [[link("usr/local/bin/pkexec", "/opt/polkit")]], {}, ["/usr/local/bin/pkexec"]),
    ("U5", [[file("etc/sudoers.d/app", "# comment\napp ALL=(ALL) NOPASSWD: ALL\n")]], {}, ["/etc/sudoers.d/app"]),
    ("U5", [[file("etc/doas.conf", "permit nopass app\n")]], {}, ["/etc/doas.conf"]),
    ("U5", [[file("etc/pam.d/login", PAM)], shadow("")], {}, ["/etc/pam.d/login"]),
    ("U5", [[file("etc/pam.d/login", PAM)], shadow("*")], {}, []),
    ("U5", [[file("etc/sudoers", "root ALL=(ALL) ALL\n# NOPASSWD\n"), file("etc/init.d/sudo")]], {}, []),
    ("U6", [passwd(mode=0o664)], {}, ["/etc/passwd"]),
    ("U6", [passwd(uid=1001)], {}, ["/etc/passwd"]),
    ("U6", [[file("lib/accounts", mode=0o666), link("etc/group", "../lib/accounts")]], {}, ["/lib/accounts"]),
    ("U6", [passwd(), shadow("*"), [file("etc/gshadow", mode=0o640, gid=42)]], {}, []),
    ("U7", [], {}, ["config.Env"]),
    ("U7", [[file("home/app")]], HOME, ["config.Env"]),
    ("U7", [[directory("home/app", mode=0o700)]], HOME, ["/home/app"]),
    ("U7", [[directory("home/app", mode=0o770, gid=1001)]], HOME, ["/home/app"]),
    ("U7", [[directory("home/app", mode=0o770)]], HOME, []),
    ("U7", [[directory("home/app", mode=0o755, gid=1001)]], HOME, []),
    ("F1", [[file("bin/su", mode=0o4755), file("bin/write", mode=0o2755)], []], {}, ["/bin/su", "/bin/write"]),
    ("F1", [[file("bin/su", mode=0o4755)], [file("bin/su", mode=0o755), directory("shared", mode=0o2775)]], {}, []),
    ("F2", [[file("bin/ping", pax_headers=CAPABILITY)]], {}, ["/bin/ping"]),
    ("F2", [[file("bin/ping", pax_headers=CAPABILITY)], [file("bin/.wh.ping")]], {}, []),
    ("F3", [[file("a", mode=0o646), directory("b", mode=0o777)]], {}, ["/a", "/b"]),
    ("F3", [[file("dev/sda", type=b"4", devmajor=8)]], {}, ["/dev/sda"]),
    ("F3", [[file("srv/null", type=b"3", devmajor=1, devminor=3)]], {}, ["/srv/null"]),
    ("F3", [[file("dev/null", type=b"3", devmajor=1, devminor=1)]], {}, ["/dev/null"]),
    ("F3", [[file("dev/null", type=b"3", devmajor=1, devminor=3), directory("tmp", mode=0o1777), link("l", "a")]], {}, []),
    (
        "F4",
        [[directory("data", mode=0o775), file("data/a", mode=0o664), file("database", mode=0o664)]],
        {},
        ["/data", "/database"],
    ),
    ("F4", [[directory("data", mode=0o775)]], label("writable", "/dat /data/sub"), ["/data"]),
    ("F4", [[directory("etc", mode=0o775)]], label("writable", "/etc/ data"), ["config.Labels.io.taxiway.writable"] * 2),
    ("F4", [[directory("data", mode=0o775), file("data/a", mode=0o664)]], label("writable", "/srv /data/"), []),
    ("F4", [[directory("data", mode=0o775, gid=1001), directory("tmp", mode=0o1777), link("l", "a")]], {}, []),
    ("F5", [owned(uid=1001)], IMMUTABLE, ["/srv", "/srv/app.py"]),
    ("F5", [owned(mode=0o664)], IMMUTABLE, ["/srv", "/srv/app.py"]),
    ("F5", [owned()], IMMUTABLE, []),
    ("F5", [owned(), [directory("srv/data", mode=0o775)]], IMMUTABLE, ["/srv/data"]),
    ("F5", [owned(uid=1001)], {"WorkingDir": "/srv"}, []),
    ("F6", [packages("hallo")], {}, ["/usr/bin/hello"] * 2),
    ("F6", [packages("hallo", "var/lib/dpkg/status.d/hello.md5sums")], {}, ["/usr/bin/hello"] * 2),
    ("F6", [packages("hello"), [file("usr/bin/hello", "hallo")]], {}, ["/usr/bin/hello"] * 2),
    ("F6", [packages("hello")], {}, []),
    ("F6", [[file("var/lib/dpkg/info/hello.md5sums", MD5SUMS)]], {}, []),
    (
        "F6",
        [
            [file("usr/bin/hello", "other"), file("usr/bin/hello.real", "hello"), file("var/lib/dpkg/diversions", DIVERSIONS)],
            [file("var/lib/dpkg/info/hello.md5sums", f"{HELLO_MD5}  usr/bin/hello\n")],
        ],
        {},
        [],
    ),
    ("F7", [[directory("srv", mode=0o775)]], path("/bin:/srv"), ["config.Env.PATH"]),
    ("F7", [[directory("srv", mode=0o775)]], path("/srv/later/bin", "PYTHONPATH"), ["config.Env.PYTHONPATH"]),
    ("F7", [[directory("tmp", mode=0o1777)]], path("/tmp/bin", "LD_LIBRARY_PATH"), ["config.Env.LD_LIBRARY_PATH"]),
    ("F7", [[directory("bin")]], path("bin:/bin"), ["config.Env.PATH"]),
    ("F7", [[directory("srv", mode=0o777), file("etc/ld.so.conf.d/a.conf", "# a\n/srv # b\n")]], {}, ["/etc/ld.so.conf"]),
    ("F7", [[directory("srv", mode=0o775)]], path("/srv") | label("writable", "/srv"), []),
    ("F7", [[directory("srv"), file("etc/ld.so.conf", "include /etc/ld.so.conf.d/*.conf\n/srv\n")]], path("/srv:/bin"), []),
    ("F8", [], path("/srv:", "PYTHONPATH"), ["config.Env.PYTHONPATH"]),
    ("F8", [[directory("srv", mode=0o775)]], PYTHON, ["/srv"]),
    ("F8", [[directory("srv", mode=0o775)]], PYTHON | path("1", "PYTHONSAFEPATH"), []),
    ("F8", [[directory("srv", mode=0o775)]], PYTHON | {"Cmd": ["python3", "-IPu", "-m", "shop"]}, []),
    ("F8", [[directory("srv", mode=0o775)]], PYTHON | {"Cmd": ["python3", "/srv/app.py", "-m"]}, []),
    ("F8", [[directory("srv", mode=0o755)]], PYTHON | path("/srv", "PYTHONPATH"), []),
]


@pytest.mark.parametrize(("rule", "layers", "config", "paths"), CASES)
def test_rule(rule: str, layers: list[Layer], config: Mapping[str, Any], paths: list[str]) -> None:
    """The rule finds what is wrong, where it is, and nothing else."""
    assert [finding.path for finding in findings([row for row in RULES if row.id == rule], *layers, config=config)] == paths


def test_both_ways() -> None:
    """Each rule of users and files has an image that breaks it and one that doesn't."""
    rules = {rule.id for rule in RULES if rule.id[0] in "UF"}
    assert rules == {rule for rule, _, _, paths in CASES if paths} == {rule for rule, _, _, paths in CASES if not paths}
