"""Loading an application by its import string, as gunicorn writes it: package.module:name, or package.module:factory()."""

import importlib
from collections.abc import Callable
from typing import Any


def load(app: str) -> Callable[..., Any]:
    """Import an application.

    Raises:
        ImportError: The module couldn't be imported.
        AttributeError: It has no such name.
        TypeError: What it names isn't callable.
    """
    module_name, _, name = app.partition(":")
    found: Any = importlib.import_module(module_name)
    for part in name.removesuffix("()").split("."):
        found = getattr(found, part)
    if name.endswith("()"):
        found = found()
    if not callable(found):
        raise TypeError(f"{app} is a {type(found).__name__}, which can't be called")
    return found  # type: ignore[no-any-return]  # checked above
