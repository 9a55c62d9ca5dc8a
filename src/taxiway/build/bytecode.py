"""Compiling to bytecode whose validity doesn't depend on file times (PEP 552, unchecked hash).

An image's layers may carry other times than the files had, and an unwritable root couldn't repair stale bytecode: each start
would then compile everything again. Directories named `tests` in the dependencies are left out.
"""

from collections.abc import Mapping
from pathlib import Path

from taxiway import console
from taxiway.errors import BytecodeError
from taxiway.layout import Layout, runtime_path
from taxiway.process import run

_SCRIPT = "taxiway_runtime/compile_bytecode.py"


def compile_dependencies(layout: Layout, environ: Mapping[str, str], *, since_s: float) -> None:
    """Compile the dependencies with the application's interpreter, but only what isn't compiled yet.

    Args:
        layout: The application's places.
        environ: The environment.
        since_s: Bytecode is trusted without a look into it, if neither it nor its source was touched since then.

    Raises:
        BytecodeError: It ended with an error; a file that isn't valid Python is only reported.
    """
    _compile([(since_s, path) for path in _site_packages(layout)], layout, environ)


def compile_application(layout: Layout, environ: Mapping[str, str], *, since_s: float | None) -> None:
    """Compile the source, and what hooks have added to the dependencies or changed in them.

    Args:
        layout: The application's places.
        environ: The environment.
        since_s: As for `compile_dependencies`; None: the dependencies are known to be as an earlier build left them.

    Raises:
        BytecodeError: It ended with an error; a file that isn't valid Python is only reported.
    """
    directories = [] if since_s is None else [(since_s, path) for path in _site_packages(layout)]
    _compile([*directories, (0, layout.source)], layout, environ)


def _site_packages(layout: Layout) -> list[str]:
    return [str(path) for path in Path(layout.packages).glob("python*/site-packages")]


def _compile(directories: list[tuple[float, str]], layout: Layout, environ: Mapping[str, str]) -> None:
    arguments = [word for since_s, directory in directories for word in (f"{since_s:.3f}", directory)]
    argv = [layout.python, "-I", str(Path(runtime_path(), _SCRIPT)), *arguments]
    result = run(argv, env=environ, cwd=layout.app_root, echo=False)
    if result.status:
        raise BytecodeError(result.reason, f"{console.join(argv)}\n{result.output}")
