"""Durable entity: counters. A counter runs one operation at a time, however many callers it has.

POST /api/counters/{key} adds an amount, POST …/reset sets the counter to zero, DELETE deletes it.
Each returns 202, because a signal is delivered later and has no answer. A change that the counter
cannot make returns 409. GET reads the counter; 404 if it does not exist.
"""

from typing import Any, Final, TypedDict, cast

import azure.durable_functions as df
import azure.functions as func
from pydantic import Field

from activities import limits
from activities.ids import is_id_part
from http_api.answers import json_answer, url_of
from http_api.bodies import Body, read_body
from http_api.entities import state_of
from http_api.problems import Problem, answers_problems
from orchestration.failures import Failure

LIMIT: Final = limits.COUNT.most

bp = df.Blueprint()


class State(TypedDict):
    """What a counter holds."""

    value: int


class Addition(Body):
    """How much to add."""

    amount: int = Field(ge=1, le=LIMIT)


@bp.entity_trigger(context_name="context")
def counter(context: df.DurableEntityContext) -> None:
    """Run one operation. Its result is the value after it."""
    # A counter that was saved by an older deployment may lack a field of today's state.
    state = cast(State, {**_new(), **context.get_state(_new, expected_type=dict)})
    match context.operation_name:
        case "add":
            # Read the input only in an operation that has one: get_input() raises without.
            addition = Addition.model_validate(context.get_input(expected_type=object))
            state["value"] = _sum(state, addition.amount)
        case "reset":
            state["value"] = 0
        case "delete":
            context.destruct_on_exit()
            return
        case unknown:
            raise Failure("unknown_operation", f"a counter has no operation {str(unknown)[:64]!r}")
    # The state is set last: what an operation sets before it raises stays set.
    context.set_state(state)
    context.set_result(state["value"])


@bp.route(route="counters/{key}", methods=["GET"])
@bp.durable_client_input(client_name="client")
@answers_problems
async def show_counter(
    req: func.HttpRequest, client: df.DurableOrchestrationClient
) -> func.HttpResponse:
    """Return a counter as it was saved last. Changes accepted just before may not be in it yet."""
    key = _key(req)
    return json_answer({"key": key, **await _known(client, key)})


@bp.route(route="counters/{key}", methods=["POST"])
@bp.durable_client_input(client_name="client")
@answers_problems
async def add_to_counter(
    req: func.HttpRequest, client: df.DurableOrchestrationClient
) -> func.HttpResponse:
    """Add the amount in the body. The first addition creates the counter."""
    key, addition = _key(req), read_body(req, Addition)
    try:
        # The counter checks again: other additions may arrive before this one.
        _sum(await _state(client, key) or _new(), addition.amount)
    except Failure as failure:
        raise Problem(409, failure.code, f"counter {key!r}: {failure.message}") from failure
    return await _signal(req, client, key, "add", addition.model_dump())


@bp.route(route="counters/{key}/reset", methods=["POST"])
@bp.durable_client_input(client_name="client")
@answers_problems
async def reset_counter(
    req: func.HttpRequest, client: df.DurableOrchestrationClient
) -> func.HttpResponse:
    """Set a counter to zero."""
    key = _key(req)
    await _known(client, key)
    return await _signal(req, client, key, "reset")


@bp.route(route="counters/{key}", methods=["DELETE"])
@bp.durable_client_input(client_name="client")
@answers_problems
async def delete_counter(
    req: func.HttpRequest, client: df.DurableOrchestrationClient
) -> func.HttpResponse:
    """Delete a counter. A later addition creates it anew."""
    key = _key(req)
    await _known(client, key)
    return await _signal(req, client, key, "delete")


def _new() -> State:
    return State(value=0)


def _sum(state: State, amount: int) -> int:
    value = state["value"] + amount
    if value > LIMIT:
        raise Failure("counter_full", f"the sum would be over {LIMIT}: use another counter")
    return value


async def _signal(
    req: func.HttpRequest,
    client: df.DurableOrchestrationClient,
    key: str,
    operation: str,
    data: object = None,
) -> func.HttpResponse:
    await client.signal_entity(df.EntityId("counter", key), operation, data)
    here = url_of(req, f"/api/counters/{key}")
    return json_answer({"key": key, "statusQueryGetUri": here}, 202, {"Location": here})


async def _state(client: df.DurableOrchestrationClient, key: str) -> State | None:
    found: Any = await state_of(client, df.EntityId("counter", key))
    return found


async def _known(client: df.DurableOrchestrationClient, key: str) -> State:
    """Return what a counter holds. Raises Problem 404."""
    state = await _state(client, key)
    if state is None:
        raise _unknown(key)
    return state


def _key(req: func.HttpRequest) -> str:
    """Return the key of the counter in the route. Raises Problem 404."""
    key = req.route_params["key"]
    if not is_id_part(key):
        raise _unknown(key)
    return key


def _unknown(key: str) -> Problem:
    detail = f"counter {key[:64]!r} is unknown: nothing was ever added to it, or it was deleted"
    return Problem(404, "unknown_counter", detail)
