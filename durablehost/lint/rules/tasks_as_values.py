"""DUR202: a task where its result is meant."""

import ast
from collections.abc import Iterator
from typing import Final

from durablehost.lint.app import App
from durablehost.lint.findings import Found
from durablehost.lint.meaning import External
from durablehost.lint.rule import Example, Rule
from durablehost.lint.source import Function
from durablehost.lint.tasks import method_of

# What a task has of its own.
_OF_TASKS: Final = frozenset(
    {
        "result",
        "is_completed",
        "is_faulted",
        "is_cancelled",
        "state",
        "cancel",
        "completed",
        "timestamp",
        "id",
        "action_repr",
        "set_value",
        "add_child",
        "children",
        "parent",
        "exception",
        "is_complete",
        "is_failed",
        "get_result",
        "get_exception",
    }
)
_READ_VALUES: Final = frozenset(
    f"builtins.{name}"
    for name in ("bool", "dict", "float", "int", "len", "max", "min", "str", "sum")
) | {"json.loads", "json.dumps"}
_TAKES_DATA: Final = ("call_activity", "call_sub_orchestrator", "set_custom_status")


def check(app: App) -> Iterator[Found]:
    for step in app.replayed:
        function, is_root = step.function, step.previous is None
        for node in function.nodes:
            if app.tasks.shape(node, function) != "task" or not isinstance(node, ast.expr):
                continue
            if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
                continue
            if use := _value_use(app, node, function, is_root=is_root):
                says = (
                    f"{step.path} {use} a task, not its result. Write `result = yield ...` and use "
                    "the result."
                )
                yield app.found(node, function, says)


def _value_use(app: App, node: ast.expr, function: Function, *, is_root: bool) -> str:
    """What the code does with a task as if it were its result; empty if nothing."""
    match app.source.parents.get(node):
        case ast.Subscript(value=value) if value is node:
            return "subscripts"
        case ast.Attribute(value=value, attr=attr) if value is node and attr not in _OF_TASKS:
            return f"reads .{attr} of"
        case ast.FormattedValue():
            return "formats"
        case ast.For(iter=iterated) if iterated is node:
            return "iterates over"
        case ast.If(test=test) | ast.While(test=test) if test is node:
            return "tests the truth of"
        case ast.BinOp():
            return "computes with"
        case (
            ast.Compare(
                ops=[ast.Is() | ast.IsNot() | ast.Eq() | ast.NotEq() | ast.In() | ast.NotIn()]
            ) as compared
        ):
            constants = [each for each in [compared.left, *compared.comparators] if _is_data(each)]
            return "compares" if constants else ""
        case ast.Compare():
            return "compares"
        case ast.Call(func=called, args=args) as call if node in args:
            target = app.meaning.of(called, function)
            if isinstance(target, External) and target.name in _READ_VALUES:
                return "passes to " + target.name.removeprefix("builtins.") + "()"
            if method_of(call) in _TAKES_DATA and (node is not args[0] or len(args) == 1):
                return f"passes to {method_of(call)}"
        case ast.Return():
            return "returns" if is_root else ""
        case ast.List() | ast.Tuple() | ast.Dict() as group:
            return "returns" if is_root and _is_returned(app, group, function) else ""
    return ""


def _is_returned(app: App, group: ast.expr, function: Function) -> bool:
    """Whether a collection is only returned, there or by its name."""
    if isinstance(app.source.parents.get(group), ast.Return):
        return True
    name = app.tasks.assigned_name(group)
    loads = app.tasks.loads(name, function) if name else []
    return bool(loads) and all(
        isinstance(app.source.parents.get(load), ast.Return) for load in loads
    )


def _is_data(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is not None


RULE = Rule(
    code="DUR202",
    name="tasks-as-values",
    sentence="An orchestrator uses a task where it means the task's result.",
    why="""\
`context.call_activity(...)` returns a task. Only `yield` schedules it and gives back its result;
without it, the code fails, or passes on the text of a Python object. In most cases a `yield` is
missing.""",
    valid=[
        Example("""\
@app.orchestration_trigger(context_name="context")
def order(context):
    price = yield context.call_activity("price", None)
    return price["amount"]
"""),
    ],
    invalid=[
        Example("""\
@app.orchestration_trigger(context_name="context")
def order(context):
    price = context.call_activity("price", None)
    yield context.call_activity("ship", price["amount"])  # here
"""),
        Example("""\
@app.orchestration_trigger(context_name="context")
def order(context):
    price = context.call_activity("price", None)
    yield context.call_activity("ship", price)  # here
"""),
        Example("""\
@app.orchestration_trigger(context_name="context")
def order(context):
    return context.call_activity("price", None)  # here
"""),
    ],
    check=check,
)
