"""DUR116: new_uuid in a branch."""

import ast
from collections.abc import Iterator

from durablehost.lint.app import App
from durablehost.lint.findings import Found
from durablehost.lint.rule import Example, Rule
from durablehost.lint.tasks import method_of


def check(app: App) -> Iterator[Found]:
    for step in app.replayed:
        function = step.function
        calls = [
            each for each in app.in_context(function) if method_of(each) in ("new_uuid", "new_guid")
        ]
        for call in calls:
            later = [each for each in calls if each.lineno > call.lineno]
            branch = next(
                (
                    outer
                    for outer in app.source.ancestors(call)
                    if isinstance(outer, (ast.If, ast.IfExp))
                ),
                None,
            )
            if branch is None or branch not in function.nodes:
                continue
            inside = set(ast.walk(branch))
            if any(each not in inside for each in later):
                says = (
                    f"{step.path} calls {method_of(call)} in a branch. It counts its calls, so "
                    "whether this one is made changes every later one. Call it before the branch."
                )
                yield app.found(call, function, says)


RULE = Rule(
    code="DUR116",
    name="new-uuid-branch",
    sentence="An orchestrator calls context.new_uuid() in a branch, and again after it.",
    why="""\
`new_uuid` makes its value from the number of calls before it. A call in a branch changes the
values of all later calls, so a small change of the condition gives running instances other ids
than those in their history, and the host does not notice. Call it before the branch.""",
    valid=[
        Example("""\
@app.orchestration_trigger(context_name="context")
def order(context):
    gift_key, key = context.new_uuid(), context.new_uuid()
    if context.get_input()["gift"]:
        yield context.call_activity("wrap", gift_key)
    yield context.call_activity("ship", key)
"""),
    ],
    invalid=[
        Example("""\
@app.orchestration_trigger(context_name="context")
def order(context):
    if context.get_input()["gift"]:
        yield context.call_activity("wrap", context.new_uuid())  # here
    yield context.call_activity("ship", context.new_uuid())
"""),
    ],
    check=check,
)
