"""DUR401: times of timers that are not in UTC."""

import ast
from collections.abc import Iterator
from typing import Final

from durablehost.lint.app import App
from durablehost.lint.declared import argument
from durablehost.lint.findings import Found
from durablehost.lint.meaning import External
from durablehost.lint.rule import Example, Rule
from durablehost.lint.source import Function
from durablehost.lint.tasks import method_of

_NAIVE: Final = (
    "datetime.datetime.utcnow",
    "datetime.datetime.today",
    "datetime.datetime.strptime",
    "datetime.datetime.utcfromtimestamp",
)


def check(app: App) -> Iterator[Found]:
    for step in app.replayed:
        for call in app.in_context(step.function):
            if method_of(call) != "create_timer":
                continue
            when = argument(call, 0, "fire_at")
            if when is None:
                continue
            if fault := _fault(app, when, step.function):
                yield app.found(call, step.function, f"{step.path} creates a timer {fault}")


def _fault(app: App, node: ast.expr, function: Function, depth: int = 0) -> str:
    if depth > 5:
        return ""
    if depth == 0 and app.constants.of(node, function) is not None:
        return "from a span, not a time. Write `context.current_utc_datetime + ...`."
    match node:
        case ast.BinOp(left=left, right=right):
            return _fault(app, left, function, depth + 1) or _fault(app, right, function, depth + 1)
        case ast.Name(id=name):
            values = list(app.tasks.values(name, function))
            is_only = len(values) == len(function.names.get(name, [])) == 1
            return _fault(app, values[0], function, depth + 1) if is_only else ""
        case ast.Call(func=ast.Attribute(value=owner, attr="replace")):
            return _of_zone(app, argument(node, 99, "tzinfo"), function) or (
                "" if argument(node, 99, "tzinfo") else _fault(app, owner, function, depth + 1)
            )
        case ast.Call(func=ast.Attribute(attr="astimezone")):
            zone = argument(node, 0, "tz")
            return _of_zone(app, zone, function) if zone else _OTHER_ZONE
        case ast.Call():
            return _of_call(app, node, function)
    return ""


_NO_ZONE: Final = (
    "from a time without a zone: the instance fails. Start from context.current_utc_datetime."
)
_OTHER_ZONE: Final = (
    "from a time that is not in UTC: the SDK writes its digits as UTC, so that it fires hours too "
    "early or too late. Add `.astimezone(timezone.utc)`."
)


def _of_call(app: App, node: ast.Call, function: Function) -> str:
    target = app.meaning.of(node.func, function)
    if not isinstance(target, External):
        return ""
    if target.name in _NAIVE:
        return _NO_ZONE
    if target.name == "datetime.datetime":
        zone = argument(node, 7, "tzinfo")
        return _of_zone(app, zone, function) if zone is not None else _NO_ZONE
    if target.name in ("datetime.datetime.now", "datetime.datetime.fromtimestamp"):
        zone = argument(node, 0 if target.name.endswith("now") else 1, "tz")
        return _of_zone(app, zone, function) if zone is not None else _NO_ZONE
    if target.name == "datetime.datetime.combine":
        zone = argument(node, 2, "tzinfo")
        return _of_zone(app, zone, function) if zone is not None else ""
    return ""


def _of_zone(app: App, zone: ast.expr | None, function: Function) -> str:
    """What is wrong with a time in this zone."""
    match zone:
        case None:
            return ""
        case ast.Constant(value=None):
            return _NO_ZONE
        case ast.Call(args=[name, *_]):
            target = app.meaning.of(zone.func, function)
            zones = ("zoneinfo.ZoneInfo", "pytz.timezone", "dateutil.tz.gettz")
            text = app.constants.of(name, function)
            if target == External("datetime.timezone") and text:  # `timezone(timedelta(hours=2))`
                return _OTHER_ZONE
            known = isinstance(target, External) and target.name in zones and isinstance(text, str)
            return _OTHER_ZONE if known and text not in ("UTC", "Etc/UTC") else ""
        case ast.Name(id=name):
            values = [*app.tasks.values(name, function)]
            return _of_zone(app, values[0], function) if len(values) == 1 else ""
    return ""


RULE = Rule(
    code="DUR401",
    name="timer-times",
    sentence="An orchestrator creates a timer from a time that is not in UTC.",
    why="""\
A time without a zone fails the instance. The SDK writes the digits of a time in another zone as
if they were UTC, so the timer fires hours too early or too late. A `timedelta` is no time. Start
from `context.current_utc_datetime`, and convert with `.astimezone(timezone.utc)`.""",
    valid=[
        Example("""\
from datetime import datetime, timedelta, timezone


@app.orchestration_trigger(context_name="context")
def order(context):
    yield context.create_timer(context.current_utc_datetime + timedelta(hours=1))
    yield context.create_timer(datetime(2030, 1, 1, tzinfo=timezone.utc))
"""),
    ],
    invalid=[
        Example("""\
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo


@app.orchestration_trigger(context_name="context")
def order(context):
    yield context.create_timer(datetime(2030, 1, 1))  # here
    local = context.current_utc_datetime.astimezone(ZoneInfo("Europe/Berlin"))
    yield context.create_timer(local + timedelta(hours=1))  # here
    yield context.create_timer(timedelta(hours=1))  # here
    east = timezone(timedelta(hours=2))
    yield context.create_timer(datetime(2030, 1, 1, tzinfo=east))  # here
"""),
    ],
    check=check,
)
