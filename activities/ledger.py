"""The bank's ledger as a whole: is money on its way, and does it arrive?"""

import os
from typing import Any, Final, TypedDict

import azure.durable_functions as df

from activities.outside import ask

TREASURER: Final = "treasurer@example.com"  # unless the setting TREASURER says otherwise

bp = df.Blueprint()


class AuditOrder(TypedDict):
    """How many payments to name at most."""

    most: int


class Audit(TypedDict):
    """How the ledger stands; `open` names payments that took money which has not arrived."""

    balanced: bool
    in_suspense_cents: int
    open: list[str]


class StuckReport(TypedDict):
    """Payments that do not arrive, and the key that makes telling of them one mail."""

    payments: list[str]
    key: str


@bp.activity_trigger(input_name="order")
async def audit_ledger(order: AuditOrder) -> Audit:
    """Return how the ledger stands. Only looks, so may run twice."""
    found: Any = await ask("bank", "GET", "/audit", query={"state": "open"})
    payments = sorted(found["payments"])
    return Audit(
        balanced=found["balanced"],
        in_suspense_cents=found["in_suspense_cents"],
        open=payments[: order["most"]],
    )


@bp.activity_trigger(input_name="report")
async def report_stuck_payments(report: StuckReport) -> None:
    """Mail the treasurer; the mail server sends one mail a key, so twice is once."""
    content = {
        "to": os.environ.get("TREASURER") or TREASURER,
        "subject": f"{len(report['payments'])} payments took money that does not arrive",
        "text": "\n".join(report["payments"]),
    }
    await ask("mail", "POST", "/messages", json=content, key=report["key"])
