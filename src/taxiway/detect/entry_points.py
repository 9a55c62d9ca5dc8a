"""Finding what to start: objects, functions, factories and programs that could be the application."""

import ast
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from taxiway.detect import programs, syntax
from taxiway.detect.modules import Imported, Module, Modules
from taxiway.launch_plan import ASGI, COMMAND, PROGRAMS, PYTHON, WSGI

# What makes an application when it is called: by package and name, with what it speaks where that is always the same.
_FRAMEWORKS: dict[str, str | None] = {
    "flask.Flask": WSGI,
    "apiflask.APIFlask": WSGI,
    "eve.Eve": WSGI,
    "bottle.Bottle": WSGI,
    "bottle.default_app": WSGI,
    "falcon.App": WSGI,
    "falcon.API": WSGI,
    "falcon.asgi.App": ASGI,
    "cherrypy.Application": WSGI,
    "cherrypy.tree.mount": WSGI,
    "webapp2.WSGIApplication": WSGI,
    "connexion.App": None,
    "connexion.FlaskApp": None,
    "connexion.AsyncApp": ASGI,
    "dash.Dash": WSGI,
    "django.core.wsgi.get_wsgi_application": WSGI,
    "django.core.asgi.get_asgi_application": ASGI,
    "channels.routing.ProtocolTypeRouter": ASGI,
    "fastapi.FastAPI": ASGI,
    "starlette.applications.Starlette": ASGI,
    "litestar.Litestar": ASGI,
    "quart.Quart": ASGI,
    "sanic.Sanic": ASGI,
    "blacksheep.Application": ASGI,
    "socketio.ASGIApp": ASGI,
    "socketio.WSGIApp": WSGI,
    "gradio.mount_gradio_app": ASGI,
    "asgiref.wsgi.WsgiToAsgi": ASGI,
    "a2wsgi.WSGIMiddleware": ASGI,
    "a2wsgi.ASGIMiddleware": WSGI,
}
# Names that mean the framework wherever they were imported from: a package of one's own may hand them on.
_TELLING = {"Flask", "APIFlask", "Eve", "Bottle", "Dash", "FastAPI", "Starlette", "Litestar", "Quart", "Sanic"}
_BY_NAME = {name.rpartition(".")[2]: name for name in _FRAMEWORKS if name.rpartition(".")[2] in _TELLING}
_METHODS = {"make_wsgi_app": WSGI, "wsgifunc": WSGI}  # of Pyramid's Configurator; of web.py's application
# Often called app, and no application for a web server.
_OTHERS = frozenset(
    [
        *("aiogram", "aiohttp", "argparse", "arq", "celery", "click", "cyclopts", "discord", "dramatiq", "faststream"),
        *("faust", "gi", "huey", "kivy", "nicegui", "PyQt5", "PyQt6", "PySide2", "PySide6", "pytest", "slack_bolt"),
        *("textual", "tkinter", "tornado", "typer", "wx"),
    ]
)
_ROUTES = frozenset(f"bottle.{name}" for name in ("route", "get", "post", "put", "delete", "patch", "error", "hook"))
_MOUNTS = frozenset({"cherrypy.tree.mount", "cherrypy.tree.graft"})
_PARTS = frozenset({"flask.Blueprint", "fastapi.APIRouter", "quart.Blueprint", "sanic.Blueprint", "starlette.routing.Router"})
_NAMES = ("application", "app")  # PEP 3333's and Flask's own; the first one wins
_FACTORIES = ("create_app", "make_app", "create_application", "make_application")
_FACTORY = re.compile(r"(create|make|build|get|init)_(\w+_)?app(lication)?|app(lication)?_factory")
_GATEWAYS = ("wsgi", "asgi")
_FIRST = ("app", "application", "main")
_SECOND = ("server", "web", "api", "run", "index", "site", "start", "serve", "streamlit_app", "Home")
_NOT_STARTED = re.compile(
    r"test_.*|.*_tests?|tests?|conftest|setup|fabfile|noxfile|tasks|conf|manage|gunicorn(\.conf|_conf(ig)?)?"
)
_DEPTH = 10


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """Something that could be the application."""

    app: str
    """The import string, package.module:name or package.module:factory(); a file, or a command line."""
    file: str
    line: int
    what: str
    interface: str | None
    """As in the launch plan, where the source shows it."""
    identity: str = ""
    """Where the object is defined: two candidates of one identity are one answer."""
    uses: frozenset[str] = field(default=frozenset(), repr=False)
    """Identities of what its module imports."""
    warning: str = ""

    @property
    def origin(self) -> str:
        """Say where it was found."""
        return f"{self.what} in {self.file}" + f" line {self.line}" * bool(self.line)

    @property
    def name(self) -> str:
        """The object's name."""
        return self.app.partition(":")[2]

    @property
    def is_factory(self) -> bool:
        """Whether it has to be called to get the application."""
        return self.app.endswith("()")

    @property
    def settings(self) -> tuple[str, str]:
        """What to set to choose it: in [tool.taxiway], or outside of it."""
        if self.interface == COMMAND:
            return f"processes.web = '{self.app}'", f"in a Procfile: web: {self.app}"
        if self.interface == PYTHON:
            return f'app-file = "{self.app}"', f"APP_FILE={self.app}"
        return f'app = "{self.app}"', f"APP_MODULE={self.app}"

    def __str__(self) -> str:
        """Write it for a message; what to set comes first."""
        return f"{self.app}  ({self.origin})"


@dataclass(frozen=True, kw_only=True)
class Found:
    """All that could be the application, and what can't but looks like it."""

    tiers: tuple[tuple[Candidate, ...], ...]
    """An earlier tier is more likely than a later one."""
    rejected: tuple[str, ...] = ()
    """What looks like an application and can't be started, with the reason."""


def look(modules: Modules, told: str | None = None) -> Found:
    """Find candidates, the likeliest first.

    wsgi.py and asgi.py; app.py, application.py and main.py; other usual names at the top; all others there; packages, their wsgi
    and asgi modules first. Only if all these have none: all other modules of the packages; and programs that listen when they are
    run as a script.

    Args:
        modules: The application's modules.
        told: A module, or module:name, that the source says is the application's; it goes before all.
    """
    top = {m.name: m for m in modules.top_level() if not _NOT_STARTED.fullmatch(m.name)}
    packages = modules.packages()
    gateways = [m for name in _GATEWAYS if (m := modules.get(name))]
    first, second = ([top[name] for name in names if name in top] for names in (_FIRST, _SECOND))
    others = [m for m in top.values() if m not in gateways + first + second]
    own_gateways = [m for p in packages for name in _GATEWAYS if (m := modules.get(f"{p}.{name}"))]
    usual = [m for p in packages for name in ("", *_FIRST, *_SECOND) if (m := modules.get(f"{p}.{name}".rstrip(".")))]
    tiers = [
        _candidates(modules, gateways, imports=True),
        _candidates(modules, first, imports=True),
        _candidates(modules, second),
        _candidates(modules, others, unusual=True),
        _candidates(modules, own_gateways, imports=True),
        _candidates(modules, [m for m in usual if m not in gateways]),
    ]
    if not any(tiers):
        tiers.append(_candidates(modules, (m for p in packages for m in modules.below(p)), unusual=True))
        tiers += [_programs(modules, some) for some in (first, second, others)]
    if told and (module := modules.get(told.partition(":")[0])):
        name = told.partition(":")[2]
        tiers.insert(
            0, [c for c in _candidates(modules, [module], imports=True) if c.name.removesuffix("()") == name or not name]
        )
    seen = dict.fromkeys(gateways + first + second + others + own_gateways + usual)
    return Found(tiers=tuple(map(tuple, tiers)), rejected=tuple(_rejected(seen)))


def choose(tier: Sequence[Candidate], preferred: str = "") -> list[Candidate]:
    """Return the candidates of a tier between which nothing decides: one is a decision.

    Args:
        tier: The candidates.
        preferred: Which of wsgi.py and asgi.py to take where both are there; WSGI if that is left open.
    """
    possible = list({c.identity: c for c in reversed(tier)}.values())[::-1]  # the first of each identity
    objects = [c for c in possible if not c.is_factory] or possible
    named: list[Candidate] = []
    for file in dict.fromkeys(c.file for c in objects):
        own = [c for c in objects if c.file == file]
        named += next((same for name in _NAMES if (same := [c for c in own if c.name == name])), own)
    started = [c for c in named if c.interface not in PROGRAMS]
    by_program = [c for c in named if c.interface in PROGRAMS]
    if by_program and all(any(s.identity in c.uses for s in started) for c in by_program):
        named = started  # programs that only serve an object: a server does that better
    # What another one imports is a part of it: mounted below a path, or wrapped.
    named = [c for c in named if not any(c.identity in o.uses and o.identity not in c.uses for o in named)] or named
    gateway = [c for c in named if c.app.partition(":")[0].rpartition(".")[2] == (preferred or WSGI).lower()]
    both = {c.app.partition(":")[0].rpartition(".")[2] for c in named} == set(_GATEWAYS)
    return gateway if both and len(named) == len(_GATEWAYS) else named


def _candidates(modules: Modules, among: Iterable[Module], *, imports: bool = False, unusual: bool = False) -> list[Candidate]:
    """Find the candidates of modules.

    Args:
        modules: All modules.
        among: Those to look at.
        imports: Whether a name that comes from an installed package counts.
        unusual: Whether they have no usual name, so that only what is certainly an application, made there, counts.
    """
    found: list[Candidate] = []
    for module in among:
        uses = frozenset(_uses(modules, module))
        program = programs.look(module) if "." not in module.name and not module.is_package else None
        if program and not program.guarded:
            found.append(_program(module, program, uses))
            continue
        own = _without_aliases([c for name in module.names for c in _classify(modules, module, name, imports=imports)])
        own = own or list(_shared(module))
        if unusual:
            own = [c for c in own if c.what != "object" and c.identity.startswith(f"{module.name}:")]
        found += [replace(c, uses=uses - {c.identity}) for c in own]
    return found


def _shared(module: Module) -> Iterator[Candidate]:
    """Give the application that belongs to the framework, where a module only adds to it: Bottle's routes, CherryPy's tree."""
    for statement in syntax.statements(module.tree.body):
        match statement:
            case ast.FunctionDef(decorator_list=[ast.Call(func=function), *_]) if module.origin(function) in _ROUTES:
                app, what = f"{module.name}+bottle:default_app()", "Bottle's routes"
            case ast.Expr(value=ast.Call(func=function)) if module.origin(function) in _MOUNTS:
                app, what = f"{module.name}+cherrypy:tree", "CherryPy's tree"
            case _:
                continue
        yield Candidate(
            app=app, file=module.file, line=statement.lineno, what=what, interface=WSGI, identity=f"{module.name}:{what}"
        )
        return


def _without_aliases(own: list[Candidate]) -> list[Candidate]:
    """Keep one name of each object; the usual one counts."""
    kept: dict[str, Candidate] = {}
    for candidate in own:
        other = kept.get(candidate.identity)
        if other is None or "." in other.name or (candidate.name in _NAMES and other.name != _NAMES[0]):
            kept[candidate.identity] = candidate
    return list(kept.values())


def _classify(  # noqa: C901  # one case for each kind of binding
    modules: Modules, module: Module, name: str, *, imports: bool = False, any_name: bool = False, depth: int = 0
) -> Iterator[Candidate]:
    """Give the candidate that a name of a module is, if it is one."""
    binding = module.names[name]
    make = _Maker(module, name, binding.line)
    match binding.value:
        case Imported():
            target = modules.resolve(module, name)
            if isinstance(target, tuple) and depth < _DEPTH:
                for inner in _classify(modules, *target, depth=depth + 1):
                    if any_name or inner.is_factory or name in _NAMES or module.is_package:
                        yield replace(
                            inner,
                            app=f"{module.name}:{name}{'()' * inner.is_factory}",
                            file=module.file,
                            line=binding.line,
                            what=f"imported {inner.what.removeprefix('imported ')}",
                        )
            elif isinstance(target, Imported) and imports and name in _NAMES and _root(target.module) not in _OTHERS | {"bottle"}:
                yield make("imported object", None)
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef() as definition:
            yield from _defined(modules, module, definition, make)
        case ast.Name(id=other) if other in module.names and depth < _DEPTH:
            for inner in _classify(modules, module, other, imports=imports, any_name=name in _NAMES, depth=depth + 1):
                if not inner.is_factory:
                    yield replace(inner, app=f"{module.name}:{name}", line=binding.line)
        case ast.Attribute(value=ast.Name(id=other), attr="server") if _is_dash(modules, module, other):
            yield make("Dash's server", WSGI, identity=f"{module.name}:{other}.server")
        case ast.Call() as call:
            yield from _called(modules, module, call, make)
        case ast.Attribute() | ast.BoolOp() | ast.IfExp() | ast.Await() | ast.Lambda() | ast.Subscript() if name in _NAMES:
            yield make("object", None)


class _Maker:
    """Makes the candidates of one name of a module."""

    def __init__(self, module: Module, name: str, line: int) -> None:
        self.module, self.name, self.line = module, name, line

    def __call__(self, what: str, interface: str | None, attribute: str = "", identity: str = "") -> Candidate:
        app = f"{self.module.name}:{self.name}{attribute}"
        return Candidate(app=app, file=self.module.file, line=self.line, what=what, interface=interface, identity=identity or app)


def _called(modules: Modules, module: Module, call: ast.Call, make: _Maker) -> Iterator[Candidate]:
    """Give the candidate that a call makes: a framework's class, or a function of the application's own."""
    usual = make.name in _NAMES
    origin = module.origin(call.func)
    if framework := _framework(modules, module, call.func):
        if framework == "dash.Dash":
            yield make("Dash's server", WSGI, ".server")
        else:
            yield make(f"{framework.rpartition('.')[2]} object", _FRAMEWORKS[framework])
    elif isinstance(call.func, ast.Attribute) and call.func.attr in _METHODS:
        yield make("WSGI object", WSGI)
    elif isinstance(call.func, ast.Name) and (function := _function(modules, module, call.func.id)):
        interface, other = _made_by(modules, *function)
        if (usual and not other) or interface:
            identity = "" if call.args or call.keywords else f"{function[0].name}:{function[1].name}()"
            yield make(f"object of {function[1].name}()", interface, identity=identity)
    elif usual and _root(origin) not in _OTHERS and origin not in _PARTS:
        yield make("object", None)


def _defined(modules: Modules, module: Module, definition: ast.stmt, make: _Maker) -> Iterator[Candidate]:
    """Give the candidate that a function or class is."""
    match definition:
        case ast.FunctionDef(name=name, args=arguments):
            names = [a.arg for a in (*arguments.posonlyargs, *arguments.args)]
            if names[:2] == ["environ", "start_response"] or (name == "application" and len(names) == 2):  # noqa: PLR2004
                yield make("WSGI function", WSGI)
            elif _FACTORY.fullmatch(name) and "test" not in name and not required(arguments):
                interface, other = _made_by(modules, module, definition)
                if interface or (not other and name in _FACTORIES):
                    yield make("factory", interface, "()")
        case ast.AsyncFunctionDef(name=name, args=arguments):
            names = [a.arg for a in (*arguments.posonlyargs, *arguments.args)]
            if names == ["scope", "receive", "send"] or (name in _NAMES and len(names) == 3):  # noqa: PLR2004
                yield make("ASGI function", ASGI)
        case ast.ClassDef(name=name, body=body) if name in _NAMES:
            starts = (s for s in body if isinstance(s, ast.FunctionDef) and s.name == "__init__")
            if any([a.arg for a in start.args.args[1:]] == ["environ", "start_response"] for start in starts):
                yield make("WSGI class", WSGI)


def _function(modules: Modules, module: Module, name: str) -> tuple[Module, ast.FunctionDef] | None:
    """Find a function of the application's own."""
    target = modules.resolve(module, name)
    if isinstance(target, tuple) and isinstance(function := target[0].names[target[1]].value, ast.FunctionDef):
        return target[0], function
    return None


def _made_by(modules: Modules, module: Module, function: ast.FunctionDef, depth: int = 0) -> tuple[str | None, bool]:
    """Tell what the application that a function makes speaks, if its source shows that; else whether it makes something other."""
    made = [function.returns] if function.returns else []
    made += [node.func for node in ast.walk(function) if isinstance(node, ast.Call)]
    for value in made:
        if framework := _framework(modules, module, value):
            return _FRAMEWORKS[framework], False
        if isinstance(value, ast.Attribute) and value.attr in _METHODS:
            return _METHODS[value.attr], False
    for value in made:  # a function may leave it to another one
        if isinstance(value, ast.Name) and depth < _DEPTH and (other := _function(modules, module, value.id)):
            interface, _ = _made_by(modules, *other, depth + 1)
            if interface and _FACTORY.fullmatch(other[1].name):
                return interface, False
    return None, any(_root(module.origin(value)) in _OTHERS for value in made)


def _is_dash(modules: Modules, module: Module, name: str) -> bool:
    binding = module.names.get(name)
    return bool(
        binding and isinstance(binding.value, ast.Call) and _framework(modules, module, binding.value.func) == "dash.Dash"
    )


def _framework(modules: Modules, module: Module, function: ast.expr, depth: int = 0) -> str | None:
    """Return the framework whose application a call of an expression makes: by its class, or a class below it."""
    if known := _known(module.origin(function)):
        return known
    if not isinstance(function, ast.Name) or depth > _DEPTH:
        return None
    target = modules.resolve(module, function.id)
    if isinstance(target, Imported):
        return _known(f"{target.module}.{target.name}")
    if target and isinstance(definition := target[0].names[target[1]].value, ast.ClassDef):
        return next((f for base in definition.bases if (f := _framework(modules, target[0], base, depth + 1))), None)
    return None


def _known(origin: str) -> str | None:
    """Return the framework's name of an application's class."""
    root, name = _root(origin), origin.rpartition(".")[2]
    if name in _BY_NAME and root not in _OTHERS:
        return _BY_NAME[name]
    same = [known for known in _FRAMEWORKS if _root(known) == root != name and known.rpartition(".")[2] == name]
    return next((known for known in same if (".asgi." in known) == (".asgi." in origin)), same[0] if same else None)


def _root(origin: str) -> str:
    return origin.partition(".")[0]


def required(arguments: ast.arguments) -> list[str]:
    """List the names of the arguments that have to be given."""
    positional = [*arguments.posonlyargs, *arguments.args]
    named = [a.arg for a in positional[: len(positional) - len(arguments.defaults)]]
    return named + [a.arg for a, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if default is None]


def _rejected(among: Iterable[Module]) -> Iterator[str]:
    """Say of each factory that can't be called why."""
    for module in among:
        for name, binding in module.names.items():
            value = binding.value
            if not _FACTORY.fullmatch(name) or not isinstance(value, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            place = f"{module.name}:{name}() in {module.file} line {binding.line}"
            if isinstance(value, ast.AsyncFunctionDef):
                yield f"{place} is async"
            elif needed := required(value.args):
                yield f"{place} can't be called without {', '.join(needed)}"


def _uses(modules: Modules, module: Module) -> Iterator[str]:
    """Walk the identities of what a module imports, also inside functions, and of what it names as `module:object`."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            for _, imported in module.imports(node):
                source = modules.get(imported.module)
                if source is None:
                    continue
                yield f"{source.name}:"
                if imported.name is None:
                    yield from (f"{source.name}:{name}" for name in source.names)
                elif isinstance(target := modules.resolve(source, imported.name), tuple):
                    yield f"{target[0].name}:{target[1]}"
                elif submodule := modules.get(f"{source.name}.{imported.name}"):
                    yield from (f"{submodule.name}:{name}" for name in submodule.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and re.fullmatch(r"[\w.]+:\w+", node.value):
            name, _, attribute = node.value.partition(":")
            source = modules.get(name)
            if source and isinstance(target := modules.resolve(source, attribute), tuple):
                yield f"{target[0].name}:{target[1]}"


def _program(module: Module, program: programs.Program, uses: frozenset[str]) -> Candidate:
    return Candidate(
        app=program.command(module.file),
        file=module.file,
        line=program.line,
        what=f"program with {program.call}",
        interface=program.interface,
        identity=f"{module.name}:",
        uses=uses,
        warning=programs.warning(module) if program.interface == PYTHON else "",
    )


def _programs(modules: Modules, among: Iterable[Module]) -> list[Candidate]:
    """Find programs that listen when they are run as a script."""
    return [
        _program(module, program, frozenset(_uses(modules, module)))
        for module in among
        if not module.is_package and (program := programs.look(module))
    ]
