"""The environment of hooks and of the server: the same for both.

`.taxiway/environment` always counts; `build-env` and `deploy-env` count in their phase. They are shell files; what they set is
exported. Their older places in `.warpdrive/` are read too.
This module is on the way of every container start.
"""

import os
from collections.abc import Mapping

from taxiway import variables
from taxiway.errors import EnvironmentFileError
from taxiway.layout import Layout, runtime_path

BUILD, DEPLOY = "build", "deploy"

_FILES = {
    BUILD: ("environment", "build-env"),
    DEPLOY: ("environment", "deploy-env"),
}
_OLD_PLACES = {
    "environment": ".warpdrive/environment",
    "build-env": ".warpdrive/action_hooks/build-env",
    "deploy-env": ".warpdrive/action_hooks/deploy-env",
}
_OF_BASH = ("_", "SHLVL", "PWD", "OLDPWD")  # bash sets them for itself


def files(source: str, phase: str) -> list[str]:
    """List the environment files of a phase that are there, in the order in which they count."""
    found = []
    for name in _FILES[phase]:
        for place in (f".taxiway/{name}", _OLD_PLACES[name]):
            path = os.path.join(source, place)
            if os.path.isfile(path):
                found.append(path)
                break
    return found


def resolve(environ: Mapping[str, str], source: str, phase: str, declared: tuple[variables.Variable, ...]) -> dict[str, str]:
    """Return the environment with the files' variables, mounted secrets and the declared defaults added.

    Secrets come first, so that an environment file can put them into a URL; it may also name such a file itself.

    Args:
        environ: The environment of the build or of the container.
        source: The application's source.
        phase: `BUILD` or `DEPLOY`.
        declared: The variables that the application declares.

    Raises:
        EnvironmentFileError: bash can't read an environment file.
        VariableFileError: A mounted secret can't be read.
    """
    optional = phase == BUILD
    environ = variables.read_files(declared, environ, optional=optional)
    environ = load_files(environ, source, phase)
    return variables.fill(declared, variables.read_files(declared, environ, optional=optional))


def load_files(environ: Mapping[str, str], source: str, phase: str) -> dict[str, str]:
    """Return the environment with the files' variables added.

    Raises:
        EnvironmentFileError: bash can't read a file.
    """
    result = dict(environ)
    for path in files(source, phase):
        result = _source(path, result, source)
    return result


def _source(path: str, environ: Mapping[str, str], cwd: str) -> dict[str, str]:
    import subprocess  # noqa: PLC0415  # only where there is such a file; a container start is short
    import tempfile  # noqa: PLC0415

    # The variables come on a descriptor of their own, so that the file may print what it likes, and as much as it likes. Both are
    # files, not pipes: nobody waits for the end of what a process in the background has open.
    with tempfile.TemporaryFile() as found_here, tempfile.TemporaryFile() as printed:
        process = subprocess.run(
            [
                "bash",
                "-c",
                'set -ea; . "$1"; exec /usr/bin/env -0 >&"$2"',
                "bash",
                os.path.abspath(path),
                str(found_here.fileno()),
            ],
            env=dict(environ),
            cwd=cwd,
            pass_fds=(found_here.fileno(),),
            stdin=subprocess.DEVNULL,
            stdout=printed,
            stderr=printed,
            check=False,
        )
        found_here.seek(0)
        data = found_here.read()
        printed.seek(0)
        output = printed.read().decode(errors="replace")
    if process.returncode or not data:  # nothing comes from a file that calls exit
        raise EnvironmentFileError(path, process.returncode, output)
    pairs = (item.partition("=") for item in data.decode(errors="surrogateescape").split("\0") if item)
    found = {name: value for name, _, value in pairs if name not in _OF_BASH}
    return found | {name: environ[name] for name in _OF_BASH if name in environ}


def for_application(environ: Mapping[str, str], layout: Layout, home: str) -> dict[str, str]:
    """Return the environment in which the application's own programs run: its virtual environment is active."""
    result = dict(environ)
    result["VIRTUAL_ENV"] = layout.app_root
    path = result.get("PATH", os.defpath)
    if layout.bin not in path.split(os.pathsep):
        result["PATH"] = os.pathsep.join((layout.bin, path))
    directory = os.path.normpath(os.path.join(layout.source, home))
    places = [
        directory,
        *filter(os.path.isdir, (os.path.join(directory, "src"),)),
        layout.source,
        *filter(os.path.isdir, (os.path.join(layout.source, "src"),)),
        *filter(None, result.get("PYTHONPATH", "").split(os.pathsep)),
        runtime_path(),
    ]
    result["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(places))
    if not os.access(layout.source, os.W_OK):  # Python would try at each import that has no bytecode
        result.setdefault("PYTHONDONTWRITEBYTECODE", "1")
    if layout.local:
        result.setdefault("PYTHONPYCACHEPREFIX", layout.bytecode)
        result.pop("PYTHONDONTWRITEBYTECODE", None)  # who set it wants none in the source; without any, each start compiles anew
        result["TAXIWAY_STATIC_ROOT"] = layout.static_root
    return result
