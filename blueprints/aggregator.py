"""Aggregator: running totals a vendor, fed by events from many senders, each counted once.

POST /api/totals takes an event, as does the queue that VENDOR_EVENTS_QUEUE names: 202. GET
/api/totals/{vendor} reads all shards of a vendor as one, `?day=` what is booked on a day.
Rankings of vendors and closings of days are parts beside it.
"""

import asyncio
from datetime import timedelta
from typing import Final, cast

import azure.durable_functions as df
import azure.functions as func
from pydantic import Field

from activities import clock
from activities.settings import names_setting, number_setting
from blueprints import aggregator_booking as booking
from blueprints import aggregator_sharding as sharding
from blueprints.aggregator_booking import Day, Total
from blueprints.aggregator_sharding import (
    MOST_KEYS,
    Page,
    Registration,
    directory_id,
    shard_id,
)
from http_api.answers import json_answer, url_of
from http_api.bodies import Body, Query, read_body, read_message, read_query
from http_api.entities import state_of
from http_api.problems import Problem, answers_problems, failures_as_503
from orchestration import limits
from orchestration.failures import Failure
from orchestration.ids import IdPart, is_id_part
from orchestration.operating import operate

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


@bp.queue_trigger(
    arg_name="msg", queue_name="%VENDOR_EVENTS_QUEUE%", connection="AzureWebJobsStorage"
)
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
