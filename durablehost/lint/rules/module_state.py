"""DUR113: variables of a module or class that change."""

import ast
from collections.abc import Iterable, Iterator
from typing import Final

from durablehost.lint.app import App
from durablehost.lint.findings import Found
from durablehost.lint.rule import Example, Rule
from durablehost.lint.source import Function, Module, Scope

_CHANGES: Final = frozenset(
    [
        "add",
        "append",
        "appendleft",
        "clear",
        "discard",
        "extend",
        "insert",
        "pop",
        "popitem",
        "popleft",
        "remove",
        "setdefault",
        "sort",
        "update",
    ]
)
_INSTEAD: Final = (
    "A replay finds another value, as may another machine. Keep it in local variables, in the "
    "input "
    "of continue_as_new, or in an entity."
)


def check(app: App) -> Iterator[Found]:
    changed = _changed_at_run_time(app)
    for step in app.replayed:
        if step.is_guarded:
            continue
        seen = set()
        for name, node in _module_names(app, step.function):
            if (step.function.module, name) in changed and name not in seen:
                seen.add(name)
                yield app.found(
                    node,
                    step.function,
                    f"{step.path} uses the module's {name}, which changes while the app "
                    f"runs. {_INSTEAD}",
                )


def _changed_at_run_time(app: App) -> set[tuple[Module, str]]:
    """The variables of modules that a function changes, unless it runs at import only."""
    changed = set()
    at_import = _run_at_import(app)
    for function in app.source.functions:
        if function in at_import:
            continue
        declared_global = {
            name for node in function.nodes if isinstance(node, ast.Global) for name in node.names
        }
        for node in function.nodes:
            name = _changed_name(node)
            is_rebound = isinstance(node, ast.Name) and isinstance(node.ctx, (ast.Store, ast.Del))
            if is_rebound and isinstance(node, ast.Name) and node.id in declared_global:
                changed.add((function.module, node.id))
            elif name and _is_of_module(name, function):
                changed.add((function.module, name))
    return changed


def _run_at_import(app: App) -> set[Function]:
    """Functions that run while the app is imported only: decorators, and what modules call.

    What they keep of the app is the same in each process.
    """
    found = set()
    for function in app.source.functions:
        for decorator in function.definition.decorator_list:
            named = decorator.func if isinstance(decorator, ast.Call) else decorator
            target = app.meaning.of(named, function.outer or function)
            if isinstance(target, Function):
                found.add(target)
                found |= {
                    inner
                    for node in target.nodes
                    if isinstance(decorator, ast.Call)
                    and isinstance(inner := app.source.scope_of.get(node), Function)
                }
    names = {function.name for function in app.source.functions}
    called_later = _called(app, app.source.functions, names)
    return found | (_called(app, app.source.modules.values(), names) - called_later)


def _called(app: App, scopes: Iterable[Scope], names: set[str]) -> set[Function]:
    """The functions of the app that the code of these scopes calls."""
    found = set()
    for scope in scopes:
        for node in scope.nodes:
            if isinstance(node, ast.Call) and _last_name(node.func) in names:
                called = app.meaning.of(node.func, scope)
                if isinstance(called, Function):
                    found.add(called)
    return found


def _last_name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def _changed_name(node: ast.AST) -> str:
    """The name whose value changes: `x.append(...)`, `x[...] = ...`, `X.a += ...`, `next(x)`."""
    match node:
        case ast.Call(func=ast.Name(id="next"), args=[ast.Name(id=name), *_]):
            return name
        case ast.Attribute(value=ast.Name(id=name), ctx=ast.Store() | ast.Del()):
            return name
        case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=attr)) if attr in _CHANGES:
            return name
        case ast.Subscript(value=ast.Name(id=name), ctx=ast.Store() | ast.Del()):
            return name
    return ""


def _is_of_module(name: str, function: Function) -> bool:
    scope = function
    while isinstance(scope, Function):
        if name in scope.names:
            return False
        scope = scope.outer  # type: ignore[assignment] # it ends at a class or module
    return name in function.module.names


def _module_names(app: App, function: Function) -> Iterator[tuple[str, ast.Name]]:
    declared = {
        name for node in function.nodes if isinstance(node, ast.Global) for name in node.names
    }
    for node in function.nodes:
        if not isinstance(node, ast.Name):
            continue
        if node.id in declared or _is_of_module(node.id, function):
            yield node.id, node


RULE = Rule(
    code="DUR113",
    name="module-state",
    sentence="An orchestrator uses a variable of a module that changes.",
    why="""\
A variable of a module keeps its value from one replay to the next, and is empty again after a
restart or on another machine. So a replay starts with another value than the first run. Constants
are fine.""",
    valid=[
        Example("""\
LIMIT = 5


@app.orchestration_trigger(context_name="context")
def order(context):
    shipped = []
    for item in range(LIMIT):
        shipped.append((yield context.call_activity("ship", item)))
    return shipped
"""),
    ],
    invalid=[
        Example("""\
shipped = []


@app.orchestration_trigger(context_name="context")
def order(context):
    shipped.append((yield context.call_activity("ship", None)))  # here
    return len(shipped)
"""),
        Example("""\
count = 0


@app.orchestration_trigger(context_name="context")
def order(context):
    global count
    count += 1  # here
    yield context.call_activity("ship", count)
"""),
        Example("""\
class Shop:
    orders = 0


@app.orchestration_trigger(context_name="context")
def order(context):
    Shop.orders += 1  # here
    yield context.call_activity("ship", None)
"""),
        Example("""\
import itertools

numbers = itertools.count()


@app.orchestration_trigger(context_name="context")
def order(context):
    yield context.call_activity("ship", next(numbers))  # here
"""),
    ],
    check=check,
)
