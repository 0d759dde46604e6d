"""DUR502: names of entities that do not exist."""

import ast
from collections.abc import Iterator

from durablehost.lint.app import App
from durablehost.lint.declared import argument
from durablehost.lint.findings import Found
from durablehost.lint.meaning import External
from durablehost.lint.rule import Example, Rule
from durablehost.lint.rules.unknown_functions import nearest


def check(app: App) -> Iterator[Found]:
    known = app.names("entity")
    if known is None:
        return
    for scope in [*app.source.modules.values(), *app.source.functions]:
        for node in scope.nodes:
            if not isinstance(node, ast.Call):
                continue
            if app.meaning.of(node.func, scope) != External("azure.durable_functions.EntityId"):
                continue
            name = app.text(argument(node, 0, "name"), scope)
            if name is not None and name.lower() not in [each.lower() for each in known]:
                says = (
                    f"There is no entity {name!r}{nearest(name, known)} A call of it leaves the "
                    "instance Running for ever, and a signal is lost."
                )
                yield app.found(node, scope, says)


RULE = Rule(
    code="DUR502",
    name="unknown-entities",
    sentence="An entity of this name does not exist.",
    why="""\
The host keeps the messages for an entity that no function serves: an orchestrator that calls it
stays Running for ever, and a signal has no effect. Case does not matter.""",
    valid=[
        Example("""\
@app.entity_trigger(context_name="context")
def counter(context): ...


@app.orchestration_trigger(context_name="context")
def order(context):
    yield context.call_entity(df.EntityId("Counter", "orders"), "add", 1)
"""),
    ],
    invalid=[
        Example("""\
@app.entity_trigger(context_name="context")
def counter(context): ...


@app.orchestration_trigger(context_name="context")
def order(context):
    yield context.call_entity(df.EntityId("countr", "orders"), "add", 1)  # here
"""),
    ],
    check=check,
)
