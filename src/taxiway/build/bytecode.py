"""Compiling to bytecode whose validity doesn't depend on file times (PEP 552, unchecked hash).

An image's layers may carry other times than the files had, and an unwritable root couldn't repair stale bytecode: each start
would then compile everything again.
"""

from collections.abc import Mapping
from pathlib import Path

from taxiway import console
from taxiway.errors import BytecodeError
from taxiway.layout import Layout, runtime_path
from taxiway.process import run

_SCRIPT = "taxiway_runtime/compile_bytecode.py"


def compile_application(layout: Layout, environ: Mapping[str, str]) -> None:
    """Compile dependencies and source with the application's interpreter, but only what isn't compiled yet.

    Raises:
        BytecodeError: It ended with an error; a file that isn't valid Python is only reported.
    """
    directories = [str(path) for path in Path(layout.app_root, "lib").glob("python*/site-packages")]
    argv = [layout.python, "-I", str(Path(runtime_path(), _SCRIPT)), *directories, layout.source]
    result = run(argv, env=environ, cwd=layout.app_root, echo=False)
    if result.status:
        raise BytecodeError(result.reason, f"{console.join(argv)}\n{result.output}")
