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
            if method_of(call) != "get_input" or _is_in_branch(app, call, function):
                continue
            if _is_after_a_guard(app, call, function):
                continue
            if not _all_operations_use_it(app, call, function):
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


def _is_after_a_guard(app: App, call: ast.Call, function: Function) -> bool:
    """Whether `if` the operation is another one, the function has returned or raised before."""
    operations = _operations(app, function)
    return any(
        isinstance(statement, ast.If)
        and statement.lineno < call.lineno
        and _tests_operation(statement.test, operations)
        and isinstance(statement.body[-1], (ast.Return, ast.Raise))
        for statement in function.definition.body
    )


def _all_operations_use_it(app: App, call: ast.Call, function: Function) -> bool:
    """Whether each branch of an operation uses the input: then each operation has one."""
    name = app.tasks.assigned_name(call)
    branches = list(_branches(app, function))
    if name is None or not branches:
        return False
    derived = _derived(name, function)
    return all(
        any(isinstance(node, ast.Name) and node.id in derived for node in _walk(branch))
        for branch in branches
    )


def _derived(name: str, function: Function) -> set[str]:
    """The name, and the names of what is made from it."""
    derived = {name}
    for node in function.nodes:  # in the order of the source
        if isinstance(node, ast.Assign) and derived & _names(node.value):
            derived |= {
                target.id
                for each in node.targets
                for target in ast.walk(each)
                if isinstance(target, ast.Name)
            }
    return derived


def _names(node: ast.AST) -> set[str]:
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}


def _branches(app: App, function: Function) -> Iterator[list[ast.stmt]]:
    """What is done for each operation; a branch that only raises is for none."""
    operations = _operations(app, function)
    for node in function.nodes:
        match node:
            case ast.If(test=test, body=body):
                if _tests_operation(test, operations):
                    yield body
            case ast.Match(subject=subject, cases=cases):
                if _tests_operation(subject, operations):
                    yield from (
                        each.body for each in cases if not isinstance(each.body[-1], ast.Raise)
                    )


def _operations(app: App, function: Function) -> set[str]:
    """The names that hold the operation."""
    return {
        name
        for node in function.nodes
        if _is_operation(node) and (name := app.tasks.assigned_name(node))
    }


def _tests_operation(test: ast.expr, operations: set[str]) -> bool:
    return bool(operations & _names(test)) or any(_is_operation(each) for each in ast.walk(test))


def _walk(body: list[ast.stmt]) -> Iterator[ast.AST]:
    for statement in body:
        yield from ast.walk(statement)


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
        Example("""\
@app.entity_trigger(context_name="context")
def counter(context):
    amount = context.get_input()
    match context.operation_name:
        case "add":
            context.set_state(context.get_state(lambda: 0) + amount)
        case "subtract":
            context.set_state(context.get_state(lambda: 0) - amount)
        case unknown:
            raise ValueError(f"there is no operation {unknown}")
"""),
        Example("""\
@app.entity_trigger(context_name="context")
def counter(context):
    if context.operation_name == "reset":
        context.set_state(0)
        return
    context.set_state(context.get_state(lambda: 0) + context.get_input())
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
