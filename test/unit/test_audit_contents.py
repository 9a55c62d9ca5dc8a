"""Rules S, M and C of `taxiway audit`: an image that breaks each, and one that doesn't."""

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

import pytest
from saved_images import Layer, Row, directory, docker_files, file, findings, layer_tar, link, read, tar

from taxiway.audit.rules import RULES
from taxiway.audit.rules.content import size_budget
from taxiway.audit.rules.metadata import RULES as METADATA_RULES
from taxiway.audit.rules.rule import Rule, check
from taxiway.audit.rules.secrets import canary, read_values
from taxiway.dependencies import records

LETTERS = "aB3dE5gH7jK9mN1pQ3sT5vX7zA9cE1gH3jK5mN7pR9tV1xZ3bD5fH7kM9qS1uW3yA5"
KEY = f"-----BEGIN {'EC'} PRIVATE KEY-----\n{LETTERS}\n-----END EC PRIVATE KEY-----\n"
TOKEN = f"ghp_{LETTERS[:36]}"
SITE = "opt/app-root/lib/python3.13/site-packages"
SOURCE = "opt/app-root/src"
ID = "0123456789abcdef0123456789abcdef\n"
OCI = "org.opencontainers.image."
LABELS = {
    **dict.fromkeys(
        (
            "io.k8s.display-name",
            "io.k8s.description",
            "io.openshift.tags",
            "io.openshift.expose-services",
            "io.openshift.s2i.scripts-url",
            "io.openshift.s2i.assemble-user",
            *("name", "vendor", "version", "release", "summary", "description", "maintainer"),
            *(f"{OCI}{name}" for name in ("source", "version", "licenses", "base.name", "base.digest")),
        ),
        "x",
    )
}


def package(name: str, version: str, content: str = "x = 1\n", requires: str = "", recorded: str | None = None) -> list[Row]:
    """The files of an installed distribution with one module; its RECORD may have the hash of other content."""
    info = f"{SITE}/{name}-{version}.dist-info"
    wanted = content if recorded is None else recorded
    return [
        file(f"{SITE}/{name}.py", content),
        file(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{requires}\n"),
        file(f"{info}/RECORD", f"{name}.py,{records.digest(wanted.encode())},6\n{name}-{version}.dist-info/RECORD,,\n"),
    ]


BILL = "/usr/share/taxiway/sbom.cdx.json"
DPKG = [
    file(
        "var/lib/dpkg/status", "Package: sed\nStatus: install ok installed\nVersion: 4.9\n\nPackage: awk\nStatus: deinstall ok\n"
    )
]


def bill(*urls: str) -> list[Row]:
    """A bill of materials with these package URLs."""
    parts = [{"purl": f"pkg:{url}", "name": url.split("/")[-1].split("@")[0], "version": url.split("@")[1]} for url in urls]
    return [file(f"{SOURCE}/x.cdx.json", json.dumps({"components": parts}))]


def without(*names: str) -> dict[str, Any]:
    return {"Labels": {name: value for name, value in LABELS.items() if name not in names}}


# Rule; layers and configuration that break it; the paths found; layers and configuration that don't.
Case = tuple[str, Sequence[Layer], Mapping[str, Any], list[str], Sequence[Layer], Mapping[str, Any]]
CASES: list[Case] = [
    ("S1", [], {"Env": ["DB_PASSWORD=x", "A=b"]}, ["config.Env.DB_PASSWORD"], [], {"Env": ["DB_PASSWORD=", "PWD=/srv"]}),
    ("S1", [], {"Env": ["DB=postgresql://a:b@db/x"]}, ["config.Env.DB"], [], {"Env": ["DB=postgresql://db/x", "GPG_KEY=AB"]}),
    ("S3", [[file("root/.netrc", "x")]], {}, ["/root/.netrc"], [[file("root/.netrc"), file("root/netrc.py", "x")]], {}),
    ("S3", [[file("root/.netrc", "x")], [file("root/.wh..netrc")]], {}, ["/root/.netrc"], [[directory("root/.netrc")]], {}),
    ("S3", [[file("home/a/.ssh/id_ed25519", "x")]], {}, ["/home/a/.ssh/id_ed25519"], [[file("a/id_ed25519.pub", "x")]], {}),
    ("S3", [[file("a/.docker/config.json", "{}")]], {}, ["/a/.docker/config.json"], [[file("a/config.json", "{}")]], {}),
    ("S3", [[file("srv/server.p12", "x")]], {}, ["/srv/server.p12"], [[file(f"{SITE}/pkg/tests/server.p12", "x")]], {}),
    ("S4", [[file("srv/notes", KEY)]], {}, ["/srv/notes"], [[file(f"{SITE}/tornado/test/test.key", KEY)]], {}),
    ("S4", [[file(f"{SITE}/shop/key.pem", KEY)]], {}, [f"/{SITE}/shop/key.pem"], [[file("srv/binary", f"\0{KEY}")]], {}),
    (
        "S4",
        [[file(f"{SOURCE}/tests/key.pem", KEY)]],
        {},
        [f"/{SOURCE}/tests/key.pem"],
        [[file("srv/large", KEY + "x" * 2**20)]],
        {},
    ),
    (
        "S4",
        [[file(f"{SITE}/shop/contest_x.py", KEY)]],
        {},
        [f"/{SITE}/shop/contest_x.py"],
        [[file(f"{SITE}/ecdsa/test_keys.py", KEY)]],
        {},
    ),
    (
        "S4",
        [[file("srv/token", TOKEN)], [file("srv/.wh.token")]],
        {},
        ["/srv/token"],
        [[file(f"{SOURCE}/settings.py", f'SECRET_KEY = os.environ["SECRET_KEY"]\nOLD = "django-insecure-{LETTERS}"\n')]],
        {},
    ),
    (
        "S5",
        [[file("etc/pip.conf", "[x]\ni=https://a:b@h/\n")]],
        {},
        ["/etc/pip.conf"],
        [[file("etc/pip.conf", "i=https://h/")]],
        {},
    ),
    (
        "S5",
        [[file("a/.git/config", "url=https://a:b@h/")]],
        {},
        ["/a/.git/config"],
        [[file("a/config", "url=https://a:b@h/")]],
        {},
    ),
    ("S5", [[file("a/uv.lock", "https://a:b@h/")]], {}, ["/a/uv.lock"], [[file("a/uv.lock", "ssh://git@h/")]], {}),
    ("S5", [[file("a/requirements-dev.txt", "-i https://a:b@h/")]], {}, ["/a/requirements-dev.txt"], [], {}),
    (
        "S5",
        [[file("a/.npmrc", f"//h/:_authToken={LETTERS}")]],
        {},
        ["/a/.npmrc"],
        [[file("a/.npmrc", "//h/:_authToken=${T}")]],
        {},
    ),
    ("S6", [[directory("a/.git"), file("a/.git/HEAD", "x")]], {}, ["/a/.git"], [[file("a/.gitignore", "x")]], {}),
    ("S6", [[file("a/.git", "gitdir: x")]], {}, ["/a/.git"], [[file("a/.env.example", "x"), file("a/.env")]], {}),
    ("S6", [[file("a/.env", "A=b"), file("a/.env.local", "x")]], {}, ["/a/.env", "/a/.env.local"], [[directory("a/.env")]], {}),
    ("S8", [[file("etc/machine-id", ID)]], {}, ["/etc/machine-id"], [[file("etc/machine-id", "uninitialized\n")]], {}),
    (
        "S8",
        [[file("etc/ssh/ssh_host_rsa_key", "x")], [file("etc/ssh/.wh.ssh_host_rsa_key")]],
        {},
        ["/etc/ssh/ssh_host_rsa_key"],
        [[file("etc/machine-id", ID), file("etc/ssh/ssh_host_rsa_key.pub", "x")], [file("etc/.wh.machine-id")]],
        {},
    ),
    ("S8", [[file("var/lib/systemd/random-seed", "x")]], {}, ["/var/lib/systemd/random-seed"], [], {}),
    *(("M1", [], without(name), [f"config.Labels.{name}"], [], {"Labels": LABELS}) for name in LABELS if name.startswith("io.")),
    *(("M2", [], without(name), [f"config.Labels.{name}"], [], {"Labels": LABELS}) for name in ("vendor", "maintainer")),
    ("M2", [], {"Labels": LABELS | {"name": "red hat shop"}}, ["config.Labels.name"], [], {"Labels": LABELS | {"name": "hats"}}),
    *(("M3", [], without(name), [f"config.Labels.{name}"], [], {"Labels": LABELS}) for name in LABELS if name.startswith(OCI)),
    (
        "M3",
        [],
        without(f"{OCI}source"),
        [f"config.Labels.{OCI}source"],
        [],
        {"Labels": LABELS | {"io.openshift.build.commit.id": "x"}},
    ),
    (
        "M3",
        [[file("opt/app-root/.taxiway/launch.json")]],  # an application: the label is of what it was built on
        {"Labels": without(f"{OCI}source")["Labels"] | {"io.taxiway.revision": "x"}},
        [f"config.Labels.{OCI}source"],
        [],
        {"Labels": without(f"{OCI}source")["Labels"] | {"io.taxiway.revision": "x"}},
    ),
    ("M4", [[directory("licenses")]], {}, ["/licenses"], [[file("licenses/LICENSE", "x")]], {}),
    ("M5", [[file(f"f{n}")] for n in range(41)], {}, ["manifest.layers"], [[file(f"f{n}")] for n in range(40)], {}),
    ("M6", [], {"ExposedPorts": {"80/tcp": {}}}, ["config.ExposedPorts.80/tcp"], [], {"ExposedPorts": {"8080/tcp": {}}}),
    ("M6", [], {"ExposedPorts": {"http": {}}}, ["config.ExposedPorts.http"], [], {"ExposedPorts": {"1024": {}}}),
    ("M6", [], {"Volumes": {"/proc": {}}}, ["config.Volumes./proc"], [], {"Volumes": {"/process": {}}}),
    (
        "M6",
        [],
        {"WorkingDir": "/srv/app", "Volumes": {"/srv": {}, "/srv/app/": {}}},
        ["config.Volumes./srv", "config.Volumes./srv/app/"],
        [],
        {"WorkingDir": "/srv/app", "Volumes": {"/srv/app/data": {}}},
    ),
    ("M7", [], {}, ["config.Healthcheck"], [], {"Healthcheck": {"Test": ["CMD", "taxiway", "alive"]}}),
    ("M8", [], {"Cmd": ["/bin/sh", "-c", "python x.py"]}, ["config.Cmd"], [], {"Cmd": ["/bin/sh", "-c", "exec python x.py"]}),
    (
        "M8",
        [],
        {"Entrypoint": ["/bin/sh", "-c", "python x.py"], "StopSignal": "SIGKILL"},
        ["config.Entrypoint", "config.StopSignal"],
        [],
        {"Entrypoint": ["dumb-init", "container-entrypoint"], "Cmd": ["/bin/sh", "-c", "run"], "StopSignal": "SIGTERM"},
    ),
    (
        "C1",
        [[file("usr/bin/gcc-14", "x")]],
        {},
        ["/usr/bin/gcc-14"],
        [[file("usr/bin/gcc-14", "x")]],
        {"Cmd": ["/usr/libexec/s2i/usage"]},
    ),
    (
        "C1",
        [[file("usr/bin/git"), file("usr/bin/x86_64-linux-gnu-g++-14"), link("usr/bin/g++", "x86_64-linux-gnu-g++-14")]],
        {},
        ["/usr/bin/git", "/usr/bin/x86_64-linux-gnu-g++-14"],
        [[file("usr/bin/gitlint"), file("usr/bin/assess"), file("usr/share/make/make")], [file("usr/share/.wh.make")]],
        {},
    ),
    (
        "C1",
        [[directory("usr/include"), file("usr/include/stdio.h", "x")]],
        {},
        ["/usr/include"],
        [[file(f"{SITE}/numpy/array.h", "x")]],
        {},
    ),
    (
        "C1",
        [
            [
                directory("var/lib/apt/lists"),
                file("var/lib/apt/lists/main", "x"),
                directory("root/.cache/pip"),
                file("root/.cache/pip/a/b", "x"),
            ]
        ],
        {},
        ["/root/.cache/pip", "/var/lib/apt/lists"],
        [[directory("var/lib/apt/lists"), file("var/lib/apt/lists/lock", ""), directory("var/lib/apt/lists/partial")]],
        {},
    ),
    ("C3", [package("web", "1", recorded="x = 2\n")], {}, [f"/{SITE}/web.py"], [package("web", "1")], {}),
    (
        "C3",
        [package("web", "1")[1:]],
        {},
        [f"/{SITE}/web-1.dist-info/RECORD"],
        [package("web", "1"), [file(f"{SITE}/more.py", "x")]],
        {},
    ),
    ("C3", [package("web", "1"), [file(f"{SITE}/web.py", "y")]], {}, [f"/{SITE}/web.py"], [], {}),
    ("C3", [package("web", "1")[:2]], {}, [f"/{SITE}/web-1.dist-info/METADATA"], [], {}),
    (
        "C3",
        [package("web", "1", requires="Requires-Dist: base>=2\n"), package("base", "1.5")],
        {},
        [f"/{SITE}"],
        [package("web", "1", requires="Requires-Dist: base>=2\n"), package("base", "2.5")],
        {},
    ),
    (
        "C3",
        [package("web", "1", requires="Requires-Dist: base\n")],
        {},
        [f"/{SITE}"],
        [package("web", "1", requires='Requires-Dist: base; python_version < "3.13"\nRequires-Dist: more; extra == "x"\n')],
        {},
    ),
    (
        "C4",
        [[file("srv/requirements.txt", "--no-binary x\nflask>=3 # web\njinja2==3.1.6\n")]],
        {"WorkingDir": "/srv"},
        ["/srv/requirements.txt"],
        [[file("srv/requirements.txt", "flask>=3\n"), file("srv/uv.lock", "x")]],
        {"WorkingDir": "/srv"},
    ),
]
CASES += [
    ("C6", [package("web", "1")], {}, [BILL], [bill("pypi/web@1"), package("Web", "1")], {}),
    (
        "C6",
        [bill("pypi/web@1"), package("web", "2")],
        {},
        [f"/{SOURCE}/x.cdx.json"],
        [bill("pypi/web@1", "deb/debian/sed@4.9"), DPKG],
        {},
    ),
    ("C6", [bill("pypi/web@1"), DPKG], {}, [f"/{SOURCE}/x.cdx.json"], [bill(), [file("a.cdx.json", "[[]")]], {}),
]


# Untrusted, and made to fail or to take long; what isn't read is told, or isn't what the rule is about.
CASES += [
    (
        "C3",
        [[*package("web", "1")[:2], file(f"{SITE}/web-1.dist-info/RECORD", "x" * 200_000)]],
        {},
        [f"/{SITE}/web-1.dist-info/RECORD"],
        [],
        {},
    ),
    (
        "C3",
        [package("web", "1", requires="Requires-Dist: base>=1"), package("base", "one")],
        {},
        [f"/{SITE}"],
        [package("web", "1", requires='Requires-Dist: base>=\\x; os_name > "a')],
        {},
    ),
    (
        "C4",
        [[file("requirements.txt", "flask>=3\n" + " " * 100_000)]],
        {},
        ["/requirements.txt"],
        [[file("requirements.txt", "?" * 10**5)]],
        {},
    ),
    (
        "S5",
        [[file("a/.npmrc", "\n" * 500_000 + f"//h/:_authToken={LETTERS}")]],
        {},
        ["/a/.npmrc"],
        [[file("a/.npmrc", "//" * 400_000)]],
        {},
    ),
    ("M6", [], {"ExposedPorts": {"9" * 5000: {}}}, [f"config.ExposedPorts.{'9' * 5000}"], [], {}),
    ("C6", [[file("a.cdx.json", "[" * 10**5), *DPKG]], {}, ["/a.cdx.json"], [bill()], {}),
]


@pytest.mark.timeout(60)
@pytest.mark.parametrize(("rule", "bad", "bad_config", "paths", "good", "good_config"), CASES)
def test_rule(  # noqa: PLR0917
    rule: str,
    bad: Sequence[Layer],
    bad_config: Mapping[str, Any],
    paths: list[str],
    good: Sequence[Layer],
    good_config: Mapping[str, Any],
) -> None:
    """The bad image breaks the rule at these paths, the good one doesn't."""
    rules = [row for row in RULES if row.id == rule]
    assert sorted(finding.path for finding in findings(rules, *bad, config=bad_config)) == paths
    assert findings(rules, *good, config=good_config) == []


def test_every_rule_has_a_case() -> None:
    """But for those that are made from options, and are tested below."""
    ids = {rule.id for rule in RULES if rule.id[0] in "SMC"}
    assert ids - {case[0] for case in CASES} == {"S2"}


def audit(rule: Rule, *layers: Layer, **options: Any) -> list[str]:
    image = read(tar(docker_files([layer_tar(rows) for rows in layers], **options)), [rule])
    return [finding.path for finding in check(image, [rule])]


@pytest.mark.parametrize(
    ("rows", "paths"),
    [
        (["|1 TOKEN=abc /bin/sh -c make", "|1 TOKEN=abc /bin/sh -c other"], ["history[1].TOKEN"]),  # podman repeats it
        (["/bin/sh -c #(nop) ARG TOKEN=abc", "x"], ["history[1].TOKEN"]),
        (["RUN pip install -i https://ci:pw@h/simple x"], ["history[1]"]),
        (["x", f"RUN login {TOKEN}"], ["history[2]"]),
        (["/bin/sh -c #(nop) ENV DB_PASSWORD=x"], []),  # S1's
        (["|1 VERSION=1 /bin/sh -c make PASSWORD=$(cat /run/secrets/x)", "RUN adduser --disabled-password x"], []),
    ],
)
def test_history(rows: list[str], paths: list[str]) -> None:
    """Build arguments and whatever else a row has; what S1 told of the environment isn't told again."""
    (rule,) = (rule for rule in RULES if rule.id == "S2")
    history = [{"created_by": row, "empty_layer": True} for row in rows]
    assert audit(rule, config={"Env": ["DB_PASSWORD=x"]}, history=history) == paths


@pytest.mark.parametrize(
    "content",
    [
        "correct horse+1",
        f"x{quote('correct horse+1', safe='')}",
        *(base64.b64encode(b"x" * n + b"correct horse+1" + b"yz").decode() for n in range(4)),
        base64.b64encode(b"ci:correct horse+1").decode(),  # as an Authorization header
    ],
)
def test_canary(content: str) -> None:
    """A given value is found in every layer and field, in each of its encodings."""
    rule = canary(["correct horse+1"])
    assert audit(rule, [file("a", f"\0{content}")], [file(".wh.a")]) == ["/a"]
    assert audit(rule, config={"Env": [f"A={content}"]}) == ["config.Env.A"]
    assert audit(rule, history=[{"created_by": content, "empty_layer": True}]) == ["history[1]"]
    assert audit(rule, [file("a", "correct horse")], config={"Labels": {"a": "b"}}) == []


def test_canary_s_file() -> None:
    assert read_values(["correct horse\n", "short\n", "\n", "battery staple"]) == ["correct horse", "battery staple"]


def test_size_budget() -> None:
    layers = [[file("a", b"x" * 600)], [file("a", b"x" * 500)]]
    assert audit(size_budget(1000), *layers) == ["manifest.layers"]  # what is replaced is still pulled
    assert audit(size_budget(1100), *layers) == []


def test_tag() -> None:
    (rule,) = (rule for rule in METADATA_RULES if rule.id == "M5")
    image = read(tar(docker_files([])))
    for name, paths in (("localhost/shop:latest", ["manifest.tag"]), ("localhost/shop:1", []), ("latest.tar", []), ("-", [])):
        assert [hit.path for hit in rule.check(type(image)(**{**vars(image), "name": name}))] == paths


def test_removed_files_are_told_as_such() -> None:
    """Whoever reads the report would look for them in a container."""
    rules = [rule for rule in RULES if rule.id == "S3"]
    removed, there = findings(rules, [file("a/.netrc", "x"), file("b/.netrc", "x")], [file("a/.wh..netrc")])
    assert removed.reason == "a file of this name holds credentials; a later layer removed it, but it is still in this one"
    assert there.reason == "a file of this name holds credentials"
    assert removed.layer
    assert removed.layer.number == 1


def test_values_of_secrets_are_not_told() -> None:
    rules = [rule for rule in RULES if rule.id[0] == "S"]
    layer = [file("a/pip.conf", "https://ci:hunter22@h/"), file("a/b", TOKEN)]
    found = findings(rules, layer, config={"Env": ["DB_PASSWORD=hunter22"]})
    assert len(found) == 3
    assert "hunter22" not in json.dumps([(f.path, f.reason, f.fix) for f in found])
    assert TOKEN not in repr([(f.path, f.reason) for f in found])
