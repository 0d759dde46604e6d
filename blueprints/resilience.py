"""Resilience: find exchange rates at partners that fail.

POST /api/rates asks for the rates of a day. Returns 202; repeating the request, in any order of the
currencies, returns 200 or 202. The result has the rates found and why others were not; it fails if
there is none. GET /api/breakers/{key} shows the circuit breaker of a partner.
"""

import logging
from collections.abc import Generator
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, TypedDict, cast

import azure.durable_functions as df
import azure.functions as func
from pydantic import AfterValidator, Field, StringConstraints

from activities import limits
from activities.ids import child_id, rates_id
from activities.rates import PartnerOrder, Rate, RateOrder, ask_for_rate
from http_api.answers import json_answer
from http_api.bodies import Body, Day, read_body
from http_api.entities import state_of
from http_api.problems import Problem, answers_problems
from http_api.starting import start_once
from orchestration.breaking import BreakerState, Permit, closed, permit_call, take_report
from orchestration.cancel_rules import on_cancel
from orchestration.failures import Failed, Failure, failure_of
from orchestration.retrying import Retry, retried

PARTNERS: Final = ("rates", "centralbank")  # the second is asked if the first does not answer
PATIENCE: Final = timedelta(seconds=3)
# Longer than a breaker stays open.
RETRY: Final = Retry(attempts=8, longest_pause=timedelta(seconds=15), within=timedelta(minutes=2))

bp = df.Blueprint()
log = logging.getLogger(__name__)

Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]


def _sorted_set(currencies: list[str]) -> list[str]:
    return sorted(set(currencies))


class RatesBody(Body):
    """The currencies, and the day."""

    date: Day
    currencies: Annotated[
        list[Currency],
        Field(min_length=1, max_length=limits.CURRENCIES.most),
        AfterValidator(_sorted_set),
    ]


class Wanted(TypedDict):
    """The input of `exchange_rates`."""

    date: str
    currencies: list[str]


class Missing(Failed):
    """A currency without a rate, and why."""

    currency: str


class Found(TypedDict):
    """The rates that were found, and the currencies without one."""

    date: str
    rates: list[Rate]
    failures: list[Missing]


@bp.route(route="rates", methods=["POST"])
@bp.durable_client_input(client_name="client")
@answers_problems
async def start_exchange_rates(
    req: func.HttpRequest, client: df.DurableOrchestrationClient
) -> func.HttpResponse:
    """Start the search for the rates in the body."""
    wanted = read_body(req, RatesBody).model_dump(mode="json")
    instance_id = rates_id(wanted["date"], wanted["currencies"])
    return await start_once(req, client, "exchange_rates", instance_id, wanted)


@bp.route(route="breakers/{key}", methods=["GET"])
@bp.durable_client_input(client_name="client")
@answers_problems
async def show_breaker(
    req: func.HttpRequest, client: df.DurableOrchestrationClient
) -> func.HttpResponse:
    """Show the breaker of a partner. Once `until` is past, the next call is a probe."""
    key = req.route_params["key"]
    if key not in PARTNERS:
        detail = f"breaker {key[:64]!r} is unknown: use one of {', '.join(PARTNERS)}"
        raise Problem(404, "unknown_breaker", detail)
    state: BreakerState = await state_of(client, df.EntityId("breaker", key)) or closed()
    return json_answer({"key": key, **state})


@bp.orchestration_trigger(context_name="context", input_type=dict)
@on_cancel("terminate", starts_children=True)
def exchange_rates(context: df.DurableOrchestrationContext) -> Generator[Any, Any, Found]:
    """Find each rate in a child. A child that finds none says why and does not fail."""
    wanted = cast(Wanted, context.get_input())
    of = len(wanted["currencies"])
    context.set_custom_status({"step": "asking", "done": 0, "of": of})
    # Each run has its own children: those of a run that was terminated may still be running.
    run = context.new_uuid()[:8]
    children = [
        context.call_sub_orchestrator(
            currency_rate,
            RateOrder(currency=currency, date=wanted["date"]),
            instance_id=child_id(context.instance_id, f"{currency}-{run}"),
            expected_type=dict,
        )
        for currency in wanted["currencies"]
    ]
    answers: list[Any] = (yield context.task_all(children)) or []  # task_all of nothing is None

    rates: list[Rate] = [answer for answer in answers if "per_euro" in answer]
    failures: list[Missing] = [answer for answer in answers if "code" in answer]
    context.set_custom_status({"step": "asked", "done": of, "of": of})
    if not context.is_replaying:
        log.info("%s: found %d rates of %d", context.instance_id, len(rates), of)
    if not rates:
        why = "; ".join(f"{each['currency']}: {each['code']}" for each in failures)
        raise Failure("no_rates_found", f"there is no rate of {wanted['date']} ({why})")
    return Found(date=wanted["date"], rates=rates, failures=failures)


@bp.orchestration_trigger(context_name="context", input_type=dict)
@on_cancel("terminate")
def currency_rate(context: df.DurableOrchestrationContext) -> Generator[Any, Any, Rate | Missing]:
    """Ask the partners, and again after growing pauses, until one knows the rate."""
    order = cast(RateOrder, context.get_input())
    try:
        # The SDK's retry repeats refusals too, and its pauses neither grow nor differ.
        return (yield from retried(context, lambda: _ask_partners(context, order), RETRY))
    except Failure as failure:
        return Missing(currency=order["currency"], **failure.as_data())


def _ask_partners(
    context: df.DurableOrchestrationContext, order: RateOrder
) -> Generator[Any, Any, Rate]:
    """Return the rate of the first partner that has it. Raises Failure if none has."""
    failures: list[Failure] = []
    for partner in PARTNERS:
        breaker = df.EntityId("breaker", partner)
        at = {"at": context.current_utc_datetime.isoformat()}
        permit: Permit = yield context.call_entity(breaker, "may_call", at, expected_type=dict)
        if permit["verdict"] == "refused":
            message = f"{partner} failed several times: ask again after {permit['until']}"
            failures.append(Failure("breaker_open", message, retriable=True))
            continue

        call: Any = context.call_activity(ask_for_rate, PartnerOrder(partner=partner, **order))
        timer: Any = context.create_timer(context.current_utc_datetime + PATIENCE)
        winner = yield context.task_any([call, timer])
        failure = None
        if winner is timer:
            message = f"{partner} did not answer within {PATIENCE.seconds} seconds"
            failure = Failure("timed_out", message, retriable=True)
        else:
            timer.cancel()
            # A race does not raise: the result of a call that failed is its exception.
            if isinstance(call.result, Exception):
                failure = failure_of(call.result)
        # A partner that refuses a request works, so only other failures count.
        ok = failure is None or not failure.retriable
        at = {"at": context.current_utc_datetime.isoformat()}
        context.signal_entity(breaker, "report", {**at, "round": permit["round"], "ok": ok})
        if failure is None:
            return cast(Rate, call.result)
        failures.append(failure)
    # If one partner may know the rate later, ask again.
    raise next((each for each in failures if each.retriable), failures[-1])


@bp.entity_trigger(context_name="context")
def breaker(context: df.DurableEntityContext) -> None:
    """The breaker of a partner: `may_call` answers with a permit, `report` takes how a call ended.

    An input that cannot be read raises, and the state stays as it is.
    """
    # A state that an earlier deployment saved may lack what was added since.
    state = cast(BreakerState, {**closed(), **context.get_state(closed, expected_type=dict)})
    asked: Any = context.get_input(expected_type=dict)
    at = datetime.fromisoformat(asked["at"]).astimezone(UTC)
    match context.operation_name:
        case "may_call":
            state, permit = permit_call(state, at)
            context.set_result(permit)
        case "report":
            state = take_report(state, asked["round"], at, ok=asked["ok"])
        case unknown:
            raise Failure("unknown_operation", f"a breaker has no operation {unknown!r}")
    context.set_state(state)
