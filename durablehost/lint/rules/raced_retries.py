"""DUR208: retries of the SDK in a race."""

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
        for call in app.in_context(step.function):
            if method_of(call).endswith("_with_retry") and _is_raced(app, call, step.function):
                says = (
                    f"{step.path} races a task of {method_of(call)}. While a retry is under way, "
                    "the "
                    "SDK and the host number the next tasks differently, and the instance fails or "
                    "gets the results of other calls. Race a child that makes the call."
                )
                yield app.found(call, step.function, says)


def _is_raced(app: App, call: ast.Call, function: Function) -> bool:
    if is_in_race(app, call, function):
        return True
    for outer in [call, *app.source.ancestors(call)]:
        if isinstance(outer, ast.stmt):
            break
        grown_by = app.source.parents.get(outer)
        name = app.tasks.assigned_name(outer) or _grown_list(app, grown_by, function)
        if name is not None:
            return any(_joins_race(app, load, function) for load in app.tasks.loads(name, function))
    return False


def _grown_list(app: App, node: ast.AST | None, function: Function) -> str | None:
    """The list that a call such as `tasks.append(...)` puts something into."""
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Name(id=name))):
            return name if node in app.tasks.grown(name, function) else None
    return None


def _joins_race(app: App, load: ast.Name, function: Function) -> bool:
    """Whether a task, or a list of tasks, is given to task_any."""
    if is_in_race(app, load, function):
        return True
    parent = app.source.parents.get(load)
    if isinstance(parent, ast.Starred):
        parent = app.source.parents.get(app.source.parents.get(parent) or parent)
    return method_of(parent or load) == "task_any"


RULE = Rule(
    code="DUR208",
    name="raced-retries",
    sentence="An orchestrator races a retry of the SDK.",
    why="""\
The SDK and the host number scheduled tasks separately. After a race they can do so in another
order while a retry is under way: the instance then fails as non-deterministic, gets the results
of other calls, or stays Running ([issue
603](https://github.com/Azure/azure-functions-durable-python/issues/603), closed without a fix).
Race children that make one retried call each, or [retry in the orchestrator](../retrying.md).""",
    valid=[
        Example("""\
from datetime import timedelta

RETRY = df.RetryOptions(5000, 3)


@app.orchestration_trigger(context_name="context")
def shipping(context):
    return (yield context.call_activity_with_retry("ship", RETRY, context.get_input()))


@app.orchestration_trigger(context_name="context")
def order(context):
    shipped = context.call_sub_orchestrator(shipping, "tea")
    timer = context.create_timer(context.current_utc_datetime + timedelta(minutes=5))
    winner = yield context.task_any([shipped, timer])
    if winner == shipped:
        timer.cancel()
    yield context.task_all([context.call_activity_with_retry("price", RETRY, n) for n in "ab"])
"""),
    ],
    invalid=[
        Example("""\
from datetime import timedelta

RETRY = df.RetryOptions(5000, 3)


@app.orchestration_trigger(context_name="context")
def order(context):
    shipped = context.call_activity_with_retry("ship", RETRY, "tea")  # here
    timer = context.create_timer(context.current_utc_datetime + timedelta(minutes=5))
    winner = yield context.task_any([shipped, timer])
    if winner == shipped:
        timer.cancel()
    yield context.call_activity("price", "tea")
"""),
        Example("""\
RETRY = df.RetryOptions(5000, 3)


@app.orchestration_trigger(context_name="context")
def order(context):
    asked = [context.call_activity_with_retry("price", RETRY, n) for n in "ab"]  # here
    yield context.task_any([*asked, context.wait_for_external_event("Stopped")])
    yield context.call_activity("ship", None)
"""),
    ],
    check=check,
)
