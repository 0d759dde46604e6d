"""Aggregator: running totals a vendor, fed by events from many senders, each counted once.

POST /api/totals takes an event, as does the queue that VENDOR_EVENTS_QUEUE names: 202. GET
/api/totals/{vendor} reads all shards of a vendor as one, `?day=` what is booked on a day. POST
/api/rankings names the first vendors, POST /api/closings freezes a day: 202; 200 once ended.
"""

import asyncio
import os
from datetime import timedelta
from typing import Final, TypedDict, cast

import azure.durable_functions as df
import azure.functions as func
from pydantic import Field

from activities import clock
from activities.settings import names_setting, number_setting
from blueprints import aggregator_booking as booking
from blueprints import aggregator_calendar as calendar
from blueprints import aggregator_sharding as sharding
from blueprints.aggregator_booking import Day, Total, summed
from blueprints.aggregator_calendar import DayTotal
from blueprints.aggregator_ranking import Line, Ranked, Ranking, merged, with_ranks
from blueprints.aggregator_sharding import (
    MOST_KEYS,
    PAGES,
    Page,
    Registration,
    ask_shards,
    directory_id,
    shard_id,
)
from http_api.answers import json_answer, url_of
from http_api.bodies import Body, Query, read_body, read_message, read_query
from http_api.entities import state_of
from http_api.problems import Problem, answers_problems, failures_as_503
from http_api.starting import start_once
from orchestration import limits
from orchestration.children import children_for
from orchestration.failures import Failure
from orchestration.ids import IdPart, closing_id, is_id_part, ranking_id
from orchestration.log import log_once
from orchestration.operating import operate
from orchestration.showing import show_progress
from orchestration.steps import Steps

QUEUE: Final = os.environ.get("VENDOR_EVENTS_QUEUE") or "vendor-events"
HOT_SHARDS: Final = 8  # unless the setting HOT_SHARDS says otherwise

# Before another number of shards holds, in days: no event may be dated later than tomorrow, and
# the clocks of two workers may part at midnight.
_NOTICE: Final = timedelta(days=3)

bp = df.Blueprint()


class VendorEvent(Body):
    """Something that changes what a vendor's events come to; a credit note is below zero."""

    event: IdPart
    vendor: IdPart
    day: Day
    amount_cents: int = Field(ge=-limits.CENTS.most, le=limits.CENTS.most)


class DayQuery(Query):
    """Which day to show, in place of all of them."""

    day: Day | None = None


class RankingBody(Body):
    """How many vendors to name; a ranking is as of when it was asked for, under its name."""

    name: IdPart
    top: int = Field(10, ge=1, le=limits.RANKED.most)


class ClosingBody(Body):
    """Which day to close."""

    day: Day


class RankingOrder(TypedDict):
    """How many vendors to name, and the page of the directory that they are on."""

    page: str
    top: int


class ClosingOrder(TypedDict):
    """The day to close, and the page of the directory for whose vendors."""

    page: str
    day: str


@bp.route(route="totals", methods=["POST"])
@bp.durable_client_input(client_name="client")
@answers_problems
async def record_vendor_event(
    req: func.HttpRequest, client: df.DurableOrchestrationClient
) -> func.HttpResponse:
    """Take the event in the body; whether it was counted before, only its shard knows."""
    event = read_body(req, VendorEvent)
    with failures_as_503():
        await _record(client, event)
    here = url_of(req, f"/api/totals/{event.vendor}")
    shown = {"event": event.event, "vendor": event.vendor, "statusQueryGetUri": here}
    return json_answer(shown, 202, {"Location": here})


@bp.queue_trigger(arg_name="msg", queue_name=QUEUE, connection="AzureWebJobsStorage")
@bp.durable_client_input(client_name="client")
async def record_queued_vendor_event(
    msg: func.QueueMessage, client: df.DurableOrchestrationClient
) -> None:
    """Take the event in a message; junk raises, so that the platform puts it by as poison."""
    await _record(client, read_message(msg.get_body(), VendorEvent))


@bp.route(route="totals/{vendor}", methods=["GET"])
@bp.durable_client_input(client_name="client")
@answers_problems
async def show_vendor_total(
    req: func.HttpRequest, client: df.DurableOrchestrationClient
) -> func.HttpResponse:
    """Show what a vendor's events come to; what was taken a moment ago may not be in it yet."""
    vendor, day = req.route_params["vendor"], read_query(req, DayQuery).day
    entry = (await _page(client, vendor))["entries"].get(vendor) if is_id_part(vendor) else None
    if entry is None:
        detail = f"vendor {vendor[:64]!r} is unknown: no event of it has arrived"
        raise Problem(404, "unknown_vendor", detail)
    states: list[Total | None] = await asyncio.gather(
        *(state_of(client, shard_id(vendor, shard)) for shard in range(entry["most"]))
    )
    shards = [state for state in states if state]
    try:
        shown = booking.as_one_on(shards, day) if day else booking.as_one(shards)
    except Failure as failure:
        raise Problem(404, failure.code, failure.message) from failure
    return json_answer({"vendor": vendor, **shown})


@bp.route(route="rankings", methods=["POST"])
@bp.durable_client_input(client_name="client")
@answers_problems
async def start_vendor_ranking(
    req: func.HttpRequest, client: df.DurableOrchestrationClient
) -> func.HttpResponse:
    """Start the ranking in the body, once a name."""
    asked = read_body(req, RankingBody)
    work = asked.model_dump(mode="json")
    return await start_once(req, client, "vendor_ranking", ranking_id(asked.name), work)


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
def vendor_ranking(context: df.DurableOrchestrationContext) -> Steps[Ranked]:
    """Rank the vendors of each page of the directory, side by side; merge what they found."""
    top = cast(dict[str, int], context.get_input())["top"]
    show_progress(context, "ranking", 0, of=PAGES)
    orders = {f"page-{page}": RankingOrder(page=str(page), top=top) for page in range(PAGES)}
    rankings: list[Ranking] = yield context.task_all(children_for(context, ranking_page, orders))
    show_progress(context, "ranked", PAGES, of=PAGES)
    return with_ranks(merged(rankings, top))


@bp.orchestration_trigger(context_name="context", input_type=dict)
def ranking_page(context: df.DurableOrchestrationContext) -> Steps[Ranking]:
    """Rank the vendors of one page of the directory."""
    order = cast(RankingOrder, context.get_input())
    shards = yield from ask_shards(context, order["page"], "read")
    lines = [Line(vendor=vendor, **summed(tallies)) for vendor, tallies in shards.items()]
    whole = Ranking(lines=lines, tied_with_last=0)
    return merged([whole], order["top"])


@bp.orchestration_trigger(context_name="context", input_type=dict)
def day_closing(context: df.DurableOrchestrationContext) -> Steps[DayTotal]:
    """Close the day in every shard there is, and keep what it came to, for good."""
    day = cast(dict[str, str], context.get_input())["day"]
    show_progress(context, "closing", 0, of=PAGES)
    kept: list[DayTotal] = yield context.call_entity(_calendar(), "begin", day)
    if not kept:
        orders = {f"page-{page}": ClosingOrder(page=str(page), day=day) for page in range(PAGES)}
        parts: list[DayTotal] = yield context.task_all(children_for(context, closing_page, orders))
        vendors = sum(part["vendors"] for part in parts)
        total = DayTotal(day=day, vendors=vendors, **summed(parts))
        kept = [(yield context.call_entity(_calendar(), "freeze", total))]
    show_progress(context, "closed", PAGES, of=PAGES)
    log_once(context, "closed with %d events", kept[0]["events"])
    return kept[0]


@bp.orchestration_trigger(context_name="context", input_type=dict)
def closing_page(context: df.DurableOrchestrationContext) -> Steps[DayTotal]:
    """Close the day in the shards of one page of the directory."""
    order = cast(ClosingOrder, context.get_input())
    shards = yield from ask_shards(context, order["page"], "close", order["day"])
    totals = [summed(tallies) for tallies in shards.values()]
    vendors = sum(total["events"] > 0 for total in totals)
    return DayTotal(day=order["day"], vendors=vendors, **summed(totals))


@bp.entity_trigger(context_name="context")
def vendor_total(context: df.DurableEntityContext) -> None:
    """One shard of a vendor's total."""
    operations = {"record": booking.record, "close": booking.close, "read": booking.read}
    operate(context, booking.new_total, operations)


@bp.entity_trigger(context_name="context")
def vendor_directory(context: df.DurableEntityContext) -> None:
    """One page of the vendors there are, and over how many shards each is split."""
    operate(
        context,
        sharding.new_page,
        {"register": sharding.register, "read": sharding.read, "close": sharding.close},
    )


@bp.entity_trigger(context_name="context")
def closing_calendar(context: df.DurableEntityContext) -> None:
    """Which days are closed: one closing at a time."""
    operate(context, calendar.new_calendar, {"begin": calendar.begin, "freeze": calendar.freeze})


async def _record(client: df.DurableOrchestrationClient, event: VendorEvent) -> None:
    """Signal the shard that this event always meets. Raises Problem, or Failure for a setting."""
    today = clock.now().date()
    if event.day > (today + timedelta(days=1)).isoformat():
        raise Problem(422, "day_to_come", f"the day {event.day} is to come: send the event then")
    is_hot = event.vendor in names_setting("HOT_VENDORS")
    shards = number_setting("HOT_SHARDS", HOT_SHARDS, limits.SHARDS.most) if is_hot else 1
    page = await _page(client, event.vendor)
    entry = page["entries"].get(event.vendor)
    if entry is None and len(page["entries"]) >= MOST_KEYS:
        why = "there are too many vendors: look for names that are none"
        raise Problem(409, "directory_full", f"vendor {event.vendor!r} is new, and {why}")
    if entry is None or not sharding.is_split_over(entry, shards):
        since = (today + _NOTICE).isoformat()
        order = Registration(key=event.vendor, shards=shards, since=since)
        # Before the event, so that no total is in a shard that nobody knows of.
        await client.signal_entity(directory_id(sharding.page_of(event.vendor)), "register", order)
    shard = sharding.shard_of(entry or sharding.first_entry(shards), event.event, event.day)
    told = event.model_dump() | {"closed_through": page["closed_through"]}
    await client.signal_entity(shard_id(event.vendor, shard), "record", told)


async def _page(client: df.DurableOrchestrationClient, vendor: str) -> Page:
    """The page of the directory that a vendor is on, or will be."""
    page = await state_of(client, directory_id(sharding.page_of(vendor)))
    return cast(Page, page) if page else sharding.new_page()


def _calendar() -> df.EntityId:
    return df.EntityId("closing_calendar", "days")
