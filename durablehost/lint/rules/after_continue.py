"""DUR305: code after continue_as_new."""

import ast
from collections.abc import Iterator

from durablehost.lint.app import App
from durablehost.lint.findings import Found
from durablehost.lint.reach import TASK_METHODS
from durablehost.lint.rule import Example, Rule
from durablehost.lint.source import Function
from durablehost.lint.tasks import method_of

_Block = list[ast.stmt]


def check(app: App) -> Iterator[Found]:
    for step in app.replayed:
        for call in app.in_context(step.function):
            if method_of(call) != "continue_as_new":
                continue
            if follows := _follows(app, app.source.statement(call), step.function):
                says = (
                    f"{step.path} {follows} after continue_as_new. Return right after it: the "
                    "rest of this generation still runs, and what fails in it fails the "
                    "instance."
                )
                yield app.found(call, step.function, says)


def _follows(app: App, statement: ast.stmt, function: Function) -> str:
    """What runs after a statement and should not; empty if the function ends."""
    inner: ast.AST = statement
    for outer in [*app.source.ancestors(statement)]:
        for block in _blocks(outer):
            if inner not in block:
                continue
            for later in block[block.index(inner) + 1 :]:
                if isinstance(later, ast.Return):
                    return ""
                if isinstance(later, ast.Raise):
                    return "raises"
                if does := _does(later):
                    return does
                if isinstance(later, (ast.Break, ast.Continue)):
                    break
        if outer is function.node:
            return ""
        is_loop = isinstance(outer, (ast.While, ast.For)) and not _leaves(inner, outer)
        if is_loop and any(
            isinstance(each, (ast.Yield, ast.YieldFrom)) for each in ast.walk(outer)
        ):
            return "goes on with its loop"
        inner = outer
    return ""


def _leaves(inner: ast.AST, loop: ast.While | ast.For) -> bool:
    """Whether a break follows in the loop's own body or in the branch inside it."""
    return any(isinstance(each, ast.Break) for each in ast.walk(inner)) or any(
        isinstance(each, ast.Break) for each in loop.body
    )


def _blocks(node: ast.AST) -> list[_Block]:
    names = ("body", "orelse", "finalbody", "handlers")
    found = [getattr(node, name, None) for name in names]
    return [block for block in found if isinstance(block, list)]


def _does(statement: ast.stmt) -> str:
    for node in ast.walk(statement):
        if isinstance(node, (ast.Yield, ast.YieldFrom)):
            return "yields"
        if method_of(node) in TASK_METHODS | {"continue_as_new"}:
            return f"calls {method_of(node)}"
    return ""


RULE = Rule(
    code="DUR305",
    name="after-continue",
    sentence="An orchestrator does more after continue_as_new.",
    why="""\
`continue_as_new` takes effect when the orchestrator returns. What stands between is still
scheduled, and an exception there fails the instance, with words that hide the cause. In a loop,
the next round runs in the old generation.""",
    valid=[
        Example("""\
@app.orchestration_trigger(context_name="context")
def order(context):
    left = yield context.call_activity("ship", None)
    if left:
        context.continue_as_new(left)
        return
    yield context.call_activity("price", None)
"""),
    ],
    invalid=[
        Example("""\
@app.orchestration_trigger(context_name="context")
def order(context):
    left = yield context.call_activity("ship", None)
    if left:
        context.continue_as_new(left)  # here
    yield context.call_activity("price", None)
"""),
        Example("""\
@app.orchestration_trigger(context_name="context")
def order(context):
    while True:
        left = yield context.call_activity("ship", None)
        context.continue_as_new(left)  # here
"""),
    ],
    check=check,
)
