"""DUR601: entities that read input before the operation is known."""

import ast
from collections.abc import Iterator

from durablehost.lint.app import App
from durablehost.lint.findings import Found
from durablehost.lint.rule import Example, Rule
from durablehost.lint.source import Function
from durablehost.lint.tasks import method_of


def check(app: App) -> Iterator[Found]:
    for step in app.in_entities:
        if step.previous is not None:
            continue  # whoever calls a helper has looked at the operation, or not
        function = step.function
        if not any(_is_operation(node) for node in function.nodes):
            continue
        for call in app.in_context(function):
            if method_of(call) == "get_input" and not _is_in_branch(app, call, function):
                says = (
                    f"{step.path} reads the input before it looks at the operation. An operation "
                    "that is signalled without input then fails, and the signal is lost. Read it "
                    "in "
                    "the branch of an operation that has one."
                )
                yield app.found(call, function, says)


def _is_operation(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and node.attr == "operation_name"


def _is_in_branch(app: App, call: ast.Call, function: Function) -> bool:
    for outer in app.source.ancestors(call):
        if outer is function.node:
            return False
        if isinstance(outer, (ast.If, ast.IfExp, ast.match_case, ast.Try, ast.Lambda)):
            return True
    return False


RULE = Rule(
    code="DUR601",
    name="entity-input",
    sentence="An entity reads its input before it looks at the operation.",
    why="""\
`get_input()` raises for an operation that was signalled without input: the operation fails, and
nobody hears of it, because a signal has no answer. Call it in the branches of the operations that
have an input.""",
    valid=[
        Example("""\
@app.entity_trigger(context_name="context")
def counter(context):
    if context.operation_name == "add":
        context.set_state(context.get_state(lambda: 0) + context.get_input())
    elif context.operation_name == "reset":
        context.set_state(0)
"""),
    ],
    invalid=[
        Example("""\
@app.entity_trigger(context_name="context")
def counter(context):
    amount = context.get_input()  # here
    if context.operation_name == "add":
        context.set_state(context.get_state(lambda: 0) + amount)
    elif context.operation_name == "reset":
        context.set_state(0)
"""),
    ],
    check=check,
)
