"""The closings of days: each freezes what every vendor's events of a day come to, for good.

POST /api/closings starts one closing a day that is over: 202; 200 once it has ended; 409 before.
"""

from typing import Final, TypedDict, cast

import azure.durable_functions as df
import azure.functions as func

from activities import clock
from blueprints.aggregator_booking import Day, summed
from blueprints.aggregator_calendar import DayTotal, begin, freeze, new_calendar
from blueprints.aggregator_sharding import PAGES, ask_shards
from http_api.bodies import Body, read_body
from http_api.problems import Problem, answers_problems
from http_api.starting import start_once
from orchestration.cancel_rules import on_cancel
from orchestration.children import children_for
from orchestration.ids import closing_id
from orchestration.log import log_once
from orchestration.operating import operate
from orchestration.showing import show_progress
from orchestration.steps import Steps

HALF_CLOSED: Final = "the day stays closed for some vendors: delete the operation, start it again"

bp = df.Blueprint()


class ClosingBody(Body):
    """Which day to close."""

    day: Day


class ClosingOrder(TypedDict):
    """The day to close, and the page of the directory for whose vendors."""

    page: str
    day: str


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
def day_closing(context: df.DurableOrchestrationContext) -> Steps[DayTotal]:
    """Close the day in every shard there is, and keep what it came to, for good."""
    day = cast(dict[str, str], context.get_input())["day"]
    show_progress(context, "closing", 0, of=PAGES)
    kept: list[DayTotal] = yield context.call_entity(_calendar(), "begin", day)
    if not kept:
        orders = {f"page-{page}": ClosingOrder(page=str(page), day=day) for page in range(PAGES)}
        pages = children_for(context, closing_page, orders)
        parts: list[DayTotal] = yield context.task_all(list(pages.values()))
        vendors = sum(part["vendors"] for part in parts)
        total = DayTotal(day=day, vendors=vendors, **summed(parts))
        kept = [(yield context.call_entity(_calendar(), "freeze", total))]
    show_progress(context, "closed", PAGES, of=PAGES)
    log_once(context, "closed with %d events", kept[0]["events"])
    return kept[0]


@bp.orchestration_trigger(context_name="context", input_type=dict)
@on_cancel("refuse", left=HALF_CLOSED)
def closing_page(context: df.DurableOrchestrationContext) -> Steps[DayTotal]:
    """Close the day in the shards of one page of the directory."""
    order = cast(ClosingOrder, context.get_input())
    shards = yield from ask_shards(context, order["page"], "close", order["day"])
    totals = [summed(tallies) for tallies in shards.values()]
    vendors = sum(total["events"] > 0 for total in totals)
    return DayTotal(day=order["day"], vendors=vendors, **summed(totals))


@bp.entity_trigger(context_name="context")
def closing_calendar(context: df.DurableEntityContext) -> None:
    """Which days are closed: one closing at a time."""
    operate(context, new_calendar, {"begin": begin, "freeze": freeze})


def _calendar() -> df.EntityId:
    return df.EntityId("closing_calendar", "days")
