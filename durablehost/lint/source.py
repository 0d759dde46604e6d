"""The source of an app: its modules, classes and functions, as syntax trees.

The linter reads `function_app.py`, the modules whose functions were found by loading the app, and
every module of the app's folder that these import, directly or by way of others. It does not run
them.
"""

import ast
import io
import tokenize
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePath

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)


@dataclass(eq=False)
class Scope:
    """A module, class or function: the names that its own code binds."""

    node: ast.AST
    name: str
    module: "Module"
    outer: "Scope | None"
    names: dict[str, list[ast.AST]] = field(default_factory=dict)
    nodes: list[ast.AST] = field(default_factory=list)  # its own code, without that of inner scopes
    imports: dict[str, str] = field(default_factory=dict)  # a name, and the dotted name it is for


@dataclass(eq=False)
class Module(Scope):
    """One file of the app."""

    path: PurePath = PurePath()
    lines: list[str] = field(default_factory=list)
    all_names: list[str] = field(default_factory=list)  # modules imported by `from m import *`
    imported: list[str] = field(default_factory=list)  # the dotted names that it imports


@dataclass(eq=False)
class Class(Scope):
    """A class of the app."""


@dataclass(eq=False)
class Function(Scope):
    """A function, method or nested function of the app. The code of a lambda is its outer "
    "scope's."""

    @property
    def definition(self) -> ast.FunctionDef | ast.AsyncFunctionDef:
        assert isinstance(self.node, (ast.FunctionDef, ast.AsyncFunctionDef))
        return self.node

    @property
    def is_generator(self) -> bool:
        return any(isinstance(node, (ast.Yield, ast.YieldFrom)) for node in self.nodes)

    @property
    def is_async(self) -> bool:
        return isinstance(self.node, ast.AsyncFunctionDef)

    @property
    def parameters(self) -> list[ast.arg]:
        arguments = self.definition.args
        return [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]

    @property
    def owner(self) -> Class | None:
        """The class that this function is a method of."""
        return self.outer if isinstance(self.outer, Class) else None


class Source:
    """All modules of an app that `function_app.py` leads to."""

    def __init__(
        self, read: Callable[[str], tuple[PurePath, bytes] | None], scripts: Iterable[str]
    ) -> None:
        """`read` returns the path and the content of a module by its dotted name, or None."""
        self._read = read
        self.modules: dict[str, Module] = {}
        self.functions: list[Function] = []
        self.classes: list[Class] = []
        self.scope_of: dict[ast.AST, Scope] = {}
        self.parents: dict[ast.AST, ast.AST] = {}
        self.failures: list[tuple[PurePath, SyntaxError]] = []
        waiting = list(scripts)
        while waiting:
            name = waiting.pop()
            if name in self.modules or (found := read(name)) is None:
                continue
            try:
                text = decode(found[1])
                tree = ast.parse(text)
            except SyntaxError as error:
                self.failures.append((found[0], error))
                continue
            except ValueError as error:  # a null byte, or a byte that is no UTF-8
                self.failures.append((found[0], SyntaxError(str(error))))
                continue
            module = Module(tree, name, None, None, path=found[0], lines=text.split("\n"))  # type: ignore[arg-type] # a module is its own
            module.module = module
            self.modules[name] = module
            self._enter(module)
            waiting += module.imported

    def ancestors(self, node: ast.AST) -> Iterator[ast.AST]:
        """The nodes around a node, from the inside out."""
        while (outer := self.parents.get(node)) is not None:
            yield outer
            node = outer

    def statement(self, node: ast.AST) -> ast.stmt:
        """The statement that a node is part of."""
        while not isinstance(node, ast.stmt):
            node = self.parents[node]
        return node

    def _enter(self, scope: Scope) -> None:
        self.scope_of[scope.node] = scope
        if isinstance(scope, Function):
            self.functions.append(scope)
            for each in _all_arguments(scope.definition.args):
                scope.names.setdefault(each.arg, []).append(each)
        elif isinstance(scope, Class):
            self.classes.append(scope)
        body = getattr(scope.node, "body", [])
        for child in body:
            self.parents[child] = scope.node
            self._walk(child, scope)

    def _walk(self, node: ast.AST, scope: Scope) -> None:
        scope.nodes.append(node)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            scope.names.setdefault(node.name, []).append(node)
            kind = Class if isinstance(node, ast.ClassDef) else Function
            for outside in [*node.decorator_list, *_run_at_definition(node)]:
                self.parents[outside] = node
                self._walk(outside, scope)
            self._enter(kind(node, node.name, scope.module, scope))
            return
        self._bind(node, scope)
        for child in ast.iter_child_nodes(node):
            self.parents[child] = node
            self._walk(child, scope)

    def _bind(self, node: ast.AST, scope: Scope) -> None:
        match node:
            case ast.Import(names=aliases):
                scope.module.imported += [alias.name for alias in aliases]
                for alias in aliases:
                    scope.imports[alias.asname or alias.name.partition(".")[0]] = (
                        alias.name if alias.asname else alias.name.partition(".")[0]
                    )
            case ast.ImportFrom(names=aliases):
                package = absolute_name(node, scope.module)
                scope.module.imported += [
                    package,
                    *(f"{package}.{alias.name}" for alias in aliases),
                ]
                for alias in aliases:
                    if alias.name == "*":
                        scope.module.all_names.append(package)
                    scope.imports[alias.asname or alias.name] = f"{package}.{alias.name}"
            case ast.Name(id=name, ctx=ast.Store()):
                scope.names.setdefault(name, []).append(node)
            case ast.arg(arg=name):  # of a lambda
                scope.names.setdefault(name, []).append(node)
            case ast.ExceptHandler(name=str(name)):
                scope.names.setdefault(name, []).append(node)
            case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                scope.names.setdefault(name, []).append(node)


def _run_at_definition(
    node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef,
) -> list[ast.expr]:
    if isinstance(node, ast.ClassDef):
        return [*node.bases, *(keyword.value for keyword in node.keywords)]
    return [*node.args.defaults, *(each for each in node.args.kw_defaults if each is not None)]


def _all_arguments(arguments: ast.arguments) -> list[ast.arg]:
    more = [each for each in (arguments.vararg, arguments.kwarg) if each is not None]
    return [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, *more]


def absolute_name(node: ast.ImportFrom, module: Module) -> str:
    """The dotted name of the module that `from ... import` names."""
    if not node.level:
        return node.module or ""
    parts = module.name.split(".")
    is_package = module.path.name == "__init__.py"
    kept = parts[: len(parts) - node.level + (1 if is_package else 0)]
    return ".".join([*kept, *([node.module] if node.module else [])])


def encoding_of(data: bytes) -> str:
    """The encoding of a file of Python, by its mark or its first lines."""
    try:
        return tokenize.detect_encoding(io.BytesIO(data).readline)[0]
    except SyntaxError:
        return "utf-8"


def decode(data: bytes) -> str:
    """The text of a file of Python. Raises ValueError where Python cannot read it either."""
    return data.decode(encoding_of(data))


def read_folder(
    folder: Path, script: str = "function_app", files: Iterable[PurePath] = ()
) -> Source:
    """The app in a folder: what its script imports, and what these files of the folder import."""

    def read(name: str) -> tuple[PurePath, bytes] | None:
        if not name or not all(part.isidentifier() for part in name.split(".")):
            return None
        stem = folder.joinpath(*name.split("."))
        for path in (stem.with_suffix(".py"), stem / "__init__.py"):
            if path.is_file():
                return path.relative_to(folder), path.read_bytes()
        return None

    found = [".".join(path.with_suffix("").parts) for path in files if not path.is_absolute()]
    return Source(read, [script, *(name.removesuffix(".__init__") for name in found)])


def read_texts(texts: Mapping[str, str], script: str = "function_app") -> Source:
    """An app given as texts by the dotted names of its modules."""

    def read(name: str) -> tuple[PurePath, bytes] | None:
        if name not in texts:
            return None
        return PurePath(*name.split(".")).with_suffix(".py"), texts[name].encode()

    return Source(read, [script])
