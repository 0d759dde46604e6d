"""DUR504: too many arguments of a call."""

import ast
from collections.abc import Iterator
from typing import Final

from durablehost.lint.app import App
from durablehost.lint.findings import Found
from durablehost.lint.meaning import External
from durablehost.lint.rule import Example, Rule
from durablehost.lint.source import Class, Function
from durablehost.lint.tasks import method_of

# How many arguments a call takes before the one that names a type.
_TAKES: Final = {"call_activity": 2, "call_activity_with_retry": 3}
# Where the id of a child stands.
_ID_AT: Final = {"call_sub_orchestrator": 2, "call_sub_orchestrator_with_retry": 3}


def check(app: App) -> Iterator[Found]:
    for step in app.replayed:
        for call in app.in_context(step.function):
            if _has_value_for_id(call):
                says = (
                    f"{step.path} gives {method_of(call)} a second input, which stands where the "
                    "id of the child does. Put all values into one dictionary or list."
                )
                yield app.found(call, step.function, says)
            most = _TAKES.get(method_of(call))
            if most is None or any(isinstance(each, ast.Starred) for each in call.args):
                continue
            more = call.args[most:]
            if more and not (len(more) == 1 and _is_type(app, more[0], step.function)):
                says = (
                    f"{step.path} gives {method_of(call)} more than one input. The activity gets "
                    "the "
                    "first one only. Put all values into one dictionary or list."
                )
                yield app.found(call, step.function, says)


def _has_value_for_id(call: ast.Call) -> bool:
    at = _ID_AT.get(method_of(call))
    if at is None or len(call.args) <= at:
        return False
    match call.args[at]:
        case (
            ast.Dict() | ast.List() | ast.Tuple() | ast.Set() | ast.Constant(value=int() | float())
        ):
            return True
    return False


def _is_type(app: App, node: ast.expr, function: Function) -> bool:
    """Whether the argument may be the `expected_type` of the result."""
    target = app.meaning.of(node, function)
    types = ("str", "int", "float", "bool", "dict", "list", "tuple")
    if isinstance(target, External):
        builtin = target.name.removeprefix("builtins.")
        return builtin in types or not target.name.startswith("builtins.")
    return isinstance(target, Class) or (
        isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name)
    )


RULE = Rule(
    code="DUR504",
    name="call-arguments",
    sentence="An orchestrator gives an activity or a child more than one input.",
    why="""\
`call_activity(name, input)` takes one input. The SDK takes the next argument for the type of the
result, so a second value is dropped, and nothing says so. For `call_sub_orchestrator` it takes the
next argument for the id of the child. Put them into one dictionary.""",
    valid=[
        Example("""\
@app.orchestration_trigger(context_name="context")
def order(context):
    yield context.call_activity("ship", {"item": "tea", "count": 2})
    yield context.call_sub_orchestrator("order", {"item": "tea"}, "order-2")
"""),
    ],
    invalid=[
        Example("""\
@app.orchestration_trigger(context_name="context")
def order(context):
    yield context.call_activity("ship", "tea", 2)  # here
"""),
        Example("""\
@app.orchestration_trigger(context_name="context")
def order(context):
    yield context.call_sub_orchestrator("order", "tea", 2)  # here
"""),
    ],
    check=check,
)
