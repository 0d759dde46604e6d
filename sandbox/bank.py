"""The bank: debits into suspense, credits from suspense, reversals, and slow transfers."""

from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

from aiohttp import web
from pydantic import Field

from sandbox.answers import Answers, Body, KeyToReverse, Refused, body
from sandbox.books import OUTSIDE, SUSPENSE, Books, Entry, Kind
from sandbox.transfers import Settlement, Transfer, Transfers

AccountName = Annotated[str, Field(pattern=r"^[A-Za-z0-9:_.-]{1,100}$")]
Cents = Annotated[int, Field(gt=0, le=10**12)]
Payment = Annotated[str, Field(min_length=1, max_length=200)]


class MoneyMove(Body):
    account: AccountName
    amount_cents: Cents
    payment: Payment


class TransferOrder(Body):
    giver: AccountName
    taker: AccountName
    amount_cents: Cents
    payment: Payment


class AccountChange(Body):
    frozen: bool | None = None
    add_cents: Cents | None = None
    settlement: Settlement | None = None


class Nothing(Body):
    """A body without fields."""


class Bank:
    """Accounts in cents. A request that moves money takes effect once per idempotency key."""

    def __init__(self, now: Callable[[], datetime], settle_after: float) -> None:
        self._now = now
        self._settle_after = settle_after
        self.reset()

    def reset(self) -> None:
        self._answers = Answers()
        self._books = Books(self._now)
        self._transfers = Transfers(self._books, self._now, self._settle_after)

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/bank/debits", self.debit),
            web.get("/bank/debits/{id}", self.show_debit),
            web.post("/bank/debits/{id}/reversal", self.reverse_debit),
            web.post("/bank/debits/reversal", self.reverse_debit_of_key),
            web.post("/bank/credits", self.credit),
            web.get("/bank/credits/{id}", self.show_credit),
            web.post("/bank/credits/{id}/reversal", self.reverse_credit),
            web.post("/bank/credits/reversal", self.reverse_credit_of_key),
            web.post("/bank/transfers", self.transfer),
            web.get("/bank/transfers/{id}", self.show_transfer),
            web.get("/bank/accounts/{name}", self.show_account),
            web.put("/bank/accounts/{name}", self.change_account),
            web.get("/bank/ledger", self.ledger),
            web.get("/bank/audit", self.audit),
        ]

    async def debit(self, request: web.Request) -> web.Response:
        """Move money from an account into suspense."""
        order = await body(request, MoneyMove)

        def work(key: str) -> dict[str, Any]:
            entry = self._move("debit", order.account, SUSPENSE, order, key)
            return self._books.as_json(entry)

        return await self._answers.once(request, work)

    async def credit(self, request: web.Request) -> web.Response:
        """Move money from suspense to an account."""
        order = await body(request, MoneyMove)

        def work(key: str) -> dict[str, Any]:
            entry = self._move("credit", SUSPENSE, order.account, order, key)
            return self._books.as_json(entry)

        return await self._answers.once(request, work)

    async def reverse_debit(self, request: web.Request) -> web.Response:
        """Reverse a debit."""
        return await self._reverse(request, "debit")

    async def reverse_credit(self, request: web.Request) -> web.Response:
        """Reverse a credit."""
        return await self._reverse(request, "credit")

    async def reverse_debit_of_key(self, request: web.Request) -> web.Response:
        """Reverse the debit with this key, and refuse it if it arrives later."""
        return await self._reverse_key(request, "debit")

    async def reverse_credit_of_key(self, request: web.Request) -> web.Response:
        """Reverse the credit with this key, and refuse it if it arrives later."""
        return await self._reverse_key(request, "credit")

    async def show_debit(self, request: web.Request) -> web.Response:
        """Show a debit and its reversal."""
        return self._show_entry(request, "debit")

    async def show_credit(self, request: web.Request) -> web.Response:
        """Show a credit and its reversal."""
        return self._show_entry(request, "credit")

    async def transfer(self, request: web.Request) -> web.Response:
        """Transfer money to another account. It arrives when the transfer settles."""
        order = await body(request, TransferOrder)
        if OUTSIDE in (order.giver, order.taker) or order.giver == order.taker:
            raise Refused(400, "bad_request", "giver, taker: two accounts of this bank")

        def work(key: str) -> dict[str, Any]:
            sent = self._transfers.send(
                order.giver, order.taker, order.amount_cents, key, order.payment
            )
            return _transfer_json(sent)

        return await self._answers.once(request, work)

    async def show_transfer(self, request: web.Request) -> web.Response:
        """Show whether a transfer is pending, settled or failed."""
        return web.json_response(_transfer_json(self._transfers.look(request.match_info["id"])))

    async def show_account(self, request: web.Request) -> web.Response:
        """Show the balance of an account."""
        self._transfers.settle_due()
        return web.json_response(asdict(self._books.account(request.match_info["name"])))

    async def change_account(self, request: web.Request) -> web.Response:
        """Freeze or thaw an account, pay money in, or set how transfers to it settle."""
        change = await body(request, AccountChange)
        account = self._books.account(request.match_info["name"])
        if change.add_cents is not None:
            self._books.move("opening", OUTSIDE, account.name, change.add_cents, "", "opening")
        if change.frozen is not None:
            account.frozen = change.frozen
        if change.settlement is not None:
            self._transfers.settlements[account.name] = change.settlement
        return web.json_response(asdict(account))

    async def ledger(self, request: web.Request) -> web.Response:
        """List all entries, or those of one `payment`, `key` or `account`."""
        self._transfers.settle_due()
        wanted = request.query
        entries = [
            self._books.as_json(entry)
            for entry in self._books.entries.values()
            if wanted.get("payment", entry.payment) == entry.payment
            and wanted.get("key", entry.key) == entry.key
            and wanted.get("account", entry.giver) in (entry.giver, entry.taker)
        ]
        return web.json_response({"entries": entries})

    async def audit(self, request: web.Request) -> web.Response:
        """Check that the ledger balances. List all payments, or those in one `state`."""
        self._transfers.settle_due()
        return web.json_response(self._books.audit(request.query.get("state")))

    def _move(self, kind: Kind, giver: str, taker: str, order: MoneyMove, key: str) -> Entry:
        if order.account in (OUTSIDE, SUSPENSE):
            raise Refused(400, "bad_request", f"account: {order.account} is the bank's own")
        return self._books.move(kind, giver, taker, order.amount_cents, key, order.payment)

    async def _reverse(self, request: web.Request, kind: Kind) -> web.Response:
        await body(request, Nothing)
        entry = self._books.find(kind, request.match_info["id"])
        return await self._answers.once(
            request, lambda key: self._books.as_json(self._books.reverse(entry, key))
        )

    async def _reverse_key(self, request: web.Request, kind: Kind) -> web.Response:
        key = (await body(request, KeyToReverse)).key
        self._answers.bar(key)
        entry = self._books.done_with(kind, key)
        if entry is not None and entry.id not in self._books.reversed_by:
            self._books.reverse(entry, key)
        return web.json_response({"entry": self._books.as_json(entry) if entry else None})

    def _show_entry(self, request: web.Request, kind: Kind) -> web.Response:
        entry = self._books.find(kind, request.match_info["id"])
        return web.json_response(self._books.as_json(entry))


def _transfer_json(transfer: Transfer) -> dict[str, Any]:
    return {name: value for name, value in asdict(transfer).items() if name != "looks"}
