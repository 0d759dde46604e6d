"""Approvals: who is asked to approve a payment, and the mail that asks them."""

import os
from typing import Final, TypedDict

import azure.durable_functions as df

from activities import limits
from activities.decision_tokens import DecisionGrant
from activities.links import link_to
from activities.messages import Message, send_message
from activities.settings import number_setting
from orchestration.failures import Failure

# Unless the settings APPROVAL_REMIND_HOURS, … and APPROVER_LEAD, … say otherwise.
REMIND_HOURS: Final = 24
ESCALATE_HOURS: Final = 72
EXPIRE_HOURS: Final = 720
TWO_OF_THREE_CENTS: Final = 1_000_000
PEOPLE: Final = {
    "lead": "lead@example.com",
    "controller": "controller@example.com",
    "director": "director@example.com",
    "cfo": "cfo@example.com",
}
ESCALATED_TO: Final = "cfo"

bp = df.Blueprint()


class Payment(TypedDict):
    """The payment of an invoice, in euros, that people are asked to approve."""

    vendor: str
    number: str
    amount_cents: int
    purpose: str
    requested_by: str


class Terms(TypedDict):
    """How many approvals a payment needs, from whom and until when; people by role."""

    needed: int
    asked: dict[str, str]
    escalated_to: dict[str, str]
    remind_hours: int
    escalate_hours: int
    expire_hours: int


class DecisionRequest(TypedDict):
    """A person to ask for a decision. `times` counts the mails that the person has received."""

    approval: str
    payment: Payment
    role: str
    address: str
    expires: str
    times: int


@bp.activity_trigger(input_name="payment")
def set_approval_terms(payment: Payment) -> Terms:
    """Return who decides on a payment, and until when. It changes nothing, so it may run twice.

    The settings are read here, once: a change applies to the approvals that start after it.
    """
    others = _people_but(payment["requested_by"])
    last = {role: address for role, address in others.items() if role == ESCALATED_TO}
    limit = number_setting(
        "APPROVAL_TWO_OF_THREE_CENTS", TWO_OF_THREE_CENTS, most=limits.CENTS.most
    )
    is_large = payment["amount_cents"] > limit
    wanted = ("lead", "controller", "director") if is_large else ("lead",)
    asked = {role: others[role] for role in wanted if role in others}
    needed = 2 if is_large else 1
    if len(asked) < needed:
        asked, last = asked | last, {}
    if len(asked) < needed:
        raise Failure("nobody_to_ask", "too few people can decide: set APPROVER_LEAD and the rest")
    return Terms(
        needed=needed,
        asked=asked,
        escalated_to=last,
        remind_hours=_hours("REMIND", REMIND_HOURS),
        escalate_hours=_hours("ESCALATE", ESCALATE_HOURS),
        expire_hours=_hours("EXPIRE", EXPIRE_HOURS),
    )


@bp.activity_trigger(input_name="request")
async def request_approval(request: DecisionRequest) -> str:
    """Mail a person the link to decide with. The key makes it one mail if this runs twice."""
    payment, role = request["payment"], request["role"]
    grant = DecisionGrant(request["approval"], role, request["expires"])
    again = "Reminder: " if request["times"] else ""
    invoice = invoice_name(payment)
    amount = f"{payment['amount_cents'] / 100:.2f} EUR"
    purpose = payment["purpose"] or "no purpose given"
    link = link_to("approvals/{id}/decisions", grant)
    message = Message(
        to=request["address"],
        subject=f"{again}decide on the payment of {invoice}",
        text=f"{payment['requested_by']} asks to pay {amount} for {invoice}: {purpose}.\n"
        f"As {role} you may approve or reject it once, until {grant.expires}:\n"
        f"{link}",
        key=f"{grant.operation}:{grant.expires}:{role}:{request['times']}",
    )
    return await send_message(message)


def invoice_name(payment: Payment) -> str:
    """Return the name of the invoice in mails."""
    return f"invoice {payment['number']} of {payment['vendor']}"


def _people_but(requester: str) -> dict[str, str]:
    """Return who may decide, by role. Nobody decides on their own payment, or in two roles."""
    people, taken = {}, {requester.lower()}
    for role, usually in PEOPLE.items():
        address = os.environ.get(f"APPROVER_{role.upper()}") or usually
        if address.lower() not in taken:
            people[role] = address
            taken.add(address.lower())
    return people


def _hours(name: str, usually: int) -> int:
    return number_setting(f"APPROVAL_{name}_HOURS", usually, most=limits.PATIENCE_HOURS.most)
