"""An invoice over the limit: taken in, approved, paid, and watched until the money has arrived."""

from datetime import timedelta
from typing import Any

from durablehost.testing import Answer, ManualHub
from tests import approving
from tests.approving import CONTROLLER, DIRECTOR, LEAD, REQUESTER
from tests.outside import Sandbox

PAYMENT = {"vendor": "acme", "number": "INV-90", "amount_cents": 9_000_000}
APPROVAL = PAYMENT | {"purpose": "a new lathe", "requested_by": REQUESTER}


async def post(hub: ManualHub, path: str, body: dict[str, Any]) -> Answer:
    return await hub.request("POST", f"/api/{path}", json=body)


async def shown(hub: ManualHub, started: Answer) -> dict[str, Any]:
    """The operation that a request has started, as its caller sees it."""
    assert started.status == 202, started.text
    path = f"/api/operations/{started.json()['id']}"
    operation: dict[str, Any] = (await hub.request("GET", path)).json()
    return operation


async def take_in(hub: ManualHub, sandbox: Sandbox) -> dict[str, Any]:
    await sandbox.put("/orders/PO-90", vendor="acme", amount_cents=9_000_000)
    return await shown(hub, await post(hub, "invoices", PAYMENT | {"order": "PO-90"}))


async def decide(hub: ManualHub, sandbox: Sandbox, **decisions: str) -> None:
    for role, decision in decisions.items():
        link = await approving.link(sandbox, f"{role}@example.com")
        answer = await approving.decide(hub, link, decision, f"I {decision}")
        assert answer.status == 202, answer.text


async def test_an_invoice_is_taken_in_approved_paid_and_settled(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    intake = await take_in(hub, sandbox)
    too_early = await post(hub, "payments", PAYMENT)

    approval = await post(hub, "approvals", APPROVAL)
    mails = [len(await sandbox.mails(person)) for person in (LEAD, CONTROLLER, DIRECTOR)]
    await hub.advance(timedelta(days=2))
    await decide(hub, sandbox, controller="approve", lead="reject", director="approve")
    approved = await shown(hub, approval)
    [told] = await sandbox.mails(REQUESTER)

    payment = await shown(hub, await post(hub, "payments", PAYMENT))
    [notice] = await sandbox.mails("accounts@acme.example")

    watch = await post(hub, "settlements", {"transfer": payment["output"]["credit"]})
    on_its_way = await shown(hub, watch)
    await hub.advance(timedelta(minutes=5))
    settled = await shown(hub, watch)

    audit = await sandbox.get("/bank/audit")
    posted = [(each["kind"], each["number"]) for each in await sandbox.postings()]
    assert intake["output"]["amount_cents"] == 9_000_000
    assert (too_early.status, too_early.json()["code"]) == (409, "approval_required")
    assert mails == [1, 1, 1]
    assert approved["output"]["outcome"] == "approved"
    assert told["subject"] == "the payment of invoice INV-90 of acme is approved"
    assert payment["output"]["outcome"] == "paid"
    assert "90000.00 for INV-90" in notice["text"]
    assert on_its_way["customStatus"]["step"] == "waiting"
    assert settled["output"]["outcome"] == "settled"
    assert posted == [("invoice", "INV-90"), ("payment", "INV-90")]
    assert (audit["balanced"], audit["payments"]["payment:acme:INV-90"]["state"]) == (True, "paid")


async def test_a_rejected_payment_is_made_after_a_new_approval(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    await take_in(hub, sandbox)
    first = await post(hub, "approvals", APPROVAL)
    await decide(hub, sandbox, lead="reject", controller="reject")
    refused = await post(hub, "payments", PAYMENT)
    asked_again = await post(hub, "approvals", APPROVAL)

    await hub.request("DELETE", f"/api/operations/{first.json()['id']}")
    await hub.advance(timedelta(hours=1))
    await post(hub, "approvals", APPROVAL)
    await decide(hub, sandbox, lead="approve", controller="approve")
    payment = await shown(hub, await post(hub, "payments", PAYMENT))

    assert "approval:acme:INV-90 is rejected" in refused.json()["detail"]
    assert (asked_again.status, asked_again.json()["runtimeStatus"]) == (200, "Completed")
    assert payment["output"]["outcome"] == "paid"
