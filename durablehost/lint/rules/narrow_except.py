"""DUR307: handlers that never catch the failure of an activity."""

import ast
import builtins
from collections.abc import Iterator

from durablehost.lint.app import App
from durablehost.lint.findings import Found
from durablehost.lint.meaning import External
from durablehost.lint.rule import Example, Rule
from durablehost.lint.source import Class, Function
from durablehost.lint.tasks import method_of


def check(app: App) -> Iterator[Found]:
    for step in app.replayed:
        for node in step.function.nodes:
            if not isinstance(node, ast.Try) or not _only_yields_call(node.body):
                continue
            narrow = [_narrow_type(app, handler, step.function) for handler in node.handlers]
            if narrow and all(narrow):
                says = (
                    f"{step.path} catches {narrow[0]} around an activity. A failed activity or "
                    "child "
                    "arrives as a plain Exception, so this handler never runs. Catch Exception, "
                    "and "
                    "look at its text."
                )
                yield app.found(node.handlers[0], step.function, says)


def _only_yields_call(body: list[ast.stmt]) -> bool:
    """Whether a try holds nothing but one yielded call of an activity or child."""
    if len(body) != 1 or not isinstance(body[0], (ast.Expr, ast.Assign, ast.Return)):
        return False
    value = body[0].value
    if not isinstance(value, ast.Yield) or value.value is None:
        return False
    return method_of(value.value).startswith(("call_activity", "call_sub_orchestrator"))


def _narrow_type(app: App, handler: ast.ExceptHandler, function: Function) -> str:
    """The type that a handler catches, if it is neither Exception nor unknown."""
    if handler.type is None or isinstance(handler.type, ast.Tuple):
        return ""
    target = app.meaning.of(handler.type, function)
    if isinstance(target, Class):
        return target.name
    if isinstance(target, External) and target.name.startswith("builtins."):
        name = target.name.removeprefix("builtins.")
        found = getattr(builtins, name, None)
        is_narrow = isinstance(found, type) and issubclass(found, Exception)
        return name if is_narrow and found is not Exception else ""
    return ""


RULE = Rule(
    code="DUR307",
    name="narrow-except",
    sentence="A handler around an activity catches a type that never arrives.",
    why="""\
Whatever an activity or a child raises, the orchestrator gets a plain `Exception` with its text. A
handler for `ValueError` or for a class of the app never runs, and the instance fails. Catch
`Exception`, or let the activity return what the orchestrator has to decide on.""",
    valid=[
        Example("""\
@app.orchestration_trigger(context_name="context")
def order(context):
    try:
        amount = yield context.call_activity("price", "tea")
    except Exception as error:
        amount = 0 if "no price" in str(error) else None
    return amount
"""),
    ],
    invalid=[
        Example("""\
@app.orchestration_trigger(context_name="context")
def order(context):
    try:
        amount = yield context.call_activity("price", "tea")
    except ValueError:  # here
        amount = 0
    return amount
"""),
    ],
    check=check,
)
