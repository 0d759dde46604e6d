"""DUR112: coroutines in orchestrators."""

import ast
from collections.abc import Iterator
from typing import Final

from durablehost.lint.app import App
from durablehost.lint.findings import Found
from durablehost.lint.reach import Step
from durablehost.lint.rule import Example, Rule
from durablehost.lint.source import Function

_RUNS: Final = ("asyncio.", "anyio.", "trio.", "nest_asyncio.", "asgiref.sync.")


def check(app: App) -> Iterator[Found]:
    for step in app.replayed:
        if step.previous is None and step.function.is_async:
            yield app.found(
                step.function.definition,
                step.function,
                f"{step.path} is an async orchestrator: it loads, and fails at its first call. "
                "Write `def` and `yield`.",
            )
        if not step.function.is_async:
            yield from _calls(app, step)


def _calls(app: App, step: Step) -> Iterator[Found]:
    for use in app.uses("orchestration"):
        runs = use.name.startswith(_RUNS) and not use.name.endswith("Error")
        if use.step is step and isinstance(use.node, ast.Call) and runs:
            yield app.found(
                use.node,
                step.function,
                f"{app.says(use)}. Coroutines end in another order in each replay. Call "
                "activities, "
                "which may be async, in context.task_all.",
            )
    for node in step.function.nodes:
        if not isinstance(node, ast.Call):
            continue
        called = app.meaning.of(node.func, step.function)
        if isinstance(called, Function) and called.is_async:
            yield app.found(
                node,
                step.function,
                f"{step.path} calls the coroutine function {called.name}, and cannot await it. "
                "Make it an activity.",
            )


RULE = Rule(
    code="DUR112",
    name="async-code",
    sentence="An orchestrator is a coroutine function or runs coroutines.",
    why="""\
The SDK runs generators: an `async def` orchestrator loads and fails at its first call. An event
loop inside an orchestrator runs coroutines in an order that no history records. Activities may be
`async def`.""",
    valid=[
        Example("""\
@app.activity_trigger(input_name="item")
async def find_price(item):
    return 3


@app.orchestration_trigger(context_name="context")
def order(context):
    price = yield context.call_activity(find_price, "tea")
    return price
"""),
    ],
    invalid=[
        Example("""\
@app.orchestration_trigger(context_name="context")
async def order(context):  # here
    await context.call_activity("ship", None)
"""),
        Example("""\
import asyncio


async def find_price(item):
    return 3


@app.orchestration_trigger(context_name="context")
def order(context):
    price = asyncio.run(find_price("tea"))  # here
    yield context.call_activity("ship", price)
"""),
    ],
    check=check,
)
