"""Images without the s2i tool: the Dockerfile and the engine's command."""

import re
import shutil
import subprocess
from types import SimpleNamespace

import pytest

from taxiway.errors import NoEngineError
from taxiway.image import dockerfile, engines
from taxiway.image.dockerfile import ImagePlan, Layers, parse_s2i_environment, render


def test_dockerfile() -> None:
    plan = ImagePlan(builder="builder:1", runtime="runtime:1", environment={"A": "b c"})
    assert render(plan) == (
        "FROM builder:1 AS build\n"
        'ENV A="b c"\n'
        "COPY --chown=1001:0 . /tmp/src\n"
        "RUN /usr/libexec/s2i/assemble\n"
        "\n"
        "FROM runtime:1\n"
        'ENV A="b c"\n'
        "COPY --from=build --chown=1001:0 /opt/app-root /opt/app-root\n"
        'CMD ["/usr/libexec/s2i/run"]\n'
    )


def test_dockerfile_on_the_builder() -> None:
    plan = ImagePlan(builder="builder:1", runtime=None, assemble="/a", run="/r")
    assert render(plan) == 'FROM builder:1 AS build\nCOPY --chown=1001:0 . /tmp/src\nRUN /a\nCMD ["/r"]\n'


def test_layers() -> None:
    """What decides the dependencies is copied to the same places as the source will be; the rest follows in a second layer."""
    layers = Layers(
        inputs=(".taxiway/wheelhouse/", "my reqs.txt", "pyproject.toml", "requirements/prod.txt"),
        home="web",
        packages=("mod_wsgi", "supervisor"),
        tentative=True,
        may_remove=True,
    )
    plan = ImagePlan(
        builder="b:1", runtime="r:1", environment={"A": "1"}, build_environment={"B": "x y"}, layers=layers, cache=True
    )
    cache = "--mount=type=cache,id=taxiway,target=/tmp/cache,uid=1001,gid=0 UV_CACHE_DIR=/tmp/cache/uv"
    run = f"RUN {cache} B='x y' /usr/libexec/s2i/assemble"
    assert render(plan).splitlines() == [
        "FROM b:1 AS dependencies",
        'ENV A="1"',
        "COPY --chown=1001:0 .taxiway/wheelhouse/ /tmp/src/.taxiway/wheelhouse/",
        'COPY --chown=1001:0 ["my reqs.txt", "pyproject.toml", "/tmp/src/"]',
        "COPY --chown=1001:0 requirements/prod.txt /tmp/src/requirements/",
        f"{run} --dependencies-only --home=web --package=mod_wsgi --package=supervisor --tentative",
        "",
        "FROM dependencies AS build",
        "COPY --chown=1001:0 . /tmp/src",
        f"{run} --layer=/tmp/layer --may-remove",
        "",
        "FROM r:1",
        'ENV A="1"',
        "COPY --from=dependencies --chown=1001:0 /opt/app-root /opt/app-root",
        "COPY --from=build --chown=1001:0 /tmp/layer /opt/app-root",
        "RUN cd /opt/app-root && xargs --null rm -rf .taxiway/removed <.taxiway/removed",
        'CMD ["/usr/libexec/s2i/run"]',
    ]


def test_layers_on_the_builder() -> None:
    """The engine's own layers, so that what the dependencies replace of an older application is gone."""
    plan = ImagePlan(builder="b:1", runtime=None, layers=Layers(inputs=("a",)), labels={"x.y": 'a "b"'})
    assert render(plan).splitlines()[-4:] == [
        "FROM dependencies",
        "COPY --from=build --chown=1001:0 /tmp/layer /opt/app-root",
        'LABEL "x.y"="a \\"b\\""',
        'CMD ["/usr/libexec/s2i/run"]',
    ]


@pytest.mark.parametrize(
    ("value", "quoted"),
    [("", '""'), ('"x"', r'"\"x\""'), ("$HOME ${A}", r'"\$HOME \${A}"'), ("a\\b", r'"a\\b"'), ("it's", '"it\'s"')],
)
def test_values_are_kept_as_they_are(value: str, quoted: str) -> None:
    """A Dockerfile would take quotes off and expand variables."""
    plan = ImagePlan(builder="b", runtime=None, environment={"A": value})
    assert f"\nENV A={quoted}\n" in render(plan)


@pytest.mark.parametrize(
    ("text", "variables"),
    [
        ("", {}),
        ("A=1\nB = 2 \n", {"A": "1", "B": "2"}),
        ('A="x y"\n', {"A": '"x y"'}),
        ("A=b=c\n", {"A": "b=c"}),
        ("A=$HOME\n", {"A": "$HOME"}),
        ("# A=1\n\nno value\n=x\n", {}),
        ("A=1\r\nA=2\r\n", {"A": "2"}),
        ("A=\n", {"A": ""}),
    ],
)
def test_s2i_environment(text: str, variables: dict[str, str]) -> None:
    assert parse_s2i_environment(text) == variables


def answers(monkeypatch: pytest.MonkeyPatch, found: dict[str, tuple[int, str]]) -> None:
    """Let some engines exist, each with the exit status and error of its `info`."""

    def run(argv: list[str], **_: object) -> SimpleNamespace:
        status, errors = found[argv[0]]
        return SimpleNamespace(returncode=status, stderr=errors)

    monkeypatch.setattr(shutil, "which", lambda name: f"/bin/{name}" if name in found else None)
    monkeypatch.setattr(subprocess, "run", run)


@pytest.mark.parametrize(
    ("found", "engine"),
    [
        ({"podman": (0, ""), "docker": (0, "")}, "podman"),
        ({"docker": (0, "")}, "docker"),
        ({"podman": (125, "x"), "docker": (0, "")}, "docker"),
    ],
)
def test_find(monkeypatch: pytest.MonkeyPatch, found: dict[str, tuple[int, str]], engine: str) -> None:
    answers(monkeypatch, found)
    assert engines.find() == engine


def test_no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, {"docker": (1, "Client:\nCannot connect to the Docker daemon\n")})
    with pytest.raises(NoEngineError) as caught:
        engines.find(engines.BUILDERS)
    assert str(caught.value) == (
        "Couldn't find a container engine that works. Tried:\n"
        "  podman: no such command\n"
        "  docker info: Cannot connect to the Docker daemon\n"
        "  buildah: no such command\n\n"
        "Install Podman (Debian, Ubuntu: apt-get install podman; Fedora: dnf install podman), or start Docker's service.\n"
        "What is missing on this machine: taxiway doctor"
    )


@pytest.mark.parametrize(
    ("engine", "options"),
    [("podman", ["--pull=never"]), ("docker", ["--pull=false", "--force-rm"]), ("buildah", ["--pull-never", "--layers"])],
)
def test_build_command(engine: str, options: list[str]) -> None:
    argv = engines.build_command(engine, images=["shop", "shop:1"], dockerfile="/d/Dockerfile", context=".")
    assert argv == [engine, "build", *options, "--tag", "shop", "--tag", "shop:1", "--file", "/d/Dockerfile", "."]


@pytest.mark.parametrize(
    ("environ", "client", "asked", "expected"),
    [
        ({}, "27.1 with buildx", False, True),
        ({"DOCKER_BUILDKIT": "0"}, "27.1 with buildx", True, False),
        ({}, "20.10.24+dfsg1", True, True),
        ({}, "20.10.24+dfsg1", False, False),
        ({}, "27.1", True, False),
        ({}, "", True, False),
    ],
)
def test_mounts_of_docker(
    monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], client: str, *, asked: bool, expected: bool
) -> None:
    def ask(argv: list[str]) -> SimpleNamespace:
        return SimpleNamespace(returncode=int("buildx" not in client), stdout=client if "--format" in argv else "")

    monkeypatch.setattr(engines, "ask", ask)
    assert engines.docker_has_mounts(asked=asked, environ=environ) is expected


def test_credentials_are_secrets_of_the_engine() -> None:
    """Mounted for the one command, by the names of their files; the engine alone knows where they are."""
    plan = ImagePlan(builder="b", runtime=None, credentials=("netrc", "ca.crt"), credentials_place="/c")
    assert (
        "RUN --mount=type=secret,id=netrc,target=/c/netrc,uid=1001 --mount=type=secret,id=ca.crt,target=/c/ca.crt,uid=1001 "
        "/usr/libexec/s2i/assemble\n"
    ) in render(plan)
    argv = engines.build_command("podman", images=["i"], dockerfile="d", context=".", secrets={"netrc": "/home/me/netrc"})
    assert "--secret=id=netrc,src=/home/me/netrc" in argv


def test_immutable() -> None:
    """What is copied belongs to root, and a step as root sees to what lies in the image below."""
    plan = ImagePlan(builder="b", runtime="r", immutable=True)
    assert render(plan).splitlines()[-6:] == [
        "FROM r",
        "COPY --from=build --chown=0:0 /opt/app-root /opt/app-root",
        "USER 0",
        "RUN taxiway assemble-runtime --in-place",
        "USER 1001",
        'CMD ["/usr/libexec/s2i/run"]',
    ]
    layers = Layers(inputs=("requirements.txt",), may_remove=True)
    text = render(ImagePlan(builder="b", runtime=None, immutable=True, layers=layers, packages=("libxml2",)))
    last = text.partition("\nFROM b\n")[2].splitlines()
    assert last[0] == "USER 0"
    assert "apt-get install" in last[1]
    assert last[2:5] == [
        "USER 1001",
        "COPY --from=dependencies --chown=0:0 /opt/app-root /opt/app-root",
        "COPY --from=build --chown=0:0 /tmp/layer /opt/app-root",
    ]
    assert last[5] == "USER 0"
    assert last[6].startswith("RUN cd /opt/app-root && xargs --null rm -rf ")
    assert last[7:9] == ["RUN taxiway assemble-runtime --in-place", "USER 1001"]


STEPS = {
    "layers": ImagePlan(builder="b", runtime="r", layers=Layers(inputs=("uv.lock",)), labels={"l": "1"}),
    "one layer": ImagePlan(builder="b", runtime="r"),
    "on the builder": ImagePlan(builder="b", runtime=None, layers=Layers(inputs=("uv.lock",))),
    "all on the builder": ImagePlan(builder="b", runtime=None),
}


@pytest.mark.parametrize(
    ("plan", "targets", "begins"),
    [
        (
            STEPS["layers"],
            ["dependencies", "base", "build", None],
            "FROM {base}\nCOPY --from={build} --chown=1001:0 /tmp/layer /opt/app-root\n",
        ),
        (
            STEPS["one layer"],
            ["base", "build", None],
            "FROM {base}\nCOPY --from={build} --chown=1001:0 /opt/app-root /opt/app-root\n",
        ),
        (
            STEPS["on the builder"],
            ["dependencies", "build", None],
            "FROM {dependencies}\nCOPY --from={build} --chown=1001:0 /tmp/layer",
        ),
        (STEPS["all on the builder"], [None], 'FROM b AS build\nLABEL io.taxiway.created="99"\nCOPY '),
    ],
    ids=STEPS,
)
def test_steps(plan: ImagePlan, targets: list[str | None], begins: str) -> None:
    """The same instructions as the Dockerfile's, but for the label; the last step copies what the others made."""
    steps = dockerfile.steps(plan, 99)
    assert [step.target for step in steps] == targets
    assert [step.timestamp_s for step in steps] == [*[dockerfile.DEPENDENCIES_TIME_S] * (len(steps) - 1), 99]
    assert steps[-1].dockerfile.startswith(begins)
    written = {
        re.sub(r"\{(\w+)\}", r"\1", line).replace("SOURCE_DATE_EPOCH=99 ", "")
        for step in steps
        for line in step.dockerfile.splitlines()
    }
    left_out = set(render(plan).splitlines()) - written - {""}
    assert all(line.startswith("FROM ") for line in left_out)
    text = "".join({step.dockerfile for step in steps})
    assert text.count("SOURCE_DATE_EPOCH=99 ") == text.count("io.taxiway.created") == 1
    assert [step.target for step in steps if step.only_images] == ["base"] * (plan is STEPS["layers"])


def test_command_of_a_step() -> None:
    argv = engines.build_command(
        "podman", images=(), dockerfile="d", context=".", timestamp_s=0, target="base", id_file="i", cached=False
    )
    assert argv[3:] == ["--timestamp=0", "--target=base", "--iidfile=i", "--no-cache", "--file", "d", "."]
