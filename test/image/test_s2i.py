"""What the real s2i does besides a plain build, and what a Dockerfile does without it."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import harness
import package_index
import pytest
from harness import BUILDER, RUNTIME, container, podman, s2i_build
from package_index import PackageIndex

USER_DOCKERFILE = f"""\
FROM {BUILDER}
COPY . /tmp/src
RUN /usr/libexec/s2i/assemble
CMD /usr/libexec/s2i/run
"""
MULTI_STAGE_DOCKERFILE = f"""\
FROM {BUILDER} AS build
COPY --chown=1001:0 . /tmp/src
RUN /usr/libexec/s2i/assemble
FROM {RUNTIME}
COPY --from=build --chown=1001:0 /opt/app-root /opt/app-root
"""


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PackageIndex]:
    """A package index that the containers can reach."""
    wheels = tmp_path_factory.mktemp("wheels")
    package_index.download(["itsdangerous==2.2.0", "blinker==1.9.0"], wheels)
    package_index.download(["blinker==1.8.2"], wheels)
    gateway = json.loads(podman("network", "inspect", "podman").text)[0]["subnets"][0]["gateway"]
    with PackageIndex(wheels, gateway).serving() as serving:
        yield serving


@pytest.fixture
def locked_app(tmp_path: Path, index: PackageIndex) -> Path:
    """An application whose requirements are on that index."""
    source = tmp_path / "app"
    source.mkdir()
    (source / "requirements.txt").write_text(lock(index, "blinker==1.9.0", "itsdangerous"))
    write_page(source, "first")
    index.requests.clear()
    return source


def lock(index: PackageIndex, *names: str) -> str:
    """Lines that pin files of the index, by the beginnings of their names."""
    return "".join(line for line in index.requirements().splitlines(keepends=True) if line.startswith(names))


def write_page(source: Path, text: str) -> None:
    (source / "wsgi.py").write_text(
        "import blinker, itsdangerous\n\n\n"
        "def application(environ, start_response):\n"
        '    start_response("200 OK", [("Content-Type", "text/plain")])\n'
        f"    return [{text.encode()!r}]\n"
    )


def page(image: str, *options: str, path: str = "/") -> str:
    """What an image answers, as an arbitrary user."""
    with container(image, *harness.ARBITRARY_USER, *options) as running:
        return running.wait(path).body


def test_incremental_build_downloads_what_changed(locked_app: Path, index: PackageIndex, image_name: str) -> None:
    """The dependencies come from the previous image but for a changed pin, and what isn't wanted any more goes."""
    options = ("--incremental", f"--env=PIP_INDEX_URL={index.url}")
    first = s2i_build(locked_app, image_name, *options).text  # there is no previous image
    assert "Installing the dependencies (nothing was installed before)" in first
    assert len(index.downloads) == 2
    assert page(image_name) == "first"

    write_page(locked_app, "second")
    index.requests.clear()
    second = s2i_build(locked_app, image_name, *options).text
    assert "Dependencies: unchanged, taken from the previous image; nothing to download" in second
    assert index.requests == []
    assert page(image_name) == "second"

    (locked_app / "requirements.txt").write_text(lock(index, "blinker==1.8.2"))
    write_page(locked_app, "third")
    (locked_app / "wsgi.py").write_text((locked_app / "wsgi.py").read_text().replace(", itsdangerous", ""))
    index.requests.clear()
    third = s2i_build(locked_app, image_name, *options).text
    assert "Installing the dependencies (blinker 1.9.0 -> 1.8.2, itsdangerous removed)" in third
    assert index.downloads == {"/files/blinker-1.8.2-py3-none-any.whl"}
    assert not any("itsdangerous" in path for path in index.requests)
    assert page(image_name) == "third"
    installed = podman("run", "--rm", image_name, "sh", "-c", "ls /opt/app-root/lib/python3*/site-packages").text
    assert "blinker-1.8.2" in installed
    assert "blinker-1.9.0" not in installed
    assert "itsdangerous" not in installed


def test_save_artifacts_of_an_image_without_dependencies_is_empty() -> None:
    assert podman("run", "--rm", BUILDER, "/usr/libexec/s2i/save-artifacts").text == ""


def test_as_dockerfile(app_source: Callable[[str], Path], image_name: str, tmp_path: Path) -> None:
    """s2i writes a shell-form CMD; the signal still reaches the server."""
    directory = tmp_path / "generated"
    directory.mkdir()
    s2i_build(app_source("plain-wsgi"), image_name, "--as-dockerfile", str(directory / "Dockerfile"))
    podman("build", "--layers=false", "--tag", image_name, str(directory))
    assert harness.image_config(image_name)["Cmd"] == ["/bin/sh", "-c", "/usr/libexec/s2i/run"]
    with container(image_name, *harness.ARBITRARY_USER, *harness.HARDENED) as running:
        running.wait()
        harness.assert_request_in_flight_finishes(running)


def test_as_dockerfile_incremental(locked_app: Path, index: PackageIndex, image_name: str, tmp_path: Path) -> None:
    """The first time there is no image to take artifacts from but the builder itself, whose set is empty."""
    podman("tag", BUILDER, image_name)
    for text, downloads in (("first", 2), ("second", 0)):
        write_page(locked_app, text)
        index.requests.clear()
        directory = tmp_path / text
        directory.mkdir()
        options = ("--incremental", f"--env=PIP_INDEX_URL={index.url}", "--as-dockerfile", str(directory / "Dockerfile"))
        s2i_build(locked_app, image_name, *options)
        podman("build", "--layers=false", "--tag", image_name, str(directory))
        assert len(index.downloads) == downloads
        assert page(image_name) == text


def test_environment_of_the_build_stays(app_source: Callable[[str], Path], image_name: str) -> None:
    """-e and .s2i/environment both; -e wins."""
    s2i_build(app_source("app-module"), image_name, "--env=GREETING=from the command line")
    assert "GREETING=from the command line" in harness.image_config(image_name)["Env"]
    assert "from the command line" in page(image_name)


def test_context_directory(app_source: Callable[[str], Path], image_name: str) -> None:
    app = app_source("plain-wsgi")
    (app.parent / "repository").mkdir()
    app.rename(app.parent / "repository" / "service")
    s2i_build(app.parent / "repository", image_name, "--context-dir=service", "--copy")
    assert "plain WSGI" in page(image_name)


def test_git_repository(app_source: Callable[[str], Path], image_name: str) -> None:
    """s2i clones; the history stays out of the image, the commit is in its labels."""
    app = app_source("plain-wsgi")
    git = ("git", "-c", "user.name=A User", "-c", "user.email=user@example.com", "-C", str(app))
    harness.run(*git, "init", "--quiet")
    harness.run(*git, "add", "--all")
    harness.run(*git, "commit", "--quiet", "--message=First")
    s2i_build(app, image_name)
    assert podman("run", "--rm", image_name, "ls", "-a", "/opt/app-root/src").text.split() == [
        ".",
        "..",
        "__pycache__",
        "wsgi.py",
    ]
    assert harness.image_config(image_name)["Labels"]["io.openshift.s2i.build.commit.message"] == "First"


def test_own_assemble_and_run(app_source: Callable[[str], Path], image_name: str) -> None:
    """A user's scripts that call ours, as s2i-python-container's users have them."""
    app = app_source("plain-wsgi")
    scripts = app / ".s2i" / "bin"
    scripts.mkdir(parents=True)
    (scripts / "assemble").write_text("#!/bin/bash\nset -e\n/usr/libexec/s2i/assemble\necho own >>/opt/app-root/src/own.txt\n")
    (scripts / "run").write_text("#!/bin/bash\necho own run\nexec /usr/libexec/s2i/run\n")
    for script in scripts.iterdir():
        script.chmod(0o755)
    s2i_build(app, image_name)
    with container(image_name) as running:
        running.wait()
        assert "own run" in running.logs()
        assert running.execute("cat", "/opt/app-root/src/own.txt") == "own\n"
        assert ".s2i" in running.execute("ls", "-A", "/opt/app-root/src")
        harness.assert_request_in_flight_finishes(running)


def test_chained_build(build_case: Callable[[str], str], tmp_path: Path, image_name: str) -> None:
    """An application image is a builder image again: its sources are merged with the new ones."""
    first = build_case("plain-wsgi")
    source = tmp_path / "second"
    (source / "extra").mkdir(parents=True)
    (source / "extra" / "__init__.py").write_text('TEXT = "from the second build"\n')
    (source / "app.py").write_text("import wsgi\nfrom extra import TEXT\n\n\ndef application(environ, start_response):\n"
        '    if environ["PATH_INFO"] != "/":\n        return wsgi.application(environ, start_response)\n'
        '    start_response("200 OK", [("Content-Type", "text/plain")])\n    return [TEXT.encode()]\n')  # fmt: skip
    log = harness.run(
        str(harness.ROOT / "scripts" / "s2i-build.sh"), str(source), image_name, "--env=APP_MODULE=app", env={"BUILDER": first}
    ).text
    assert "Dependencies: unchanged, already installed; nothing to download" in log
    with container(image_name, *harness.ARBITRARY_USER) as running:
        assert running.wait().body == "from the second build"
        assert running.get("/slow?seconds=0").body == "slept 0 s\n"


def test_usage() -> None:
    """`s2i usage`, and the builder image as it is, print how to use it and succeed."""
    tool = harness.run(str(harness.ROOT / "scripts" / "s2i-tool.sh")).text.split()[-1]
    socket = harness.run(str(harness.ROOT / "scripts" / "podman-api.sh"), "socket").text.strip()
    by_s2i = harness.run(tool, "usage", BUILDER, "--pull-policy=never", env={"DOCKER_HOST": f"unix://{socket}"}).text
    by_itself = podman("run", "--rm", BUILDER).text
    assert "s2i build SOURCE localhost/taxiway-builder my-app" in by_s2i
    assert "s2i build SOURCE localhost/taxiway-builder my-app" in by_itself


def test_extended_build_onto_the_runtime_image(app_source: Callable[[str], Path], image_name: str) -> None:
    s2i_build(app_source("django-gunicorn"), image_name, f"--runtime-image={RUNTIME}")
    listed = podman("run", "--rm", image_name, "ls", "-A", "/opt/app-root/src").text.split()
    assert "app-root" not in listed  # no second copy
    with container(image_name, *harness.ARBITRARY_USER, *harness.HARDENED) as running:
        running.wait()
        assert running.get("/assets/admin/css/base.css").status == 200
        harness.assert_request_in_flight_finishes(running)
        assert harness.image_config(image_name)["User"] == "1001"


@pytest.mark.parametrize("dockerfile", [USER_DOCKERFILE, MULTI_STAGE_DOCKERFILE], ids=["own", "multi-stage"])
def test_users_dockerfile(dockerfile: str, app_source: Callable[[str], Path], image_name: str) -> None:
    app = app_source("plain-wsgi")
    harness.podman_build(dockerfile, image_name, app)
    with container(image_name, *harness.ARBITRARY_USER, *harness.HARDENED) as running:
        running.wait()
        harness.assert_request_in_flight_finishes(running)


def test_taxiway_image(app_source: Callable[[str], Path], image_name: str) -> None:
    """The build without s2i honours .s2i/environment."""
    app = app_source("app-module")
    log = harness.taxiway("image", image_name, str(app), f"--builder-image={BUILDER}", f"--runtime-image={RUNTIME}").text
    assert f"Built {image_name}" in log
    expected = harness.read_expectation("app-module")
    with container(image_name, *harness.ARBITRARY_USER, *harness.HARDENED) as running:
        running.wait()
        harness.check_requests(running, expected["request"])
