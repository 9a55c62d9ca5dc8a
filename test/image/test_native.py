"""C extensions that an index has as source only: compiled in the build, or refused with the Debian package that is missing."""

import re
from collections.abc import Iterator
from pathlib import Path

import package_index
import pytest
from package_index import PackageIndex
from workshop import gateway, workshop

EXTENSION = """\
#define PY_SSIZE_T_CLEAN
#include <Python.h>
{include}

static PyObject *answer(PyObject *self, PyObject *args) {{
    return PyUnicode_FromString({answer});
}}

static PyMethodDef methods[] = {{{{"answer", answer, METH_NOARGS, ""}}, {{NULL, NULL, 0, NULL}}}};
static struct PyModuleDef module = {{PyModuleDef_HEAD_INIT, "{name}", "", -1, methods}};

PyMODINIT_FUNC PyInit_{name}(void) {{
    return PyModule_Create(&module);
}}
"""
WSGI = """\
import fast


def application(environ, start_response):
    start_response("200 OK", [])
    return [fast.answer().encode()]
"""


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PackageIndex]:
    """`fast` needs nothing but Python, `yamlish` a library whose headers and whose file the builder image lacks."""
    files = tmp_path_factory.mktemp("index")
    package_index.make_extension(files, "fast", "1.0", EXTENSION.format(name="fast", include="", answer='"from C"'))
    yaml = EXTENSION.format(name="yamlish", include="#include <yaml.h>", answer="yaml_get_version_string()")
    package_index.make_extension(files, "yamlish", "0.3", yaml, ["yaml"])
    with PackageIndex(files, gateway()).serving() as serving:
        yield serving


def write(top: Path, index: PackageIndex, *names: str) -> Path:
    """An application that pins sources of the index, with hashes."""
    top.mkdir()
    (top / "wsgi.py").write_text(WSGI)
    (top / "requirements.txt").write_text(
        "".join(line for line in index.requirements().splitlines(keepends=True) if line.startswith(names))
    )
    return top


def test_extension_is_compiled(tmp_path: Path, index: PackageIndex) -> None:
    """By the builder image's compiler and setuptools, the same bytes whichever installer asks for it; the build says so."""
    source = write(tmp_path / "app", index, "fast")
    with workshop(f"--env=PIP_INDEX_URL={index.url}", f"--env=PIP_TRUSTED_HOST={gateway()}") as builder:
        made = set()
        for tool in ("uv", "pip"):
            log = builder.assemble(source, f"TAXIWAY_INSTALLER={tool}")
            made.add(builder.sh("sha256sum /opt/app-root/lib/python3*/site-packages/fast*.so"))
            assert "compiled from source, because there is no wheel for this Python: fast 1.0" in log
            assert builder.sh("python -c 'import fast; print(fast.answer(), fast.__file__)'").startswith(
                "from C /opt/app-root/lib/python3"
            )
            assert "packages have the files that were installed" in builder.sh("taxiway verify --files")
            builder.sh("echo {} >/opt/app-root/.taxiway/dependencies.json")  # so that the other one installs it again
        assert len(made) == 1


def test_missing_header(tmp_path: Path, index: PackageIndex) -> None:
    """Named with its package and line, and the Debian package that has it; a build as root that declares this one succeeds."""
    source = write(tmp_path / "app", index, "fast", "yamlish")
    options = (f"--env=PIP_INDEX_URL={index.url}", f"--env=PIP_TRUSTED_HOST={gateway()}", "--user=0")
    with workshop(*options) as builder:
        for tool in ("uv", "pip"):
            with pytest.raises(AssertionError) as caught:
                builder.assemble(source, f"TAXIWAY_INSTALLER={tool}")
            told = str(caught.value).rpartition("error: Couldn't install the requirements")[2]
            assert "\n  yamlish==0.3 (requirements.txt line 2)" in told
            assert "The image lacks the header yaml.h (Debian package libyaml-dev)." in told
            assert 'Declare it in [tool.taxiway]: system-packages = ["libyaml-dev"].' in told
            assert told.rstrip().endswith("[dependencies-failed]")
        log = builder.assemble(source, "TAXIWAY_SYSTEM_PACKAGES=libyaml-dev")
        assert re.search(r"compiled from source, because there is no wheel for this Python: .*yamlish 0\.3", log)
        assert builder.sh("python -c 'import yamlish; print(yamlish.answer())'").startswith("0.")
