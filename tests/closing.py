"""Vendors whose month can be closed: in the sandbox's books, or many of them in memory."""

from typing import Any

from activities.month_ends import DivideOrder, Shares, VendorQuery, Vendors
from activities.month_ends import shares_of as shares
from durablehost.testing import Answer, ManualHub
from orchestration.failures import Failure
from tests.outside import Sandbox

MONTH = "2026-01"  # that of the first moment on a hub's clock
ID = f"month-end:{MONTH}"


class Books:
    """Postings in the sandbox."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    async def post(self, vendor: str, cents: int = 500, kind: str = "invoice") -> None:
        """Post a document. No money moves for a payment that is posted here."""
        number = str(len(await self._sandbox.postings()) + 1)
        body = {"kind": kind, "vendor": vendor, "number": number, "amount_cents": cents}
        await self._sandbox.send("POST", "/postings", body, {"Idempotency-Key": f"test-{number}"})

    async def pay(self, vendor: str, cents: int) -> None:
        """Move money to a vendor at the bank, without a posting."""
        for kind, account in (("debits", "operating"), ("credits", f"vendor:{vendor}")):
            body = {"account": account, "amount_cents": cents, "payment": f"test-{vendor}"}
            key = {"Idempotency-Key": f"test-{kind}-{vendor}"}
            await self._sandbox.send("POST", f"/bank/{kind}", body, key)

    async def closings(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await self._sandbox.get("/postings/closings"))["closings"]
        return found

    async def closed(self) -> list[str]:
        return sorted(closing["vendor"] for closing in await self.closings())


class Ledger:
    """Many vendors, without requests to the books; those in `failing` cannot be closed."""

    def __init__(self, count: int) -> None:
        self.open = [f"v{number:05}" for number in range(count)]
        self.closed: list[str] = []
        self.failing: set[str] = set()

    def serve(self, hub: ManualHub) -> None:
        hub.replace_activity("divide_vendors", self._divide)
        hub.replace_activity("list_open_vendors", self.list_vendors)
        hub.replace_activity("reconcile_vendor_month", self._reconcile)
        hub.replace_activity("close_vendor_month", self._close)
        hub.replace_activity("send_message", lambda message: "mail-1")

    def _divide(self, order: DivideOrder) -> Shares:
        return Shares(shares=shares(self.open, order["lanes"]), closed_before=len(self.closed))

    def list_vendors(self, query: VendorQuery) -> Vendors:
        found = [name for name in self.open if query["after"] < name <= query["through"]]
        return Vendors(names=found[: query["top"]], more=len(found) > query["top"])

    def _reconcile(self, month: dict[str, Any]) -> dict[str, int]:
        if month["vendor"] in self.failing:
            raise Failure("not_reconciled", f"the bank knows better about {month['vendor']}")
        return {"invoice_cents": 1, "payment_cents": 0}

    def _close(self, order: dict[str, Any]) -> str:
        if order["vendor"] in self.open:
            self.open.remove(order["vendor"])
            self.closed.append(order["vendor"])
        return f"closing-{order['vendor']}"


async def start(hub: ManualHub, lanes: int = 3, tolerance_cents: int = 0) -> None:
    close = {"month": MONTH, "tolerance_cents": tolerance_cents, "settings": {"lanes": lanes}}
    await hub.start("month_end_close", close, instance_id=ID)


async def run(hub: ManualHub, **how: int) -> dict[str, Any]:
    """Run a close to its end and return its output."""
    await start(hub, **how)
    return await ended(hub)


async def ended(hub: ManualHub) -> dict[str, Any]:
    await hub.run_until_ended(ID)
    output: dict[str, Any] = hub.output(ID)
    return output


async def cancel(hub: ManualHub) -> Answer:
    return await hub.request("POST", f"/api/operations/{ID}/cancel?reason=too+early")


async def retry(hub: ManualHub) -> Answer:
    return await hub.request("POST", f"/api/month-ends/{ID}/retry")


def going(hub: ManualHub) -> list[str]:
    """The close and the instances below it that have not ended."""
    return [instance.id for instance in hub.instances(ID) if not instance.ended]
