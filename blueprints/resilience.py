"""Resilience: exchange rates, from partners that fail.

POST /api/rates starts one look at a day's rates: 202; 200 or 202 with the same answer where it is
asked again, in whatever order. It ends with the rates found, and why others were not: ask for those
alone again; it fails where none is found. GET /api/breakers/{key} shows whether a partner is asked.
"""

import logging
from collections.abc import Generator
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Final, TypedDict, cast

import azure.durable_functions as df
import azure.functions as func
from pydantic import AfterValidator, Field, StringConstraints

from activities import limits
from activities.ids import child_id, rates_id
from activities.rates import PartnerOrder, Rate, RateOrder, ask_for_rate
from http_api.answers import json_answer
from http_api.bodies import Body, read_body
from http_api.entities import state_of
from http_api.problems import Problem, answers_problems
from http_api.starting import start_once
from orchestration.breaking import ENTITY, OPERATIONS, Breaker, Standing, closed
from orchestration.cancel_rules import on_cancel
from orchestration.deadlines import wait_any
from orchestration.failures import Failed, Failure
from orchestration.operating import operate
from orchestration.retrying import Retry, retried
from orchestration.settling import end_of, first_success, settle
from orchestration.showing import time_text

PARTNERS: Final = ("rates", "centralbank")  # the first is asked first
PATIENCE: Final = timedelta(seconds=3)  # then the next is asked as well
# Goes on for longer than a breaker stays open.
RETRY: Final = Retry(attempts=8, longest_pause=timedelta(seconds=15), within=timedelta(minutes=2))

bp = df.Blueprint()
log = logging.getLogger(__name__)

Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]


def _as_a_set(currencies: list[str]) -> list[str]:
    return sorted(set(currencies))


class RatesBody(Body):
    """Which rates, of which day."""

    date: date
    currencies: Annotated[
        list[Currency],
        Field(min_length=1, max_length=limits.CURRENCIES.most),
        AfterValidator(_as_a_set),
    ]


class Wanted(TypedDict):
    """What is asked for."""

    date: str
    currencies: list[str]


class Missing(Failed):
    """A currency that there is no rate of, and why."""

    currency: str


class Found(TypedDict):
    """The rates of a day, as far as they were found."""

    date: str
    rates: list[Rate]
    failures: list[Missing]


@bp.route(route="rates", methods=["POST"])
@bp.durable_client_input(client_name="client")
@answers_problems
async def start_exchange_rates(
    req: func.HttpRequest, client: df.DurableOrchestrationClient
) -> func.HttpResponse:
    """Look for the rates in the body, once."""
    wanted = read_body(req, RatesBody).model_dump(mode="json")
    instance_id = rates_id(wanted["date"], wanted["currencies"])
    return await start_once(req, client, "exchange_rates", instance_id, wanted)


@bp.route(route="breakers/{key}", methods=["GET"])
@bp.durable_client_input(client_name="client")
@answers_problems
async def show_breaker(
    req: func.HttpRequest, client: df.DurableOrchestrationClient
) -> func.HttpResponse:
    """Show a partner's breaker; one that is open until a time past lets the next caller probe."""
    key = req.route_params["key"]
    if key not in PARTNERS:
        known = ", ".join(PARTNERS)
        raise Problem(
            404, "unknown_breaker", f"breaker {key[:64]!r} is unknown: use one of {known}"
        )
    standing: Standing = await state_of(client, df.EntityId(ENTITY, key)) or closed()
    until = standing["until"] and time_text(datetime.fromisoformat(standing["until"]))
    return json_answer({"key": key, **standing, "until": until})


@bp.orchestration_trigger(context_name="context", input_type=dict)
@on_cancel("terminate", starts_children=True)
def exchange_rates(context: df.DurableOrchestrationContext) -> Generator[Any, Any, Found]:
    """Find each rate by a child of its own; one that fails does not stop the others."""
    wanted = cast(Wanted, context.get_input())
    of = len(wanted["currencies"])
    context.set_custom_status({"step": "asking", "done": 0, "of": of})
    orders = [RateOrder(currency=each, date=wanted["date"]) for each in wanted["currencies"]]
    # Each run has children of its own: those of a run that was terminated may still be running.
    run = context.new_uuid()[:8]
    children = [
        context.call_sub_orchestrator(
            currency_rate,
            order,
            instance_id=child_id(context.instance_id, f"{order['currency']}-{run}"),
            expected_type=dict,
        )
        for order in orders
    ]
    ends = yield from settle(context, children)

    rates = [end.value for end in ends if not end.failure]
    failures = [
        Missing(currency=order["currency"], **end.failure.as_data())
        for order, end in zip(orders, ends, strict=True)
        if end.failure
    ]
    context.set_custom_status({"step": "asked", "done": of, "of": of})
    if not context.is_replaying:
        log.info("%s: found %d rates of %d", context.instance_id, len(rates), of)
    if not rates:
        why = "; ".join(f"{each['currency']}: {each['code']}" for each in failures)
        raise Failure("no_rates_found", f"there is no rate of {wanted['date']} ({why})")
    return Found(date=wanted["date"], rates=rates, failures=failures)


@bp.orchestration_trigger(context_name="context", input_type=dict)
@on_cancel("terminate")
def currency_rate(context: df.DurableOrchestrationContext) -> Generator[Any, Any, Rate]:
    """Find one rate, by as many attempts as are worth it."""
    order = cast(RateOrder, context.get_input())
    return (yield from retried(context, lambda: _ask_partners(context, order), RETRY))


def _ask_partners(
    context: df.DurableOrchestrationContext, order: RateOrder
) -> Generator[Any, Any, Rate]:
    """Ask one partner, and the next where that fails or takes its time; return the first rate."""
    calls, left_alone = [], []
    for partner in PARTNERS:
        call = yield from _ask(context, partner, order)
        if call is None:
            left_alone.append(partner)
            continue
        end = end_of(call)
        if end and not end.failure:
            return cast(Rate, end.value)
        calls.append(call)
    if calls:
        try:
            return cast(Rate, (yield from first_success(context, calls)))
        except Failure as failure:
            # A partner that was not asked may know what the others do not.
            if failure.retriable or not left_alone:
                raise
    names = " and ".join(left_alone)
    raise Failure("left_alone", f"{names} failed lately: ask again later", retriable=True)


def _ask(
    context: df.DurableOrchestrationContext, partner: str, order: RateOrder
) -> Generator[Any, Any, Any]:
    """Call a partner and wait a little; return the call, None where the breaker refuses it."""
    breaker = Breaker(context, partner)
    permit = yield from breaker.may_call()
    if permit["verdict"] == "refused":
        return None
    call: Any = context.call_activity(ask_for_rate, PartnerOrder(partner=partner, **order))
    yield from wait_any(context, [call], PATIENCE)
    breaker.report(permit, end_of(call))
    return call


@bp.entity_trigger(context_name="context")
def breaker(context: df.DurableEntityContext) -> None:
    """Do one operation: `may_call` answers with a permit, `report` takes how a call ended."""
    operate(context, closed, OPERATIONS)
