"""Images whose code and environment nobody can change, whoever runs them; each server in test_servers.py runs on one as well."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import harness
import pytest

APPLICATION = """\
import os

HERE = os.path.dirname(os.path.abspath(__file__))


def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    with open(os.path.join(HERE, "media", "upload.txt"), "a") as file:
        file.write("x")
    return [b"written"]
"""
SETTINGS = 'immutable = true\nwritable = ["media"]\nserver = "gunicorn"\n'
# What an intruder would try, in each place where the next request, start or shell could run it; also by taking the rights first.
HOSTILE = """\
cd /opt/app-root
for path in src/wsgi.py bin/python bin/gunicorn lib/python3*/site-packages/gunicorn/util.py .taxiway/launch.json pyvenv.cfg; do
  chmod u+w,g+w "$path" 2>/dev/null
  if (echo x >>"$path") 2>/dev/null; then echo "changed $path"; fi
done
for place in . src bin etc lib lib/python3*/site-packages .taxiway src/__pycache__; do
  chmod u+w,g+w "$place" 2>/dev/null
  if touch "$place/added" 2>/dev/null; then echo "added to $place"; fi
done
touch src/media/upload && echo media
"""


def write_source(directory: Path) -> Path:
    directory.mkdir()
    (directory / "wsgi.py").write_text(APPLICATION)
    (directory / "taxiway.toml").write_text(SETTINGS)
    return directory


@pytest.fixture(scope="module", params=["runtime image", "builder image"])
def image(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """What `taxiway image` makes."""
    source = write_source(tmp_path_factory.mktemp("immutable") / "shop")
    name = f"{harness.TEST_IMAGES}/immutable-{request.param.split()[0]}"
    options = ["--on-builder"] if request.param == "builder image" else []
    images = (f"--builder-image={harness.BUILDER}", f"--runtime-image={harness.RUNTIME}")
    log = harness.taxiway("image", name, str(source), *images, "--engine=podman", *options).text
    assert f"Built {name}" in log
    yield name
    harness.podman("rmi", "--force", name, check=False)


@pytest.mark.parametrize("user", ["--user=1001:0", "--user=1000680000:0"])
def test_nothing_can_be_changed_but_what_is_writable(image: str, user: str) -> None:
    with harness.container(image, user, "--passwd=false") as running:
        assert running.wait().body == "written"
        assert running.execute("sh", "-c", HOSTILE) == "media\n"
        assert "immutable" not in running.logs()


def test_labels_and_audit(image: str) -> None:
    labels = harness.image_config(image)["Labels"]
    assert labels["io.taxiway.immutable"] == "true"
    expected = ["/opt/app-root/src/media", *["/etc/taxiway/credentials"] * ("builder" in image.rpartition("/")[2])]
    assert labels["io.taxiway.writable"].split() == expected
    argv = [sys.executable, "-m", "taxiway", "audit", image]
    env = {**harness.environ(), "PYTHONPATH": str(harness.ROOT / "src")}
    text = subprocess.run(argv, capture_output=True, text=True, check=False, env=env).stdout
    assert f"{image}: " in text
    assert [line for line in text.splitlines() if " F4: " in line or " F5: " in line] == []


def test_plain_s2i_says_what_is_missing(tmp_path: Path, image_name: str) -> None:
    """Files of the running user can be changed by it: a start says so, and OpenShift's users can't."""
    source = write_source(tmp_path / "shop")
    log = harness.s2i_build(source, image_name).text
    assert "immutable: they belong to user 1001 until taxiway image, or assemble-runtime, gives them to root" in log
    labels = harness.image_config(image_name)["Labels"]
    assert labels["io.taxiway.immutable"] == "true"
    assert labels["org.opencontainers.image.title"] == "application"
    assert labels["org.opencontainers.image.licenses"] == "NOASSERTION"
    with harness.container(image_name) as running:
        assert running.wait().body == "written"
        assert "The application is to be immutable, but its files belong to user 1001, as who it runs." in running.logs()
    with harness.container(image_name, *harness.ARBITRARY_USER) as running:
        assert running.wait().body == "written"
        assert running.execute("sh", "-c", HOSTILE) == "media\n"
        assert "The application is to be immutable" not in running.logs()
