"""Aggregator: running totals for each vendor, of events from many senders; each counts once.

POST /api/totals takes an event and returns 202. GET /api/totals/{vendor} reads all shards of a
vendor as one; `?day=` shows what is booked on a day. Events from a queue, rankings of vendors and
closings of days are in files of their own.
"""

import asyncio
import logging
from datetime import timedelta
from typing import Final, cast

import azure.durable_functions as df
import azure.functions as func
from pydantic import Field

from activities import clock, limits
from activities.ids import IdPart, is_id_part
from activities.settings import names_setting, number_setting
from blueprints import aggregator_booking as booking
from blueprints import aggregator_sharding as sharding
from blueprints.aggregator_booking import Day, Total
from blueprints.aggregator_sharding import (
    MOST_KEYS,
    Page,
    Registration,
    SplitOrder,
    Splits,
    directory_id,
    page_of,
    shard_id,
    splits_id,
)
from http_api.answers import json_answer, url_of
from http_api.bodies import Body, Query, read_body, read_query
from http_api.entities import state_of
from http_api.problems import Problem, answers_problems
from orchestration.failures import Failure
from orchestration.operating import operate

HOT_SHARDS: Final = 8  # unless the setting HOT_SHARDS says otherwise

# Before another number of shards holds, in days: no event may be dated later than tomorrow, and
# the clocks of two workers may part at midnight.
_NOTICE: Final = timedelta(days=3)

log = logging.getLogger(__name__)
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
    await record_event(client, event)
    here = url_of(req, f"/api/totals/{event.vendor}")
    shown = {"event": event.event, "vendor": event.vendor, "statusQueryGetUri": here}
    return json_answer(shown, 202, {"Location": here})


@bp.route(route="totals/{vendor}", methods=["GET"])
@bp.durable_client_input(client_name="client")
@answers_problems
async def show_vendor_total(
    req: func.HttpRequest, client: df.DurableOrchestrationClient
) -> func.HttpResponse:
    """Show what a vendor's events come to; what was taken a moment ago may not be in it yet."""
    vendor, day = req.route_params["vendor"], read_query(req, DayQuery).day
    splits = await state_of(client, splits_id(vendor)) if is_id_part(vendor) else None
    if splits is None:
        detail = f"vendor {vendor[:64]!r} is unknown: no event of it has arrived"
        raise Problem(404, "unknown_vendor", detail)
    states: list[Total | None] = await asyncio.gather(
        *(state_of(client, shard_id(vendor, shard)) for shard in range(splits["most"]))
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
def vendor_splits(context: df.DurableEntityContext) -> None:
    """Over how many shards a vendor is split."""
    operate(context, sharding.new_splits, {"split": sharding.split})


@bp.entity_trigger(context_name="context")
def vendor_directory(context: df.DurableEntityContext) -> None:
    """One page of the vendors there are."""
    operate(
        context,
        sharding.new_page,
        {
            "register": sharding.register,
            "close": sharding.close,
            "list_after": sharding.list_after,
        },
    )


async def record_event(client: df.DurableOrchestrationClient, event: VendorEvent) -> None:
    """Signal the shard that this event always meets. Raises Problem."""
    if event.day > (clock.now().date() + timedelta(days=1)).isoformat():
        raise Problem(422, "day_to_come", f"the day {event.day} is to come: send the event then")
    splits: Splits | None = await state_of(client, splits_id(event.vendor))
    shards = _wanted_shards(event.vendor, splits)
    if splits is None or sharding.newest_shards(splits) != shards:
        splits = await _split(client, event.vendor, shards, splits)
    shard = sharding.shard_of(splits, event.event, event.day)
    told = event.model_dump() | {"closed_through": splits["closed_through"]}
    await client.signal_entity(shard_id(event.vendor, shard), "record", told)


async def _split(
    client: df.DurableOrchestrationClient, vendor: str, shards: int, before: Splits | None
) -> Splits:
    """Split a vendor over other shards, before the event: no total may be in an unknown shard.

    Returns how the event is to be split: another number of shards is for the events of later days.
    """
    found = await state_of(client, directory_id(page_of(vendor)))
    page = cast(Page, found) if found else sharding.new_page()
    if vendor not in page["shards"] and len(page["shards"]) >= MOST_KEYS:
        why = "there are too many vendors: look for names that are none"
        raise Problem(409, "directory_full", f"vendor {vendor!r} is new, and {why}")
    since = (clock.now().date() + _NOTICE).isoformat()
    registration = Registration(key=vendor, shards=shards)
    order = SplitOrder(shards=shards, since=since, closed_through=page["closed_through"])
    await client.signal_entity(directory_id(page_of(vendor)), "register", registration)
    await client.signal_entity(splits_id(vendor), "split", order)
    return before or sharding.first_splits(shards, page["closed_through"])


def _wanted_shards(vendor: str, splits: Splits | None) -> int:
    """Over how many shards a vendor is to be split. A wrong setting changes nothing."""
    if vendor not in names_setting("HOT_VENDORS"):
        return 1
    try:
        return number_setting("HOT_SHARDS", HOT_SHARDS, limits.SHARDS.most)
    except Failure as failure:
        log.error("vendor %s stays as it is split: %s", vendor, failure)
        return sharding.newest_shards(splits) if splits else HOT_SHARDS
