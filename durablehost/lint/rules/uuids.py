"""DUR103: UUIDs."""

import ast
from typing import Final

from durablehost.lint.app import App, Use
from durablehost.lint.findings import Edit, Found, replace
from durablehost.lint.meaning import External
from durablehost.lint.rule import Example, Rule

_DRAWN: Final = frozenset(f"uuid.uuid{number}" for number in (1, 4, 6, 7, 8))


def _fix(app: App, use: Use) -> Edit | None:
    """`context.new_uuid()` is a text, so only `str(uuid.uuid4())` is the same kind of value."""
    around = app.source.parents.get(use.node)
    context = app.context_in(use.node)
    if not isinstance(around, ast.Call) or around.args != [use.node] or not context:
        return None
    if app.meaning.of(around.func, use.function) != External("builtins.str"):
        return None
    return replace(use.function.module.path, around, f"{context}.new_uuid()")


def check(app: App) -> list[Found]:
    return list(
        app.replay_unsafe(
            lambda name, node: isinstance(node, ast.Call) and name in _DRAWN,
            "Use context.new_uuid().",
            fix=lambda use: _fix(app, use),
        )
    )


RULE = Rule(
    code="DUR103",
    name="uuids",
    sentence="An orchestrator makes a random UUID.",
    why="""\
Each replay makes another one: an activity that was called with the first one is not found again
by the second. `context.new_uuid()` returns the same one in each replay. It counts its calls, so a
call that you insert before another one changes the values after it in running instances.""",
    valid=[
        Example("""\
@app.orchestration_trigger(context_name="context")
def order(context):
    yield context.call_activity("ship", context.new_uuid())
"""),
    ],
    invalid=[
        Example(
            """\
import uuid


@app.orchestration_trigger(context_name="context")
def order(context):
    key = str(uuid.uuid4())  # here
    yield context.call_activity("ship", key)
""",
            fixed="""\
import uuid


@app.orchestration_trigger(context_name="context")
def order(context):
    key = context.new_uuid()  # here
    yield context.call_activity("ship", key)
""",
        ),
    ],
    check=check,
)
