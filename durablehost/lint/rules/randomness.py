"""DUR102: random values."""

import ast

from durablehost.lint.app import App
from durablehost.lint.findings import Found
from durablehost.lint.rule import Example, Rule


def _draws(name: str, node: ast.expr) -> bool:
    if not isinstance(node, ast.Call):
        return False
    if name in ("random.Random", "numpy.random.default_rng", "numpy.random.RandomState"):
        return not node.args and not node.keywords  # with a seed it draws the same every time
    if name.startswith(("random.Random().", "numpy.random.default_rng().")):
        return False
    starts = ("random.", "numpy.random.", "secrets.", "faker.Faker().")
    return name.startswith(starts) or name in ("os.urandom", "os.getrandom")


def check(app: App) -> list[Found]:
    instead = "Draw it in an activity, or from random.Random(context.instance_id)."
    return list(app.replay_unsafe(_draws, instead))


RULE = Rule(
    code="DUR102",
    name="randomness",
    sentence="An orchestrator draws a random value.",
    why="""\
A replay draws other values. Draw the value in an activity: its result is in the history, so each
replay gets the same one. A generator with a seed that comes from the instance is safe, too:
`random.Random(context.instance_id)`.""",
    valid=[
        Example("""\
import random


@app.orchestration_trigger(context_name="context")
def order(context):
    draw = random.Random(context.instance_id)
    if draw.random() < 0.1:
        yield context.call_activity("ship", None)
"""),
    ],
    invalid=[
        Example("""\
import random


@app.orchestration_trigger(context_name="context")
def order(context):
    if random.random() < 0.1:  # here
        yield context.call_activity("ship", None)
"""),
    ],
    check=check,
)
