"""Loading an application by its import string, as gunicorn writes it: package.module:name, or package.module:factory().

Three forms more: `hello+bottle:default_app()` imports `hello` first, which adds its routes to another module's object;
`production.ini`, or `production.ini#section`, is a PasteDeploy configuration; `hello.wsgi`, if that is a file, is a script of
mod_wsgi.
"""

import importlib
import json
import os
import sys
from collections.abc import Callable, Mapping
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from types import ModuleType
from typing import Any, cast


def load(app: str) -> Callable[..., Any]:
    """Import an application.

    Raises:
        ImportError: The module couldn't be imported.
        AttributeError: It has no such name.
        TypeError: What it names isn't callable.
    """
    file, _, section = app.partition("#")
    if file.endswith(".ini"):
        return _deploy(os.path.abspath(file), section or "main")
    modules, _, name = app.partition(":")
    for module in modules.split("+"):
        found: Any = _script(module) if module.endswith(".wsgi") and os.path.isfile(module) else importlib.import_module(module)
    for part in name.removesuffix("()").split("."):
        found = getattr(found, part)
    if name.endswith("()"):
        found = found()
    if not callable(found):
        raise TypeError(f"{app} is a {type(found).__name__}, which can't be called")
    return found  # type: ignore[no-any-return]  # checked above


def _script(path: str) -> ModuleType:
    """Run a script file; its module has a name of its own, as `site.wsgi` is also the module `wsgi` of a package `site`."""
    name = f"_wsgi_{os.path.basename(path).removesuffix('.wsgi').replace('.', '_')}"
    loader = SourceFileLoader(name, os.path.abspath(path))
    sys.modules[name] = module = module_from_spec(cast("ModuleSpec", spec_from_loader(name, loader)))
    loader.exec_module(module)
    return module


def load_planned(environ: Mapping[str, str]) -> tuple[Callable[..., Any], dict[str, Any]]:
    """Load the application that TAXIWAY_APP names; return it and the launch plan, the file that TAXIWAY_PLAN names."""
    if "DJANGO_SETTINGS_MODULE" in environ:
        move_static_root(environ)  # before: middleware asks for it when it is made
    application = load(environ["TAXIWAY_APP"])
    with open(environ["TAXIWAY_PLAN"], encoding="utf-8") as file:
        plan: dict[str, Any] = json.load(file)
    if plan["static_root"]:
        from django.conf import settings  # noqa: PLC0415

        # A storage with a manifest looks for it there. Only now: what was loaded may have chosen the settings itself.
        settings.STATIC_ROOT = settings.STATIC_ROOT or plan["static_root"]
    return application, plan


def move_static_root(environ: Mapping[str, str]) -> None:
    """Put Django's STATIC_ROOT where TAXIWAY_STATIC_ROOT says: on a laptop, nothing is collected into the source."""
    if root := environ.get("TAXIWAY_STATIC_ROOT"):
        from django.conf import settings  # noqa: PLC0415  # only on a laptop

        settings.STATIC_ROOT = root


def _deploy(path: str, section: str) -> Callable[..., Any]:
    """Make the application of a configuration file, with its logging (as Pyramid's pserve does)."""
    from configparser import RawConfigParser  # noqa: PLC0415  # only where there is such a file
    from logging.config import fileConfig  # noqa: PLC0415

    from paste.deploy import loadapp  # type: ignore[import-not-found]  # noqa: PLC0415

    parser = RawConfigParser()
    parser.read(path, encoding="utf-8")
    if parser.has_section("loggers"):
        fileConfig(path, {"here": os.path.dirname(path), "__file__": path}, disable_existing_loggers=False, encoding="utf-8")
    return loadapp(f"config:{path}", name=section)  # type: ignore[no-any-return]
