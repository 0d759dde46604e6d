"""Chaining: take an invoice in by steps, each fed by the last.

POST /api/invoices starts one intake an invoice, named by vendor and number: 202; 200 or 202 with
the same answer where it is asked again; 409 where the number was used for another invoice.
"""

import logging
from collections.abc import Generator
from typing import Any, cast

import azure.durable_functions as df
import azure.functions as func
from pydantic import Field

from activities import limits
from activities.ids import IdPart, intake_id
from activities.invoices import Invoice, validate_invoice
from activities.orders import match_order
from activities.postings import Posting, PostingOrder, post_invoice
from http_api.bodies import Body, read_body
from http_api.problems import answers_problems
from http_api.starting import start_once
from orchestration.cancel_rules import on_cancel
from orchestration.retrying import call_with_retry
from orchestration.run_keys import RunKeys

bp = df.Blueprint()
log = logging.getLogger(__name__)


class InvoiceBody(Body):
    """What a vendor's invoice says."""

    vendor: IdPart
    number: IdPart
    order: IdPart
    amount_cents: int = Field(gt=0, le=limits.CENTS.most)
    currency: str = Field("EUR", pattern="^[A-Z]{3}$")


@bp.route(route="invoices", methods=["POST"])
@bp.durable_client_input(client_name="client")
@answers_problems
async def start_invoice_intake(
    req: func.HttpRequest, client: df.DurableOrchestrationClient
) -> func.HttpResponse:
    """Start the intake of the invoice in the body, once."""
    invoice = read_body(req, InvoiceBody)
    instance_id = intake_id(invoice.vendor, invoice.number)
    work = invoice.model_dump(mode="json")
    return await start_once(req, client, "invoice_intake", instance_id, work)


@bp.orchestration_trigger(context_name="context", input_type=dict)
@on_cancel("terminate", left="an invoice that was posted stays posted")
def invoice_intake(context: df.DurableOrchestrationContext) -> Generator[Any, Any, Posting]:
    """Validate the invoice, match it with its order, post it; return the posting."""
    invoice = cast(Invoice, context.get_input())
    keys = RunKeys(context)

    context.set_custom_status({"step": "validating", "done": 0, "of": 3})
    valid: Invoice = yield from call_with_retry(context, validate_invoice, invoice)

    context.set_custom_status({"step": "matching", "done": 1, "of": 3})
    matched: Invoice = yield from call_with_retry(context, match_order, valid)

    context.set_custom_status({"step": "posting", "done": 2, "of": 3})
    order = PostingOrder(invoice=matched, key=keys.key("post"))
    posting: Posting = yield from call_with_retry(context, post_invoice, order)

    context.set_custom_status({"step": "posted", "done": 3, "of": 3})
    if not context.is_replaying:
        log.info("%s: posted as %s", context.instance_id, posting["id"])
    return posting
