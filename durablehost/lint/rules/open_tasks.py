"""DUR306: continue_as_new while tasks are open."""

import ast
from collections.abc import Iterator

from durablehost.lint.app import App
from durablehost.lint.findings import Found
from durablehost.lint.rule import Example, Rule
from durablehost.lint.rules.race_timers import is_in_race
from durablehost.lint.source import Function
from durablehost.lint.tasks import method_of


def check(app: App) -> Iterator[Found]:
    for step in app.replayed:
        continues = [
            call for call in app.in_context(step.function) if method_of(call) == "continue_as_new"
        ]
        for call in continues:
            for task in _raced(app, step.function):
                if task.lineno < call.lineno:
                    says = (
                        f"{step.path} continues as new while the task of {method_of(task)} (line "
                        f"{task.lineno}), which may have lost a race, is open. The next generation "
                        "starts when it has ended. Wait for it, or do the work in a child."
                    )
                    yield app.found(call, step.function, says)
                    break


def _raced(app: App, function: Function) -> Iterator[ast.Call]:
    """Activities and children that are in a race and are not waited for after it."""
    for node in function.nodes:
        if not isinstance(node, ast.Call) or not method_of(node).startswith(
            ("call_activity", "call_sub_orchestrator", "call_http")
        ):
            continue
        name = app.tasks.assigned_name(node)
        if name is None:
            continue
        loads = app.tasks.loads(name, function)
        if any(is_in_race(app, load, function) for load in loads) and not any(
            _is_awaited(app, load) for load in loads
        ):
            yield node


def _is_awaited(app: App, load: ast.Name) -> bool:
    parent = app.source.parents.get(load)
    if isinstance(parent, (ast.List, ast.Tuple)):
        return method_of(app.source.parents.get(parent) or parent) != "task_any"
    return isinstance(parent, (ast.Yield, ast.Call))


RULE = Rule(
    code="DUR306",
    name="open-tasks",
    sentence="An orchestrator continues as new while a task that lost a race may still run.",
    why="""\
The host starts the next generation only when every task of this one has ended. An activity that
lost a race cannot be stopped: the instance waits for it, and hears no event until then. DUR207
reports timers.""",
    valid=[
        Example("""\
@app.orchestration_trigger(context_name="context")
def order(context):
    shipping = context.call_activity("ship", None)
    stop = context.wait_for_external_event("Stopped")
    yield context.task_any([shipping, stop])
    yield shipping
    context.continue_as_new(None)
"""),
    ],
    invalid=[
        Example("""\
@app.orchestration_trigger(context_name="context")
def order(context):
    shipping = context.call_activity("ship", None)
    stop = context.wait_for_external_event("Stopped")
    yield context.task_any([shipping, stop])
    context.continue_as_new(None)  # here
"""),
    ],
    check=check,
)
