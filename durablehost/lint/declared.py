"""The durable functions of an app, as its decorators declare them."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from durablehost.lint.meaning import External, Instance, Meaning, Value
from durablehost.lint.source import Function, Scope, Source

Kind = Literal["orchestration", "activity", "entity"]

_TRIGGERS: Final[dict[str, tuple[Kind, str]]] = {
    "orchestration_trigger": ("orchestration", "orchestration"),
    "activity_trigger": ("activity", "activity"),
    "entity_trigger": ("entity", "entity_name"),
}


@dataclass(frozen=True)
class Declared:
    """An orchestrator, activity or entity."""

    kind: Kind
    name: str | None  # the name it is called by; None where the source does not show it
    function: Function


class Declarations:
    """All durable functions of an app, and whether their names are all in the source."""

    def __init__(self, source: Source, meaning: Meaning) -> None:
        self._meaning = meaning
        found = [declared for each in source.functions for declared in self._declared(each)]
        self.by_function: Final = {each.function: each for each in found}
        nodes = [
            (node, scope)
            for scope in [*source.modules.values(), *source.functions]
            for node in scope.nodes
            if isinstance(node, ast.Call)
        ]
        self.hidden: Final = [  # calls that register functions that the source does not show
            (call, scope) for call, scope in nodes if self._hides_functions(call, scope)
        ]
        self.are_complete: Final = not self.hidden and all(each.name is not None for each in found)

    def of_kind(self, kind: Kind) -> list[Declared]:
        return [each for each in self.by_function.values() if each.kind == kind]

    def names(self, kind: Kind) -> list[str]:
        return sorted({each.name for each in self.of_kind(kind) if each.name})

    def _hides_functions(self, call: ast.Call, scope: Scope) -> bool:
        """Whether a call registers functions that the source does not show."""
        if isinstance(call.func, ast.Call):  # `app.activity_trigger(...)(function)`
            return _trigger_of(call.func) is not None
        if _called(call) in ("register_functions", "register_blueprint") and call.args:
            given = self._meaning.of(call.args[0], scope)
            is_own = isinstance(given, Instance) or (
                isinstance(given, External) and given.name.startswith("azure.")
            )
            return not is_own
        return False

    def _declared(self, function: Function) -> Iterator[Declared]:
        if isinstance(function.node, ast.Lambda):
            return
        own_name: str | None = function.name
        for decorator in function.definition.decorator_list:
            if isinstance(decorator, ast.Call) and _called(decorator) == "function_name":
                given = argument(decorator, 0, "name")
                own_name = self._text(given, function) if given is not None else None
        for decorator in function.definition.decorator_list:
            if (trigger := _trigger_of(decorator)) is None or not isinstance(decorator, ast.Call):
                continue
            kind, keyword = _TRIGGERS[trigger]
            given = argument(decorator, 1, keyword)
            has_name = given is not None and not _is_none(given)
            yield Declared(
                kind, self._text(given, function) if given and has_name else own_name, function
            )

    def _text(self, node: ast.expr, function: Function) -> str | None:
        target = self._meaning.of(node, function.outer or function)
        is_text = isinstance(target, Value) and isinstance(target.value, str)
        return target.value if is_text and isinstance(target, Value) else None


def argument(call: ast.Call, position: int, keyword: str) -> ast.expr | None:
    """An argument of a call, by its position or its keyword."""
    for given in call.keywords:
        if given.arg == keyword:
            return given.value
    if position < len(call.args) and not any(
        isinstance(each, ast.Starred) for each in call.args[: position + 1]
    ):
        return call.args[position]
    return None


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _trigger_of(decorator: ast.expr) -> str | None:
    name = _called(decorator) if isinstance(decorator, ast.Call) else ""
    return name if name in _TRIGGERS else None


def _called(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else ""
