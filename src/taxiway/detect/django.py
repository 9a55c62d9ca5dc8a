"""What the source of a Django project shows."""

import ast
from dataclasses import dataclass
from pathlib import Path

from taxiway.detect import syntax


@dataclass(frozen=True, kw_only=True)
class DjangoFacts:
    """A Django project, found by its manage.py."""

    settings_module: str
    settings_file: str | None
    app: str | None
    """The WSGI application as an import string."""
    origin: str
    """Where the application was found."""


def look(home: Path) -> DjangoFacts | None:
    """Read manage.py and, from there, the settings; None where this is no Django project."""
    tree = syntax.parse(home / "manage.py")
    settings_module = _settings_module(tree) if tree else None
    if settings_module is None:
        return None
    settings = _module_file(home, settings_module)
    application = None
    origin = ""
    if settings and (settings_tree := syntax.parse(settings)):
        dotted = syntax.string_value(settings_tree, "WSGI_APPLICATION")
        if dotted and "." in dotted:
            module, _, name = dotted.rpartition(".")
            application = f"{module}:{name}"
            origin = f"WSGI_APPLICATION in {settings.relative_to(home).as_posix()}"
    package = settings_module.partition(".")[0]
    if application is None and (home / package / "wsgi.py").is_file():
        application, origin = f"{package}.wsgi:application", f"{package}/wsgi.py"
    # manage.py is for the laptop and often names other settings than wsgi.py, which is for production.
    served = _module_file(home, application.partition(":")[0]) if application else None
    if served and (tree := syntax.parse(served)) and (production := _settings_module(tree)):
        settings_module, settings = production, _module_file(home, production)
    return DjangoFacts(
        settings_module=settings_module,
        settings_file=settings.relative_to(home).as_posix() if settings else None,
        app=application,
        origin=origin,
    )


def _settings_module(tree: ast.Module) -> str | None:
    """Find `os.environ.setdefault("DJANGO_SETTINGS_MODULE", "...")`, or an assignment to that item."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(
                func=ast.Attribute(attr="setdefault"),
                args=[ast.Constant(value="DJANGO_SETTINGS_MODULE"), ast.Constant(value=str(module))],
            ):
                return module
            case ast.Assign(
                targets=[ast.Subscript(slice=ast.Constant(value="DJANGO_SETTINGS_MODULE"))],
                value=ast.Constant(value=str(module)),
            ):
                return module
    return None


def _module_file(home: Path, module: str) -> Path | None:
    path = home.joinpath(*module.split("."))
    return next((p for p in (path.with_suffix(".py"), path / "__init__.py") if p.is_file()), None)
