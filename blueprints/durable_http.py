"""Durable HTTP: ask the tax office whether a VAT number is valid, and poll until it answers.

POST /api/tax-checks starts one check per number and day. Returns 202; repeating the request returns
the existing operation (202 while it runs, 200 when it has ended); another time limit returns 409.
The host sends the requests (`call_http`), so no token of the app may be in them.
"""

import logging
from collections.abc import Generator, Mapping
from datetime import datetime, timedelta
from itertools import count
from typing import Any, Final, NotRequired, TypedDict, cast

import azure.durable_functions as df
import azure.functions as func
from pydantic import Field

from activities import limits
from activities.clock import time_text
from activities.ids import tax_check_id
from activities.outside import refusal_of, unavailable
from activities.tax import Access, Applicant, obtain_tax_access
from http_api.bodies import Body, Day, read_body
from http_api.problems import answers_problems
from http_api.starting import start_once
from orchestration.cancel_rules import on_cancel
from orchestration.failures import Failure, failure_of
from orchestration.http_answers import HttpAnswer

SHORTEST_PAUSE: Final = timedelta(seconds=2)  # the platform rounds timers down to whole seconds
LONGEST_PAUSE: Final = timedelta(seconds=limits.TAX_PAUSE_SECONDS.most)
CALLS_A_GENERATION: Final = 20

bp = df.Blueprint()
log = logging.getLogger(__name__)


class TaxCheckBody(Body):
    """The number, the day that the answer is evidence for, and the time limit."""

    vat_id: str = Field(pattern=r"^[A-Z]{2}[A-Z0-9]{2,13}$")
    day: Day
    within_minutes: int = Field(60, ge=1, le=limits.TAX_MINUTES.most)


class SoFar(TypedDict):
    """The state that one generation passes to the next."""

    calls: int
    failed: int  # successive calls
    until: str


class TaxCheck(TypedDict):
    """The input of a check; later generations also have `so_far`."""

    vat_id: str
    day: str
    within_minutes: int
    so_far: NotRequired[SoFar]


class TaxAnswer(TypedDict):
    """The answer of the office, and the reference under which the office keeps it."""

    vat_id: str
    valid: bool
    reference: str
    calls: int


@bp.route(route="tax-checks", methods=["POST"])
@bp.durable_client_input(client_name="client")
@answers_problems
async def start_tax_check(
    req: func.HttpRequest, client: df.DurableOrchestrationClient
) -> func.HttpResponse:
    """Start the check of the VAT number in the body, unless it was started before."""
    body = read_body(req, TaxCheckBody)
    work = body.model_dump(mode="json")
    return await start_once(req, client, "tax_check", tax_check_id(body.vat_id, work["day"]), work)


@bp.orchestration_trigger(context_name="context", input_type=dict)
@on_cancel("terminate")
def tax_check(context: df.DurableOrchestrationContext) -> Generator[Any, Any, TaxAnswer | None]:
    """Ask the office, poll its answer, and continue as new to keep the history short."""
    check = cast(TaxCheck, context.get_input())
    so_far = _so_far(context, check)
    until = datetime.fromisoformat(so_far["until"])

    address: str | None = None  # of the answer; a new generation asks for the address again
    for call in count(1):
        so_far["calls"] += 1
        answer = trouble = None
        try:
            applicant = Applicant(vat_id=check["vat_id"])
            access: Access = yield context.call_activity(obtain_tax_access, applicant)
            request = _request(context, access, check["vat_id"], address)
            try:
                answer = HttpAnswer.of((yield context.call_http(**request)))
            except Exception as error:  # nobody answered: the SDK raises nothing narrower
                raise unavailable("tax", "gave no answer") from error
            if answer.status != 202:
                return _end(context, check, so_far, _verdict(answer, access, so_far["failed"]))
            address = _address_of(answer, request["uri"]) or address
            so_far["failed"] = 0
        except Exception as error:  # the SDK raises nothing narrower
            trouble = failure_of(error)
            if not trouble.retriable:
                raise
            so_far["failed"] += 1

        left = until - context.current_utc_datetime
        if left <= timedelta(0):
            late = f"the tax office took over {check['within_minutes']} minutes"
            raise trouble or Failure("tax_overdue", late)
        pause = min(_pause(context, so_far, answer), max(left, SHORTEST_PAUSE))
        _show_waiting(context, so_far, pause, trouble)
        yield context.create_timer(context.current_utc_datetime + pause)
        if call >= CALLS_A_GENERATION and pause < left:
            break

    context.continue_as_new({**check, "so_far": so_far})
    return None


def _so_far(context: df.DurableOrchestrationContext, check: TaxCheck) -> SoFar:
    """The state of the previous generation.

    A deadline in the past is that of a failed check which was retried: it gets a new deadline.
    """
    now = context.current_utc_datetime
    so_far = check.get("so_far")
    if so_far and datetime.fromisoformat(so_far["until"]) > now:
        return so_far
    until = now + timedelta(minutes=check["within_minutes"])
    return SoFar(calls=0, failed=0, until=until.isoformat())


def _request(
    context: df.DurableOrchestrationContext, access: Access, vat_id: str, address: str | None
) -> dict[str, Any]:
    """The arguments of `call_http`: a POST of the question, or a GET of its answer.

    The history contains all of them. The office accepts a POST once for each idempotency key.
    """
    headers = {"Accept": "application/json"}
    if access["ticket"]:
        headers["Authorization"] = f"Bearer {access['ticket']}"
    request: dict[str, Any] = {"headers": headers}
    if access["resource"]:  # the host gets a token for the app's identity and does not store it
        request["token_source"] = df.ManagedIdentityTokenSource(access["resource"])
    if address:
        return {**request, "method": "GET", "uri": address}
    headers |= {"Content-Type": "application/json", "Idempotency-Key": context.instance_id}
    url = f"{access['url']}/checks"
    return {**request, "method": "POST", "uri": url, "content": {"vat_id": vat_id}}


def _verdict(answer: HttpAnswer, access: Access, failed: int) -> Mapping[str, Any]:
    """The answer of the office about the number. Raises Failure for any other answer."""
    content = answer.json()
    if answer.status == 401 and access["ticket"] and failed + 1 < limits.TAX_TICKETS.most:
        raise Failure("ticket_spent", "the ticket had expired: buy another one", retriable=True)
    if answer.status >= 400:
        raise refusal_of("tax", answer.status, content)
    is_verdict = isinstance(content, dict) and isinstance(content.get("valid"), bool)
    if answer.status != 200 or not is_verdict:
        raise unavailable("tax", "gave no answer that can be read")
    return cast(Mapping[str, Any], content)


def _address_of(answer: HttpAnswer, url: str) -> str | None:
    """Where the answer will be. Raises Failure for another host: it must not get a ticket."""
    address = answer.location(url)
    if "location" in answer.headers and address is None:
        message = "the tax office refers to another host: check the setting TAX_URL"
        raise Failure("tax_misdirected", message)
    return address


def _pause(
    context: df.DurableOrchestrationContext, so_far: SoFar, answer: HttpAnswer | None
) -> timedelta:
    """The pause that the office asks for, within limits; without one, a pause that doubles."""
    asked = answer.retry_after(context.current_utc_datetime) if answer else None
    if asked is not None:
        return min(max(asked, SHORTEST_PAUSE), LONGEST_PAUSE)
    return timedelta(seconds=min(2 ** min(so_far["failed"] or so_far["calls"], 6), 60))


def _show_waiting(
    context: df.DurableOrchestrationContext,
    so_far: SoFar,
    pause: timedelta,
    trouble: Failure | None,
) -> None:
    next_call = time_text(context.current_utc_datetime + pause)
    status = {"step": "waiting", "calls": so_far["calls"], "next_call": next_call}
    context.set_custom_status({**status, "trouble": trouble.code if trouble else None})
    if trouble and not context.is_replaying:
        log.info("%s: a call failed: %s", context.instance_id, trouble)


def _end(
    context: df.DurableOrchestrationContext,
    check: TaxCheck,
    so_far: SoFar,
    verdict: Mapping[str, Any],
) -> TaxAnswer:
    context.set_custom_status({"step": "answered", "calls": so_far["calls"]})
    if not context.is_replaying:
        log.info("%s: answered after %d calls", context.instance_id, so_far["calls"])
    return TaxAnswer(
        vat_id=check["vat_id"],
        valid=verdict["valid"],
        reference=str(verdict.get("id"))[:64],
        calls=so_far["calls"],
    )
