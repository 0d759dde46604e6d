"""Versioning: change an orchestrator while instances of the old version are running.

POST /api/deliveries starts the intake of a delivery's invoice. Returns 202; repeating the request
returns the existing operation; a different invoice under the same number returns 409.
GET /api/versions counts the running instances of old code and says whether it can be deleted.
"""

import logging
from collections import defaultdict
from collections.abc import Generator
from datetime import timedelta
from typing import Any, Final, cast

import azure.durable_functions as df
import azure.functions as func
from pydantic import Field

from activities import limits
from activities.ids import IdPart, delivery_id
from activities.invoices import Invoice, validate_invoice
from activities.orders import match_order
from activities.postings import Posting, PostingOrder, post_invoice
from http_api.answers import json_answer
from http_api.bodies import Body, read_body
from http_api.listing import ListingClient
from http_api.problems import answers_problems
from http_api.starting import start_once
from orchestration.cancel_rules import on_cancel
from orchestration.deadlines import wait_any
from orchestration.failures import Failure
from orchestration.versions import is_before

LONGEST_WAIT: Final = timedelta(days=30)
NAMED_INSTANCES: Final = limits.INSTANCES_NAMED.most
RETRY: Final = df.RetryOptions(first_retry_interval_in_milliseconds=5_000, max_number_of_attempts=4)

# Old code: orchestrators whose instances before this version still run; None means all instances.
# When GET /api/versions counts none, delete the line and the code.
RETIRING: Final[dict[str, str | None]] = {"delivery_intake": "2.0", "trusted_delivery": None}

# Says that the goods of a delivery have arrived; its data is ignored. Callers send it to
# /api/operations/{id}/events/GoodsArrived.
GOODS_EVENT: Final = "GoodsArrived"

bp = df.Blueprint()
log = logging.getLogger(__name__)


class DeliveryBody(Body):
    """The invoice of a delivery."""

    vendor: IdPart
    number: IdPart
    order: IdPart
    amount_cents: int = Field(gt=0, le=limits.CENTS.most)
    currency: str = Field("EUR", pattern="^[A-Z]{3}$")


@bp.route(route="deliveries", methods=["POST"])
@bp.durable_client_input(client_name="client")
@answers_problems
async def start_delivery_intake(
    req: func.HttpRequest, client: df.DurableOrchestrationClient
) -> func.HttpResponse:
    """Start the intake, unless it was started before, under this or an older orchestrator."""
    invoice = read_body(req, DeliveryBody)
    instance_id = delivery_id(invoice.vendor, invoice.number)
    work = invoice.model_dump(mode="json")
    return await start_once(req, client, "delivery_intake", instance_id, work)


@bp.orchestration_trigger(context_name="context", input_type=dict)
@on_cancel("terminate", left="an invoice that was posted stays posted")
def delivery_intake(context: df.DurableOrchestrationContext) -> Generator[Any, Any, Posting]:
    """Post an invoice when its goods have arrived; since 2.0, match it with its order first."""
    invoice = cast(Invoice, context.get_input())
    run = context.new_uuid()

    _show(context, "validating", 0)
    invoice = yield context.call_activity(validate_invoice, invoice)

    # Instances of 1.0 have no such call in their history: the host would fail them here.
    if not is_before(context.version, "2.0"):
        _show(context, "matching", 1)
        invoice = yield context.call_activity_with_retry(match_order, RETRY, invoice)

    _show(context, "waiting for the goods", 2)
    yield from _wait_for_goods(context, invoice)

    _show(context, "posting", 3)
    order = PostingOrder(invoice=invoice, key=f"{context.instance_id}:{run}:post")
    posting: Posting = yield context.call_activity_with_retry(post_invoice, RETRY, order)

    _show(context, "posted", 4)
    if not context.is_replaying:
        log.info("%s: posted the invoice as %s", context.instance_id, posting["id"])
    return posting


@bp.orchestration_trigger(context_name="context", input_type=dict)
@on_cancel("terminate", left="an invoice that was posted stays posted")
def trusted_delivery(context: df.DurableOrchestrationContext) -> Generator[Any, Any, Posting]:
    """The process before `delivery_intake`: post the invoice first, then wait for the goods.

    Nothing starts this orchestrator any more. Its running instances need the code.
    """
    invoice = cast(Invoice, context.get_input())
    order = PostingOrder(invoice=invoice, key=f"{context.instance_id}:{context.new_uuid()}:post")
    posting: Posting = yield context.call_activity_with_retry(post_invoice, RETRY, order)
    yield from _wait_for_goods(context, invoice)
    return posting


def _wait_for_goods(
    context: df.DurableOrchestrationContext, invoice: Invoice
) -> Generator[Any, Any, None]:
    """Wait for the event GoodsArrived. Raises Failure `goods_missing` after 30 days."""
    arrived: Any = context.wait_for_external_event(GOODS_EVENT)
    # A timer of 30 days could not be cancelled: `wait_any` waits in steps of three days.
    if (yield from wait_any(context, [arrived], LONGEST_WAIT)) is None:
        message = f"the goods of invoice {invoice['number']} are missing after {LONGEST_WAIT.days}"
        raise Failure("goods_missing", f"{message} days: ask {invoice['vendor']} about them")


def _show(context: df.DurableOrchestrationContext, step: str, done: int) -> None:
    """Show the step and the version, which the status of older hosts does not contain."""
    context.set_custom_status({"step": step, "done": done, "of": 4, "version": context.version})


@bp.route(route="versions", methods=["GET"])
@bp.generic_input_binding(arg_name="starter", type="durableClient")
@answers_problems
async def show_retiring_versions(req: func.HttpRequest, starter: str) -> func.HttpResponse:
    """Count the instances of old code that have not ended. No version counts as an old version."""
    client = ListingClient(starter)
    left: dict[str, list[str]] = defaultdict(list)
    async for instance in client.every_instance("Pending", "Running", "Suspended"):
        status = instance.custom_status if isinstance(instance.custom_status, dict) else {}
        if is_retiring(instance.name, status.get("version")):
            left[instance.name].append(instance.id)
    retiring = [
        {
            "name": name,
            "before": version,
            "left": len(left[name]),
            "instances": left[name][:NAMED_INSTANCES],
        }
        for name, version in RETIRING.items()
    ]
    return json_answer({"drained": not any(left.values()), "retiring": retiring})


def is_retiring(orchestrator: str, version: str | None) -> bool:
    """Whether an instance of this orchestrator and version runs old code."""
    if orchestrator not in RETIRING:
        return False
    change = RETIRING[orchestrator]
    return change is None or is_before(version, change)
