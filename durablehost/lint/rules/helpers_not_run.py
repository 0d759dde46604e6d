"""DUR204: generators of the app that are called and not run."""

import ast
from collections.abc import Iterator

from durablehost.lint.app import App
from durablehost.lint.findings import Found, insert
from durablehost.lint.meaning import External
from durablehost.lint.rule import Example, Rule
from durablehost.lint.source import Function


def check(app: App) -> Iterator[Found]:
    for step in app.replayed:
        for node in step.function.nodes:
            if not isinstance(node, ast.Call):
                continue
            called = app.meaning.of(node.func, step.function)
            if not isinstance(called, Function) or not called.is_generator or called.is_async:
                continue
            if app.declarations.by_function.get(called) is not None:
                continue
            if not _is_wasted(app, node, step.function):
                continue
            says = (
                f"{step.path} calls the generator {called.name}() and does not run it: none of its "
                f"steps happens. Write `yield from {called.name}(...)`."
            )
            place = (node.lineno, node.col_offset)
            edit = insert(step.function.module.path, place, "yield from ")
            yield app.found(node, step.function, says, edit)


def _is_wasted(app: App, node: ast.Call, function: Function) -> bool:
    """Whether nothing runs the generator that a call returns."""
    if isinstance(app.source.parents.get(node), ast.Expr):
        return True
    name = app.tasks.assigned_name(node)
    if name is None:
        return False
    return not any(_may_run(app, load, function) for load in app.tasks.loads(name, function))


def _may_run(app: App, load: ast.Name, function: Function) -> bool:
    """Whether a generator is run here, or given to code that may do so."""
    match app.source.parents.get(load):
        case ast.YieldFrom() | ast.For() | ast.comprehension() | ast.Starred() | ast.Return():
            return True
        case ast.Call(func=called):
            target = app.meaning.of(called, function)
            return not isinstance(target, External) or target.name.startswith("builtins.")
        case ast.Attribute() | ast.List() | ast.Tuple() | ast.Dict() | ast.keyword():
            return True
    return False


RULE = Rule(
    code="DUR204",
    name="helpers-not-run",
    sentence="An orchestrator calls a generator of the app and does not run it.",
    why="""\
A function with a `yield` returns a generator and runs nothing. Its activities are never
scheduled. Write `yield from` in front of the call.""",
    valid=[
        Example("""\
def priced(context, item):
    return (yield context.call_activity("price", item))


@app.orchestration_trigger(context_name="context")
def order(context):
    return (yield from priced(context, "tea"))
"""),
    ],
    invalid=[
        Example(
            """\
def send(context, item):
    yield context.call_activity("ship", item)


@app.orchestration_trigger(context_name="context")
def order(context):
    send(context, "tea")  # here
    yield context.call_activity("price", None)
""",
            fixed="""\
def send(context, item):
    yield context.call_activity("ship", item)


@app.orchestration_trigger(context_name="context")
def order(context):
    yield from send(context, "tea")  # here
    yield context.call_activity("price", None)
""",
        ),
    ],
    check=check,
)
