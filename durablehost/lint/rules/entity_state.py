"""DUR602: entities that set their state before something that may raise."""

import ast
from collections.abc import Iterator
from typing import Final

from durablehost.lint.app import App
from durablehost.lint.findings import Found
from durablehost.lint.rule import Example, Rule
from durablehost.lint.source import Function
from durablehost.lint.tasks import method_of

_HARMLESS: Final = frozenset(
    [
        "set_state",
        "set_result",
        "destruct_on_exit",
        "info",
        "debug",
        "warning",
        "error",
        "get_state",
        "append",
        "items",
        "keys",
        "values",
        "get",
        "copy",
    ]
)


def check(app: App) -> Iterator[Found]:
    for step in app.in_entities:
        for call in app.in_context(step.function):
            if method_of(call) != "set_state":
                continue
            if later := _raises_after(app, call, step.function):
                says = (
                    f"{step.path} sets the state, and line {later.lineno} after it may raise. The "
                    "state then stays changed although the operation has failed. Set the state "
                    "last."
                )
                yield app.found(call, step.function, says)


def _raises_after(app: App, call: ast.Call, function: Function) -> ast.stmt | None:
    """The first statement after the call that may raise; None if there is none."""
    inner: ast.AST = app.source.statement(call)
    for outer in app.source.ancestors(inner):
        for name in ("body", "orelse", "finalbody"):
            block = getattr(outer, name, None)
            if not isinstance(block, list) or inner not in block:
                continue
            statements: list[ast.stmt] = block
            for later in statements[block.index(inner) + 1 :]:
                if isinstance(later, ast.Return) and later.value is None:
                    return None
                if _may_raise(app, later, function):
                    return later
                if isinstance(later, (ast.Return, ast.Break, ast.Continue)):
                    return None
        if outer is function.node:
            return None
        inner = outer
    return None


def _may_raise(app: App, statement: ast.stmt, function: Function) -> bool:
    for node in ast.walk(statement):
        if isinstance(node, (ast.Raise, ast.Assert)):
            return True
        if method_of(node) == "get_input":
            return True
        if isinstance(node, ast.Call) and method_of(node) not in _HARMLESS:
            called = app.meaning.of(node.func, function)
            if isinstance(called, Function) and any(
                isinstance(each, ast.Raise) for each in called.nodes
            ):
                return True
    return False


RULE = Rule(
    code="DUR602",
    name="entity-state",
    sentence="An entity sets its state before something that may raise.",
    why="""\
The state of an operation that raises after `set_state` stays changed: the caller sees a failure,
tries again, and the amount is added twice. Check first, and set the state last.""",
    valid=[
        Example("""\
@app.entity_trigger(context_name="context")
def account(context):
    if context.operation_name == "add":
        balance = context.get_state(lambda: 0) + context.get_input()
        if balance < 0:
            raise ValueError("not enough")
        context.set_state(balance)
        context.set_result(balance)
"""),
    ],
    invalid=[
        Example("""\
@app.entity_trigger(context_name="context")
def account(context):
    if context.operation_name == "add":
        balance = context.get_state(lambda: 0) + context.get_input()
        context.set_state(balance)  # here
        if balance < 0:
            raise ValueError("not enough")
        context.set_result(balance)
"""),
    ],
    check=check,
)
