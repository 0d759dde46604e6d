"""DUR501: names of activities and orchestrators that do not exist."""

import ast
import difflib
from collections.abc import Iterator
from typing import Final

from durablehost.lint.app import App
from durablehost.lint.declared import Kind, argument
from durablehost.lint.findings import Found
from durablehost.lint.rule import Example, Rule
from durablehost.lint.source import Function, Scope
from durablehost.lint.tasks import method_of

_CALLS: Final[dict[str, tuple[Kind, str, str]]] = {
    "call_activity": ("activity", "activity", "name"),
    "call_activity_with_retry": ("activity", "activity", "name"),
    "call_sub_orchestrator": ("orchestration", "orchestrator", "name"),
    "call_sub_orchestrator_with_retry": ("orchestration", "orchestrator", "name"),
    "start_new": ("orchestration", "orchestrator", "orchestration_function_name"),
}
_STUCK: Final = "The instance stays Running for ever, and no error says so."


def check(app: App) -> Iterator[Found]:
    for scope in [*app.source.modules.values(), *app.source.functions]:
        for node in scope.nodes:
            if isinstance(node, ast.Call) and method_of(node) in _CALLS:
                kind, word, keyword = _CALLS[method_of(node)]
                named = argument(node, 0, keyword)
                if named is not None:
                    yield from _fault(app, named, scope, kind, word)


def _fault(app: App, named: ast.expr, scope: Scope, kind: Kind, word: str) -> Iterator[Found]:
    target = app.meaning.of(named, scope)
    if isinstance(target, Function):
        yield from _passed(app, named, target, scope, kind, word)
        return
    name, known = app.text(named, scope), app.names(kind)
    if name is None or known is None or name.lower() in [each.lower() for each in known]:
        return
    yield app.found(named, scope, f"There is no {word} {name!r}{nearest(name, known)} {_STUCK}")


def _passed(
    app: App, named: ast.expr, target: Function, scope: Scope, kind: Kind, word: str
) -> Iterator[Found]:
    """A function object: it counts as its Python name, whatever its trigger calls it."""
    declared = app.declarations.by_function.get(target)
    if declared is None:
        says = f"{target.name} is no {word}: it has no trigger, and the SDK raises a ValueError."
        yield app.found(named, scope, says)
    elif declared.kind != kind:
        says = f"{target.name} is no {word}, and the SDK raises a ValueError."
        yield app.found(named, scope, says)
    elif declared.name is not None and declared.name.lower() != target.name.lower():
        says = (
            f"The {word} {target.name} is called {declared.name!r}, and its function object "
            "counts as "
            f"{target.name!r}. {_STUCK} Pass the name {declared.name!r}."
        )
        yield app.found(named, scope, says)


def nearest(name: str, known: list[str]) -> str:
    """The end of a sentence: `; did you mean ...?`, or which names there are."""
    by_lower = {each.lower(): each for each in known}
    if close := difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.6):
        return f"; did you mean {by_lower[close[0]]!r}?"
    if not known:
        return "; the app has none."
    return f"; there are {', '.join(known[:8])}{', …' if len(known) > 8 else '.'}"


RULE = Rule(
    code="DUR501",
    name="unknown-functions",
    sentence="An activity, child or orchestrator of this name does not exist.",
    why="""\
The host puts a call of an unknown name into its queue and waits: the instance stays Running for
ever. A function object counts as its Python name, so an activity with a name of its own
(`activity_trigger(activity="Name")`) has to be called by that name. Case does not matter.""",
    valid=[
        Example("""\
@app.orchestration_trigger(context_name="context")
def order(context):
    yield context.call_activity("Ship", None)
    yield context.call_activity(ship, None)
"""),
    ],
    invalid=[
        Example("""\
def weigh(item): ...


@app.orchestration_trigger(context_name="context")
def order(context):
    yield context.call_activity("shipp", None)  # here
    yield context.call_activity(weigh, None)  # here


@app.activity_trigger(input_name="item", activity="WrapItem")
def wrap_one(item): ...


@app.orchestration_trigger(context_name="context")
def gift(context):
    yield context.call_activity(wrap_one, None)  # here
    yield context.call_sub_orchestrator("ordre", None)  # here
"""),
    ],
    check=check,
)
