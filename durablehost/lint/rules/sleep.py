"""DUR109: sleep."""

import ast
from typing import Final

from durablehost.lint.app import App
from durablehost.lint.findings import Found
from durablehost.lint.rule import Example, Rule

_SLEEPS: Final = frozenset({"time.sleep", "asyncio.sleep", "gevent.sleep", "eventlet.sleep"})


def sleeps(name: str, node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and name in _SLEEPS


def check(app: App) -> list[Found]:
    instead = (
        "It blocks all orchestrators of the process, in every replay. Write "
        "`yield context.create_timer(context.current_utc_datetime + timedelta(...))`."
    )
    return list(app.forbidden(sleeps, instead))


RULE = Rule(
    code="DUR109",
    name="sleep",
    sentence="An orchestrator sleeps.",
    why="""\
The Python worker runs its orchestrators on one thread: while one sleeps, no other one of the
process goes on. Each replay sleeps again, so that the same second is slept many times. A durable
timer costs nothing while it waits and survives a restart.""",
    valid=[
        Example("""\
from datetime import timedelta


@app.orchestration_trigger(context_name="context")
def order(context):
    yield context.create_timer(context.current_utc_datetime + timedelta(seconds=30))
    yield context.call_activity("ship", None)
"""),
    ],
    invalid=[
        Example("""\
import time


@app.orchestration_trigger(context_name="context")
def order(context):
    time.sleep(30)  # here
    yield context.call_activity("ship", None)
"""),
    ],
    check=check,
)
