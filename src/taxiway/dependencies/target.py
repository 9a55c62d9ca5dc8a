"""The application's Python, as requirements see it: the values of markers (PEP 508) and the tags of wheels (PEP 425).

In an image taxiway runs by the same one. On a laptop it may be another, which is asked once.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import cast

import packaging
from packaging.markers import default_environment
from packaging.tags import Tag, sys_tags

from taxiway.errors import BrokenInterpreterError
from taxiway.process import output

_QUESTION = """
import json, sys
sys.path.append(sys.argv[1])
from packaging.markers import default_environment
from packaging.tags import sys_tags
print(json.dumps([default_environment(), [[t.interpreter, t.abi, t.platform] for t in sys_tags()]]))
"""

_markers: Mapping[str, str] = {}
_tags: frozenset[Tag] = frozenset()


def markers() -> Mapping[str, str]:
    """Return the values of markers."""
    return _markers or cast("Mapping[str, str]", default_environment())


def tags() -> frozenset[Tag]:
    """Return the tags of wheels that can be installed."""
    return _tags or frozenset(sys_tags())


def use(python: str, version: str, answer: Path, environ: Mapping[str, str]) -> None:
    """Take the values of another interpreter from now on.

    Args:
        python: The interpreter.
        version: Its version, X.Y.Z.
        answer: Keeps what it says for the next time.
        environ: The environment.

    Raises:
        BrokenInterpreterError: It can't be run.
    """
    global _markers, _tags  # there is one application
    if version == sys.version.split()[0]:
        return
    if not answer.is_file():
        where = str(Path(packaging.__file__).parents[1])
        result = output([python, "-I", "-c", _QUESTION, where], env=environ, cwd="/")
        if result.status:
            raise BrokenInterpreterError(python, result.output)
        answer.write_text(result.output, encoding="utf-8")
    values, found = json.loads(answer.read_text(encoding="utf-8"))
    _markers, _tags = values, frozenset(Tag(*words) for words in found)
