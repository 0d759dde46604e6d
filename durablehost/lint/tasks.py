"""Which expressions are tasks: what `context.call_activity` and its like return."""

import ast
from collections.abc import Iterator
from typing import Final, Literal

from durablehost.lint.meaning import Meaning
from durablehost.lint.reach import TASK_METHODS
from durablehost.lint.source import Function, Source

Shape = Literal["task", "tasks"]  # one task, or a collection of tasks

_GROW: Final = ("append", "add", "insert", "extend", "appendleft")
_DEPTH: Final = 6


def method_of(node: ast.AST) -> str:
    """The name of the method that a call calls; empty for other nodes."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return node.func.attr
    return ""


class Tasks:
    """Finds the tasks of a function and what becomes of them."""

    def __init__(self, source: Source, meaning: Meaning) -> None:
        self._source = source
        self._meaning = meaning
        self._loads: dict[Function, dict[str, list[ast.Name]]] = {}
        self._grown: dict[Function, dict[str, list[ast.Call]]] = {}

    def shape(self, node: ast.AST, function: Function, depth: int = 0) -> Shape | None:
        """Whether an expression is a task or a collection of tasks."""
        if depth > _DEPTH:
            return None
        match node:
            case ast.Call() if method_of(node) in TASK_METHODS:
                return "task"
            case ast.Call():
                return self._returned(node, function, depth)
            case ast.List(elts=elements) | ast.Tuple(elts=elements) | ast.Set(elts=elements):
                shapes = [self.shape(each, function, depth + 1) for each in elements]
                return "tasks" if any(shapes) else None
            case (
                ast.ListComp(elt=element) | ast.GeneratorExp(elt=element) | ast.SetComp(elt=element)
            ):
                return "tasks" if self.shape(element, function, depth + 1) else None
            case ast.DictComp(value=value):
                return "tasks" if self.shape(value, function, depth + 1) else None
            case ast.Starred(value=value) | ast.NamedExpr(value=value):
                return self.shape(value, function, depth + 1)
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                shapes = [
                    self.shape(left, function, depth + 1),
                    self.shape(right, function, depth + 1),
                ]
                return "tasks" if "tasks" in shapes else None
            case ast.IfExp(body=body, orelse=orelse):
                return self.shape(body, function, depth + 1) or self.shape(
                    orelse, function, depth + 1
                )
            case ast.Name(id=name):
                found = {
                    self.shape(each, function, depth + 1) for each in self.values(name, function)
                }
                if found == {"task"}:
                    return "task"
                if "tasks" in found or self._grows(name, function, depth):
                    return "tasks"
        return None

    def values(self, name: str, function: Function) -> Iterator[ast.expr]:
        """What is assigned to a name in a function."""
        for node in function.names.get(name, []):
            match self._source.parents.get(node):
                case ast.Assign(value=value, targets=targets) if node in targets:
                    yield value
                case ast.AnnAssign(value=ast.expr() as value):
                    yield value
                case ast.NamedExpr(value=value):
                    yield value

    def loads(self, name: str, function: Function) -> list[ast.Name]:
        """Where a name is read: in its function and in functions inside it."""
        if function not in self._loads:
            found: dict[str, list[ast.Name]] = {}
            for node in ast.walk(function.node):
                if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                    found.setdefault(node.id, []).append(node)
            self._loads[function] = found
        return self._loads[function].get(name, [])

    def assigned_name(self, node: ast.AST) -> str | None:
        """The only name that an expression is assigned to."""
        match self._source.parents.get(node):
            case ast.Assign(targets=[ast.Name(id=name)]):
                return name
            case ast.AnnAssign(target=ast.Name(id=name)):
                return name
            case ast.NamedExpr(target=ast.Name(id=name)):
                return name
        return None

    def grown(self, name: str, function: Function) -> list[ast.Call]:
        """The calls that put something into the list of this name."""
        if function not in self._grown:
            found: dict[str, list[ast.Call]] = {}
            for node in function.nodes:
                match node:
                    case ast.Call(func=ast.Attribute(value=ast.Name(id=owner), attr=attr)):
                        if attr in _GROW:
                            found.setdefault(owner, []).append(node)
            self._grown[function] = found
        return self._grown[function].get(name, [])

    def _grows(self, name: str, function: Function, depth: int) -> bool:
        return any(
            self.shape(given, function, depth + 1) is not None
            for call in self.grown(name, function)
            for given in call.args
        )

    def _returned(self, call: ast.Call, function: Function, depth: int) -> Shape | None:
        called = self._meaning.of(call.func, function)
        if not isinstance(called, Function):
            if isinstance(call.func, ast.Name) and call.func.id in ("list", "tuple") and call.args:
                return self.shape(call.args[0], function, depth + 1)
            return None
        if called.is_generator or called.is_async:
            return None
        shapes = {
            self.shape(node.value, called, depth + 1)
            for node in called.nodes
            if isinstance(node, ast.Return) and node.value is not None
        }
        if shapes == {"task"}:
            return "task"
        return "tasks" if shapes == {"tasks"} else None
