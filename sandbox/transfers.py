"""Transfers: money leaves at once and arrives when the transfer settles, or comes back.

A credit to a vendor can be watched as a transfer: the vendor's bank confirms it after a while.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Literal

from pydantic import Field

from sandbox.answers import Body, Refused
from sandbox.books import SUSPENSE, Books


class Settlement(Body):
    """How transfers to one account settle: after some requests or some seconds."""

    after_looks: Annotated[int, Field(ge=0)] | None = None
    after_seconds: Annotated[float, Field(ge=0)] | None = None
    outcome: Literal["settled", "failed"] = "settled"


@dataclass
class Transfer:
    id: str
    status: Literal["pending", "settled", "failed"]
    giver: str
    taker: str
    amount_cents: int
    key: str
    payment: str
    sent_at: str
    ended_at: str | None = None
    reason: str | None = None  # why it failed
    looks: int = 0


class Transfers:
    """The transfers of a bank. They settle when somebody requests their status."""

    def __init__(self, books: Books, now: Callable[[], datetime], settle_after: float) -> None:
        self._books = books
        self._now = now
        self._usual = Settlement(after_seconds=settle_after)
        self._transfers: dict[str, Transfer] = {}
        self.settlements: dict[str, Settlement] = {}

    def send(self, giver: str, taker: str, amount_cents: int, key: str, payment: str) -> Transfer:
        self._books.account(taker)
        sent = self._books.move("transfer_sent", giver, SUSPENSE, amount_cents, key, payment)
        transfer = Transfer(
            f"transfer-{len(self._transfers) + 1}",
            "pending",
            giver,
            taker,
            amount_cents,
            key,
            payment,
            sent.time,
        )
        self._transfers[transfer.id] = transfer
        return transfer

    def look(self, transfer_id: str) -> Transfer:
        """Return the transfer as it is now, and count the request."""
        transfer = self._transfers.get(transfer_id) or self._credit(transfer_id)
        if transfer is None:
            raise Refused(404, "transfer_unknown", f"there is no transfer {transfer_id}")
        transfer.looks += 1
        self._settle_if_due(transfer)
        return transfer

    def _credit(self, entry_id: str) -> Transfer | None:
        """Return a credit as a pending transfer. Its money was moved when it was created."""
        entry = self._books.entries.get(entry_id)
        if entry is None or entry.kind != "credit":
            return None
        transfer = Transfer(
            entry.id,
            "pending",
            entry.giver,
            entry.taker,
            entry.amount_cents,
            entry.key,
            entry.payment,
            entry.time,
        )
        self._transfers[entry.id] = transfer
        return transfer

    def settle_due(self) -> None:
        for transfer in self._transfers.values():
            self._settle_if_due(transfer)

    def _settle_if_due(self, transfer: Transfer) -> None:
        how = self.settlements.get(transfer.taker, self._usual)
        if transfer.id in self._books.reversed_by:
            transfer.status, transfer.reason = "failed", "reversed"
        if transfer.status != "pending" or not self._is_due(transfer, how):
            return
        if transfer.id in self._books.entries:  # a credit, whose money is there already
            transfer.status, transfer.ended_at = "settled", self._now().isoformat()
            return
        if how.outcome == "failed":
            self._give_back(transfer, "rejected")
            return
        try:
            self._end(transfer, "settled", transfer.taker)
        except Refused as refused:  # the taker's account is frozen
            self._give_back(transfer, refused.code)

    def _is_due(self, transfer: Transfer, how: Settlement) -> bool:
        if how.after_looks is not None and transfer.looks < how.after_looks:
            return False
        wait = timedelta(seconds=how.after_seconds or 0)
        return self._now() >= datetime.fromisoformat(transfer.sent_at) + wait

    def _give_back(self, transfer: Transfer, reason: str) -> None:
        try:
            self._end(transfer, "failed", transfer.giver)
        except Refused:  # the giver's account is frozen: it stays pending until it is not
            return
        transfer.reason = reason

    def _end(self, transfer: Transfer, status: Literal["settled", "failed"], taker: str) -> None:
        entry = self._books.move(
            "transfer_settled" if status == "settled" else "transfer_failed",
            SUSPENSE,
            taker,
            transfer.amount_cents,
            transfer.key,
            transfer.payment,
        )
        transfer.status, transfer.ended_at = status, entry.time
