"""Reading Python source without importing it."""

import ast
from collections.abc import Iterator
from pathlib import Path


def parse(path: Path) -> ast.Module | None:
    """Parse a module; None where there is no such file or it isn't Python."""
    try:
        return ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError):
        return None


def statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Walk the statements that run when a module is imported, but not those under `if __name__ == "__main__"`."""
    for statement in body:
        match statement:
            case ast.If(test=test, orelse=other) if _is_main_guard(test):
                yield from statements(other)
            case ast.If(body=inner, orelse=other):
                yield from statements([*inner, *other])
            case ast.Try(body=inner, handlers=handlers, orelse=other, finalbody=final):
                caught = [s for handler in handlers for s in handler.body]
                yield from statements([*inner, *caught, *other, *final])
            case ast.With(body=inner):
                yield from statements(inner)
            case _:
                yield statement


def guarded(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Walk the statements under `if __name__ == "__main__"`."""
    for statement in body:
        match statement:
            case ast.If(test=test, body=inner) if _is_main_guard(test):
                yield from inner


def calls(node: ast.AST) -> Iterator[ast.Call]:
    """Walk the calls that happen when a node runs: what functions, classes and lambdas in it would call doesn't count."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
        return
    if isinstance(node, ast.Call):
        yield node
    for inner in ast.iter_child_nodes(node):
        yield from calls(inner)


def assignments(module: ast.Module) -> Iterator[tuple[str, ast.expr, int]]:
    """Walk a module's assignments to names: name, value, line."""
    for statement in statements(module.body):
        match statement:
            case ast.Assign(targets=targets, value=value):
                for target in targets:
                    if isinstance(target, ast.Name):
                        yield target.id, value, statement.lineno
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                yield name, value, statement.lineno


def string_value(module: ast.Module, name: str) -> str | None:
    """Return the string that a module assigns to a name; the last one counts."""
    found = None
    for target, value, _ in assignments(module):
        if target == name:
            found = value.value if isinstance(value, ast.Constant) and isinstance(value.value, str) else None
    return found


def _is_main_guard(test: ast.expr) -> bool:
    match test:
        case ast.Compare(left=ast.Name(id="__name__"), ops=[ast.Eq()], comparators=[ast.Constant(value="__main__")]):
            return True
        case ast.Compare(left=ast.Constant(value="__main__"), ops=[ast.Eq()], comparators=[ast.Name(id="__name__")]):
            return True
    return False
