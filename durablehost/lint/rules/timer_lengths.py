"""DUR402: timers that are too short or too long."""

import ast
from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from durablehost.lint.app import App
from durablehost.lint.declared import argument
from durablehost.lint.findings import Found
from durablehost.lint.rule import Example, Rule
from durablehost.lint.source import Function
from durablehost.lint.tasks import method_of

_SHORTEST: Final = timedelta(seconds=2)
_LONGEST: Final = timedelta(days=6)


def check(app: App) -> Iterator[Found]:
    for step in app.replayed:
        for call in app.in_context(step.function):
            when = argument(call, 0, "fire_at") if method_of(call) == "create_timer" else None
            span = _span(app, when, step.function) if when is not None else None
            if span is None:
                continue
            if span < _SHORTEST:
                says = (
                    f"{step.path} waits for {span.total_seconds():g} s. The host cuts times to "
                    "whole "
                    "seconds, so this may be no pause at all. Wait for two seconds or more."
                )
                yield app.found(call, step.function, says)
            elif span > _LONGEST and _is_raced(app, call, step.function):
                says = (
                    f"{step.path} races a timer of {span.days} days. The SDK cannot cancel a "
                    "timer of "
                    "more than six days, and the instance stays Running until it fires. Wait in "
                    "parts, in a loop."
                )
                yield app.found(call, step.function, says)


def _span(app: App, when: ast.expr, function: Function, depth: int = 0) -> timedelta | None:
    """How long after the current time a timer fires, if that is constant."""
    match when:
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            for now, span in ((left, right), (right, left)):
                if _is_now(app, now, function):
                    value = app.constants.of(span, function)
                    return value if isinstance(value, timedelta) else None
        case ast.Name(id=name) if depth < 3:
            values = list(app.tasks.values(name, function))
            if len(values) == len(function.names.get(name, [])) == 1:
                return _span(app, values[0], function, depth + 1)
    return None


def _is_now(app: App, node: ast.expr, function: Function) -> bool:
    match node:
        case ast.Attribute(attr="current_utc_datetime"):
            return True
        case ast.Name(id=name):
            values = list(app.tasks.values(name, function))
            return (
                len(values) == 1
                and isinstance(values[0], ast.Attribute)
                and _is_now(app, values[0], function)
            )
    return False


def _is_raced(app: App, call: ast.Call, function: Function) -> bool:
    """Whether the timer is one of several tasks, or something cancels it."""
    parent = app.source.parents.get(call)
    if isinstance(parent, (ast.List, ast.Tuple)):
        return True
    name = app.tasks.assigned_name(call)
    loads = app.tasks.loads(name, function) if name else []
    uses = [app.source.parents.get(load) for load in loads]
    return any(
        isinstance(use, (ast.List, ast.Tuple))
        or (isinstance(use, ast.Attribute) and use.attr == "cancel")
        for use in uses
    )


RULE = Rule(
    code="DUR402",
    name="timer-lengths",
    sentence="A timer is under two seconds, or is raced and over six days.",
    why="""\
Azure Storage keeps whole seconds, rounded down: a timer of a second may fire at once, and a loop
around it spins. The SDK makes a timer of more than six days from several shorter ones and cannot
cancel it, so that an instance whose event came on the first day stays Running for all the days of
its deadline.""",
    valid=[
        Example("""\
from datetime import timedelta


@app.orchestration_trigger(context_name="context")
def order(context):
    yield context.create_timer(context.current_utc_datetime + timedelta(days=30))
"""),
    ],
    invalid=[
        Example("""\
from datetime import timedelta

PAUSE = timedelta(milliseconds=500)


@app.orchestration_trigger(context_name="context")
def order(context):
    yield context.create_timer(context.current_utc_datetime + PAUSE)  # here
    paid = context.wait_for_external_event("Paid")
    deadline = context.create_timer(context.current_utc_datetime + timedelta(days=14))  # here
    yield context.task_any([paid, deadline])
    deadline.cancel()
"""),
    ],
    check=check,
)
