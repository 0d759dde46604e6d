"""DUR117: an activity called as a plain function."""

import ast
from collections.abc import Iterator

from durablehost.lint.app import App
from durablehost.lint.findings import Found
from durablehost.lint.rule import Example, Rule
from durablehost.lint.source import Function


def check(app: App) -> Iterator[Found]:
    for step in app.replayed:
        for node in step.function.nodes:
            if not isinstance(node, ast.Call):
                continue
            called = app.meaning.of(node.func, step.function)
            if not isinstance(called, Function) or called is step.function:
                continue
            declared = app.declarations.by_function.get(called)
            if declared is not None:
                method = {
                    "activity": "call_activity",
                    "entity": "call_entity",
                    "orchestration": "call_sub_orchestrator",
                }[declared.kind]
                says = (
                    f"{step.path} calls {called.name}() itself, in every replay. Write "
                    f"`yield context.{method}(...)`."
                )
                yield app.found(node, step.function, says)


RULE = Rule(
    code="DUR117",
    name="direct-calls",
    sentence="An orchestrator calls an activity, entity or child as a plain function.",
    why="""\
The call then runs inside the orchestrator, again in each replay, without a retry and without a
trace in the history. Schedule it with `context.call_activity`, `call_entity` or
`call_sub_orchestrator`.""",
    valid=[
        Example("""\
@app.activity_trigger(input_name="item")
def find_price(item):
    return 3


@app.orchestration_trigger(context_name="context")
def order(context):
    price = yield context.call_activity(find_price, "tea")
    return price
"""),
    ],
    invalid=[
        Example("""\
@app.activity_trigger(input_name="item")
def find_price(item):
    return 3


@app.orchestration_trigger(context_name="context")
def order(context):
    price = find_price("tea")  # here
    yield context.call_activity("ship", price)
"""),
    ],
    check=check,
)
