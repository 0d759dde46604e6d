"""DUR203: yields of what is no task."""

import ast
from collections.abc import Callable, Iterator
from pathlib import PurePath
from typing import Final

from durablehost.lint.app import App
from durablehost.lint.findings import Edit, Found, insert, replace
from durablehost.lint.reach import Step
from durablehost.lint.rule import Example, Rule
from durablehost.lint.source import Class, Function
from durablehost.lint.tasks import method_of

_NO_TASK: Final = {
    "continue_as_new": "which schedules nothing: return after it",
    "get_input": "which is a value",
    "new_guid": "which is a value",
    "new_uuid": "which is a value",
    "set_custom_status": "which is no task",
}
_FAILS: Final = "The instance fails with an AttributeError"


def check(app: App) -> Iterator[Found]:
    steps = _steps(app)
    for step in app.replayed:
        if step.function not in steps:
            continue
        for node in step.function.nodes:
            if isinstance(node, ast.Yield) and not _is_never_reached(app, node):
                yield from _faults(app, step, node)


def _steps(app: App) -> set[Function]:
    """The generators whose yields reach the SDK: orchestrators, and helpers by `yield from`."""
    found = {step.function for step in app.replayed if step.previous is None}
    waiting = list(found)
    while waiting:
        function = waiting.pop()
        for node in function.nodes:
            if isinstance(node, ast.YieldFrom):
                called = set(app.reach.called(node.value, function)) - found
                found |= called
                waiting += called
    return found


def _is_never_reached(app: App, node: ast.Yield) -> bool:
    """Whether a yield only makes a function a generator: after a return, or in `if False`."""
    inner: ast.AST = node
    for outer in app.source.ancestors(node):
        if (
            isinstance(outer, ast.If)
            and isinstance(outer.test, ast.Constant)
            and not outer.test.value
        ):
            return True
        body = getattr(outer, "body", None)
        if isinstance(body, list) and inner in body:
            before = body[: body.index(inner)]
            if any(isinstance(each, (ast.Return, ast.Raise)) for each in before):
                return True
        inner = outer
    return False


def _faults(app: App, step: Step, node: ast.Yield) -> Iterator[Found]:
    function, value = step.function, node.value
    path = function.module.path

    def found(says: str, *edits: Edit) -> Found:
        return app.found(node, function, f"{step.path} {says}", *edits)

    match value:
        case None:
            yield found("yields nothing: the instance stays Running for ever.")
        case ast.List() | ast.ListComp():
            edits = _into_task_all(app, value, function)
            says = f"yields a list. {_FAILS}. Write `yield context.task_all([...])`."
            yield found(says, *edits)
        case ast.Tuple() | ast.Set() | ast.Dict() | ast.GeneratorExp() | ast.DictComp():
            yield found(f"yields a collection. {_FAILS}. Write `yield context.task_all([...])`.")
        case ast.Constant() | ast.JoinedStr() | ast.Compare():
            yield found(f"yields a value that is no task. {_FAILS}. Yield tasks only.")
        case ast.Name(id=name) if app.tasks.shape(value, function) == "tasks":
            says = f"yields the list {name}. {_FAILS}. Write `yield context.task_all({name})`."
            yield found(says, *_into_task_all(app, value, function))
        case ast.Call() if method_of(value) == "signal_entity":
            says = (
                "yields signal_entity: the signal is sent twice, and the instance stays Running "
                "for "
                "ever. Write it without yield."
            )
            statement = app.source.parents.get(node)
            alone = isinstance(statement, ast.Expr)
            edits = [_without_yield(path, node, value)] if alone else []
            yield found(says, *edits)
        case ast.Call() if method_of(value) in _NO_TASK:
            yield found(f"yields {method_of(value)}(), {_NO_TASK[method_of(value)]}.")
        case ast.Call():
            yield from _called(app, value, function, found)


def _called(
    app: App, value: ast.Call, function: Function, found: Callable[..., Found]
) -> Iterator[Found]:
    """A yielded call of a function of the app that makes no task."""
    called = app.meaning.of(value.func, function)
    if isinstance(called, Class):
        yield found(f"yields an object of {called.name}. {_FAILS}.")
    elif isinstance(called, Function) and called.is_async:
        yield found(
            f"yields the coroutine {called.name}(). {_FAILS}. Make it an activity and call that."
        )
    elif isinstance(called, Function) and called.is_generator:
        place = (value.lineno, value.col_offset)
        yield found(
            f"yields the generator {called.name}(), whose steps never run. {_FAILS}. Write "
            f"`yield from {called.name}(...)`.",
            insert(function.module.path, place, "from "),
        )


def _into_task_all(app: App, value: ast.expr, function: Function) -> list[Edit]:
    context = app.context_in(value)
    if context is None or app.tasks.shape(value, function) != "tasks":
        return []
    path = function.module.path
    text = ast.get_source_segment("\n".join(function.module.lines), value)
    return [replace(path, value, f"{context}.task_all({text})")] if text else []


def _without_yield(path: PurePath, node: ast.Yield, value: ast.expr) -> Edit:
    return Edit(path, (node.lineno, node.col_offset), (value.lineno, value.col_offset), "")


RULE = Rule(
    code="DUR203",
    name="yields-no-task",
    sentence="An orchestrator yields something that is no task.",
    why="""\
The SDK expects tasks. A list, a value or a coroutine fails the instance with an AttributeError; a
bare `yield` and a yielded signal leave it Running for ever. Put several tasks into
`context.task_all` or `context.task_any`, and call a generator of yours by `yield from`.""",
    valid=[
        Example("""\
def priced(context, item):
    price = yield context.call_activity("price", item)
    return price


@app.orchestration_trigger(context_name="context")
def order(context):
    price = yield from priced(context, "tea")
    yield context.task_all([context.call_activity("ship", price)])
"""),
        Example("""\
@app.orchestration_trigger(context_name="context")
def order(context):
    return context.instance_id
    yield  # it only makes the function a generator
"""),
    ],
    invalid=[
        Example(
            """\
@app.orchestration_trigger(context_name="context")
def order(context):
    yield [context.call_activity("ship", n) for n in range(3)]  # here
""",
            fixed="""\
@app.orchestration_trigger(context_name="context")
def order(context):
    yield context.task_all([context.call_activity("ship", n) for n in range(3)])  # here
""",
        ),
        Example(
            """\
def priced(context, item):
    price = yield context.call_activity("price", item)
    return price


@app.orchestration_trigger(context_name="context")
def order(context):
    price = yield priced(context, "tea")  # here
    return price
""",
            fixed="""\
def priced(context, item):
    price = yield context.call_activity("price", item)
    return price


@app.orchestration_trigger(context_name="context")
def order(context):
    price = yield from priced(context, "tea")  # here
    return price
""",
        ),
        Example(
            """\
@app.entity_trigger(context_name="context")
def counter(context): ...


@app.orchestration_trigger(context_name="context")
def order(context):
    yield context.signal_entity(df.EntityId("counter", "orders"), "add", 1)  # here
    yield  # here
""",
            fixed="""\
@app.entity_trigger(context_name="context")
def counter(context): ...


@app.orchestration_trigger(context_name="context")
def order(context):
    context.signal_entity(df.EntityId("counter", "orders"), "add", 1)  # here
    yield  # here
""",
        ),
    ],
    check=check,
)
