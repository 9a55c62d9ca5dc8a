"""Finding what to start: objects, functions, factories and programs that could be the application."""

import ast
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from taxiway.detect import programs, syntax
from taxiway.detect.modules import Imported, Module, Modules
from taxiway.launch_plan import ASGI, COMMAND, PROGRAMS, PYTHON, SHELL, WSGI

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
    "aiogram aiohttp argparse arq celery click cyclopts discord dramatiq faststream faust gi huey kivy nicegui PyQt5 PyQt6 PySide2 "
    "PySide6 pytest slack_bolt textual tkinter tornado typer wx".split()
)
_PARTS = frozenset({"flask.Blueprint", "fastapi.APIRouter", "quart.Blueprint", "sanic.Blueprint", "starlette.routing.Router"})
_NAMES = ("application", "app")  # PEP 3333's and Flask's own; the first one wins
_FACTORY = re.compile(r"(create|make|build|get|init)_(\w+_)?app(lication)?|app(lication)?_factory")
_GATEWAYS = ("wsgi", "asgi")
_FIRST = ("app", "application", "main")
_SECOND = ("server", "web", "api", "run", "index", "site", "start", "serve", "streamlit_app", "Home")
_NOT_STARTED = re.compile(r"test_.*|.*_tests?|tests?|conftest|setup|fabfile|noxfile|tasks|conf|manage|gunicorn(\.conf|_conf(ig)?)?")
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
    def setting(self) -> str:
        """What to set to choose it."""
        name = {PYTHON: "APP_FILE", SHELL: "APP_SCRIPT", COMMAND: "TAXIWAY_APP"}.get(self.interface or "", "APP_MODULE")
        return f"{name}={self.app}"

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


def look(modules: Modules) -> Found:
    """Find candidates, the likeliest first.

    wsgi.py and asgi.py; app.py, application.py and main.py; other modules at the top; packages, their wsgi and asgi modules first;
    and only if all these have none: all other modules of the packages, and programs that listen when they are run as a script.
    """
    top = [m for m in modules.top_level() if not _NOT_STARTED.fullmatch(m.name)]
    packages = modules.packages()
    by_name = {m.name: m for m in (*top, *packages)}
    named = lambda names: [by_name[name] for name in names if name in by_name]  # noqa: E731
    gateways, first, second = named(_GATEWAYS), named(_FIRST), named(_SECOND)
    third = [m for m in top if m not in {*gateways, *first, *second}]
    inner = [module for p in packages for name in _GATEWAYS if (module := modules.get(f"{p.name}.{name}"))]
    usual = [m for p in packages for name in ("", *_FIRST, *_SECOND) if (m := modules.get(f"{p.name}.{name}".removesuffix(".")))]
    tiers = [
        _candidates(modules, gateways, imports=True),
        _candidates(modules, [m for m in first if not m.is_package], imports=True),
        _candidates(modules, [m for m in second if not m.is_package]),
        _candidates(modules, third, unusual=True),
        _candidates(modules, inner, imports=True),
        _candidates(modules, [m for m in usual if m.name not in _GATEWAYS]),
    ]
    if not any(tiers):
        rest = [m for p in packages for m in modules.below(p.name)]
        tiers += [_candidates(modules, rest, unusual=True), _programs(modules, [*first, *second, *third])]
    everything = [*gateways, *first, *second, *third, *inner, *usual]
    return Found(tiers=tuple(tuple(tier) for tier in tiers), rejected=tuple(_rejected(modules, everything)))


def choose(tier: Sequence[Candidate]) -> list[Candidate]:
    """Return the candidates of a tier between which nothing decides: one is a decision."""
    possible = list({c.identity or c.app: c for c in reversed(tier)}.values())[::-1]  # the first of each identity
    objects = [c for c in possible if not c.is_factory] or possible
    named = []
    for file in dict.fromkeys(c.file for c in objects):
        own = [c for c in objects if c.file == file]
        named += next((same for name in _NAMES if (same := [c for c in own if c.name == name])), own)
    # What another one imports is a part of it: mounted below a path, wrapped, or started by a program.
    outer = [c for c in named if not any(c.identity in o.uses and o.identity not in c.uses for o in named if o is not c)]
    started = [c for c in named if c.interface not in PROGRAMS]
    if any(c.interface in PROGRAMS for c in named) and all(
        c.uses & {s.identity for s in started} for c in named if c.interface in PROGRAMS
    ):
        return started  # a program that only serves an object: a server does that better
    return outer or named


def _candidates(
    modules: Modules, among: Iterable[Module], *, imports: bool = False, unusual: bool = False
) -> list[Candidate]:
    """Find the candidates of modules.

    Args:
        modules: All modules.
        among: Those to look at.
        imports: Whether a name that comes from an installed package counts.
        unusual: Whether they have no usual name, so that only what is certainly an application counts.
    """
    found: list[Candidate] = []
    for module in among:
        uses = frozenset(_uses(modules, module))
        if (program := programs.look(module)) and not program.guarded and not module.is_package and "." not in module.name:
            found.append(_program(module, program, uses))
            continue
        own = [c for name in module.names for c in _classify(modules, module, name, imports=imports)]
        own = _without_aliases(own)
        found += [replace(c, uses=uses - {c.identity}) for c in own if not unusual or c.what != "object"]
    return found


def _without_aliases(own: list[Candidate]) -> list[Candidate]:
    """Keep one name of each object; the usual one counts."""
    kept: dict[str, Candidate] = {}
    for candidate in own:
        other = kept.get(candidate.identity)
        if other is None or (candidate.name in _NAMES and other.name != _NAMES[0]):
            kept[candidate.identity] = candidate
    return list(kept.values())


def _classify(modules: Modules, module: Module, name: str, *, imports: bool, depth: int = 0) -> Iterator[Candidate]:
    """Give the candidate that a name of a module is, if it is one."""
    binding = module.names[name]
    value = binding.value

    def candidate(what: str, interface: str | None, attribute: str = "", identity: str = "") -> Candidate:
        own = f"{module.name}:{name}{attribute}"
        return Candidate(
            app=own, file=module.file, line=binding.line, what=what, interface=interface, identity=identity or own
        )

    match value:
        case Imported():
            target = modules.resolve(module, name)
            if isinstance(target, tuple):
                for inner in _inner(modules, target, depth):
                    own = f"{module.name}:{name}{'()' * inner.is_factory}"
                    if inner.is_factory or name in _NAMES or module.is_package:
                        yield replace(inner, app=own, file=module.file, line=binding.line, what=f"imported {inner.what}")
            elif isinstance(target, Imported) and imports and name in _NAMES and _root(target.module) not in _OTHERS | {"bottle"}:
                yield candidate("imported object", None)
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            yield from _defined(modules, module, name, value, candidate)
        case ast.Name(id=other) if other in module.names and other != name and depth < _DEPTH:
            for inner in _classify(modules, module, other, imports=imports, depth=depth + 1):
                if not inner.is_factory:
                    yield replace(inner, app=f"{module.name}:{name}", line=binding.line)
        case ast.Attribute(value=ast.Name(id=other), attr="server") if _framework(module, other) == "dash.Dash":
            yield candidate("Dash's server", WSGI, identity=f"{module.name}:{other}.server")
        case ast.Call():
            yield from _called(modules, module, name, value, candidate)
        case ast.Constant() | ast.Name() | ast.List() | ast.Dict() | ast.Tuple() | ast.Set() | ast.JoinedStr():
            pass
        case _ if name in _NAMES:
            yield candidate("object", None)


def _inner(modules: Modules, target: tuple[Module, str], depth: int) -> Iterator[Candidate]:
    if depth < _DEPTH:
        yield from _classify(modules, *target, imports=False, depth=depth + 1)


def _called(modules: Modules, module: Module, name: str, call: ast.Call, candidate) -> Iterator[Candidate]:  # type: ignore[no-untyped-def]  # noqa: ANN001
    framework = _framework_of(modules, module, call.func)
    if framework == "dash.Dash":
        yield candidate("Dash's server", WSGI, attribute=".server", identity=f"{module.name}:{name}.server")
    elif framework:
        yield candidate(f"{framework.rpartition('.')[2]} object", _FRAMEWORKS[framework])
    elif isinstance(call.func, ast.Attribute) and call.func.attr in _METHODS:
        yield candidate("WSGI object", WSGI)
    elif isinstance(call.func, ast.Name) and (made := _factory_called(modules, module, call.func.id)):
        where, function = made
        identity = "" if call.args or call.keywords else f"{where.name}:{function.name}()"
        interface = _made_by(modules, where, function)
        if name in _NAMES or interface:
            yield candidate(f"object of {function.name}()", interface, identity=identity)
    elif name in _NAMES and _root(module.origin(call.func)) not in _OTHERS and module.origin(call.func) not in _PARTS:
        yield candidate("object", None)


def _factory_called(modules: Modules, module: Module, name: str) -> tuple[Module, ast.FunctionDef] | None:
    target = modules.resolve(module, name)
    if isinstance(target, tuple) and isinstance(function := target[0].names[target[1]].value, ast.FunctionDef):
        return target[0], function
    return None


def _defined(modules: Modules, module: Module, name: str, definition: ast.stmt, candidate) -> Iterator[Candidate]:  # type: ignore[no-untyped-def]  # noqa: ANN001
    match definition:
        case ast.FunctionDef(args=arguments):
            names = [a.arg for a in (*arguments.posonlyargs, *arguments.args)]
            if names[:2] == ["environ", "start_response"] or (name == "application" and len(names) == 2):  # noqa: PLR2004
                yield candidate("WSGI function", WSGI)
            elif _FACTORY.fullmatch(name) and "test" not in name and not required(arguments):
                usual = name.startswith(("create_", "make_")) or _made_by(modules, module, definition)
                if usual:
                    yield candidate("factory", _made_by(modules, module, definition), attribute="()")
        case ast.AsyncFunctionDef(args=arguments):
            names = [a.arg for a in (*arguments.posonlyargs, *arguments.args)]
            if names == ["scope", "receive", "send"] or (name in _NAMES and len(names) == 3):  # noqa: PLR2004
                yield candidate("ASGI function", ASGI)
        case ast.ClassDef(body=body) if name in _NAMES:
            starts = [s for s in body if isinstance(s, ast.FunctionDef) and s.name == "__init__"]
            if starts and [a.arg for a in starts[0].args.args[1:3]] == ["environ", "start_response"]:
                yield candidate("WSGI class", WSGI)


def _made_by(modules: Modules, module: Module, function: ast.FunctionDef | ast.AsyncFunctionDef) -> str | None:
    """Tell what the application that a factory makes speaks, if its source shows that."""
    if function.returns and (framework := _framework_of(modules, module, function.returns)):
        return _FRAMEWORKS[framework]
    for node in ast.walk(function):
        if isinstance(node, ast.Call):
            if framework := _framework_of(modules, module, node.func, local=False):
                return _FRAMEWORKS[framework]
            if isinstance(node.func, ast.Attribute) and node.func.attr in _METHODS:
                return _METHODS[node.func.attr]
    return None


def _framework(module: Module, name: str) -> str | None:
    binding = module.names.get(name)
    if binding and isinstance(binding.value, ast.Call):
        return _known(module.origin(binding.value.func))
    return None


def _framework_of(modules: Modules, module: Module, function: ast.expr, *, local: bool = True) -> str | None:
    """Return which framework's application calling an expression makes: its class, or a class of one's own below it."""
    if (framework := _known(module.origin(function))) or not local or not isinstance(function, ast.Name):
        return framework
    target = modules.resolve(module, function.id)
    if isinstance(target, Imported):
        return _known(f"{target.module}.{target.name}")
    if target and isinstance(definition := target[0].names[target[1]].value, ast.ClassDef):
        return next((f for base in definition.bases if (f := _framework_of(modules, target[0], base, local=base_is_new(base, definition)))), None)
    return None


def base_is_new(base: ast.expr, definition: ast.ClassDef) -> bool:
    """Tell a class below another one from `class Flask(Flask)`."""
    return not (isinstance(base, ast.Name) and base.id == definition.name)


def _known(origin: str) -> str | None:
    """Return the framework that a dotted name is of."""
    if not origin:
        return None
    root, name = _root(origin), origin.rpartition(".")[2]
    if name in _BY_NAME and (root in {name, _root(_BY_NAME[name])} or root not in _OTHERS):
        return _BY_NAME[name]
    matching = [f for f in _FRAMEWORKS if _root(f) == root and f.rpartition(".")[2] == name]
    if len(matching) > 1:  # falcon.App and falcon.asgi.App
        return next((f for f in matching if (".asgi." in f) == (".asgi." in origin)), None)
    return matching[0] if matching else None


def _root(origin: str) -> str:
    return origin.partition(".")[0]


def required(arguments: ast.arguments) -> list[str]:
    """List the names of the arguments that have to be given."""
    positional = [*arguments.posonlyargs, *arguments.args]
    named = [a.arg for a in positional[: len(positional) - len(arguments.defaults)]]
    return named + [a.arg for a, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if default is None]


def _rejected(modules: Modules, among: Iterable[Module]) -> Iterator[str]:
    for module in dict.fromkeys(among):
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
        identity=module.file,
        uses=uses,
    )


def _programs(modules: Modules, among: Iterable[Module]) -> list[Candidate]:
    """Find programs that listen when they are run as a script."""
    return [
        _program(module, program, frozenset(_uses(modules, module)))
        for module in among
        if not module.is_package and (program := programs.look(module))
    ]
