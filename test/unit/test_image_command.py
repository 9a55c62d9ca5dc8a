"""taxiway image: what it refuses before the engine builds, and what it says where the engine fails."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner
from trees import Tree

from taxiway.cli import taxiway
from taxiway.errors import (
    EngineFailedError,
    NoBuilderImageError,
    NoBuildKitError,
    NoRegistryError,
    NoSourceToImageError,
    NoWheelhouseError,
    PushFailedError,
    TaxiwayError,
    WrongPlatformError,
)
from taxiway.image import building, engines
from taxiway.process import Result

INNER = """\
---> Looking at the application
error: Couldn't read this:
  wsgi.py

Correct it.

[bad-config-file]
Error: building at STEP "RUN /usr/libexec/s2i/assemble": while running runtime: exit status 4
"""


class Engine:
    """Takes the place of all engines."""

    def __init__(self) -> None:
        self.has = {"localhost/taxiway-builder:latest": "linux/amd64", "localhost/taxiway-runtime:latest": "linux/amd64"}
        self.ids: dict[str, str] = {}
        self.ran: list[str] = []
        self.fails: dict[str, Result] = {}
        self.has_mounts = True

        self.recovers = False

    def run(self, engine: str, argv: Sequence[str]) -> Result:
        """Fail with the command that is to fail."""
        self.ran.append(" ".join(argv))
        assert argv[0] == engine
        for file in (word.removeprefix("--iidfile=") for word in argv if word.startswith("--iidfile=")):
            Path(file).write_text("sha256:5eed\n", encoding="ascii")
        return Result(0, "") if self.recovers and len(self.ran) > 1 else self.fails.get(argv[1], Result(0, ""))


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Engine:
    fake = Engine()
    monkeypatch.setattr(engines, "find", lambda names: names[0])
    monkeypatch.setattr(engines, "docker_has_mounts", lambda *, asked: fake.has_mounts)  # noqa: ARG005
    monkeypatch.setattr(engines, "platform_of", lambda _, image: fake.has.get(image))
    monkeypatch.setattr(engines, "id_of", lambda _, image: fake.ids.get(image))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(engines, "digest", lambda _engine, image: f"sha256:of {image}")
    monkeypatch.setattr(building, "run", fake.run)
    monkeypatch.setattr("taxiway.cli.image._INSTALLED", Path("/nowhere"))
    for name in ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DOCKER_BUILDKIT", "")  # undone afterwards
    return fake


@pytest.fixture
def image(tree: Tree) -> Callable[..., str]:
    """Run the command on a small application; what it printed."""
    source = tree(
        {"app/wsgi.py": "def application(environ, start_response): ...\n", "app/requirements.txt": "flask==3\n", "c/netrc": ""}
    )

    def run(*arguments: str, name: str = "localhost/shop") -> str:
        words = [word.replace("TREE", str(source)) for word in arguments]
        result = CliRunner().invoke(taxiway, ["image", name, str(source / "app"), *words])
        if isinstance(result.exception, TaxiwayError):
            raise result.exception
        assert "Traceback" not in result.output
        return result.output

    return run


def test_options(engine: Engine, image: Callable[..., str]) -> None:
    image(
        "--tag=localhost/shop:2",
        "--platform=linux/amd64",
        "--network=host",
        "--secret=id=t,src=TREE/app/wsgi.py",
        "--credentials=TREE/c",
    )
    assert len(engine.ran) == 4
    for argv in engine.ran:
        assert argv.startswith("podman build --pull=never --network=host --platform=linux/amd64 --timestamp=")
        assert " --secret=id=netrc,src=/" in argv
        assert " --secret=id=t,src=/" in argv
    assert ["--no-cache" in argv for argv in engine.ran] == [False, False, False, True]
    assert [" --tag localhost/shop --tag localhost/shop:2 --file " in argv for argv in engine.ran] == [False, False, False, True]


def test_refresh(engine: Engine, image: Callable[..., str]) -> None:
    image("--refresh")
    assert ["--no-cache" in argv for argv in engine.ran] == [True, True, True, True]


def test_a_step_of_images_alone_is_remembered(engine: Engine, image: Callable[..., str]) -> None:
    """The runtime image with the dependencies: as long as both are the same, and the engine still has what came of it."""

    def targets() -> list[str]:
        engine.ran.clear()
        image()
        return [word.removeprefix("--target=") for argv in engine.ran for word in argv.split() if word.startswith("--target=")]

    every = ["dependencies", "base", "build"]
    assert targets() == every
    assert targets() == every, "the engine has it no more"
    engine.ids["5eed"] = "5eed"
    assert targets() == ["dependencies", "build"]
    assert "base: 5eed, made before of the same images" in image()
    engine.ids["localhost/taxiway-runtime:latest"] = "another"
    assert targets() == every
    assert targets() == ["dependencies", "build"]
    engine.ran.clear()
    image("--refresh")
    assert len(engine.ran) == 4


def test_begins_again_where_a_part_was_removed(
    engine: Engine, image: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By whoever removes an image that shares it: the last step then has nothing to copy."""
    engine.ids["5eed"] = "5eed"
    failed = Result(125, "Error: creating build container: 5eed: image not known")

    def run(name: str, argv: Sequence[str]) -> Result:
        engine.run(name, argv)
        if "--tag" in argv:
            return failed if engine.ids.pop("5eed", None) or len(engine.ran) < 7 else Result(0, "")
        return Result(0, "")

    monkeypatch.setattr(building, "run", run)
    assert "Another process removed what podman had built so far; once more" in image()
    assert ["--tag" in argv for argv in engine.ran] == [False] * 3 + [True] * 3 + [False] * 3 + [True]
    engine.ran.clear()
    engine.ids["5eed"] = "5eed"
    monkeypatch.setattr(building, "run", lambda *_: failed)
    with pytest.raises(EngineFailedError):
        image()


def test_push(engine: Engine, image: Callable[..., str]) -> None:
    image("--push", "--tag=here:5000/shop:2", "--insecure-registry", name="registry.example.org/shop")
    assert engine.ran[4:] == [
        "podman push --tls-verify=false registry.example.org/shop",
        "podman push --tls-verify=false here:5000/shop:2",
    ]


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        (["--builder-image=localhost/mine"], NoBuilderImageError, "Or fetch it: podman pull localhost/mine"),
        (["--runtime-image=localhost/mine"], NoBuilderImageError, "make images"),
        (["--platform=linux/arm64"], WrongPlatformError, "is for linux/amd64, and --platform asks for linux/arm64."),
        (["--no-network"], NoWheelhouseError, "requirements.txt asks for packages"),
        (["--push"], NoRegistryError, "localhost/shop says no registry"),
        (["--push", "--tag=shop:1"], NoRegistryError, "says no registry"),
        (["--s2i"], NoSourceToImageError, "no such command"),
    ],
)
def test_refused(  # noqa: PLR0917
    arguments: list[str],
    error: type[TaxiwayError],
    said: str,
    engine: Engine,
    image: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(error) as caught:
        image(*arguments)
    assert said in str(caught.value)
    assert not engine.ran


def test_docker_without_buildkit(engine: Engine, image: Callable[..., str]) -> None:
    """Its classic builder knows no mounts: neither secrets nor a cache."""
    engine.has_mounts = False
    with pytest.raises(NoBuildKitError) as caught:
        image("--credentials=TREE/c", "--secret=id=t,src=TREE/app/wsgi.py", "--engine=docker")
    assert "what --credentials and --secret name" in str(caught.value)
    image("--engine=docker")
    assert "--mount" not in image("--engine=docker", "-f")
    assert "--mount=type=cache" in image("-f")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--env=NAME"], "'NAME' isn't NAME=VALUE on one line"),
        (["--label=a=b\nRUN rm"], "isn't NAME=VALUE on one line"),
        (["--secret=id=a,src=/nowhere/at/all"], "isn't id=NAME,src=FILE with a file that is there"),
        (["--secret=src=/etc/passwd"], "isn't id=NAME,src=FILE"),
        (["--network=host", "--no-network"], "can't both be given"),
    ],
)
def test_wrong_options(arguments: list[str], said: str, engine: Engine, image: Callable[..., str]) -> None:
    assert said in " ".join(image(*arguments).split())
    assert not engine.ran


def test_the_builds_own_error_comes_last(engine: Engine, image: Callable[..., str]) -> None:
    engine.fails["build"] = Result(125, INNER)
    with pytest.raises(EngineFailedError) as caught:
        image()
    assert str(caught.value) == (
        "The image wasn't built: podman build ended with exit status 125.\n\n"
        "An image of that name from an earlier build is unchanged.\n\n"
        "The error in the build: Couldn't read this:\n  wsgi.py\n\nCorrect it.\n\n[bad-config-file]"
    )


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ("Error: writing blob: no space left on device", "The disk is full. podman system df tells"),
        ("  invalid peer certificate: UnknownIssuer\nError: building", "Name its file in SSL_CERT_FILE"),
        ("dns error: failed to lookup address information", "--network=host"),
        ("Error: No such option '--dependencies-only'.", "--one-layer"),
        ("exec /usr/bin/dumb-init: exec format error", "apt-get install qemu-user-static"),
        ("Error: runc: error setting rlimit type 7: operation not permitted: OCI permission denied", "taxiway doctor"),
        ("Error: OCI runtime error: crun: unknown version specified", "taxiway doctor"),
        ("Installed cgroup-tools==1\n1\n2\n3", ""),
        ("something else", ""),
    ],
)
def test_advice(output: str, said: str, engine: Engine, image: Callable[..., str]) -> None:
    engine.fails["build"] = Result(1, output)
    with pytest.raises(EngineFailedError) as caught:
        image()
    assert said in str(caught.value)
    assert output.splitlines()[-1] in str(caught.value)
    assert bool(said) == bool(building.advice(output, "podman"))


def test_a_removal_by_another_process(engine: Engine, image: Callable[..., str]) -> None:
    """Podman's defect: the build is begun once more, with what is in the cache already."""
    engine.fails["build"] = Result(125, "Error: checking if cached image exists: getting top layer info: layer not known")
    with pytest.raises(EngineFailedError):
        image()
    assert len(engine.ran) == 3
    engine.ran.clear()
    engine.recovers = True
    assert "podman met an image that is just being removed; once more" in image()


@pytest.mark.usefixtures("engine")
def test_by_the_s2i_tool(image: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    """It writes a Dockerfile; what it has no options for is added."""
    asked: list[list[str]] = []

    def ask(argv: list[str]) -> subprocess.CompletedProcess[str]:
        asked.append(argv)
        Path(argv[-1]).write_text("FROM b\nCOPY upload/src /tmp/src\nRUN /usr/libexec/s2i/assemble\nCMD /usr/libexec/s2i/run\n")
        return subprocess.CompletedProcess(argv, 0, "", "")

    monkeypatch.setattr(shutil, "which", lambda _: "/bin/s2i")
    monkeypatch.setattr(engines, "ask", ask)
    text = image("--s2i", "--env=A=b", "--build-env=C=d e", "--secret=id=t,src=TREE/c/netrc", "--label=x=y", "-f")
    (argv,) = asked
    assert argv[:2] == ["/bin/s2i", "build"]
    assert argv[3:-2] == ["localhost/taxiway-builder:latest", "localhost/shop", "--copy", "--env=A=b"]
    assert text.startswith(
        "FROM b\nCOPY upload/src /tmp/src\n"
        "RUN --mount=type=secret,id=t,target=/run/secrets/t,uid=1001 C='d e' /usr/libexec/s2i/assemble\n"
        "CMD /usr/libexec/s2i/run\nLABEL "
    )
    assert text.endswith(' \\\n      "x"="y"\n')


def test_a_failed_push(engine: Engine, image: Callable[..., str]) -> None:
    engine.fails["push"] = Result(1, "unauthorized\n")
    with pytest.raises(PushFailedError) as caught:
        image("--push", name="registry.example.org/shop")
    assert "podman push registry.example.org/shop ended with exit status 1" in str(caught.value)
    assert "podman login registry.example.org" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "registry"),
    [
        ("shop", None),
        ("localhost/shop", None),
        ("user/shop", None),
        ("a.b/shop:1", "a.b"),
        ("localhost:5000/a/b", "localhost:5000"),
    ],
)
def test_registry_of(name: str, registry: str | None) -> None:
    assert engines.registry_of(name) == registry


def test_own_error_in_buildkits_output() -> None:
    """BuildKit numbers lines, and classic Docker colours them."""
    lines = ["#9 0.5 error: One:", "#9 0.6", "#9 0.6 [bad-lock]", "\x1b[91merror: Two:\x1b[0m", "", "[no-lock]"]
    text = "\n".join(building.line_of(line) for line in lines)
    assert building.own_error(text) == "Two:\n\n[no-lock]"


@pytest.mark.programs
@pytest.mark.skipif(sys.platform != "linux", reason="process namespaces are Linux's")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted(number: signal.Signals, tmp_path: Path) -> None:
    """What runs in a container is killed, and the engine is waited for: it cleans up by itself. SIGTERM is as good as Ctrl-C."""
    script = tmp_path / "engine"
    contained = "unshare --map-root-user --pid --fork sleep 60" if os.geteuid() else "unshare --pid --fork sleep 60"
    if subprocess.run(contained.replace("sleep 60", "true").split(), check=False, capture_output=True).returncode:
        pytest.skip("no namespaces here")
    script.write_text(f"#!/bin/sh\necho begun\n{contained}\necho cleaned up >{tmp_path}/done\nexit 1\n")
    script.chmod(0o755)

    def interrupt() -> None:
        time.sleep(0.5)
        os.kill(os.getpid(), number)

    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        building.run("podman", [str(script)])
    assert (tmp_path / "done").read_text() == "cleaned up\n"
