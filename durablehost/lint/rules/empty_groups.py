"""DUR206: results of a group that may be empty."""

import ast
from collections.abc import Iterator
from typing import Final

from durablehost.lint.app import App
from durablehost.lint.findings import Found
from durablehost.lint.meaning import External
from durablehost.lint.rule import Example, Rule
from durablehost.lint.source import Function
from durablehost.lint.tasks import method_of

_NEEDS_LIST: Final = frozenset(
    f"builtins.{name}"
    for name in [
        "all",
        "any",
        "dict",
        "enumerate",
        "iter",
        "len",
        "list",
        "map",
        "max",
        "min",
        "set",
        "sorted",
        "sum",
        "tuple",
        "zip",
    ]
)


def check(app: App) -> Iterator[Found]:
    for step in app.replayed:
        function = step.function
        for node in function.nodes:
            if not isinstance(node, ast.Yield) or method_of(node.value or node) not in (
                "task_all",
                "task_any",
            ):
                continue
            group = node.value
            assert isinstance(group, ast.Call)
            if not group.args or not _may_be_empty(app, group.args[0], function):
                continue
            if _is_guarded(app, node, group.args[0], function):
                continue
            use = _first_use(app, node, function)
            if use is not None:
                says = (
                    f"{step.path} uses the result of {method_of(group)}, which is None if there "
                    "are "
                    "no tasks. Handle the empty list before."
                )
                yield app.found(use, function, says)


def _may_be_empty(app: App, node: ast.expr, function: Function, depth: int = 0) -> bool:
    if depth > 4:
        return False
    match node:
        case ast.List(elts=elements) | ast.Tuple(elts=elements):
            return not elements or all(isinstance(each, ast.Starred) for each in elements)
        case ast.ListComp(generators=generators):
            return any(each.ifs for each in generators) or _may_have_nothing(
                app, generators[0].iter, function
            )
        case ast.Name(id=name):
            grown = list(app.tasks.grown(name, function))
            values = list(app.tasks.values(name, function))
            if not values or len(values) != len(function.names.get(name, [])):
                return False
            if any(not _may_be_empty(app, value, function, depth + 1) for value in values):
                return False
            return all(_is_conditional(app, call, function) for call in grown)
    return False


def _may_have_nothing(app: App, iterated: ast.expr, function: Function) -> bool:
    """Whether a loop over this may run no times: it comes from outside the code."""
    match iterated:
        case ast.Call(func=ast.Attribute(value=value, attr="items" | "keys" | "values")):
            return _may_have_nothing(app, value, function)
        case ast.Call(func=ast.Name(id="filter")):
            return True
        case ast.Call(func=called, args=[first, *_]):
            target = app.meaning.of(called, function)
            if isinstance(target, External) and target.name in (
                "builtins.enumerate",
                "builtins.sorted",
                "builtins.zip",
                "builtins.range",
            ):
                if target.name == "builtins.range":
                    return _range_may_be_empty(app, iterated, function)
                return _may_have_nothing(app, first, function)
        case ast.Call() if method_of(iterated) == "get_input":
            return True
        case ast.Name(id=name):
            values = list(app.tasks.values(name, function))
            bound = function.names.get(name, [])
            if any(isinstance(each, ast.arg) for each in bound):
                return True
            return bool(values) and all(_comes_from_outside(each) for each in values)
        case ast.Subscript(value=value):
            return _may_have_nothing(app, value, function)
        case ast.Yield():
            return True
    return False


def _range_may_be_empty(app: App, call: ast.Call, function: Function) -> bool:
    stop = call.args[min(1, len(call.args) - 1)]
    if app.constants.of(stop, function) is not None:
        return False
    names = {node.id for node in ast.walk(stop) if isinstance(node, ast.Name)}
    values = [value for name in names for value in app.tasks.values(name, function)]
    return not any(isinstance(value, ast.BoolOp) for value in values)  # `or 5`


def _comes_from_outside(node: ast.expr) -> bool:
    """Whether a value comes from an input, an event or an activity."""
    return any(
        isinstance(each, ast.Yield) or method_of(each) == "get_input" for each in ast.walk(node)
    )


def _is_conditional(app: App, call: ast.Call, function: Function) -> bool:
    """Whether a call that fills a list may not run: it is in a loop or a branch."""
    for outer in app.source.ancestors(call):
        if outer is function.node:
            return False
        if isinstance(outer, ast.For):
            if _may_have_nothing(app, outer.iter, function):
                return True
        elif isinstance(outer, (ast.If, ast.While)):
            return True
    return False


def _is_guarded(app: App, node: ast.Yield, tasks: ast.expr, function: Function) -> bool:
    """Whether the code looks at what the tasks are made from, before or around."""
    names = {each.id for each in ast.walk(tasks) if isinstance(each, ast.Name)}
    for name in list(names):
        for value in app.tasks.values(name, function):
            names |= {each.id for each in ast.walk(value) if isinstance(each, ast.Name)}
        for call in app.tasks.grown(name, function):
            for outer in app.source.ancestors(call):
                if isinstance(outer, ast.For):
                    names |= {e.id for e in ast.walk(outer.iter) if isinstance(e, ast.Name)}
    names -= {each.arg for each in function.parameters}
    for outer in function.nodes:
        if isinstance(outer, (ast.If, ast.While, ast.IfExp)) and outer.lineno <= node.lineno:
            tested = {each.id for each in ast.walk(outer.test) if isinstance(each, ast.Name)}
            if tested & names:
                return True
    match app.source.parents.get(node):
        case ast.BoolOp(op=ast.Or()):
            return True
    return False


def _first_use(app: App, node: ast.Yield, function: Function) -> ast.expr | None:
    """Where the result is used as a list is."""
    if _needs_list(app, node, function):
        return node
    name = app.tasks.assigned_name(node)
    if name is None or len(function.names.get(name, [])) != 1:
        return None
    loads = app.tasks.loads(name, function)
    tested = any(_is_test(app, load) for load in loads)
    used = [load for load in loads if _needs_list(app, load, function)]
    return used[0] if used and not tested else None


def _is_test(app: App, load: ast.Name) -> bool:
    inner: ast.AST = load
    for outer in app.source.ancestors(load):
        if isinstance(outer, (ast.If, ast.IfExp, ast.While)) and inner is outer.test:
            return True
        if isinstance(outer, ast.BoolOp):
            return True
        if isinstance(outer, ast.stmt):
            return False
        inner = outer
    return False


def _needs_list(app: App, node: ast.expr, function: Function) -> bool:
    match app.source.parents.get(node):
        case ast.For(iter=iterated) if iterated is node:
            return True
        case ast.comprehension(iter=iterated) if iterated is node:
            return True
        case ast.Subscript(value=value) | ast.Attribute(value=value) if value is node:
            return True
        case ast.Starred():
            return True
        case ast.Assign(targets=[ast.Tuple() | ast.List()], value=value) if value is node:
            return True
        case ast.Call(func=ast.Attribute(attr="join"), args=[joined]) if joined is node:
            return True
        case ast.Call(func=called, args=args) if node in args:
            target = app.meaning.of(called, function)
            return isinstance(target, External) and target.name in _NEEDS_LIST
    return False


RULE = Rule(
    code="DUR206",
    name="empty-groups",
    sentence="An orchestrator uses the results of a group that may have no tasks.",
    why="""\
`task_all([])` and `task_any([])` return None, not an empty list, so `sum(results)` or a loop over
them fails the instance on the day there is nothing to do. Handle the empty list before the group
is yielded.""",
    valid=[
        Example("""\
@app.orchestration_trigger(context_name="context")
def order(context):
    items = context.get_input()
    if not items:
        return 0
    prices = yield context.task_all([context.call_activity("price", item) for item in items])
    return sum(prices)
"""),
        Example("""\
@app.orchestration_trigger(context_name="context")
def order(context):
    prices = yield context.task_all([context.call_activity("price", n) for n in range(3)])
    return sum(prices)
"""),
    ],
    invalid=[
        Example("""\
@app.orchestration_trigger(context_name="context")
def order(context):
    items = yield context.call_activity("price", None)
    tasks = [context.call_activity("price", item) for item in items]
    prices = yield context.task_all(tasks)
    return sum(prices)  # here
"""),
        Example("""\
@app.orchestration_trigger(context_name="context")
def order(context):
    sellers = context.get_input()
    first = yield context.task_any([context.call_activity("price", each) for each in sellers])
    return first.result  # here
"""),
    ],
    check=check,
)
