"""DUR205: lazy sequences in task_all and task_any."""

import ast
from collections.abc import Iterator
from typing import Final

from durablehost.lint.app import App
from durablehost.lint.findings import Edit, Found, insert
from durablehost.lint.meaning import External
from durablehost.lint.rule import Example, Rule
from durablehost.lint.source import Function
from durablehost.lint.tasks import method_of

_LAZY: Final = frozenset(
    f"builtins.{name}" for name in ("filter", "iter", "map", "reversed", "zip")
)


def check(app: App) -> Iterator[Found]:
    for step in app.replayed:
        for call in app.in_context(step.function):
            if method_of(call) not in ("task_all", "task_any") or not call.args:
                continue
            given = call.args[0]
            if kind := _lazy_kind(app, given, step.function):
                says = (
                    f"{step.path} gives {kind} to {method_of(call)}. The instance fails: the SDK "
                    "reads it twice, and the second time it is empty. Make it a list."
                )
                yield app.found(given, step.function, says, *_fix(step.function, given))


def _lazy_kind(app: App, node: ast.expr, function: Function) -> str:
    match node:
        case ast.GeneratorExp():
            return "a generator expression"
        case ast.Name(id=name):
            values = list(app.tasks.values(name, function))
            kinds = [_lazy_kind(app, value, function) for value in values]
            return kinds[0] if len(kinds) == 1 and not isinstance(values[0], ast.Name) else ""
        case ast.Call(func=called):
            target = app.meaning.of(called, function)
            if isinstance(target, External):
                starts = target.name.startswith("itertools.")
                lazy = target.name in _LAZY or starts
                return f"the lazy {target.name.removeprefix('builtins.')}" if lazy else ""
            if isinstance(target, Function) and target.is_generator:
                return f"the generator {target.name}()"
    return ""


def _fix(function: Function, node: ast.expr) -> list[Edit]:
    path = function.module.path
    assert node.end_lineno is not None
    assert node.end_col_offset is not None
    start, end = (node.lineno, node.col_offset), (node.end_lineno, node.end_col_offset)
    if isinstance(node, ast.GeneratorExp):  # it begins and ends with a parenthesis
        first = function.module.lines[node.lineno - 1].encode()[
            node.col_offset : node.col_offset + 1
        ]
        if first == b"(":
            line = function.module.lines[node.lineno - 1].encode()
            is_own = line[: node.col_offset].rstrip().endswith(b"(")
            open_, close = ("[", "]") if is_own else ("([", "])")
            return [
                Edit(path, start, (start[0], start[1] + 1), open_),
                Edit(path, (end[0], end[1] - 1), end, close),
            ]
    return [insert(path, start, "list("), insert(path, end, ")")]


RULE = Rule(
    code="DUR205",
    name="lazy-tasks",
    sentence="An orchestrator gives a lazy sequence to task_all or task_any.",
    why="""\
The SDK goes through the sequence more than once. A generator, `map`, `filter` or `zip` is empty
the second time, and the instance fails. Give it a list; `dict.values()` works, too.""",
    valid=[
        Example("""\
@app.orchestration_trigger(context_name="context")
def order(context):
    calls = {n: context.call_activity("ship", n) for n in range(3)}
    yield context.task_all(calls.values())
"""),
    ],
    invalid=[
        Example(
            """\
@app.orchestration_trigger(context_name="context")
def order(context):
    yield context.task_all(context.call_activity("ship", n) for n in range(3))  # here
""",
            fixed="""\
@app.orchestration_trigger(context_name="context")
def order(context):
    yield context.task_all([context.call_activity("ship", n) for n in range(3)])  # here
""",
        ),
        Example(
            """\
@app.orchestration_trigger(context_name="context")
def order(context):
    calls = map(lambda n: context.call_activity("ship", n), range(3))
    yield context.task_all(calls)  # here
""",
            fixed="""\
@app.orchestration_trigger(context_name="context")
def order(context):
    calls = map(lambda n: context.call_activity("ship", n), range(3))
    yield context.task_all(list(calls))  # here
""",
        ),
    ],
    check=check,
)
