"""DUR104: hash() and id()."""

import ast

from durablehost.lint.app import App
from durablehost.lint.effects import MAY_DIFFER
from durablehost.lint.findings import Found
from durablehost.lint.rule import Example, Rule


def check(app: App) -> list[Found]:
    return list(
        app.replay_unsafe(
            lambda name, node: (
                isinstance(node, ast.Call) and name in ("builtins.hash", "builtins.id")
            ),
            "Use hashlib, for example hashlib.sha256(text.encode()).",
            differs=MAY_DIFFER,
        )
    )


RULE = Rule(
    code="DUR104",
    name="hashes",
    sentence="An orchestrator uses hash() or id().",
    why="""\
Python draws a new seed for the hashes of texts in every process, and `id()` is an address in
memory. A replay runs in another process sooner or later, and gets another number. `hashlib` gives
the same digest everywhere.""",
    valid=[
        Example("""\
import hashlib


@app.orchestration_trigger(context_name="context")
def order(context):
    shard = hashlib.sha256(context.instance_id.encode()).digest()[0] % 4
    yield context.call_activity("ship", shard)
"""),
    ],
    invalid=[
        Example("""\
@app.orchestration_trigger(context_name="context")
def order(context):
    shard = hash(context.instance_id) % 4  # here
    yield context.call_activity("ship", shard)
"""),
    ],
    check=check,
)
