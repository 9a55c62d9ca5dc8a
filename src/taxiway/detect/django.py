"""What the source of a Django project shows."""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from taxiway.detect import syntax
from taxiway.detect.entry_points import Candidate
from taxiway.detect.modules import Module, Modules
from taxiway.launch_plan import ASGI, WSGI


@dataclass(frozen=True, kw_only=True)
class DjangoFacts:
    """A Django project, found by its manage.py, or by wsgi.py or asgi.py that name its settings."""

    settings_module: str | None
    """None where manage.py works it out when it runs."""
    apps: tuple[Candidate, ...]
    """The WSGI and the ASGI application, as far as they are there; the one that is meant first."""
    settings_of: dict[str, str]
    """Settings modules that the applications' own modules name: for the laptop, manage.py often names others."""

    def settings(self, app: str) -> str | None:
        """Return the settings module with which an application runs, or a program that serves the project's."""
        of_project = next((self.settings_of[a.app] for a in self.apps[:1] if a.app in self.settings_of), self.settings_module)
        return self.settings_of.get(app, of_project)


def look(modules: Modules, told: Iterable[str] = ()) -> DjangoFacts | None:
    """Read manage.py and, from there, the settings; None where this is no Django project.

    Args:
        modules: The application's modules.
        told: Import strings of applications that are named elsewhere.
    """
    manage = modules.get("manage")
    named = _settings_module(manage) if manage else None
    if manage and named is None and not _names_django(manage):
        manage = None
    places = [named.partition(".")[0]] if named else modules.packages()
    gateways = [m for place in places for kind in ("wsgi", "asgi") if (m := modules.get(f"{place}.{kind}"))]
    if manage is None:
        gateways = [m for m in (modules.get("wsgi"), modules.get("asgi"), *gateways) if m and _names_django(m)]
        if not gateways:
            return None
    apps = list(_by_settings(modules, named)) if named else []
    for module in gateways:
        interface = module.name.rpartition(".")[2].upper()
        name = "application" if "application" in module.names or "app" not in module.names else "app"
        if interface not in {app.interface for app in apps}:
            app = f"{module.name}:{name}"
            apps.append(Candidate(app=app, file=module.file, line=0, what="Django", interface=interface, identity=app))
    served = {app: modules.get(app.partition(":")[0]) for app in (*(a.app for a in apps), *told)}
    settings_of = {app: own for app, module in served.items() if module and (own := _settings_module(module))}
    return DjangoFacts(settings_module=named, apps=tuple(apps), settings_of=settings_of)


def _by_settings(modules: Modules, settings_module: str) -> Iterator[Candidate]:
    """Give what the settings name; an ASGI application goes first there, because no project has that setting by itself."""
    for setting, interface in (("ASGI_APPLICATION", ASGI), ("WSGI_APPLICATION", WSGI)):
        value, file = _setting(modules, settings_module, setting)
        module, _, name = (value or "").rpartition(".")
        if module:
            app = f"{module}:{name}"
            yield Candidate(app=app, file=file, line=0, what=setting, interface=interface, identity=app)


def _setting(modules: Modules, name: str, setting: str, depth: int = 0) -> tuple[str | None, str]:
    """Find the text of a setting, also in the settings that others are taken over from (`from .base import *`)."""
    module = modules.get(name)
    if module is None or depth > 10:  # noqa: PLR2004  # imports in a circle
        return None, ""
    if setting in module.names:
        return syntax.string_value(module.tree, setting), module.file
    stars = [
        imported.module
        for statement in syntax.statements(module.tree.body)
        for bound, imported in module.imports(statement)
        if bound == "*"
    ]
    found = (_setting(modules, base, setting, depth + 1) for base in reversed(stars))
    return next((f for f in found if f[1]), (None, ""))


def _settings_module(module: Module) -> str | None:
    """Find `os.environ.setdefault("DJANGO_SETTINGS_MODULE", "...")`, or an assignment to that item."""
    for node in ast.walk(module.tree):
        match node:
            case ast.Call(
                func=ast.Attribute(attr="setdefault"),
                args=[ast.Constant(value="DJANGO_SETTINGS_MODULE"), ast.Constant(value=str(value))],
            ):
                return value
            case ast.Assign(
                targets=[ast.Subscript(slice=ast.Constant(value="DJANGO_SETTINGS_MODULE"))],
                value=ast.Constant(value=str(value)),
            ):
                return value
    return None


def _names_django(module: Module) -> bool:
    """Tell whether a module uses Django: by an import, anywhere in it."""
    return any(
        imported.module.partition(".")[0] == "django"
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for _, imported in module.imports(node)
    )
