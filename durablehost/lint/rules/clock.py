"""DUR101: the clock."""

import ast
from typing import Final

from durablehost.lint.app import App, Use
from durablehost.lint.findings import Edit, Found
from durablehost.lint.rule import Example, Rule

_READ: Final = frozenset(
    {
        "arrow.now",
        "arrow.utcnow",
        "datetime.date.today",
        "datetime.datetime.now",
        "datetime.datetime.today",
        "datetime.datetime.utcnow",
        "django.utils.timezone.now",
        "numpy.datetime64.now",
        "pandas.Timestamp.now",
        "pandas.Timestamp.today",
        "pandas.Timestamp.utcnow",
        "pendulum.now",
        "pendulum.today",
        "time.clock_gettime",
        "time.monotonic",
        "time.monotonic_ns",
        "time.perf_counter",
        "time.perf_counter_ns",
        "time.process_time",
        "time.process_time_ns",
        "time.time",
        "time.time_ns",
    }
)
# These read the clock only where they get no time.
_READ_WITHOUT: Final = {"time.ctime": 0, "time.gmtime": 0, "time.localtime": 0, "time.strftime": 1}


def _reads(name: str, node: ast.expr) -> bool:
    if not isinstance(node, ast.Call):
        return False
    given = len(node.args) + len(node.keywords)
    return name in _READ or given <= _READ_WITHOUT.get(name, -1)


def _fix(app: App, use: Use) -> Edit | None:
    """Only the time in UTC with its zone is the same kind of value."""
    match use.node:
        case (
            ast.Call(args=[zone]) | ast.Call(args=[], keywords=[ast.keyword(arg="tz", value=zone)])
        ):
            in_utc = ast.unparse(zone).endswith(("timezone.utc", "UTC"))
            context = app.context_in(use.node)
            if use.name == "datetime.datetime.now" and in_utc and context:
                return app.replacement(use, f"{context}.current_utc_datetime")
    return None


def check(app: App) -> list[Found]:
    return list(
        app.replay_unsafe(
            _reads, "Use context.current_utc_datetime.", fix=lambda use: _fix(app, use)
        )
    )


RULE = Rule(
    code="DUR101",
    name="clock",
    sentence="An orchestrator reads the clock.",
    why="""\
The host runs an orchestrator again from its first line for every event in its history. A clock
shows another time in each of these replays, so a branch that depends on it may go another way,
and the host fails the instance with "Non-Deterministic workflow detected" or uses an old result
in a new place. `context.current_utc_datetime` is the time of the event that is replayed.""",
    valid=[
        Example("""\
@app.orchestration_trigger(context_name="context")
def order(context):
    if context.current_utc_datetime.hour < 12:
        yield context.call_activity("ship", None)
"""),
    ],
    invalid=[
        Example("""\
from datetime import datetime


def is_morning():
    return datetime.now().hour < 12  # here


@app.orchestration_trigger(context_name="context")
def order(context):
    if is_morning():
        yield context.call_activity("ship", None)
"""),
        Example(
            """\
from datetime import datetime, timezone


@app.orchestration_trigger(context_name="context")
def order(context):
    began = datetime.now(timezone.utc)  # here
    yield context.call_activity("ship", began.isoformat())
""",
            fixed="""\
from datetime import datetime, timezone


@app.orchestration_trigger(context_name="context")
def order(context):
    began = context.current_utc_datetime  # here
    yield context.call_activity("ship", began.isoformat())
""",
        ),
    ],
    check=check,
)
