"""Finding what to start: objects, functions and factories that could be the application."""

import ast
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from taxiway.detect import syntax

WSGI, ASGI = "WSGI", "ASGI"

# Classes whose instances are applications, by the name that code calls.
_FRAMEWORKS = {
    "Flask": WSGI,
    "APIFlask": WSGI,
    "Eve": WSGI,
    "Bottle": WSGI,
    "FastAPI": ASGI,
    "Starlette": ASGI,
    "Litestar": ASGI,
    "Quart": ASGI,
    "Sanic": ASGI,
}
_NAMES = ("application", "app")  # PEP 3333's and Flask's own; the first one wins
_FACTORIES = ("create_app", "make_app", "create_application", "make_application")
_MODULES = ("app", "application", "main")
_NO_PACKAGES = frozenset({"test", "tests", "doc", "docs", "migrations", "node_modules", "venv", "env", "static", "templates"})


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """Something that could be the application."""

    app: str
    """The import string: package.module:name, or package.module:factory()."""
    file: str
    line: int
    what: str
    interface: str | None
    """`WSGI` or `ASGI` where the source shows it."""

    @property
    def origin(self) -> str:
        """Say where it was found."""
        return f"{self.what} in {self.file} line {self.line}"

    @property
    def name(self) -> str:
        """The object's name."""
        return self.app.partition(":")[2]

    @property
    def is_factory(self) -> bool:
        """Whether it has to be called to get the application."""
        return self.app.endswith("()")

    def __str__(self) -> str:
        """Write it for a message; the import string comes first."""
        return f"{self.app}  ({self.origin})"


def look(home: Path) -> tuple[tuple[Candidate, ...], ...]:
    """Find candidates in three tiers: wsgi.py; app.py, application.py and main.py; packages."""
    tops = [home, *(p for p in (home / "src",) if p.is_dir() and not (p / "__init__.py").exists())]
    first = [(top / "wsgi.py", "wsgi") for top in tops] + [(top / "wsgi" / "__init__.py", "wsgi") for top in tops]
    second = [(top / f"{name}.py", name) for top in tops for name in _MODULES]
    third = []
    for top in tops:
        for package in sorted(p.parent for p in top.glob("*/__init__.py")):
            if package.name in _NO_PACKAGES or package.name == "wsgi":
                continue
            third.append((package / "__init__.py", package.name))
            third += [(package / f"{name}.py", f"{package.name}.{name}") for name in ("wsgi", *_MODULES)]
    return tuple(_look_in(tier, home) for tier in (first, second, third))


def _look_in(files: Iterable[tuple[Path, str]], home: Path) -> tuple[Candidate, ...]:
    found: list[Candidate] = []
    for path, module in files:
        tree = syntax.parse(path)
        if tree is not None:
            found += candidates(tree, module, path.relative_to(home).as_posix())
    return tuple(found)


def candidates(tree: ast.Module, module: str, file: str) -> list[Candidate]:
    """Find the candidates of one module; pure."""
    found: dict[str, tuple[int, str, str | None]] = {}
    for name, value, line in syntax.assignments(tree):
        framework = _called_name(value)
        if framework in _FRAMEWORKS:
            found[name] = line, f"{framework} object", _FRAMEWORKS[framework]
        elif isinstance(value, ast.Name) and value.id in found and name in _NAMES:
            found[name] = found.pop(value.id)  # another name of the same object: the usual one counts
        elif name in _NAMES and not isinstance(value, ast.Constant | ast.Name):
            found[name] = line, "object", None
    for statement in syntax.statements(tree.body):
        found |= _defined(statement, imports_count=module.rpartition(".")[2] == "wsgi")
    return [
        Candidate(app=f"{module}:{name}", file=file, line=line, what=what, interface=interface)
        for name, (line, what, interface) in found.items()
    ]


def _defined(statement: ast.stmt, *, imports_count: bool) -> dict[str, tuple[int, str, str | None]]:
    """Find what one statement defines or imports; in a module named wsgi an import is meant to be the application."""
    match statement:
        case ast.FunctionDef(name=name, args=arguments, lineno=line):
            if _is_wsgi_function(name, arguments):
                return {name: (line, "WSGI function", WSGI)}
            if name in _FACTORIES and not _required(arguments):
                return {f"{name}()": (line, "factory", None)}
        case ast.AsyncFunctionDef(name=name, lineno=line) if name in _NAMES:
            return {name: (line, "ASGI function", ASGI)}
        case ast.ImportFrom(names=names, lineno=line) if imports_count:
            bound = [alias.asname or alias.name for alias in names]
            return {name: (line, "imported object", None) for name in bound if name in _NAMES}
    return {}


def choose(tier: Sequence[Candidate]) -> list[Candidate]:
    """Return the candidates of a tier between which nothing decides: one is a decision."""
    objects = [c for c in tier if not c.is_factory] or list(tier)
    for name in _NAMES:
        named = [c for c in objects if c.name == name]
        if named:
            return named
    return objects


def gunicorn_app(path: Path) -> str | None:
    """Return `wsgi_app` of a gunicorn configuration file."""
    tree = syntax.parse(path)
    return syntax.string_value(tree, "wsgi_app") if tree else None


def _called_name(value: ast.expr) -> str:
    match value:
        case ast.Call(func=ast.Name(id=name)) | ast.Call(func=ast.Attribute(attr=name)):
            return name
    return ""


def _is_wsgi_function(name: str, arguments: ast.arguments) -> bool:
    names = [a.arg for a in (*arguments.posonlyargs, *arguments.args)]
    return names[:2] == ["environ", "start_response"] or (name == "application" and len(names) == 2)  # noqa: PLR2004


def _required(arguments: ast.arguments) -> bool:
    positional = len(arguments.posonlyargs) + len(arguments.args) - len(arguments.defaults)
    return positional > 0 or any(default is None for default in arguments.kw_defaults)
