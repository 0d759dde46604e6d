"""The ledger of the bank: which payments have left and not arrived."""

import os
from typing import Any, Final, TypedDict

import azure.durable_functions as df

from activities.outside import ask

TREASURER: Final = "treasurer@example.com"  # unless the setting TREASURER says otherwise

bp = df.Blueprint()


class AuditOrder(TypedDict):
    """The largest number of payments to name."""

    most: int


class Audit(TypedDict):
    """The state of the ledger; `open` names payments whose money has left and not arrived."""

    balanced: bool
    in_suspense_cents: int
    open: list[str]


class StuckReport(TypedDict):
    """Payments that do not arrive, and the idempotency key of the mail about them."""

    payments: list[str]
    key: str


@bp.activity_trigger(input_name="order")
async def audit_ledger(order: AuditOrder) -> Audit:
    """Return the state of the ledger. Reads only, so it may run twice."""
    found: Any = await ask("bank", "GET", "/audit", query={"state": "open"})
    payments = sorted(found["payments"])
    return Audit(
        balanced=found["balanced"],
        in_suspense_cents=found["in_suspense_cents"],
        open=payments[: order["most"]],
    )


@bp.activity_trigger(input_name="report")
async def report_stuck_payments(report: StuckReport) -> None:
    """Send a mail to the treasurer. The mail server sends one mail for each key."""
    content = {
        "to": os.environ.get("TREASURER") or TREASURER,
        "subject": f"{len(report['payments'])} payments have not arrived",
        "text": "\n".join(report["payments"]),
    }
    await ask("mail", "POST", "/messages", json=content, key=report["key"])
