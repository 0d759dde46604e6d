"""DUR603: entities that do I/O."""

import ast
from collections.abc import Iterator

from durablehost.lint.app import App
from durablehost.lint.findings import Found
from durablehost.lint.rule import Example, Rule
from durablehost.lint.rules.files import uses_files
from durablehost.lint.rules.network import uses_network
from durablehost.lint.rules.sleep import sleeps
from durablehost.lint.rules.subprocesses import runs_programs
from durablehost.lint.rules.threads import starts_threads


def _is_io(name: str, node: ast.expr) -> bool:
    kinds = (uses_files, uses_network, sleeps, runs_programs, starts_threads)
    return any(kind(name, node) for kind in kinds)


def check(app: App) -> Iterator[Found]:
    instead = (
        "All operations of the entity wait for it, and a batch that is run again does it again. "
        "Do it "
        "in an activity, and send the entity the result."
    )
    yield from app.forbidden(_is_io, instead, "entity")
    for step in app.in_entities:
        if step.previous is None and step.function.is_async:
            node: ast.AST = step.function.definition
            says = f"{step.path} is an async entity: it loads, and does not work. Write `def`."
            yield app.found(node, step.function, says)


RULE = Rule(
    code="DUR603",
    name="entity-io",
    sentence="An entity does I/O, sleeps or is a coroutine function.",
    why="""\
An entity runs one operation at a time, so all others wait while it does I/O. The host may run a
batch of operations again after a crash, and with it the I/O. An `async def` entity loads and does
not work.""",
    valid=[
        Example("""\
@app.entity_trigger(context_name="context")
def counter(context):
    context.set_state(context.get_state(lambda: 0) + 1)
"""),
    ],
    invalid=[
        Example("""\
import requests


@app.entity_trigger(context_name="context")
def counter(context):
    requests.post("https://shop.example/count", timeout=5)  # here
    context.set_state(context.get_state(lambda: 0) + 1)
"""),
    ],
    check=check,
)
