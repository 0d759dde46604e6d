"""DUR302: `finally` around a yield."""

import ast
from collections.abc import Iterator

from durablehost.lint.app import App
from durablehost.lint.findings import Found
from durablehost.lint.reach import TASK_METHODS
from durablehost.lint.rule import Example, Rule
from durablehost.lint.rules.broad_except import holds_yield
from durablehost.lint.tasks import method_of


def check(app: App) -> Iterator[Found]:
    for step in app.replayed:
        for node in step.function.nodes:
            if not isinstance(node, ast.Try) or not node.finalbody or not holds_yield(node.body):
                continue
            if does := _does(node.finalbody):
                says = (
                    f"{step.path} {does} in a finally around a yield. It runs at the end of "
                    "each "
                    "replay, when Python closes the generator. Write it after the try, and in "
                    "`except Exception`."
                )
                yield app.found(node.finalbody[0], step.function, says)


def _does(body: list[ast.stmt]) -> str:
    if holds_yield(body):
        return "yields"
    for statement in body:
        for node in ast.walk(statement):
            method = method_of(node)
            if method in TASK_METHODS | {"continue_as_new", "signal_entity"}:
                return f"calls {method}"
    if any(isinstance(each, ast.Return) for each in body):
        return "returns"
    return ""


RULE = Rule(
    code="DUR302",
    name="finally-blocks",
    sentence="A `finally` around a yield yields, returns or schedules something.",
    why="""\
A `finally` runs when its `try` ends, and also when Python closes the generator after each replay.
A `yield` in it makes Python raise "generator ignored GeneratorExit"; a `return` swallows the
exception. Do the work after the `try`, and in `except Exception`.""",
    valid=[
        Example("""\
@app.orchestration_trigger(context_name="context")
def order(context):
    failed = None
    try:
        yield context.call_activity("ship", None)
    except Exception as error:
        failed = str(error)
    yield context.call_activity("price", failed)
"""),
    ],
    invalid=[
        Example("""\
@app.orchestration_trigger(context_name="context")
def order(context):
    try:
        yield context.call_activity("ship", None)
    finally:
        yield context.call_activity("price", None)  # here
"""),
    ],
    check=check,
)
