"""DUR201: tasks that are created and never yielded."""

import ast
from collections.abc import Iterator
from typing import Final

from durablehost.lint.app import App
from durablehost.lint.findings import Found
from durablehost.lint.reach import Step
from durablehost.lint.rule import Example, Rule
from durablehost.lint.source import Function
from durablehost.lint.tasks import method_of

_INSTEAD: Final = "It is never scheduled. Yield it, alone or in task_all or task_any."


def check(app: App) -> Iterator[Found]:
    for step in app.replayed:
        for node in step.function.nodes:
            if not isinstance(node, (ast.Call, ast.ListComp)):
                continue
            if app.tasks.shape(node, step.function) is None:
                continue
            if _is_lost(app, node, step.function):
                yield app.found(node, step.function, _says(step, node))


def _says(step: Step, node: ast.expr) -> str:
    method = method_of(node)
    what = f"the task of {method}" if method else "tasks"
    return f"{step.path} creates {what} and never yields it. {_INSTEAD}"


def _is_lost(app: App, node: ast.expr, function: Function) -> bool:
    parent = app.source.parents.get(node)
    if isinstance(parent, ast.Expr):
        return True
    if (name := app.tasks.assigned_name(node)) is not None:
        return _is_never_read(app, name, function)
    # `tasks.append(context.call_activity(...))`, and nothing reads `tasks`
    match parent:
        case ast.Call(func=ast.Attribute(value=ast.Name(id=owner))) as grown:
            if grown in app.tasks.grown(owner, function) and owner in function.names:
                return _is_never_read(app, owner, function)
    return False


def _is_never_read(app: App, name: str, function: Function) -> bool:
    if name not in function.names or _is_outer(name, function):
        return False
    growing = {
        call.func.value
        for call in app.tasks.grown(name, function)
        if isinstance(call.func, ast.Attribute)
    }
    return not [load for load in app.tasks.loads(name, function) if load not in growing]


def _is_outer(name: str, function: Function) -> bool:
    """Whether the name is one of a module or an outer function."""
    return any(
        isinstance(node, (ast.Global, ast.Nonlocal)) and name in node.names
        for node in function.nodes
    )


RULE = Rule(
    code="DUR201",
    name="lost-tasks",
    sentence="An orchestrator creates a task and never yields it.",
    why="""\
The SDK tells the host of a task when the orchestrator yields it. A task that is never yielded is
never scheduled: the activity does not run, and nothing says so. Signals to entities are
different: they are sent without a yield.""",
    valid=[
        Example("""\
@app.orchestration_trigger(context_name="context")
def order(context):
    tasks = []
    for item in context.get_input():
        tasks.append(context.call_activity("ship", item))
    yield context.task_all(tasks)
"""),
    ],
    invalid=[
        Example("""\
@app.orchestration_trigger(context_name="context")
def order(context):
    context.call_activity("ship", None)  # here
    return "shipped"
"""),
        Example("""\
@app.orchestration_trigger(context_name="context")
def order(context):
    tasks = []
    for item in context.get_input():
        tasks.append(context.call_activity("ship", item))  # here
    yield context.call_activity("price", None)
"""),
    ],
    check=check,
)
