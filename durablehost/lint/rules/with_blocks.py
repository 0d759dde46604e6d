"""DUR303: `with` around a yield."""

import ast
from collections.abc import Iterator

from durablehost.lint.app import App
from durablehost.lint.findings import Found
from durablehost.lint.meaning import External, Instance
from durablehost.lint.rule import Example, Rule
from durablehost.lint.rules.broad_except import holds_yield
from durablehost.lint.source import Function


def check(app: App) -> Iterator[Found]:
    for step in app.replayed:
        for node in step.function.nodes:
            if not isinstance(node, ast.With) or not holds_yield(node.body):
                continue
            for item in node.items:
                if name := _swallows(app, item.context_expr, step.function):
                    says = (
                        f"{step.path} yields inside {name}, which swallows GeneratorExit: after "
                        "each "
                        "replay the code behind the with runs on. Let it swallow `Exception` only."
                    )
                    yield app.found(item.context_expr, step.function, says)


def _swallows(app: App, node: ast.expr, function: Function) -> str:
    match app.meaning.of(node, function):
        case External(name="contextlib.suppress()") if isinstance(node, ast.Call):
            wide = ("builtins.BaseException", "builtins.GeneratorExit")
            types = [app.meaning.of(each, function) for each in node.args]
            if any(isinstance(each, External) and each.name in wide for each in types):
                return ast.unparse(node)
        case Instance(of=of):
            leave = app.meaning.member(of, "__exit__")
            if isinstance(leave, Function) and any(
                isinstance(each, ast.Return)
                and isinstance(each.value, ast.Constant)
                and each.value.value is True
                for each in leave.definition.body
            ):
                return of.name
    return ""


RULE = Rule(
    code="DUR303",
    name="with-blocks",
    sentence="A `with` around a yield swallows GeneratorExit.",
    why="""\
Python closes the generator after each replay by a GeneratorExit at its `yield`. A context manager
that swallows it, such as `suppress(BaseException)` or one whose `__exit__` returns True for all
exceptions, lets the code behind it run on at the end of every replay.""",
    valid=[
        Example("""\
from contextlib import suppress


@app.orchestration_trigger(context_name="context")
def order(context):
    with suppress(Exception):
        yield context.call_activity("ship", None)
"""),
    ],
    invalid=[
        Example("""\
from contextlib import suppress


@app.orchestration_trigger(context_name="context")
def order(context):
    with suppress(BaseException):  # here
        yield context.call_activity("ship", None)
"""),
    ],
    check=check,
)
