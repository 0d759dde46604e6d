"""DUR503: names of events that do not meet."""

import ast
import difflib
import re
from collections.abc import Iterator

from durablehost.lint.app import App
from durablehost.lint.declared import argument
from durablehost.lint.findings import Found
from durablehost.lint.rule import Example, Rule
from durablehost.lint.source import Scope
from durablehost.lint.tasks import method_of

_Named = list[tuple[str, ast.Call, Scope]]


def check(app: App) -> Iterator[Found]:
    awaited = _named(app, "wait_for_external_event", 0, "name")
    raised = _named(app, "raise_event", 1, "event_name")
    names = {name for name, _, _ in awaited}
    for name, node, scope in awaited:
        if other := _same_but_for_case(name, names):
            says = (
                f"The event {name!r} is awaited as {other!r} elsewhere. Names of events are "
                "case-sensitive: an event reaches one of the two only."
            )
            yield app.found(node, scope, says)
    for name, node, scope in raised:
        if name not in names and (other := _nearest(name, names)):
            says = (
                f"The event {name!r} is raised, and the app awaits {other!r}. Names of events are "
                "case-sensitive: nobody receives it."
            )
            yield app.found(node, scope, says)


def _named(app: App, method: str, position: int, keyword: str) -> _Named:
    found: _Named = []
    for scope in app.source.functions:
        for node in scope.nodes:
            if isinstance(node, ast.Call) and method_of(node) == method:
                name = app.text(argument(node, position, keyword), scope)
                if name is not None:
                    found.append((name, node, scope))
    return found


def _same_but_for_case(name: str, names: set[str]) -> str:
    """A name that is the same but for case and underscores."""
    plain = name.replace("_", "").lower()
    same = [each for each in sorted(names - {name}) if each.replace("_", "").lower() == plain]
    return same[0] if same else ""


def _nearest(name: str, names: set[str]) -> str:
    """A name that is nearly the same; another number or last letter is meant."""
    if same := _same_but_for_case(name, names):
        return same
    meant = re.sub(r"\d", "", name)
    others = [
        each
        for each in sorted(names)
        if re.sub(r"\d", "", each) != meant and each[:-1] != name[:-1]
    ]
    close = difflib.get_close_matches(name, others, n=1, cutoff=0.9)
    return close[0] if close else ""


RULE = Rule(
    code="DUR503",
    name="event-names",
    sentence="An external event has two spellings.",
    why="""\
Names of events are case-sensitive. An event under another spelling is kept in the history and
reaches nobody: the orchestrator waits until its deadline, or for ever. Keep each name in one
constant.""",
    valid=[
        Example("""\
PAID = "Paid"


@app.orchestration_trigger(context_name="context")
def order(context):
    yield context.wait_for_external_event(PAID)


@app.route(route="pay/{id}")
@app.durable_client_input(client_name="client")
async def pay(req, client):
    await client.raise_event(req.route_params["id"], PAID)
"""),
        Example("""\
@app.orchestration_trigger(context_name="context")
def order(context):
    shipped = context.wait_for_external_event("OrderShipped")
    skipped = context.wait_for_external_event("OrderSkipped")
    yield context.task_any([shipped, skipped])
"""),
    ],
    invalid=[
        Example("""\
@app.orchestration_trigger(context_name="context")
def order(context):
    yield context.wait_for_external_event("Paid")


@app.route(route="pay/{id}")
@app.durable_client_input(client_name="client")
async def pay(req, client):
    await client.raise_event(req.route_params["id"], "paid")  # here
"""),
        Example("""\
@app.orchestration_trigger(context_name="context")
def order(context):
    yield context.wait_for_external_event("OrderCancelled")


@app.route(route="cancel/{id}")
@app.durable_client_input(client_name="client")
async def cancel(req, client):
    await client.raise_event(req.route_params["id"], "OrderCanceled")  # here
"""),
    ],
    check=check,
)
