"""What the images are: identity, contents, and nothing of the machine that built them."""

import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import harness
import pytest
from harness import BUILDER, RUNTIME, podman

MB = 1000 * 1000  # as `podman images` counts
IMAGES = {"builder": BUILDER, "runtime": RUNTIME}


def shell(image: str, script: str, *options: str) -> str:
    """Run a shell script in an image, as root so that it can read everything."""
    return podman("run", "--rm", "--network=none", "--user=0", *options, "--entrypoint=/bin/sh", image, "-c", script).text


def certificates(bundle: str) -> set[str]:
    """The certificates of a PEM bundle, without line breaks."""
    found = re.findall(r"-----BEGIN CERTIFICATE-----(.*?)-----END", bundle, re.DOTALL)
    return {"".join(text.split()) for text in found}


def image_size(image: str) -> int:
    """The uncompressed size of an image, in bytes."""
    found: list[dict[str, int]] = json.loads(podman("image", "inspect", image).text)
    return found[0]["Size"]


@pytest.mark.parametrize("image", IMAGES.values(), ids=IMAGES)
def test_configuration(image: str) -> None:
    config = harness.image_config(image)
    assert config["User"] == "1001"
    assert config["WorkingDir"] == "/opt/app-root/src"
    assert config["Entrypoint"] == ["/usr/bin/dumb-init", "--single-child", "--", "container-entrypoint"]
    assert config["ExposedPorts"] == {"8080/tcp": {}}
    variables = dict(pair.split("=", 1) for pair in config["Env"])
    assert variables["VIRTUAL_ENV"] == variables["APP_ROOT"] == "/opt/app-root"
    assert variables["HOME"] == "/opt/app-root/src"
    assert variables["STI_SCRIPTS_PATH"] == "/usr/libexec/s2i"
    assert [name for name in variables if name.startswith(("PIP_", "UV_", "SSL_", "REQUESTS_", "CURL_"))] == []
    labels = config["Labels"]
    for name in ("io.openshift.s2i.scripts-url", "io.s2i.scripts-url"):
        assert labels[name] == "image:///usr/libexec/s2i"
    oci = ("title", "description", "version", "vendor", "licenses", "base.name", "base.digest")
    assert [name for name in oci if not labels.get(f"org.opencontainers.image.{name}")] == []
    assert [name for name in ("name", "vendor", "version", "release", "summary", "maintainer") if not labels.get(name)] == []
    assert config["StopSignal"] in {"SIGTERM", "15"}
    for name in ("io.k8s.display-name", "io.k8s.description", "io.openshift.expose-services", "io.openshift.tags"):
        assert labels[name]


@pytest.mark.parametrize("image", IMAGES.values(), ids=IMAGES)
def test_no_way_to_more_privileges(image: str) -> None:
    assert shell(image, "find / -xdev -type f -perm /6000") == ""
    assert shell(image, "find / -xdev -type f -perm -0002 -not -path '/proc/*'") == ""
    users = [line.split(":") for line in shell(image, "cat /etc/passwd").splitlines()]
    assert [user[0] for user in users if user[2] == "0"] == ["root"]
    assert [user[0] for user in users if user[2] == "1001" and user[3] == "0"] == ["default"]
    passwords = [line.split(":")[1] for line in shell(image, "cat /etc/shadow").splitlines()]
    assert all(password.startswith(("!", "*")) for password in passwords)
    assert shell(image, "command -v sudo su doas || true") == ""


@pytest.mark.parametrize("image", IMAGES.values(), ids=IMAGES)
def test_group_0_owns_the_application_s_place(image: str) -> None:
    wrong = shell(image, "find /opt/app-root -not -type l \\( -not -group 0 -o -not -perm -g=rw \\)")
    assert wrong == ""


@pytest.mark.parametrize("image", IMAGES.values(), ids=IMAGES)
def test_standard_library_is_compiled_for_any_file_time(image: str) -> None:
    """Bytecode with an unchecked hash (PEP 552): flags 1 in its header."""
    script = (
        "import json, os, pathlib, sysconfig\n"
        "root = pathlib.Path(sysconfig.get_path('stdlib'))\n"
        "flags = [int.from_bytes(p.read_bytes()[4:8], 'little') for p in root.rglob('*.pyc')]\n"
        "print(len(flags), set(flags))"
    )
    count, flags = podman("run", "--rm", "--entrypoint=python3", image, "-c", script).text.split(" ", 1)
    assert int(count) > 300
    assert flags.strip() == "{1}"


def test_runtime_has_no_build_tools() -> None:
    assert shell(RUNTIME, "command -v gcc cc make git curl wget pip pip3 uv apt-get perl || true") == ""
    assert shell(RUNTIME, "find / -xdev -name '*.h' -not -path '*/site-packages/*' -type f | head") == ""
    config = json.dumps(harness.image_config(RUNTIME))
    assert "index" not in config.lower()


@pytest.mark.parametrize("image", IMAGES.values(), ids=IMAGES)
def test_nothing_of_the_building_machine(image: str) -> None:
    """Neither its certificate authorities nor its package index, in the files, the configuration or the history."""
    history = podman("history", "--no-trunc", "--format=json", image).text + json.dumps(harness.image_config(image))
    try:  # not in a container: this machine's certificates may be mounted into those
        root = Path(podman("image", "mount", image).text.strip())
        bundle = certificates((root / "etc/ssl/certs/ca-certificates.crt").read_text())
    finally:
        podman("image", "unmount", image)
    assert len(bundle) > 50
    for path in Path("/usr/local/share/ca-certificates").rglob("*.crt"):
        assert not certificates(path.read_text()) & bundle, path
    for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "UV_INDEX_URL", "UV_DEFAULT_INDEX"):
        if value := os.environ.get(name):
            assert value not in history
            assert shell(image, f"grep -rlF -- '{value}' /etc /opt /root 2>/dev/null || true") == ""
    assert shell(image, "ls -A /usr/local/share/ca-certificates 2>/dev/null || true") == ""
    assert (
        shell(image, "find / -xdev \\( -name pip.conf -o -name .netrc -o -name uv.toml -o -name .pypirc \\) -not -path '/proc/*'")
        == ""
    )
    assert "PIP_CERT" not in history


def test_sizes() -> None:
    """The figures of benchmarks/README.md; a package that sneaks in shows here."""
    assert image_size(RUNTIME) <= 115 * MB
    assert image_size(BUILDER) <= 345 * MB  # 4 of them: cyclonedx-python-lib, for bills of materials


def test_compiles_an_extension(tmp_path: Path, image_name: str) -> None:
    """The builder has a compiler and Python's headers."""
    app = tmp_path / "app"
    (app / "speedups").mkdir(parents=True)
    (app / "speedups" / "fast.c").write_text(
        "#include <Python.h>\n"
        'static PyObject *answer(PyObject *m, PyObject *a) { return PyUnicode_FromString("compiled"); }\n'
        'static PyMethodDef methods[] = {{"answer", answer, METH_NOARGS, ""}, {NULL, NULL, 0, NULL}};\n'
        'static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "fast", "", -1, methods};\n'
        "PyMODINIT_FUNC PyInit_fast(void) { return PyModule_Create(&module); }\n"
    )
    (app / "wsgi.py").write_text(
        "import fast\n\n\ndef application(environ, start_response):\n"
        '    start_response("200 OK", [("Content-Type", "text/plain")])\n    return [fast.answer().encode()]\n'
    )
    hook = app / ".taxiway" / "hooks" / "build"
    hook.parent.mkdir(parents=True)
    hook.write_text("#!/bin/sh\nset -eu\ngcc -shared -fPIC $(python3-config --includes) -o fast.abi3.so speedups/fast.c\n")
    hook.chmod(0o755)
    harness.s2i_build(app, image_name)
    with harness.container(image_name) as running:
        assert running.wait().body == "compiled"


def test_application_s_files(build_case: Callable[[str], str]) -> None:
    """In an application image: group 0 may do what the owner may, and all bytecode is valid for any file time."""
    image = build_case("django-gunicorn")
    assert shell(image, "find /opt/app-root -xdev -not -type l \\( -not -group 0 -o -not -perm -g=rw \\)") == ""
    assert shell(image, "find / -xdev -type f -perm /6000") == ""
    script = (
        "import pathlib\n"
        "flags = [int.from_bytes(p.read_bytes()[4:8], 'little') for p in pathlib.Path('/opt/app-root').rglob('*.pyc')]\n"
        "print(len(flags), set(flags))"
    )
    count, flags = podman("run", "--rm", "--entrypoint=python3", image, "-c", script).text.split(" ", 1)
    assert int(count) > 500
    assert flags.strip() == "{1}"
    assert re.findall(r"PIP_\w+|UV_\w+|SSL_\w+", json.dumps(harness.image_config(image)["Env"])) == []
    assert "src" not in shell(image, "ls /tmp")  # the upload doesn't stay
