"""Versioning: take in the invoice of a delivery as it was done, and as it is done now.

POST /api/deliveries starts one intake an invoice: 202; 200 or 202 with the same answer where it is
asked again; 409 where the number was used for another invoice. GET /api/versions says of everything
that is leaving how many instances have not ended, and whether that code can be deleted.
"""

import logging
from collections import defaultdict
from collections.abc import Generator
from datetime import timedelta
from typing import Any, Final, cast

import azure.durable_functions as df
import azure.functions as func

from activities import limits
from activities.ids import delivery_id
from activities.invoices import Invoice, validate_invoice
from activities.orders import match_order
from activities.postings import Posting, PostingOrder, post_invoice
from blueprints.chaining import InvoiceBody
from http_api.answers import json_answer
from http_api.bodies import read_body
from http_api.listing import ListingClient
from http_api.problems import answers_problems
from http_api.starting import start_once
from orchestration.cancel_rules import on_cancel
from orchestration.deadlines import wait_any
from orchestration.failures import Failure
from orchestration.retrying import call_with_retry
from orchestration.run_keys import RunKeys
from orchestration.versions import is_before

LONGEST_WAIT: Final = timedelta(days=30)
NAMED_INSTANCES: Final = limits.INSTANCES_NAMED.most

# Orchestrators with instances that are not to be started any more, and the version they are older
# than; None for all of that name. Where none is left, delete the line and the code that it needs.
LEAVING: Final[dict[str, str | None]] = {"delivery_intake": "2.0", "trusted_delivery": None}

# Says that the goods of a delivery are there, whatever it carries. Callers send it to
# /api/operations/{id}/events/GoodsArrived.
GOODS_EVENT: Final = "GoodsArrived"

bp = df.Blueprint()
log = logging.getLogger(__name__)


@bp.route(route="deliveries", methods=["POST"])
@bp.durable_client_input(client_name="client")
@answers_problems
async def start_delivery_intake(
    req: func.HttpRequest, client: df.DurableOrchestrationClient
) -> func.HttpResponse:
    """Start the intake of the invoice in the body, once, be it under the old name or the new."""
    invoice = read_body(req, InvoiceBody)
    instance_id = delivery_id(invoice.vendor, invoice.number)
    work = invoice.model_dump(mode="json")
    return await start_once(req, client, "delivery_intake", instance_id, work)


@bp.route(route="versions", methods=["GET"])
@bp.generic_input_binding(arg_name="starter", type="durableClient")
@answers_problems
async def show_leaving_versions(req: func.HttpRequest, starter: str) -> func.HttpResponse:
    """Count what has not ended of all that is leaving; one that says no version counts as old."""
    client = ListingClient(starter)
    left: dict[str, list[str]] = defaultdict(list)
    async for instance in client.every_instance("Pending", "Running", "Suspended"):
        status = instance.custom_status if isinstance(instance.custom_status, dict) else {}
        if is_leaving(instance.name, status.get("version")):
            left[instance.name].append(instance.id)
    leaving = [
        {
            "name": name,
            "before": change,
            "left": len(left[name]),
            "instances": left[name][:NAMED_INSTANCES],
        }
        for name, change in LEAVING.items()
    ]
    return json_answer({"drained": not any(left.values()), "leaving": leaving})


@bp.orchestration_trigger(context_name="context", input_type=dict)
@on_cancel("terminate", left="an invoice that was posted stays posted")
def delivery_intake(context: df.DurableOrchestrationContext) -> Generator[Any, Any, Posting]:
    """Post an invoice once its goods are there; since 2.0 no invoice that is over its order."""
    invoice = cast(Invoice, context.get_input())
    keys = RunKeys(context)

    _show(context, "validating", 0)
    invoice = yield from call_with_retry(context, validate_invoice, invoice)
    if not is_before(context.version, "2.0"):
        _show(context, "matching", 1)
        invoice = yield from call_with_retry(context, match_order, invoice)

    _show(context, "waiting for the goods", 2)
    yield from _goods_arrive(context, invoice)

    _show(context, "posting", 3)
    order = PostingOrder(invoice=invoice, key=keys.key("post"))
    posting: Posting = yield from call_with_retry(context, post_invoice, order)

    _show(context, "posted", 4)
    if not context.is_replaying:
        log.info("%s: posted as %s", context.instance_id, posting["id"])
    return posting


@bp.orchestration_trigger(context_name="context", input_type=dict)
@on_cancel("terminate", left="an invoice that was posted stays posted")
def trusted_delivery(context: df.DurableOrchestrationContext) -> Generator[Any, Any, Posting]:
    """Post the invoice and trust that its goods come, as it was done before `delivery_intake`.

    Nothing starts it any more: it stands here for the instances that are left.
    """
    invoice = cast(Invoice, context.get_input())
    keys = RunKeys(context)
    order = PostingOrder(invoice=invoice, key=keys.key("post"))
    posting: Posting = yield from call_with_retry(context, post_invoice, order)
    yield from _goods_arrive(context, invoice)
    return posting


def is_leaving(orchestrator: str, version: str | None) -> bool:
    """Whether an instance is one of those that are not to be started any more."""
    if orchestrator not in LEAVING:
        return False
    change = LEAVING[orchestrator]
    return change is None or is_before(version, change)


def _goods_arrive(
    context: df.DurableOrchestrationContext, invoice: Invoice
) -> Generator[Any, Any, None]:
    """Wait until somebody says that the goods are there. Raises Failure where nobody does."""
    arrived: Any = context.wait_for_external_event(GOODS_EVENT)
    if (yield from wait_any(context, [arrived], LONGEST_WAIT)) is None:
        message = f"the goods of invoice {invoice['number']} are missing after {LONGEST_WAIT.days}"
        raise Failure("goods_missing", f"{message} days: ask {invoice['vendor']} about them")


def _show(context: df.DurableOrchestrationContext, step: str, done: int) -> None:
    """Say how far it is, and the version: of that, the host's own status says nothing."""
    context.set_custom_status({"step": step, "done": done, "of": 4, "version": context.version})
