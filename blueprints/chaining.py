"""Function chaining: process an invoice in steps; each step receives the previous step's output.

POST /api/invoices starts the intake of an invoice, identified by vendor and number. Returns 202.
Repeating the request returns the existing operation (202 while it runs, 200 when it has ended); a
different invoice under the same number returns 409.
"""

import logging
from collections.abc import Generator
from typing import Any, Final, cast

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

# The SDK retries every failure, also one that no retry can mend: an unknown order costs 15 seconds.
RETRY: Final = df.RetryOptions(first_retry_interval_in_milliseconds=5_000, max_number_of_attempts=4)

bp = df.Blueprint()
log = logging.getLogger(__name__)


class InvoiceBody(Body):
    """The invoice of a vendor."""

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
    """Start the intake of the invoice in the body, unless it was started before."""
    invoice = read_body(req, InvoiceBody)
    instance_id = intake_id(invoice.vendor, invoice.number)
    work = invoice.model_dump(mode="json")
    return await start_once(req, client, "invoice_intake", instance_id, work)


@bp.orchestration_trigger(context_name="context", input_type=dict)
@on_cancel("terminate", left="an invoice that was posted stays posted")
def invoice_intake(context: df.DurableOrchestrationContext) -> Generator[Any, Any, Posting]:
    """Validate the invoice, match it with its order and post it; return the posting."""
    invoice = cast(Invoice, context.get_input())
    # The same in every replay, but not when a deleted intake is started again: that one posts anew.
    run = context.new_uuid()

    context.set_custom_status({"step": "validating", "done": 0, "of": 3})
    valid = yield context.call_activity(validate_invoice, invoice)

    context.set_custom_status({"step": "matching", "done": 1, "of": 3})
    matched = yield context.call_activity_with_retry(match_order, RETRY, valid)

    context.set_custom_status({"step": "posting", "done": 2, "of": 3})
    order = PostingOrder(invoice=matched, key=f"{context.instance_id}:{run}:post")
    posting: Posting = yield context.call_activity_with_retry(post_invoice, RETRY, order)

    context.set_custom_status({"step": "posted", "done": 3, "of": 3})
    if not context.is_replaying:
        log.info("%s: posted the invoice as %s", context.instance_id, posting["id"])
    return posting
