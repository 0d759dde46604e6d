"""Entity: counters, and document numbers without a gap, in a state that does one thing at a time.

GET /api/counters/{key} reads one; POST adds, POST …/reset sets it to zero: 202. POST …/numbers
draws a document's number: 202; 200 or 202 with the same answer where it is asked again. What a
counter cannot do is 409, and changes nothing.
"""

from collections.abc import Generator
from typing import Any, Final, TypedDict, cast

import azure.durable_functions as df
import azure.functions as func
from pydantic import Field

from activities import limits
from activities.ids import IdPart, is_id_part, number_id
from http_api.answers import json_answer, url_of
from http_api.bodies import Body, read_body
from http_api.entities import state_of
from http_api.problems import Problem, answers_problems
from http_api.starting import start_once
from orchestration.cancel_rules import on_cancel
from orchestration.events import event_data
from orchestration.failures import Failure
from orchestration.operating import Operations, operate, operated

LIMIT: Final = limits.COUNT.most

bp = df.Blueprint()


class State(TypedDict):
    """What a counter holds: where it stands, and how many numbers were drawn from it."""

    value: int
    drawn: int


class Addition(Body):
    """How much to add."""

    amount: int = Field(ge=1, le=LIMIT)


class DocumentBody(Body):
    """A document that needs a number."""

    document: IdPart


class Wanted(TypedDict):
    """Whose number is drawn from which counter."""

    counter: str
    document: str


class Numbered(TypedDict):
    """A document and its number."""

    document: str
    number: int


@bp.route(route="counters/{key}", methods=["GET"])
@bp.durable_client_input(client_name="client")
@answers_problems
async def show_counter(
    req: func.HttpRequest, client: df.DurableOrchestrationClient
) -> func.HttpResponse:
    """Show a counter as it stands; what was accepted a moment ago may not be in it yet."""
    key = _key(req)
    state = await _state(client, key)
    if state is None:
        raise _unknown(key)
    return json_answer({"key": key, **state})


@bp.route(route="counters/{key}", methods=["POST"])
@bp.durable_client_input(client_name="client")
@answers_problems
async def add_to_counter(
    req: func.HttpRequest, client: df.DurableOrchestrationClient
) -> func.HttpResponse:
    """Add the amount in the body; the first time begins the counter."""
    key, addition = _key(req), read_body(req, Addition)
    return await _signal(req, client, key, "add", addition.model_dump())


@bp.route(route="counters/{key}/reset", methods=["POST"])
@bp.durable_client_input(client_name="client")
@answers_problems
async def reset_counter(
    req: func.HttpRequest, client: df.DurableOrchestrationClient
) -> func.HttpResponse:
    """Set a counter to zero, unless numbers were drawn from it."""
    key = _key(req)
    if await _state(client, key) is None:
        raise _unknown(key)
    return await _signal(req, client, key, "reset")


@bp.route(route="counters/{key}/numbers", methods=["POST"])
@bp.durable_client_input(client_name="client")
@answers_problems
async def start_document_number(
    req: func.HttpRequest, client: df.DurableOrchestrationClient
) -> func.HttpResponse:
    """Draw the number of the document in the body, once."""
    key, asked = _key(req), read_body(req, DocumentBody)
    work = Wanted(counter=key, document=asked.document)
    instance_id = number_id(key, asked.document)
    return await start_once(req, client, "document_number", instance_id, work)


@bp.orchestration_trigger(context_name="context", input_type=dict)
@on_cancel("refuse", left="a number that was drawn stays drawn, and no document has it")
def document_number(context: df.DurableOrchestrationContext) -> Generator[Any, Any, Numbered]:
    """Draw a number and return it, no more: what failed after the draw would leave a gap."""
    wanted = cast(Wanted, context.get_input())

    context.set_custom_status({"step": "drawing", "done": 0, "of": 1})
    counter_id = _entity(wanted["counter"])
    number: int = yield context.call_entity(counter_id, "draw")

    context.set_custom_status({"step": "drawn", "done": 1, "of": 1})
    return Numbered(document=wanted["document"], number=number)


@bp.entity_trigger(context_name="context")
def counter(context: df.DurableEntityContext) -> None:
    """Do one operation; return where the counter stands then."""
    operate(context, _new, OPERATIONS)


def _add(state: State, data: object) -> tuple[State, int]:
    addition = event_data(data, Addition)
    if addition is None:
        raise Failure("invalid_amount", f"there is no amount to add: send one from 1 to {LIMIT}")
    _require_nothing_drawn(state)
    value = _within_limit(state["value"] + addition.amount)
    return State(value=value, drawn=0), value


def _reset(state: State, _: object) -> tuple[State, int]:
    _require_nothing_drawn(state)
    return _new(), 0


def _draw(state: State, _: object) -> tuple[State, int]:
    value = _within_limit(state["value"] + 1)
    return State(value=value, drawn=state["drawn"] + 1), value


OPERATIONS: Final[Operations[State]] = {"add": _add, "reset": _reset, "draw": _draw}


def _new() -> State:
    return State(value=0, drawn=0)


def _require_nothing_drawn(state: State) -> None:
    if drawn := state["drawn"]:
        why = "a number would be given twice or left out: use another counter"
        raise Failure("numbers_drawn", f"{drawn} document number(s) were drawn from it, and {why}")


def _within_limit(value: int) -> int:
    if value > LIMIT:
        raise Failure("counter_full", f"it would be over {LIMIT}: use another counter")
    return value


async def _signal(
    req: func.HttpRequest,
    client: df.DurableOrchestrationClient,
    key: str,
    operation: str,
    data: object = None,
) -> func.HttpResponse:
    """Signal an operation that the counter can do as it stands. Raises Problem 409.

    The counter looks again when the signal arrives: what it cannot do by then does not happen.
    """
    try:
        operated(OPERATIONS, await _state(client, key) or _new(), operation, data)
    except Failure as failure:
        raise Problem(409, failure.code, f"counter {key!r}: {failure.message}") from failure
    await client.signal_entity(_entity(key), operation, data)
    here = url_of(req, f"/api/counters/{key}")
    return json_answer({"key": key, "statusQueryGetUri": here}, 202, {"Location": here})


async def _state(client: df.DurableOrchestrationClient, key: str) -> State | None:
    """What a counter holds, None where it never was."""
    return cast(State | None, await state_of(client, _entity(key)))


def _entity(key: str) -> df.EntityId:
    return df.EntityId("counter", key)


def _key(req: func.HttpRequest) -> str:
    """The counter that the route names. Raises Problem 404."""
    key = req.route_params["key"]
    if not is_id_part(key):
        raise _unknown(key)
    return key


def _unknown(key: str) -> Problem:
    detail = f"counter {key[:64]!r} is unknown: nothing was ever added to it or drawn from it"
    return Problem(404, "unknown_counter", detail)
