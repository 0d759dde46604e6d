"""DUR207: the timer that loses a race."""

import ast
from collections.abc import Iterator
from typing import Final

from durablehost.lint.app import App
from durablehost.lint.findings import Found
from durablehost.lint.rule import Example, Rule
from durablehost.lint.source import Function
from durablehost.lint.tasks import method_of

_INSTEAD: Final = "The instance stays Running until it fires. Cancel it when the other task wins."


def check(app: App) -> Iterator[Found]:
    for step in app.replayed:
        for node, is_named in raced_timers(app, step.function):
            what = "and does not cancel it" if is_named else "and has no name to cancel it by"
            says = f"{step.path} races a timer {what}. {_INSTEAD}"
            yield app.found(node, step.function, says)


def raced_timers(app: App, function: Function) -> Iterator[tuple[ast.Call, bool]]:
    """The timers of a function that are in a race and are cancelled nowhere."""
    for node in function.nodes:
        if method_of(node) != "create_timer" or not isinstance(node, ast.Call):
            continue
        if node.args and getattr(node.args[0], "attr", "") == "current_utc_datetime":
            continue  # it fires at once
        name = app.tasks.assigned_name(node)
        if name is None:
            if is_in_race(app, node, function):
                yield node, False
            continue
        loads = app.tasks.loads(name, function)
        raced = [load for load in loads if is_in_race(app, load, function)]
        if raced and not any(_may_cancel(app, load, raced) for load in loads):
            yield node, True


def is_in_race(app: App, node: ast.expr, function: Function) -> bool:
    """Whether a task is one of several of a task_any, there or by the name of their list."""
    match app.source.parents.get(node):
        case ast.List() | ast.Tuple() as group:
            if len(group.elts) < 2:
                return False
            call = app.source.parents.get(group)
            if method_of(call or group) == "task_any":
                return True
            name = app.tasks.assigned_name(group)
            return name is not None and _is_raced_list(app, name, function)
        case ast.Call(func=ast.Attribute(value=ast.Name(id=name))) as call:
            grows = call in app.tasks.grown(name, function)
            return grows and _is_raced_list(app, name, function)
    return False


def _is_raced_list(app: App, name: str, function: Function) -> bool:
    return any(
        method_of(app.source.parents.get(load) or load) == "task_any"
        for load in app.tasks.loads(name, function)
    )


def _may_cancel(app: App, load: ast.Name, raced: list[ast.Name]) -> bool:
    """Whether a timer is cancelled here, or given to code that may do so."""
    match app.source.parents.get(load):
        case ast.Attribute(attr="cancel"):
            return not _has_won(app, load)
        case ast.Call(args=args) if load in args:
            return load not in raced
        case ast.Return() | ast.Dict() | ast.keyword() | ast.Assign():
            return True
        case ast.List() | ast.Tuple():
            return load not in raced
    return False


def _has_won(app: App, load: ast.Name) -> bool:
    """Whether this is the branch in which the timer is the winner: it has fired already."""
    inner: ast.AST = load
    for outer in app.source.ancestors(load):
        if isinstance(outer, ast.If) and inner in outer.body:
            match outer.test:
                case ast.Compare(left=left, ops=[ast.Eq() | ast.Is()], comparators=[right]):
                    names = [getattr(left, "id", ""), getattr(right, "id", "")]
                    return load.id in names
            return False
        inner = outer
    return False


RULE = Rule(
    code="DUR207",
    name="race-timers",
    sentence="An orchestrator races a timer and never cancels it.",
    why="""\
An instance that has returned stays Running until its last timer has fired: an approval that was
given in a minute still counts as running for the days of its deadline, and its id cannot be used
again. Cancel the timer when the other task wins; a timer that has won has fired, and `cancel()`
raises a ValueError.""",
    valid=[
        Example("""\
from datetime import timedelta


@app.orchestration_trigger(context_name="context")
def order(context):
    paid = context.wait_for_external_event("Paid")
    deadline = context.create_timer(context.current_utc_datetime + timedelta(days=2))
    winner = yield context.task_any([paid, deadline])
    if winner == deadline:
        return "expired"
    deadline.cancel()
    return "paid"
"""),
    ],
    invalid=[
        Example("""\
from datetime import timedelta


@app.orchestration_trigger(context_name="context")
def order(context):
    paid = context.wait_for_external_event("Paid")
    deadline = context.create_timer(context.current_utc_datetime + timedelta(days=2))  # here
    winner = yield context.task_any([paid, deadline])
    return "paid" if winner == paid else "expired"
"""),
        Example("""\
from datetime import timedelta


@app.orchestration_trigger(context_name="context")
def order(context):
    tasks = [context.wait_for_external_event("Paid")]
    deadline = context.create_timer(context.current_utc_datetime + timedelta(days=2))  # here
    tasks.append(deadline)
    winner = yield context.task_any(tasks)
    if winner == deadline:
        deadline.cancel()  # it has fired already
    return "over"
"""),
    ],
    check=check,
)
