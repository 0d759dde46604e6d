"""DUR105: the order of a set."""

import ast
from collections.abc import Iterator
from typing import Final

from durablehost.lint.app import App
from durablehost.lint.effects import MAY_DIFFER
from durablehost.lint.findings import Found
from durablehost.lint.meaning import External
from durablehost.lint.reach import TASK_METHODS
from durablehost.lint.rule import Example, Rule
from durablehost.lint.source import Function
from durablehost.lint.tasks import method_of

# Functions whose result does not depend on the order of what they get.
_ORDERLESS: Final = frozenset(
    f"builtins.{name}"
    for name in ("all", "any", "frozenset", "len", "max", "min", "set", "sorted", "sum")
) | {"collections.Counter"}
_IN_ORDER: Final = frozenset(
    f"builtins.{name}" for name in ("enumerate", "iter", "list", "map", "tuple", "zip")
)
_SET_METHODS: Final = ("union", "intersection", "difference", "symmetric_difference")
_INSTEAD: Final = "Texts in a set have another order in each process. Sort it: sorted(...)."


class _Sets:
    """Which expressions of a function are sets."""

    def __init__(self, app: App, function: Function) -> None:
        self._app = app
        self._function = function

    def is_set(self, node: ast.expr, depth: int = 0) -> bool:
        if depth > 5:
            return False
        match node:
            case ast.Set(elts=elements):
                # Numbers have the same hash everywhere.
                numbers = all(
                    isinstance(each, ast.Constant) and isinstance(each.value, int)
                    for each in elements
                )
                return not numbers
            case ast.SetComp():
                return True
            case ast.Call(func=called) if self._named(called) in (
                "builtins.set",
                "builtins.frozenset",
            ):
                return bool(node.args) or depth > 0
            case ast.Call(func=ast.Attribute(value=owner, attr=attr)) if attr in _SET_METHODS:
                return self.is_set(owner, depth + 1)
            case ast.BinOp(left=left, op=ast.BitAnd() | ast.BitOr() | ast.Sub(), right=right):
                return self.is_set(left, depth + 1) or self.is_set(right, depth + 1)
            case ast.Name(id=name):
                values = list(self._app.tasks.values(name, self._function))
                bound = len(self._function.names.get(name, []))
                return bound == len(values) > 0 and all(
                    self.is_set(value, depth + 1) for value in values
                )
        return False

    def ordered_uses(self) -> Iterator[ast.expr]:
        """The places where the order of a set is used."""
        for node in self._function.nodes:
            match node:
                case ast.For(iter=iterated) if self.is_set(iterated) and _keeps_order(node):
                    yield iterated
                case ast.ListComp() | ast.DictComp() | ast.GeneratorExp():
                    if self.is_set(node.generators[0].iter) and not self._is_orderless(node):
                        yield node.generators[0].iter
                case ast.Call(func=called, args=[first, *_]) if self._named(called) in _IN_ORDER:
                    given = node.args if self._named(called) == "builtins.zip" else [node.args[-1]]
                    if self._named(called) == "builtins.enumerate":
                        given = [first]
                    yield from (
                        each for each in given if self.is_set(each) and not self._is_orderless(node)
                    )
                case ast.Call(func=ast.Attribute(value=owner, attr="pop"), args=[]):
                    if self.is_set(owner):
                        yield node
                case ast.Call(func=ast.Attribute(attr="join"), args=[joined]):
                    if self.is_set(joined):
                        yield joined
                case ast.List() | ast.Tuple():
                    yield from (
                        each
                        for each in node.elts
                        if isinstance(each, ast.Starred)
                        and self.is_set(each.value)
                        and not self._is_orderless(node)
                    )

    def _is_orderless(self, node: ast.expr) -> bool:
        match self._app.source.parents.get(node):
            case ast.Call(func=called) as around:
                name = self._named(called)
                if name in _IN_ORDER:
                    return self._is_orderless(around)
                return name in _ORDERLESS
            case ast.Compare():
                return True
        return False

    def _named(self, called: ast.expr) -> str:
        target = self._app.meaning.of(called, self._function)
        return target.name if isinstance(target, External) else ""


def _keeps_order(loop: ast.For) -> bool:
    """Whether a loop does something that depends on the order of its rounds."""
    return any(
        isinstance(node, (ast.Yield, ast.YieldFrom, ast.Return, ast.Break))
        or method_of(node) in TASK_METHODS | {"append", "extend", "insert", "signal_entity"}
        for node in ast.walk(loop)
    )


def check(app: App) -> Iterator[Found]:
    for step in app.replayed:
        if step.is_guarded:
            continue
        for node in _Sets(app, step.function).ordered_uses():
            effect = app.effects.of(node, step.function, MAY_DIFFER)
            path = f"{step.path} uses the order of a set"
            yield app.found(node, step.function, f"{path}. {effect} {_INSTEAD}")


RULE = Rule(
    code="DUR105",
    name="set-order",
    sentence="An orchestrator uses the order of a set.",
    why="""\
The order of texts in a set depends on their hashes, which differ in each process. A loop over a
set that calls activities therefore calls them in another order in a replay, and the host fails
the instance or, where all have one name, gives each the result of another one. Lists and
dictionaries keep their order; `sorted` gives a set one.""",
    valid=[
        Example("""\
@app.orchestration_trigger(context_name="context")
def order(context):
    for item in sorted(set(context.get_input())):
        yield context.call_activity("ship", item)
"""),
        Example("""\
@app.orchestration_trigger(context_name="context")
def order(context):
    items = set(context.get_input())
    if "gift" in items and len(items) < 5:
        yield context.call_activity("ship", sorted(items))
"""),
    ],
    invalid=[
        Example("""\
@app.orchestration_trigger(context_name="context")
def order(context):
    for item in set(context.get_input()):  # here
        yield context.call_activity("ship", item)
"""),
        Example("""\
@app.orchestration_trigger(context_name="context")
def order(context):
    items = {item["kind"] for item in context.get_input()}
    yield context.task_all([context.call_activity("ship", kind) for kind in items])  # here
"""),
    ],
    check=check,
)
