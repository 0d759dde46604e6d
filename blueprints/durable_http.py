"""Durable HTTP: ask the tax office whether a VAT number is valid, and again until it says so.

POST /api/tax-checks starts one check a number and day: 202; 200 or 202 with the same answer where
it is asked again; 409 for another time limit. The host sends the requests (`call_http`), the
orchestrator polls by timers; no token is in the history.
"""

import logging
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
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
from http_api.bodies import Body, read_body
from http_api.problems import answers_problems
from http_api.starting import start_once
from orchestration.cancel_rules import on_cancel
from orchestration.deadlines import SHORTEST, sleep
from orchestration.failures import Failure
from orchestration.http_answers import HttpAnswer
from orchestration.retrying import Retry, call_with_retry, jitter_of

LONGEST_PAUSE: Final = timedelta(seconds=limits.TAX_PAUSE_SECONDS.most)
UNASKED: Final = Retry(longest_pause=timedelta(minutes=1))  # the pauses where it says nothing
CALLS_A_GENERATION: Final = 20

_ONCE: Final = Retry(attempts=1)

bp = df.Blueprint()
log = logging.getLogger(__name__)


class TaxCheckBody(Body):
    """Which number to ask about, the day that the answer is evidence for, and for how long."""

    vat_id: str = Field(pattern=r"^[A-Z]{2}[A-Z0-9]{2,13}$")
    day: date
    within_minutes: int = Field(60, ge=1, le=limits.TAX_MINUTES.most)


class SoFar(TypedDict):
    """What one generation of a check hands to the next."""

    calls: int
    failed: int  # calls in a row
    until: str


class TaxCheck(TypedDict):
    """What is asked for, and in later generations what has become of it."""

    vat_id: str
    day: str
    within_minutes: int
    so_far: NotRequired[SoFar]


class TaxAnswer(TypedDict):
    """What the office says, and the name under which it keeps that."""

    vat_id: str
    valid: bool
    reference: str
    calls: int


@dataclass(frozen=True)
class Heard:
    """What one call came to: the office's last word, or why to call again, where and when."""

    word: Mapping[str, Any] | None = None
    place: str | None = None
    wait: timedelta | None = None
    trouble: Failure | None = None


@bp.route(route="tax-checks", methods=["POST"])
@bp.durable_client_input(client_name="client")
@answers_problems
async def start_tax_check(
    req: func.HttpRequest, client: df.DurableOrchestrationClient
) -> func.HttpResponse:
    """Start the check of the VAT number in the body, once a day."""
    asked = read_body(req, TaxCheckBody)
    work = asked.model_dump(mode="json")
    return await start_once(req, client, "tax_check", tax_check_id(asked.vat_id, work["day"]), work)


@bp.orchestration_trigger(context_name="context", input_type=dict)
@on_cancel("terminate")
def tax_check(context: df.DurableOrchestrationContext) -> Generator[Any, Any, TaxAnswer | None]:
    """Ask, wait as long as the office wants, look; begin anew every so many calls."""
    check = cast(TaxCheck, context.get_input())
    so_far = _so_far(context, check)
    until = datetime.fromisoformat(so_far["until"])

    place: str | None = None  # where the answer will be; a new generation asks for it once more
    for call in count(1):
        so_far["calls"] += 1
        heard = yield from _call(context, check["vat_id"], place, so_far["failed"])
        if heard.word:
            return _end(context, check, so_far, heard.word)
        place = heard.place
        so_far["failed"] = so_far["failed"] + 1 if heard.trouble else 0
        left = until - context.current_utc_datetime
        if left <= timedelta(0):
            late = f"the tax office took over {check['within_minutes']} minutes"
            raise heard.trouble or Failure("tax_overdue", late)
        pause = min(_pause(context, heard, so_far), left)
        _show_waiting(context, heard, so_far, pause)
        yield from sleep(context, pause)
        if call >= CALLS_A_GENERATION and pause < left:
            break

    context.continue_as_new({**check, "so_far": so_far})
    return None


def _so_far(context: df.DurableOrchestrationContext, check: TaxCheck) -> SoFar:
    """What the last generation handed over.

    No generation hands over a deadline that has come. Who has one is a check that failed and is
    run again with the input of its last generation: it gets its time anew.
    """
    now = context.current_utc_datetime
    so_far = check.get("so_far")
    if so_far and datetime.fromisoformat(so_far["until"]) > now:
        return so_far
    until = now + timedelta(minutes=check["within_minutes"])
    return SoFar(calls=0, failed=0, until=until.isoformat())


def _call(
    context: df.DurableOrchestrationContext, vat_id: str, place: str | None, failed: int
) -> Generator[Any, Any, Heard]:
    """Ask for a check, or look where its answer will be. Raises the Failure that is final."""
    answer: HttpAnswer | None = None
    ticket: str | None = None
    try:
        applicant = Applicant(vat_id=vat_id)
        access: Access = yield from call_with_retry(context, obtain_tax_access, applicant, _ONCE)
        ticket = access["ticket"]
        asked = place or f"{access['url']}/checks"
        answer = yield from _send(context, access, asked, None if place else {"vat_id": vat_id})
        if answer.status != 202:
            return Heard(word=_word_of(answer))
        place = _place_of(answer, asked) or place
        return Heard(place=place, wait=answer.retry_after(context.current_utc_datetime))
    except Failure as failure:
        is_spent = answer is not None and answer.status == 401 and ticket is not None
        if not failure.retriable and not (is_spent and failed + 1 < limits.TAX_TICKETS.most):
            raise
        if not context.is_replaying:
            log.info("%s: a call failed: %s", context.instance_id, failure)
        wait = answer.retry_after(context.current_utc_datetime) if answer else None
        return Heard(place=place, wait=wait, trouble=failure)


def _send(
    context: df.DurableOrchestrationContext,
    access: Access,
    address: str,
    body: Mapping[str, str] | None,
) -> Generator[Any, Any, HttpAnswer]:
    """POST the body, which the office takes once a key, or GET. All of it is in the history."""
    headers = {"Accept": "application/json"}
    if access["ticket"]:
        headers["Authorization"] = f"Bearer {access['ticket']}"
    if body:
        headers |= {"Content-Type": "application/json", "Idempotency-Key": context.instance_id}
    source = df.ManagedIdentityTokenSource(access["resource"]) if access["resource"] else None
    method = "POST" if body else "GET"
    call_http: Any = context.call_http  # its hints are narrower than what it takes
    try:
        return HttpAnswer.of((yield call_http(method, address, body, headers, source)))
    except Exception as error:  # the SDK raises nothing narrower
        raise unavailable("tax", "gave no answer") from error


def _word_of(answer: HttpAnswer) -> Mapping[str, Any]:
    """The office's last word on a number. Raises Failure for all that is none."""
    said = answer.json()
    if answer.status >= 400:
        raise refusal_of("tax", answer.status, said)
    if answer.status == 200 and isinstance(said, dict) and isinstance(said.get("valid"), bool):
        return said
    raise unavailable("tax", "gave no answer that can be read")


def _place_of(answer: HttpAnswer, asked: str) -> str | None:
    """Where to look for the answer. Raises Failure for a place that no ticket is sent to."""
    if "location" in answer.headers and answer.location(asked) is None:
        message = "the tax office sends us to another host: see what TAX_URL says"
        raise Failure("tax_misdirected", message)
    return answer.location(asked)


def _pause(context: df.DurableOrchestrationContext, heard: Heard, so_far: SoFar) -> timedelta:
    """As long as the office asks for, within limits; where it says nothing, ever longer."""
    if heard.wait is not None:
        return min(max(heard.wait, SHORTEST), LONGEST_PAUSE)
    luck = jitter_of(context, so_far["calls"])
    return UNASKED.pause(min(so_far["failed"] or so_far["calls"], 10), luck)


def _show_waiting(
    context: df.DurableOrchestrationContext, heard: Heard, so_far: SoFar, pause: timedelta
) -> None:
    next_call = time_text(context.current_utc_datetime + pause)
    trouble = heard.trouble.code if heard.trouble else None
    status = {"step": "waiting", "calls": so_far["calls"], "next_call": next_call}
    context.set_custom_status({**status, "trouble": trouble})


def _end(
    context: df.DurableOrchestrationContext,
    check: TaxCheck,
    so_far: SoFar,
    word: Mapping[str, Any],
) -> TaxAnswer:
    context.set_custom_status({"step": "answered", "calls": so_far["calls"]})
    if not context.is_replaying:
        log.info("%s: answered after %d calls", context.instance_id, so_far["calls"])
    return TaxAnswer(
        vat_id=check["vat_id"],
        valid=word["valid"],
        reference=str(word.get("id"))[:64],
        calls=so_far["calls"],
    )
