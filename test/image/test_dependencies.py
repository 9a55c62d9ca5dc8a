"""Installing from a real index of this machine, with a password: both installers, only what changed, offline, no secret left."""

import shutil
import ssl
import subprocess
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import harness
import package_index
import pytest
from harness import BUILDER, RUNTIME, podman
from package_index import PackageIndex
from workshop import gateway, workshop

CREDENTIALS = "/etc/taxiway/credentials"
WSGI = """\
import alpha


def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [alpha.VERSION.encode()]
"""
DOCKERFILE = f"""\
FROM {BUILDER}
COPY --chown=1001:0 . /tmp/src
RUN /usr/libexec/s2i/assemble
CMD ["/usr/libexec/s2i/run"]
"""
ROUTES = ("variable", "netrc", "pip", "uv", "secret", "s2i", "inject", "image")
CANARIES = {route: f"canary-{route}-{uuid.uuid4().hex}" for route in ROUTES}
# A build back end in a source distribution: a wheel with one module.
BACKEND = """\
import base64, hashlib, zipfile

def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    info = "compiled-1.0.dist-info"
    files = {"compiled.py": "VERSION = '1.0'\\n",
             f"{info}/METADATA": "Metadata-Version: 2.1\\nName: compiled\\nVersion: 1.0\\n",
             f"{info}/WHEEL": "Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"}
    digest = lambda text: base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")
    files[f"{info}/RECORD"] = "".join(f"{p},sha256={digest(t)},{len(t)}\\n" for p, t in files.items()) + f"{info}/RECORD,,\\n"
    with zipfile.ZipFile(f"{wheel_directory}/compiled-1.0-py3-none-any.whl", "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return "compiled-1.0-py3-none-any.whl"
"""


def make_alpha(target: Path, version: str) -> Path:
    return package_index.make_wheel(
        target,
        "alpha",
        version,
        {
            "alpha/__init__.py": f"VERSION = {version!r}\n\n\ndef main():\n    print(VERSION)\n",
            "alpha/data.txt": "data\n",
            "info/entry_points.txt": "[console_scripts]\nalpha = alpha:main\n",
            "scripts/alpha-env": "#!python\nimport sys\nprint(sys.prefix)\n",
        },
    )


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PackageIndex]:
    """Alpha and beta as wheels, compiled as a source; alpha in two versions."""
    files = tmp_path_factory.mktemp("index")
    for version in ("1.0", "1.1"):
        make_alpha(files, version)
    package_index.make_wheel(files, "beta", "2.0", {"beta.py": "VERSION = '2.0'\n"})
    package_index.make_source(files, "compiled", "1.0", BACKEND)
    with PackageIndex(files, gateway(), tuple(CANARIES.values())).serving() as serving:
        yield serving


def host(index: PackageIndex) -> str:
    return index.url.split("/")[2].split(":")[0]


def url_with(index: PackageIndex, password: str) -> str:
    return index.url.replace("://", f"://build:{password}@")


def lock(index: PackageIndex, *names: str) -> str:
    """Lines that pin files of the index, by the beginnings of their names."""
    lines = [line for line in index.requirements().splitlines() if line.startswith(names)]
    assert len(lines) == len(names)
    return "\n".join(lines) + "\n"


@pytest.fixture
def source(tmp_path: Path, index: PackageIndex) -> Path:
    """An application with locked requirements."""
    top = tmp_path / "app"
    top.mkdir()
    (top / "wsgi.py").write_text(WSGI)
    (top / "requirements.txt").write_text(lock(index, "alpha==1.0", "beta", "compiled"))
    index.requests.clear()
    return top


def asking(index: PackageIndex) -> tuple[str, ...]:
    """Options that name the index; pip wants to be told that it may be asked without TLS."""
    return (f"--env=PIP_INDEX_URL={index.url}", f"--env=PIP_TRUSTED_HOST={host(index)}")


def given(credentials: Path, index: PackageIndex) -> tuple[str, ...]:
    """Options that open it."""
    return (f"--volume={credentials}:{CREDENTIALS}:ro", *asking(index))


@pytest.fixture
def netrc(tmp_path: Path, index: PackageIndex) -> Path:
    """A directory of credentials, as one mounts it."""
    directory = tmp_path / "credentials"
    directory.mkdir()
    (directory / "netrc").write_text(f"machine {host(index)} login build password {CANARIES['netrc']}\n")
    return directory


def test_both_installers_install_the_same(source: Path, netrc: Path, index: PackageIndex) -> None:
    """Files, contents, modes; taxiway makes equal what uv and pip do differently (dependencies/finish.py)."""
    (source / "lib").mkdir()
    package_index.make_source(source / "lib", "compiled", "1.0", BACKEND)
    trees = []
    for tool in ("uv", "pip"):
        with workshop(*given(netrc, index)) as builder:
            log = builder.assemble(source, f"TAXIWAY_INSTALLER={tool}")
            assert "compiled from source, because there is no wheel for this Python: compiled 1.0" in log
            assert ("-m pip --python" in log) is (tool == "pip")
            trees.append(builder.tree())
            assert builder.sh("alpha; alpha-env; head -1 /opt/app-root/bin/alpha-env") == (
                "1.0\n/opt/app-root\n#!/opt/app-root/bin/python\n"
            )
            assert "packages have the files that were installed" in builder.sh("taxiway verify --files")
            left = builder.sh("ls -A /opt/app-root /opt/app-root/src ~/.cache ~/.config 2>/dev/null || true")
            assert not {".cache", ".config", ".lock", "pip.conf", "uv.toml"} & set(left.split())
            assert builder.sh("find /opt/app-root -name direct_url.json -o -name 'uv_*.json' -o -name pip") == ""
    assert trees[0] == trees[1]


def test_only_a_changed_pin_is_installed(source: Path, netrc: Path, index: PackageIndex) -> None:
    with workshop(*given(netrc, index)) as builder:
        builder.assemble(source)
        assert len(index.downloads) == 3
        index.requests.clear()
        log = builder.assemble(source)
        assert "Dependencies: unchanged, already installed; nothing to download" in log
        assert "uv pip install" not in log
        assert index.requests == []
        unchanged = builder.sh("stat -c '%n %i %z' /opt/app-root/lib/python3*/site-packages/{beta,compiled}.py")
        (source / "requirements.txt").write_text(lock(index, "alpha==1.1", "beta", "compiled"))
        log = builder.assemble(source)
        assert "Installing the dependencies (alpha 1.0 -> 1.1)" in log
        assert {path.split("/")[-1] for path in index.downloads} == {"alpha-1.1-py3-none-any.whl"}
        assert " 1 files compiled" in log
        assert builder.sh("stat -c '%n %i %z' /opt/app-root/lib/python3*/site-packages/{beta,compiled}.py") == unchanged
        assert builder.sh("alpha; ls -d /opt/app-root/lib/python3*/site-packages/alpha-*").split()[0] == "1.1"
        changed = builder.tree()
        assert "packages have the files that were installed" in builder.sh("taxiway verify --files")
        assert "alpha/__init__.py" in builder.sh(
            "echo x >> /opt/app-root/lib/python3*/site-packages/alpha/__init__.py; taxiway verify --files 2>&1 || true"
        )
    with workshop(*given(netrc, index)) as builder:
        builder.assemble(source)
        assert builder.tree() == changed, "as if it had been installed from scratch"


def test_addresses_and_repositories(source: Path, netrc: Path, index: PackageIndex, tmp_path: Path) -> None:
    """A wheel by its URL with a hash, and a git repository at a commit: the same by both installers."""
    (repository := tmp_path / "repository").mkdir()
    system = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    (repository / "pyproject.toml").write_text(system)
    (repository / "backend.py").write_text(BACKEND)
    git = ("git", "-c", "user.name=A User", "-c", "user.email=user@example.com", "-C", str(repository))
    for argv in (("init", "--quiet"), ("add", "--all"), ("commit", "--quiet", "--message=First")):
        harness.run(*git, *argv)
    commit = harness.run(*git, "rev-parse", "HEAD").text.strip()
    url = index.url.replace("/simple/", "/files/alpha-1.0-py3-none-any.whl")
    pinned = lock(index, "alpha==1.0").partition("--hash=")[2].strip()
    lines = [f"alpha @ {url} --hash={pinned}", f"compiled @ git+file:///tmp/repository@{commit}"]
    (source / "requirements.txt").write_text("\n".join([*lines, ""]))
    trees = []
    for tool in ("uv", "pip"):
        with workshop(*given(netrc, index)) as builder:
            builder.copy(repository, "/tmp/repository")  # git reads only what belongs to its own user
            builder.assemble(source, f"TAXIWAY_INSTALLER={tool}")
            assert builder.sh("alpha; python -c 'import compiled; print(compiled.VERSION)'") == "1.0\n1.0\n"
            trees.append(builder.tree())
    assert trees[0] == trees[1]
    wrong = f"{pinned[:-1]}{'0' if pinned[-1] != '0' else '1'}"
    (source / "requirements.txt").write_text("\n".join([lines[0].replace(pinned, wrong), lines[1], ""]))
    with (
        workshop(*given(netrc, index)) as builder,
        pytest.raises(AssertionError) as caught,
    ):
        builder.assemble(source)
    assert "alpha" in str(caught.value)
    assert "requirements.txt line 1" in str(caught.value)


def test_offline(source: Path, netrc: Path, index: PackageIndex, image_name: str) -> None:
    """A wheelhouse that `taxiway wheels` filled: no request, no network, the same files."""
    with workshop(*given(netrc, index)) as builder:
        builder.assemble(source)
        online = builder.tree()
        builder.copy(source, "/tmp/app")
        log = builder.sh("cd /tmp/app; taxiway wheels")
        assert "built from source: compiled-1.0-py3-none-any.whl" in log
        podman("cp", f"{builder.name}:/tmp/app/.taxiway", str(source / ".taxiway"))
    index.requests.clear()
    for tool in ("uv", "pip"):
        with workshop(*asking(index)) as builder:
            log = builder.assemble(source, f"TAXIWAY_INSTALLER={tool}")
            assert index.requests == []
            assert builder.tree() == online
            assert builder.sh("ls -A /opt/app-root/src/.taxiway") == ""
    harness.podman_build(DOCKERFILE, image_name, source, "--network=none")
    with harness.container(image_name, *harness.ARBITRARY_USER) as running:
        assert running.wait().body == "1.0"
    (source / "requirements.txt").write_text(lock(index, "alpha==1.1", "beta", "compiled"))
    with workshop("--network=none") as builder, pytest.raises(AssertionError) as caught:
        builder.assemble(source)
    assert "alpha 1.1 (requirements.txt line 1)" in str(caught.value)
    assert "[wheelhouse-incomplete]" in str(caught.value)


# A certificate authority, and a certificate of it for the address $1.
AUTHORITY = """
cd /tls
key="-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -noenc"
openssl req -x509 $key -keyout ca.key -out ca.crt -days 2 -subj '/CN=authority of a test'
openssl req -new $key -keyout index.key -out index.csr -subj /CN=index
openssl x509 -req -in index.csr -CA ca.crt -CAkey ca.key -days 2 -extfile /dev/stdin -out index.crt <<<"subjectAltName=IP:$1"
chmod 0644 *
"""


def test_index_of_a_private_authority(source: Path, index: PackageIndex, tmp_path: Path) -> None:
    """With its certificate among the credentials both installers trust it; without, the error says where to put it."""
    (tls := tmp_path / "tls").mkdir()
    podman("run", "--rm", "--user=0", f"--volume={tls}:/tls", BUILDER, "bash", "-euc", AUTHORITY, "bash", gateway())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tls / "index.crt", tls / "index.key")
    (credentials := tmp_path / "credentials").mkdir()
    with PackageIndex(index.wheels, gateway(), tls=context).serving() as secure:
        options = (
            f"--env=PIP_INDEX_URL={secure.url}",
            "--env=PIP_RETRIES=0",
            "--env=UV_HTTP_RETRIES=0",
            f"--volume={credentials}:{CREDENTIALS}:ro",
        )
        with workshop(*options) as builder:
            for tool in ("uv", "pip"):
                (credentials / "ca.crt").unlink(missing_ok=True)
                with pytest.raises(AssertionError) as caught:
                    builder.assemble(source, f"TAXIWAY_INSTALLER={tool}")
                told = str(caught.value).rpartition("error: Couldn't install the requirements")[2]
                assert "presents a certificate that isn't trusted here. Mount its authority's certificate, as ca.crt" in told
                assert told.rstrip().endswith("[dependencies-failed]")
                assert not secure.downloads
                shutil.copy(tls / "ca.crt", credentials)
                log = builder.assemble(source, f"TAXIWAY_INSTALLER={tool}")
                assert f"Credentials from {CREDENTIALS}: ca.crt" in log
                assert len(secure.downloads) == 3
                secure.requests.clear()
                builder.sh("echo {} >/opt/app-root/.taxiway/dependencies.json")  # so that the other one installs it again
            builder.sh("mkdir /tmp/lock; cd /tmp/lock; echo beta >requirements.in; taxiway lock; taxiway lock --format pylock")
            assert "beta==2.0" in builder.sh("cat /tmp/lock/requirements.txt")
            assert builder.sh("grep -rl 'BEGIN CERTIFICATE' /opt/app-root /tmp --include=*.crt --include=*.pem || true") == ""


@contextmanager
def saved(*images: str) -> Iterator[Path]:
    """The images with their configurations, histories and layers, as one archive of plain tar files."""
    archive = Path(f"/var/tmp/{uuid.uuid4().hex}.tar")
    podman("save", "--quiet", "--multi-image-archive", "--output", str(archive), *images)
    try:
        yield archive
    finally:
        archive.unlink()


def test_no_credential_is_left(source: Path, index: PackageIndex, tmp_path: Path) -> None:
    """Each documented way in, with a password of its own: it opens the index, and is found nowhere afterwards."""
    files = {
        "netrc": ("netrc", f"machine {host(index)} login build password {{}}\n"),
        "pip": ("pip.conf", "[global]\nindex-url = {url}\n"),
        "uv": ("uv.toml", '[[index]]\nurl = "{url}"\ndefault = true\n'),
    }
    (source / ".s2i").mkdir()
    (source / ".s2i" / "environment").write_text(f"PIP_INDEX_URL={index.url}\n")

    def directory(route: str, kind: str) -> Path:
        place = tmp_path / f"credentials-{route}"
        place.mkdir()
        name, text = files[kind]
        (place / name).write_text(text.format(CANARIES[route], url=url_with(index, CANARIES[route])))
        return place

    plain = source.parent / "plain"
    harness.copy_app(source, plain)
    (plain / ".s2i" / "environment").unlink()
    with_url = DOCKERFILE.replace("COPY", f"ENV PIP_INDEX_URL={index.url}\nCOPY")
    secret = directory("secret", "netrc") / "netrc"
    mounted = f"--mount=type=secret,id=netrc,target={CREDENTIALS}/netrc,uid=1001"
    ways: dict[str, Callable[[str], str]] = {
        "netrc": lambda image: harness.podman_build(
            with_url, image, plain, f"--volume={directory('netrc', 'netrc')}:{CREDENTIALS}:ro"
        ).text,
        "pip": lambda image: harness.podman_build(
            DOCKERFILE, image, plain, f"--volume={directory('pip', 'pip')}:{CREDENTIALS}:ro"
        ).text,
        "uv": lambda image: harness.podman_build(
            DOCKERFILE, image, plain, f"--volume={directory('uv', 'uv')}:{CREDENTIALS}:ro"
        ).text,
        "secret": lambda image: harness.podman_build(
            with_url.replace("RUN", f"RUN {mounted}"), image, plain, f"--secret=id=netrc,src={secret}"
        ).text,
        "s2i": lambda image: harness.s2i_build(plain, image, f"--volume={directory('s2i', 'pip')}:{CREDENTIALS}:ro").text,
        "inject": lambda image: harness.s2i_build(plain, image, f"--inject={directory('inject', 'pip')}:{CREDENTIALS}").text,
        "image": lambda image: harness.taxiway(
            "image", image, str(source), f"--builder-image={BUILDER}", f"--runtime-image={RUNTIME}",
            f"--credentials={directory('image', 'netrc')}",
        ).text,
        "variable": lambda image: harness.s2i_build(
            plain, image, f"--env=PIP_INDEX_URL={url_with(index, CANARIES['variable'])}"
        ).text,
    }  # fmt: skip
    images = {route: f"{harness.TEST_IMAGES}/credentials-{route}" for route in ways}
    try:
        logs = {}
        for route, build in ways.items():
            index.requests.clear()
            logs[route] = build(images[route])
            assert index.downloads, f"{route}: nothing was installed from the index"
        assert all(canary not in log for log in logs.values() for canary in CANARIES.values())
        assert "PIP_INDEX_URL holds a user name or password, which stays in the image's configuration" in logs["variable"]
        assert not any("stays in the image" in log for route, log in logs.items() if route != "variable")
        for route, image in images.items():
            argv = ["podman", "run", "--rm", image, "/usr/libexec/s2i/save-artifacts"]
            stream = subprocess.run(argv, capture_output=True, check=True, env=harness.environ()).stdout
            assert len(stream) > 100_000 or route == "image", "the runtime image's is the same environment"
            assert CANARIES[route].encode() not in stream
        with saved(*images.values()) as archive:
            found = harness.hits(archive, CANARIES | {"control": "def application"})
        assert found.pop("variable") == {"json"}, "the image's configuration, as the warning said"
        assert found.pop("control") == {"tar"}, "the search does look into layers"
        assert not any(found.values()), found
        environ = harness.image_config(images["variable"])["Env"]
        assert [line.partition("=")[0] for line in environ if CANARIES["variable"] in line] == ["PIP_INDEX_URL"]
    finally:
        podman("rmi", "--force", *images.values(), check=False)


def test_a_credential_that_a_hook_writes_fails_the_build(source: Path, netrc: Path, index: PackageIndex) -> None:
    hook = source / ".taxiway" / "hooks" / "build"
    hook.parent.mkdir(parents=True)
    leaking = (
        f"cat {CREDENTIALS}/netrc\ncp {CREDENTIALS}/netrc $VIRTUAL_ENV/share-it\ngzip -c {CREDENTIALS}/netrc >/tmp/kept.gz\n"
    )
    hook.write_text(f"#!/bin/sh\n{leaking}")
    hook.chmod(0o755)
    with workshop(*given(netrc, index)) as builder:
        with pytest.raises(AssertionError) as caught:
            builder.assemble(source)
        assert "  /opt/app-root/share-it: netrc in /etc/taxiway/credentials" in str(caught.value)
        assert "  /tmp/kept.gz: netrc in /etc/taxiway/credentials" in str(caught.value)
        assert "[secret-in-image]" in str(caught.value)
        assert "login build password ****" in str(caught.value)
        assert CANARIES["netrc"] not in str(caught.value)


LIBRARY = """\
import ctypes

ctypes.CDLL("libyaml-0.so.2")


def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"libyaml is there"]
"""


def test_system_packages(tmp_path: Path, image_name: str) -> None:
    """A shared library that neither image has: taxiway image brings it to the runtime image, which has no apt; s2i can't."""
    source = tmp_path / "app"
    source.mkdir()
    (source / "wsgi.py").write_text(LIBRARY)
    with workshop("--network=none") as builder:
        log = builder.assemble(source)
        assert "The image lacks the shared library libyaml-0.so (Debian package libyaml-0-2)." in log
        (source / "taxiway.toml").write_text('system-packages = ["libyaml-dev"]\n')
        with pytest.raises(AssertionError, match=r"aren't in this image: libyaml-dev\.\n(.*\n)+.*\[system-packages-missing\]"):
            builder.assemble(source)
        builder.assemble(source, "TAXIWAY_SYSTEM_PACKAGES='gcc libpq-dev'")  # they are in the builder image
    harness.taxiway("image", image_name, str(source), f"--builder-image={BUILDER}", f"--runtime-image={RUNTIME}")
    with harness.container(image_name, *harness.ARBITRARY_USER, *harness.HARDENED) as running:
        assert running.wait().body == "libyaml is there"
        listed = running.execute("dpkg-query", "--show", "--showformat=${Package} ")
        assert {"libyaml-0-2", "libc6"} <= set(listed.split())
        assert "libyaml-dev" not in listed.split()
