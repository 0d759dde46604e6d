"""What tests of approvals do: ask for one, read the links out of the mails, decide by them."""

from typing import Any, Final

from durablehost.testing import Answer, ManualHub
from tests.outside import Sandbox

ID: Final = "approval:acme:INV-1"
HERE: Final = f"/api/operations/{ID}"
LEAD, CONTROLLER, DIRECTOR, CFO = (
    f"{role}@example.com" for role in ("lead", "controller", "director", "cfo")
)
REQUESTER: Final = "ada@example.com"
PAYMENT: Final[dict[str, Any]] = {
    "vendor": "acme",
    "number": "INV-1",
    "amount_cents": 250_000,
    "purpose": "a new lathe",
    "requested_by": REQUESTER,
}
ASK: Final = "decide on the payment of invoice INV-1 of acme"
LARGE: Final = {"amount_cents": 1_000_001}


async def ask(hub: ManualHub, **changes: Any) -> None:
    """Ask for the approval of a payment; the mails are out then."""
    started = await hub.request("POST", "/api/approvals", json=PAYMENT | changes)
    assert started.status == 202, started.text


async def link(sandbox: Sandbox, to: str) -> str:
    """The link in somebody's latest mail."""
    latest = (await sandbox.mails(to))[-1]
    return str(latest["text"]).split()[-1].removeprefix("http://localhost:7071")


async def decide(hub: ManualHub, link: str, decision: str = "approve", comment: str = "") -> Answer:
    return await hub.request("POST", link, json={"decision": decision, "comment": comment})


def decided(hub: ManualHub) -> dict[str, str]:
    """Who has decided what, as far as the approval knows."""
    found: dict[str, str] = hub.custom_status(ID)["decided"]
    return found
