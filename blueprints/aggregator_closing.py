"""The closings of days: each freezes what every vendor's events of a day come to, for good.

POST /api/closings starts one closing a day that is over: 202; 200 once it has ended; 409 before.
"""

import logging
from collections.abc import Generator
from typing import Any, Final, TypedDict, cast

import azure.durable_functions as df
import azure.functions as func

from activities import clock
from activities.ids import child_id, closing_id
from blueprints.aggregator_booking import Day, summed
from blueprints.aggregator_calendar import DayTotal, begin, freeze, new_calendar
from blueprints.aggregator_sharding import PAGES, Listed, ask_shards, directory_id
from http_api.bodies import Body, read_body
from http_api.problems import Problem, answers_problems
from http_api.starting import start_once
from orchestration.cancel_rules import on_cancel
from orchestration.operating import operate

HALF_CLOSED: Final = "the day stays closed for some vendors: delete the operation, start it again"

bp = df.Blueprint()
log = logging.getLogger(__name__)


class ClosingBody(Body):
    """Which day to close."""

    day: Day


class ClosingOrder(TypedDict):
    """The day to close for a page of the directory, and what it came to for those before one."""

    page: str
    day: str
    after: str
    so_far: DayTotal


@bp.route(route="closings", methods=["POST"])
@bp.durable_client_input(client_name="client")
@answers_problems
async def start_day_closing(
    req: func.HttpRequest, client: df.DurableOrchestrationClient
) -> func.HttpResponse:
    """Start to close the day in the body, once; it has to be over."""
    day = read_body(req, ClosingBody).day
    if day >= clock.now().date().isoformat():
        detail = f"the day {day} is not over: close it when it is, by the clock of UTC"
        raise Problem(409, "day_not_over", detail)
    return await start_once(req, client, "day_closing", closing_id(day), {"day": day})


@bp.orchestration_trigger(context_name="context", input_type=dict)
@on_cancel("refuse", left=HALF_CLOSED, starts_children=True)
def day_closing(context: df.DurableOrchestrationContext) -> Generator[Any, Any, DayTotal]:
    """Close the day in every shard there is, and keep what it came to, for good."""
    day = cast(dict[str, str], context.get_input())["day"]
    context.set_custom_status({"step": "closing", "done": 0, "of": PAGES})
    kept: list[DayTotal] = yield context.call_entity(_calendar(), "begin", day)
    if not kept:
        nothing = DayTotal(day=day, vendors=0, events=0, amount_cents=0)
        orders = {
            f"page-{page}": ClosingOrder(page=str(page), day=day, after="", so_far=nothing)
            for page in range(PAGES)
        }
        # Each run has children of its own: those of a terminated run may still be running.
        run = context.new_uuid()[:8]
        pages = [
            context.call_sub_orchestrator(
                closing_page,
                order,
                instance_id=child_id(context.instance_id, f"{name}-{run}"),
                expected_type=dict,
            )
            for name, order in orders.items()
        ]
        parts: list[DayTotal] = yield context.task_all(pages)
        vendors = sum(part["vendors"] for part in parts)
        total = DayTotal(day=day, vendors=vendors, **summed(parts))
        kept = [(yield context.call_entity(_calendar(), "freeze", total))]
    context.set_custom_status({"step": "closed", "done": PAGES, "of": PAGES})
    if not context.is_replaying:
        log.info("%s: closed with %d events", context.instance_id, kept[0]["events"])
    return kept[0]


@bp.orchestration_trigger(context_name="context", input_type=dict)
@on_cancel("refuse", left=HALF_CLOSED)
def closing_page(context: df.DurableOrchestrationContext) -> Generator[Any, Any, DayTotal | None]:
    """Close the day for the next vendors of one page, and continue as new with the rest."""
    order = cast(ClosingOrder, context.get_input())
    day, after = order["day"], order["after"]
    operation = ("list_after", after) if after else ("close", day)
    listed: Listed = yield context.call_entity(directory_id(order["page"]), *operation)
    shards = yield from ask_shards(context, listed["shards"], "close", day)
    totals = [summed(tallies) for tallies in shards.values()]
    vendors = order["so_far"]["vendors"] + sum(total["events"] > 0 for total in totals)
    total = DayTotal(day=day, vendors=vendors, **summed([order["so_far"], *totals]))
    if not listed["more"]:
        return total
    context.continue_as_new({**order, "after": max(listed["shards"]), "so_far": total})
    return None


@bp.entity_trigger(context_name="context")
def closing_calendar(context: df.DurableEntityContext) -> None:
    """Which days are closed: one closing at a time."""
    operate(context, new_calendar, {"begin": begin, "freeze": freeze})


def _calendar() -> df.EntityId:
    return df.EntityId("closing_calendar", "days")
