"""The modules of an application, parsed once each, and where the names in them come from."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from taxiway.detect import syntax

# Directories that hold no application, or another one than that which is to be started.
ASIDE = frozenset(
    [
        *(
            "test",
            "tests",
            "testing",
            "doc",
            "docs",
            "example",
            "examples",
            "sample",
            "samples",
            "demos",
            "benchmark",
            "benchmarks",
        ),
        *("migrations", "node_modules", "venv", "env", "build", "dist", "static", "staticfiles", "media", "templates", "locale"),
        *("vendor", "fixtures", "__pycache__"),
    ]
)


@dataclass(frozen=True)
class Imported:
    """A name that an import binds."""

    module: str
    """Absolute."""
    name: str | None
    """None: the module itself."""


@dataclass(frozen=True)
class Binding:
    """What gives a name its value when a module is imported."""

    line: int
    value: ast.expr | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | Imported


@dataclass(frozen=True)
class Module:
    """A module of the application."""

    name: str
    """Dotted."""
    file: str
    """Relative to the application's directory."""
    is_package: bool
    tree: ast.Module

    @cached_property
    def names(self) -> dict[str, Binding]:
        """Its global names; the last binding counts."""
        found: dict[str, Binding] = {}
        for statement in syntax.statements(self.tree.body):
            match statement:
                case ast.Assign(targets=targets, value=value):
                    for target in targets:
                        if isinstance(target, ast.Name):
                            found[target.id] = Binding(statement.lineno, value)
                case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                    found[name] = Binding(statement.lineno, value)
                case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                    found[statement.name] = Binding(statement.lineno, statement)
                case ast.Import() | ast.ImportFrom():
                    found |= {name: Binding(statement.lineno, imported) for name, imported in self.imports(statement)}
        return found

    def imports(self, statement: ast.stmt) -> Iterator[tuple[str, Imported]]:
        """Walk what an import statement binds."""
        match statement:
            case ast.Import(names=aliases):
                for alias in aliases:
                    module = alias.name if alias.asname else alias.name.partition(".")[0]
                    yield alias.asname or module, Imported(module, None)
            case ast.ImportFrom(module=module, names=aliases, level=level):
                base = self._absolute(module or "", level)
                for alias in aliases:
                    yield alias.asname or alias.name, Imported(base, alias.name)

    def origin(self, value: ast.expr | ast.stmt) -> str:
        """Return the dotted name that an expression stands for, by its imports: `flask.Flask`; empty where it has none."""
        match value:
            case ast.Name(id=name):
                binding = self.names.get(name)
                if binding and isinstance(binding.value, Imported):
                    imported = binding.value
                    return imported.module if imported.name is None else f"{imported.module}.{imported.name}"
                return name
            case ast.Attribute(value=inner, attr=name):
                base = self.origin(inner)
                return f"{base}.{name}" if base else ""
        return ""

    def _absolute(self, module: str, level: int) -> str:
        if not level:
            return module
        package = self.name.split(".")
        package = package[: len(package) - level + self.is_package]
        return ".".join([*package, module] if module else package)


class Modules:
    """The modules below an application's directory, and its `src` if that is no package: the two are on the path."""

    def __init__(self, home: Path) -> None:
        self.home = home
        src = home / "src"
        self.tops = [home, *((src,) if src.is_dir() and not (src / "__init__.py").exists() else ())]
        self._read: dict[str, Module | None] = {}

    def get(self, name: str) -> Module | None:
        """Return a module by its dotted name; None where it isn't one of the application's, or isn't valid Python."""
        if name not in self._read:
            self._read[name] = self._find(name)
        return self._read[name]

    def top_level(self) -> list[Module]:
        """List the modules that are files at the top, by name."""
        names = {path.stem for top in self.tops for path in top.glob("*.py")}
        found = (self.get(name) for name in sorted(names))
        return [module for module in found if module and not module.is_package]

    def packages(self) -> list[str]:
        """Name the packages at the top that may hold the application."""
        directories = (
            p for top in self.tops for p in top.iterdir() if p.is_dir() and p.name.isidentifier() and p.name not in ASIDE
        )
        return sorted({p.name for p in directories if (p / "__init__.py").is_file() or _is_namespace(p)})

    def files(self) -> dict[str, list[str]]:
        """Name the modules and packages at the top, with their files; where there are several, the first one counts."""
        found: dict[str, list[str]] = {}
        for path in (p for top in self.tops for p in (*top.glob("*/__init__.py"), *top.glob("*.py"))):
            name = (path.parent if path.stem == "__init__" else path).stem
            found.setdefault(name, []).append(path.relative_to(self.home).as_posix())
        return dict(sorted(found.items()))

    def below(self, package: str) -> list[Module]:
        """List the modules of a package and of its packages, itself first."""
        found = []
        for top in self.tops:
            directory = top.joinpath(*package.split("."))
            for path in sorted(directory.rglob("*.py")):
                parts = path.relative_to(directory).with_suffix("").parts
                if ASIDE.isdisjoint(parts):
                    found.append(self.get(".".join((package, *parts)).removesuffix(".__init__")))
        return list(dict.fromkeys(filter(None, found)))

    def resolve(self, module: Module, name: str) -> tuple[Module, str] | Imported | None:
        """Follow a name through imports to where it is defined: a module and its name there, or what comes from outside.

        None where it is a module, or bound nowhere.
        """
        for _ in range(10):  # imports in a circle
            binding = module.names.get(name)
            if binding is None:
                return None
            if not isinstance(binding.value, Imported):
                return module, name
            imported = binding.value
            if imported.name is None:
                return None
            source = self.get(imported.module)
            if source is None:
                return imported
            if imported.name not in source.names:
                return self._star(source, imported.name)
            module, name = source, imported.name
        return None

    def _star(self, module: Module, name: str) -> tuple[Module, str] | Imported | None:
        binding = module.names.get("*")
        if binding is None or not isinstance(binding.value, Imported):
            return None
        source = self.get(binding.value.module)
        return self.resolve(source, name) if source else Imported(binding.value.module, name)

    def _find(self, name: str) -> Module | None:
        parts = name.split(".")
        for top in self.tops:
            path = top.joinpath(*parts)
            for file, is_package in ((path / "__init__.py", True), (path.with_name(f"{path.name}.py"), False)):
                if file.is_file():
                    tree = syntax.parse(file)
                    return Module(name, file.relative_to(self.home).as_posix(), is_package, tree) if tree else None
        return None


def _is_namespace(directory: Path) -> bool:
    """Tell whether modules of a directory without __init__.py import each other as a package's (PEP 420)."""
    inner = {path.stem for path in directory.iterdir()}
    trees = filter(None, map(syntax.parse, directory.glob("*.py")))
    for node in (node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)):
        root, _, rest = (node.module or "").partition(".")
        names = {rest.partition(".")[0]} if rest else {alias.name for alias in node.names}
        if node.level > 0 or (root == directory.name and names & inner):  # an installed package may have the same name
            return True
    return False
