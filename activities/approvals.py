"""Approvals: who is asked to approve a payment, and the mail that asks."""

import os
from typing import Final, TypedDict
from urllib.parse import quote

import azure.durable_functions as df

from activities.decision_tokens import Seat, make_token
from activities.messages import Message, send_message
from orchestration.failures import Failure

# What holds unless a setting of the same name in capitals, such as APPROVAL_REMIND_HOURS, says so.
USUALLY: Final = {
    "approval_two_of_three_cents": 1_000_000,
    "approval_remind_hours": 24,
    "approval_escalate_hours": 72,
    "approval_expire_hours": 720,
}
PEOPLE: Final = {
    "lead": "lead@example.com",
    "controller": "controller@example.com",
    "director": "director@example.com",
    "cfo": "cfo@example.com",
}
ESCALATED_TO: Final = "cfo"

bp = df.Blueprint()


class Payment(TypedDict):
    """A payment that somebody has to approve."""

    payment: str
    vendor: str
    amount_cents: int
    currency: str
    purpose: str
    requested_by: str


class Terms(TypedDict):
    """How a payment is decided on; people are `{role: address}`."""

    needed: int
    asked: dict[str, str]
    escalated_to: dict[str, str]
    remind_hours: int
    escalate_hours: int
    expire_hours: int


class DecisionRequest(TypedDict):
    """Somebody to ask for a decision; `times` says how often they were before."""

    approval: str
    payment: Payment
    role: str
    address: str
    expires: str
    times: int


@bp.activity_trigger(input_name="payment")
def set_terms(payment: Payment) -> Terms:
    """Say who decides on a payment, and until when. Only looks, so may run twice.

    The settings are read here, once: a change concerns the approvals that begin after it. Nobody is
    asked about a payment of their own.
    """
    people = {role: os.environ.get(f"APPROVER_{role}".upper(), PEOPLE[role]) for role in PEOPLE}
    others = {
        role: address
        for role, address in people.items()
        if address.lower() != payment["requested_by"].lower()
    }
    last = {role: address for role, address in others.items() if role == ESCALATED_TO}
    is_large = payment["amount_cents"] > _setting("approval_two_of_three_cents")
    wanted = ("lead", "controller", "director") if is_large else ("lead",)
    asked = {role: others[role] for role in wanted if role in others}
    needed = 2 if is_large else 1
    if len(asked) < needed:
        asked, last = asked | last, {}
    if len(asked) < needed:
        raise Failure("nobody_to_ask", "too few others can decide: set APPROVER_LEAD and the rest")
    return Terms(
        needed=needed,
        asked=asked,
        escalated_to=last,
        remind_hours=_setting("approval_remind_hours"),
        escalate_hours=_setting("approval_escalate_hours"),
        expire_hours=_setting("approval_expire_hours"),
    )


@bp.activity_trigger(input_name="request")
async def request_decision(request: DecisionRequest) -> str:
    """Mail somebody the link to decide with. Each time has a key, so running twice is one mail."""
    payment, role = request["payment"], request["role"]
    seat = Seat(request["approval"], role, request["expires"])
    again = "Reminder: " if request["times"] else ""
    amount = f"{payment['amount_cents'] / 100:.2f} {payment['currency']}"
    purpose = payment["purpose"] or "no purpose given"
    link = f"{_public_url()}/api/approvals/{quote(seat.approval, safe=':')}/decisions"
    message = Message(
        to=request["address"],
        subject=f"{again}decide on payment {payment['payment']}",
        text=f"{payment['requested_by']} asks to pay {payment['vendor']} {amount}: {purpose}.\n"
        f"As {role} you may approve or reject it once, until {seat.expires}:\n"
        f"{link}?token={make_token(seat)}",
        key=f"{seat.approval}:{seat.expires}:{role}:{request['times']}",
    )
    return await send_message(message)


def _setting(name: str) -> int:
    text = os.environ.get(name.upper(), str(USUALLY[name]))
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise Failure("not_configured", f"the setting {name.upper()} is {text}: set it to a number")
    return int(text)


def _public_url() -> str:
    """Where people reach this app; the setting PUBLIC_URL, or what the host says of itself."""
    if address := os.environ.get("PUBLIC_URL"):
        return address.rstrip("/")
    name = os.environ.get("WEBSITE_HOSTNAME", "localhost:7071")
    is_here = name.split(":")[0] in ("localhost", "127.0.0.1")
    return f"{'http' if is_here else 'https'}://{name}"
