"""DUR304: loops without an end and without continue_as_new."""

import ast
from collections.abc import Iterator

from durablehost.lint.app import App
from durablehost.lint.findings import Found
from durablehost.lint.meaning import External
from durablehost.lint.rule import Example, Rule
from durablehost.lint.rules.broad_except import holds_yield
from durablehost.lint.source import Function
from durablehost.lint.tasks import method_of


def check(app: App) -> Iterator[Found]:
    for step in app.replayed:
        for node in step.function.nodes:
            if not _is_endless(app, node, step.function):
                continue
            assert isinstance(node, (ast.While, ast.For))
            if (
                holds_yield(node.body)
                and not _ends(node)
                and not _continues(app, node, step.function)
            ):
                says = (
                    f"{step.path} loops for ever without continue_as_new. The history grows with "
                    "every round, and every replay takes longer. End each round with "
                    "`context.continue_as_new(...)` and `return`."
                )
                yield app.found(node, step.function, says)


def _is_endless(app: App, node: ast.AST, function: Function) -> bool:
    """`while True`, or a loop over an iterator that has no end."""
    match node:
        case ast.While(test=ast.Constant(value=value)):
            return bool(value)
        case ast.For(iter=ast.Call(func=called)):
            counts = (External("itertools.count"), External("itertools.cycle"))
            return app.meaning.of(called, function) in counts
    return False


def _ends(loop: ast.While | ast.For) -> bool:
    """Whether something leaves the loop: return, raise, or a break of its own."""
    waiting: list[tuple[ast.AST, bool]] = [(each, True) for each in loop.body]
    while waiting:
        node, is_own = waiting.pop()
        if isinstance(node, (ast.Return, ast.Raise)) or (isinstance(node, ast.Break) and is_own):
            return True
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            continue
        own = is_own and not isinstance(node, (ast.For, ast.While))
        waiting += [(child, own) for child in ast.iter_child_nodes(node)]
    return False


def _continues(app: App, loop: ast.While | ast.For, function: Function) -> bool:
    """Whether the loop, or what it calls, continues as new or ends the loop by an exception."""
    waiting = [function]
    inside = set(ast.walk(loop))
    seen = set()
    while waiting:
        looked = waiting.pop()
        if looked in seen:
            continue
        seen.add(looked)
        for node in looked.nodes:
            if looked is function and node not in inside:
                continue
            if method_of(node) == "continue_as_new":
                return True
            if looked is not function and isinstance(node, ast.Raise):
                return True
            waiting += app.reach.called(node, looked)
    return False


RULE = Rule(
    code="DUR304",
    name="endless-loops",
    sentence="An orchestrator loops for ever without continue_as_new.",
    why="""\
Every event stays in the history, and every replay goes through all of it: an instance that runs
for weeks gets slower with each round, until its replays take longer than the host allows.
`continue_as_new` starts the instance again with an empty history.""",
    valid=[
        Example("""\
from datetime import timedelta


@app.orchestration_trigger(context_name="context")
def order(context):
    yield context.call_activity("ship", None)
    yield context.create_timer(context.current_utc_datetime + timedelta(hours=1))
    context.continue_as_new(None)
"""),
        Example("""\
@app.orchestration_trigger(context_name="context")
def order(context):
    while True:
        if (yield context.call_activity("ship", None)):
            break
"""),
    ],
    invalid=[
        Example("""\
from datetime import timedelta


@app.orchestration_trigger(context_name="context")
def order(context):
    while True:  # here
        yield context.call_activity("ship", None)
        yield context.create_timer(context.current_utc_datetime + timedelta(hours=1))
"""),
        Example("""\
import itertools


@app.orchestration_trigger(context_name="context")
def order(context):
    for attempt in itertools.count():  # here
        yield context.call_activity("ship", attempt)
"""),
    ],
    check=check,
)
