"""DUR301: handlers that catch GeneratorExit."""

import ast
from collections.abc import Iterator

from durablehost.lint.app import App
from durablehost.lint.findings import Edit, Found, replace
from durablehost.lint.meaning import External
from durablehost.lint.rule import Example, Rule
from durablehost.lint.source import Function


def check(app: App) -> Iterator[Found]:
    for step in app.replayed:
        function = step.function
        for node in function.nodes:
            if not isinstance(node, ast.Try) or not holds_yield(node.body):
                continue
            for handler in node.handlers:
                caught = _caught(app, handler, function)
                if caught and not _raises_again(handler):
                    says = (
                        f"{step.path} catches {caught} around a yield, and with it "
                        "GeneratorExit, by "
                        "which Python closes the generator after a replay. Write `except "
                        "Exception`."
                    )
                    yield app.found(handler, function, says, *_fix(function, handler))


def holds_yield(statements: list[ast.stmt]) -> bool:
    """Whether a yield stands in these statements, not in a function inside them."""
    waiting: list[ast.AST] = list(statements)
    while waiting:
        node = waiting.pop()
        if isinstance(node, (ast.Yield, ast.YieldFrom)):
            return True
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            waiting += ast.iter_child_nodes(node)
    return False


def _caught(app: App, handler: ast.ExceptHandler, function: Function) -> str:
    if handler.type is None:
        return "everything"
    types = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    for each in types:
        target = app.meaning.of(each, function)
        if target in (External("builtins.BaseException"), External("builtins.GeneratorExit")):
            return ast.unparse(each)
    return ""


def _raises_again(handler: ast.ExceptHandler) -> bool:
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and not holds_yield(handler.body)


def _fix(function: Function, handler: ast.ExceptHandler) -> list[Edit]:
    path = function.module.path
    if isinstance(handler.type, ast.Name) and handler.type.id == "BaseException":
        return [replace(path, handler.type, "Exception")]
    if handler.type is None:
        start = (handler.lineno, handler.col_offset)
        return [Edit(path, start, (start[0], start[1] + len("except")), "except Exception")]
    return []


RULE = Rule(
    code="DUR301",
    name="broad-except",
    sentence="A handler around a yield catches GeneratorExit.",
    why="""\
After each replay Python closes the generator by a GeneratorExit at its `yield`. A bare `except`
and `except BaseException` catch it, so their code runs at the end of every replay, as if the
activity had failed, and a `yield` in it makes Python raise "generator ignored GeneratorExit". A
failed activity arrives as a plain `Exception`.""",
    valid=[
        Example("""\
@app.orchestration_trigger(context_name="context")
def order(context):
    try:
        yield context.call_activity("ship", None)
    except Exception:
        yield context.call_activity("price", None)
"""),
    ],
    invalid=[
        Example(
            """\
@app.orchestration_trigger(context_name="context")
def order(context):
    try:
        yield context.call_activity("ship", None)
    except:  # here
        return "failed"
""",
            fixed="""\
@app.orchestration_trigger(context_name="context")
def order(context):
    try:
        yield context.call_activity("ship", None)
    except Exception:  # here
        return "failed"
""",
        ),
        Example(
            """\
@app.orchestration_trigger(context_name="context")
def order(context):
    try:
        yield context.call_activity("ship", None)
    except BaseException as error:  # here
        return str(error)
""",
            fixed="""\
@app.orchestration_trigger(context_name="context")
def order(context):
    try:
        yield context.call_activity("ship", None)
    except Exception as error:  # here
        return str(error)
""",
        ),
    ],
    check=check,
)
