"""DUR505: values that are not JSON."""

import ast
from collections.abc import Iterator
from typing import Final

from durablehost.lint.app import App
from durablehost.lint.declared import argument
from durablehost.lint.findings import Found
from durablehost.lint.meaning import External, Instance
from durablehost.lint.reach import Step
from durablehost.lint.rule import Example, Rule
from durablehost.lint.source import Class, Function
from durablehost.lint.tasks import method_of

_INPUTS: Final = {
    "call_activity": (1, "input_"),
    "call_activity_with_retry": (2, "input_"),
    "call_entity": (2, "operationInput"),
    "call_sub_orchestrator": (1, "input_"),
    "call_sub_orchestrator_with_retry": (2, "input_"),
    "continue_as_new": (0, "input_"),
    "set_custom_status": (0, "status"),
    "signal_entity": (2, "operationInput"),
}
_MADE: Final = {
    "builtins.bytes()": "bytes",
    "builtins.frozenset()": "a set",
    "builtins.map()": "an iterator",
    "builtins.filter()": "an iterator",
    "builtins.set()": "a set",
    "builtins.zip()": "an iterator",
    "datetime.date()": "a date",
    "datetime.date.today()": "a date",
    "datetime.datetime()": "a datetime",
    "datetime.datetime.now()": "a datetime",
    "datetime.datetime.utcnow()": "a datetime",
    "datetime.timedelta()": "a timedelta",
    "decimal.Decimal()": "a Decimal",
    "pathlib.Path()": "a Path",
    "uuid.uuid4()": "a UUID",
    "uuid.UUID()": "a UUID",
}


def check(app: App) -> Iterator[Found]:
    for step in app.replayed:
        for call in app.in_context(step.function):
            if method_of(call) not in _INPUTS:
                continue
            given = argument(call, *_INPUTS[method_of(call)])
            if given is None:
                continue
            for node, kind in _faults(app, given, step.function):
                says = (
                    f"{step.path} gives {kind} to {method_of(call)}. It is not JSON, and the "
                    "instance "
                    "fails. Convert it first."
                )
                yield app.found(node, step.function, says)
        if step.previous is None:
            yield from _returned(app, step)


def _returned(app: App, step: Step) -> Iterator[Found]:
    """What an orchestrator returns and the SDK cannot write as JSON."""
    for statement in step.function.nodes:
        if isinstance(statement, ast.Return) and statement.value is not None:
            for node, kind in _faults(app, statement.value, step.function):
                says = (
                    f"{step.path} returns {kind}. It is not JSON, and the instance fails with "
                    "words "
                    "that hide the cause. Convert it first."
                )
                yield app.found(node, step.function, says)


def _faults(
    app: App, node: ast.expr, function: Function, depth: int = 0
) -> Iterator[tuple[ast.expr, str]]:
    if depth > 5:
        return
    match node:
        case ast.Set() | ast.SetComp():
            yield node, "a set"
        case ast.GeneratorExp():
            yield node, "a generator"
        case ast.Lambda():
            yield node, "a function"
        case ast.Constant(value=bytes()):
            yield node, "bytes"
        case ast.Attribute(attr="current_utc_datetime"):
            yield node, "a datetime"
        case ast.BinOp(left=ast.Attribute(attr="current_utc_datetime"), right=right):
            if isinstance(node.op, ast.Add) or app.constants.of(right, function) is not None:
                yield node, "a datetime"
        case ast.Dict(values=values):
            for value in values:
                yield from _faults(app, value, function, depth + 1)
        case ast.List(elts=values) | ast.Tuple(elts=values):
            for value in values:
                yield from _faults(app, value, function, depth + 1)
        case ast.Name(id=name) if _is_caught(function, name):
            yield node, "an exception"
        case ast.Name(id=name):
            values = list(app.tasks.values(name, function))
            if len(values) == len(function.names.get(name, [])) == 1:
                inside = list(_faults(app, values[0], function, depth + 1))
                yield from ((node, kind) for _, kind in inside[:1])
        case ast.Call():
            if kind := _made(app, node, function):
                yield node, kind


def _is_caught(function: Function, name: str) -> bool:
    """Whether a name is the exception of `except ... as name`, and nothing else."""
    bound = function.names.get(name, [])
    return bool(bound) and all(isinstance(each, ast.ExceptHandler) for each in bound)


def _made(app: App, node: ast.Call, function: Function) -> str:
    match app.meaning.of(node, function):
        case External(name=name):
            return _MADE.get(name, "")
        case Instance(of=of) if isinstance(app.meaning.of(node.func, function), Class):
            return "" if _has_json(app, of) else f"an object of {of.name}"
    return ""


def _has_json(app: App, of: Class) -> bool:
    """Whether JSON can hold its objects: dictionaries, and classes with `to_json`."""
    if "to_json" in of.names:
        return True
    assert isinstance(of.node, ast.ClassDef)
    for base in of.node.bases:
        target = app.meaning.of(base, of.outer or of)
        if isinstance(target, Class):
            if _has_json(app, target):
                return True
        elif not isinstance(target, External) or target.name not in (
            "abc.ABC",
            "builtins.object",
            "pydantic.BaseModel",
        ):
            return True  # a TypedDict, an Enum, or something that the linter does not know
    return False


RULE = Rule(
    code="DUR505",
    name="not-json",
    sentence="An orchestrator sends a value that is not JSON.",
    why="""\
Inputs, results and the custom status are stored as JSON. A set, a datetime, bytes, or an object
of a class without `to_json` and `from_json` fails the instance, for some with words that hide the
cause. Send `.isoformat()`, a list, or a dictionary.""",
    valid=[
        Example("""\
@app.orchestration_trigger(context_name="context")
def order(context):
    began = context.current_utc_datetime.isoformat()
    yield context.call_activity("ship", {"began": began, "items": sorted({"tea", "cup"})})
"""),
    ],
    invalid=[
        Example("""\
from dataclasses import dataclass


@dataclass
class Item:
    name: str


@app.orchestration_trigger(context_name="context")
def order(context):
    context.set_custom_status({"began": context.current_utc_datetime})  # here
    yield context.call_activity("ship", Item("tea"))  # here
    yield context.call_activity("ship", {"tea", "cup"})  # here
    return {"ended": context.current_utc_datetime}  # here
"""),
    ],
    check=check,
)
