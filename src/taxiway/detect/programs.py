"""Programs that listen by themselves: which calls of a module start a server, and whether importing it makes them."""

import ast
from dataclasses import dataclass

from taxiway.detect import syntax
from taxiway.detect.modules import Imported, Module
from taxiway.launch_plan import COMMAND, PYTHON

# Functions that serve until they are stopped.
_SERVE = frozenset(
    [
        *("aiohttp.web.run_app", "bottle.run", "cherrypy.engine.block", "cherrypy.quickstart", "eventlet.wsgi.server"),
        *("hypercorn.run", "nicegui.ui.run", "panel.serve", "uvicorn.run", "waitress.serve", "werkzeug.run_simple"),
        *("werkzeug.serving.run_simple", "websockets.serve", "websockets.asyncio.server.serve", "websockets.sync.server.serve"),
    ]
)
# `run` of what one of these made serves as well.
_RUNNING = frozenset({"Flask", "APIFlask", "Quart", "Sanic", "Bottle", "Dash", "FlaskApp", "AsyncApp", "SocketIO", "Robyn"})


@dataclass(frozen=True, kw_only=True)
class Program:
    """A module that listens by itself."""

    call: str
    """The call that does so, for messages."""
    line: int
    guarded: bool
    """Whether it does so only when it is run as a script."""
    interface: str = PYTHON
    template: str = "{file}"

    def command(self, file: str) -> str:
        """Return the file, or the command line, that starts it."""
        return self.template.format(file=file)


def look(module: Module) -> Program | None:
    """Find the call by which a module starts a server when it is imported, or else when it is run as a script."""
    roots = {_root(b.value) for b in module.names.values() if isinstance(b.value, Imported)}
    if "streamlit" in roots and (line := _uses_streamlit(module)):
        return Program(
            call="Streamlit",
            line=line,
            guarded=False,
            interface=COMMAND,
            template="streamlit run {file} --server.port $PORT --server.address 0.0.0.0 --server.headless true "
            "--browser.gatherUsageStats false",
        )
    serving = _serving_functions(module)
    for guarded, body in ((False, syntax.statements), (True, syntax.guarded)):
        for statement in body(module.tree.body):
            for call in syntax.calls(statement):
                name = _serves(module, call) or _calls_one_of(call, serving)
                if name and name.endswith(".launch"):
                    return Program(
                        call=name,
                        line=call.lineno,
                        guarded=False,
                        interface=COMMAND,
                        template="exec env GRADIO_SERVER_NAME=0.0.0.0 GRADIO_SERVER_PORT=$PORT python {file}",
                    )
                if name:
                    return Program(call=name, line=call.lineno, guarded=guarded)
    return None


def warning(module: Module) -> str:
    """Warn of a program that can't know the port to listen on; empty if it names the variable PORT."""
    if any(isinstance(node, ast.Constant) and node.value == "PORT" for node in ast.walk(module.tree)):
        return ""
    return f"{module.file} listens by itself, but doesn't read the variable PORT; it has to listen there, on 0.0.0.0."


def _uses_streamlit(module: Module) -> int | None:
    """Return the line of a call of Streamlit, when the module is run or in its functions; those that nothing calls count too."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call) and _origin_root(module, node.func) == "streamlit":
            return node.lineno
    return None


def _serving_functions(module: Module) -> dict[str, str]:
    """List the module's functions that end up serving, with the call that does it."""
    functions = [n for n in module.tree.body if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    found: dict[str, str] = {}
    for _ in range(3):  # functions that call each other
        for function in functions:
            for statement in function.body:
                for call in syntax.calls(statement):
                    if name := _serves(module, call) or _calls_one_of(call, found):
                        found.setdefault(function.name, name)
    return found


def _calls_one_of(call: ast.Call, functions: dict[str, str]) -> str | None:
    return functions.get(call.func.id) if isinstance(call.func, ast.Name) else None


def _serves(module: Module, call: ast.Call) -> str | None:
    """Name the function if a call of it serves until it is stopped."""
    origin = module.origin(call.func)
    if origin in _SERVE:
        return origin
    if not isinstance(call.func, ast.Attribute):
        return None
    value, method = call.func.value, call.func.attr
    made = _maker(module, value)
    name = made.rpartition(".")[2]
    serves = {
        "serve_forever": True,
        "listen": any(_root(b.value) == "tornado" for b in module.names.values() if isinstance(b.value, Imported)),
        "run": name in _RUNNING or made == "uvicorn.Server",
        "run_server": name in _RUNNING,
        "serve": made == "uvicorn.Server",
        "launch": made.startswith("gradio."),
        "start": made.endswith(("IOLoop.current", "IOLoop.instance")),
    }
    return (f"{name}.{method}" if name else method) if serves.get(method) else None


def _maker(module: Module, value: ast.expr) -> str:
    """Return what made an object: `flask.Flask` for `Flask(...)`, and for a name that is bound to it."""
    if isinstance(value, ast.Call):
        return module.origin(value.func)
    if isinstance(value, ast.Name):
        for name, made, _ in (*syntax.assignments(module.tree), *_with_items(module.tree)):
            if name == value.id and isinstance(made, ast.Call):
                return module.origin(made.func)
    return ""


def _with_items(tree: ast.Module) -> list[tuple[str, ast.expr, int]]:
    return [
        (item.optional_vars.id, item.context_expr, node.lineno)
        for node in ast.walk(tree)
        if isinstance(node, ast.With)
        for item in node.items
        if isinstance(item.optional_vars, ast.Name)
    ]


def _origin_root(module: Module, value: ast.expr) -> str:
    return module.origin(value).partition(".")[0]


def _root(imported: Imported) -> str:
    return imported.module.partition(".")[0]
