"""Constants that an app writes: numbers, texts, and spans of time."""

import ast
import operator
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

from durablehost.lint.meaning import External, Meaning, Value
from durablehost.lint.source import Class, Module, Scope, Source

_OPERATORS: Final[dict[type[ast.operator], Callable[[Any, Any], Any]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
}
_DEPTH: Final = 8


class Constants:
    """Computes what is constant, through names that are bound once."""

    def __init__(self, source: Source, meaning: Meaning) -> None:
        self._source = source
        self._meaning = meaning

    def of(self, node: ast.expr, scope: Scope, depth: int = 0) -> Any:
        """The value of an expression; None where it is not constant."""
        if depth > _DEPTH:
            return None
        match node:
            case ast.Constant(value=value):
                return value
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                value = self.of(operand, scope, depth + 1)
                return -value if isinstance(value, (int, float, timedelta)) else None
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
                return self._computed(
                    _OPERATORS[type(op)],
                    self.of(left, scope, depth + 1),
                    self.of(right, scope, depth + 1),
                )
            case ast.Call() if self._meaning.of(node.func, scope) == External("datetime.timedelta"):
                return self._span(node, scope, depth)
            case ast.Name(id=name):
                return self._named(name, scope, depth)
            case ast.Attribute(value=base, attr=attr):
                match self._meaning.of(base, scope):
                    case Module() | Class() as other:
                        return self._named(attr, other, depth)
        target = self._meaning.of(node, scope)
        return target.value if isinstance(target, Value) else None

    def _computed(self, compute: Callable[[Any, Any], Any], left: Any, right: Any) -> Any:
        if left is None or right is None:
            return None
        try:
            return compute(left, right)
        except (TypeError, ValueError, ArithmeticError):
            return None

    def _span(self, call: ast.Call, scope: Scope, depth: int) -> timedelta | None:
        given = [self.of(each, scope, depth + 1) for each in call.args]
        named = {each.arg: self.of(each.value, scope, depth + 1) for each in call.keywords}
        numbers = [*given, *named.values()]
        if not all(isinstance(each, (int, float)) for each in numbers) or None in named:
            return None
        try:
            return timedelta(*given, **{str(name): value for name, value in named.items()})
        except (TypeError, OverflowError):
            return None

    def _named(self, name: str, scope: Scope, depth: int) -> Any:
        value, bound_in = self.bound(name, scope, depth)
        return self.of(value, bound_in, depth + 1) if value is not None else None

    def bound(self, name: str, scope: Scope, depth: int = 0) -> tuple[ast.expr | None, Scope]:
        """The expression that a name is bound to, and where; None if that is not once."""
        looked: Scope | None = scope
        while looked is not None and depth <= _DEPTH:
            if imported := looked.imports.get(name):
                package, _, original = imported.rpartition(".")
                module = self._source.modules.get(package)
                return self.bound(original, module, depth + 1) if module else (None, scope)
            if bound := looked.names.get(name, []):
                match self._source.parents.get(bound[0]):
                    case (
                        ast.Assign(value=value, targets=[ast.Name()])
                        | ast.AnnAssign(value=ast.expr() as value)
                    ) if len(bound) == 1:
                        return value, looked
                return None, looked
            looked = looked.outer
        return None, scope
