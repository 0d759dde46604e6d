"""Aggregator: running totals for each vendor, from events of many senders. Each event counts once.

POST /api/totals accepts an event and returns 202; the queue VENDOR_EVENTS_QUEUE takes the same
JSON. GET /api/totals/{vendor} returns the total. The events of a vendor are split over several
entities, its shards, because an entity runs one operation at a time.
"""

import asyncio
from collections.abc import Sequence
from hashlib import sha256
from typing import Final, TypedDict, cast

import azure.durable_functions as df
import azure.functions as func
from pydantic import BaseModel, Field

from activities import limits
from activities.ids import IdPart, is_id_part
from blueprints import aggregator_directory as directory
from blueprints.aggregator_directory import number_of, page_id, page_of
from http_api.answers import json_answer, url_of
from http_api.bodies import Body, read_body, read_message
from http_api.entities import state_of
from http_api.problems import Problem, answers_problems
from orchestration.failures import Failure

# The shards of each vendor. With another number, an event that is sent again would reach another
# shard, and count again.
SHARDS: Final = 4

# A shard forgets older events, because each operation reads and writes its whole state.
REMEMBERED: Final = limits.REMEMBERED_EVENTS.most

bp = df.Blueprint()


class VendorEvent(Body):
    """Something that changes the total of a vendor. The amount of a credit note is negative."""

    event: IdPart
    vendor: IdPart
    amount_cents: int = Field(ge=-limits.CENTS.most, le=limits.CENTS.most)


class Recording(BaseModel):
    """The input of the operation `record`."""

    event: str
    amount_cents: int


class Tally(TypedDict):
    """How many events there are, and the sum of their amounts."""

    events: int
    amount_cents: int


class Total(Tally):
    """What a shard holds. `seen` recognizes an event that is sent again."""

    repeats: int
    seen: list[str]


@bp.entity_trigger(context_name="context")
def vendor_total(context: df.DurableEntityContext) -> None:
    """Count an event once, or return what was counted."""
    # A shard that was saved by an older deployment may lack a field of today's state.
    total = cast(Total, {**_new(), **context.get_state(_new, expected_type=dict)})
    match context.operation_name:
        case "record":
            recording = Recording.model_validate(context.get_input(expected_type=object))
            mark = sha256(recording.event.encode()).hexdigest()[:16]  # shorter than most names
            if mark in total["seen"]:
                total["repeats"] += 1
            else:
                total["events"] += 1
                total["amount_cents"] += recording.amount_cents
                total["seen"] = [*total["seen"], mark][-REMEMBERED:]
            context.set_state(total)
        case "read":
            context.set_result(summed([total]))
        case unknown:
            raise Failure("unknown_operation", f"a total has no operation {str(unknown)[:64]!r}")


@bp.route(route="totals", methods=["POST"])
@bp.durable_client_input(client_name="client")
@answers_problems
async def record_vendor_event(
    req: func.HttpRequest, client: df.DurableOrchestrationClient
) -> func.HttpResponse:
    """Accept the event in the body. Only its shard knows whether it was counted before."""
    event = read_body(req, VendorEvent)
    await record_event(client, event)
    here = url_of(req, f"/api/totals/{event.vendor}")
    accepted = {"event": event.event, "vendor": event.vendor, "statusQueryGetUri": here}
    return json_answer(accepted, 202, {"Location": here})


@bp.queue_trigger(
    arg_name="msg", queue_name="%VENDOR_EVENTS_QUEUE%", connection="AzureWebJobsStorage"
)
@bp.durable_client_input(client_name="client")
async def record_queued_vendor_event(
    msg: func.QueueMessage, client: df.DurableOrchestrationClient
) -> None:
    """Record the event in a message. If this raises, the host tries the message again."""
    await record_event(client, read_message(msg.get_body(), VendorEvent))


@bp.route(route="totals/{vendor}", methods=["GET"])
@bp.durable_client_input(client_name="client")
@answers_problems
async def show_vendor_total(
    req: func.HttpRequest, client: df.DurableOrchestrationClient
) -> func.HttpResponse:
    """Return the total of a vendor. Events accepted just before may not be in it yet."""
    vendor = req.route_params["vendor"]
    totals: list[Total] = []
    if is_id_part(vendor):
        states = await asyncio.gather(*(state_of(client, shard) for shard in shards_of(vendor)))
        totals = [{**_new(), **state} for state in states if state]
    if not totals:
        detail = f"vendor {vendor[:64]!r} is unknown: no event of it was counted yet"
        raise Problem(404, "unknown_vendor", detail)
    repeats = sum(total["repeats"] for total in totals)
    return json_answer({"vendor": vendor, **summed(totals), "repeats": repeats})


async def record_event(client: df.DurableOrchestrationClient, event: VendorEvent) -> None:
    """Signal the shard of an event. An event that is sent again reaches the same shard."""
    shard = shards_of(event.vendor)[number_of(event.event) % SHARDS]
    if await state_of(client, shard) is None:
        await _register(client, event.vendor)  # before its first event: it may be asked for then
    recording = Recording(event=event.event, amount_cents=event.amount_cents)
    await client.signal_entity(shard, "record", recording.model_dump())


async def _register(client: df.DurableOrchestrationClient, vendor: str) -> None:
    """Add a vendor to the directory. Raises Problem 409 if its page is full."""
    page = page_id(page_of(vendor))
    vendors = (await state_of(client, page) or directory.new_page())["vendors"]
    if vendor in vendors:
        return
    if len(vendors) >= directory.MOST_VENDORS:
        detail = f"vendor {vendor!r} is new, and the directory is full: look for misspelt names"
        raise Problem(409, "directory_full", detail)
    await client.signal_entity(page, "register", vendor)


def shards_of(vendor: str) -> list[df.EntityId]:
    return [df.EntityId("vendor_total", f"{vendor}:{shard}") for shard in range(SHARDS)]


def summed(tallies: Sequence[Tally]) -> Tally:
    return Tally(
        events=sum(each["events"] for each in tallies),
        amount_cents=sum(each["amount_cents"] for each in tallies),
    )


def _new() -> Total:
    return Total(events=0, amount_cents=0, repeats=0, seen=[])
