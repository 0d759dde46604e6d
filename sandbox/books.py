"""Double-entry books: each entry moves money from one account to another."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal

from sandbox.answers import Refused

OPERATING = "operating"  # the company's own account
SUSPENSE = "suspense"  # money on its way
OUTSIDE = "outside"  # where opening balances come from; the one account below zero
OPENING_CENTS = 1_000_000_00
VENDOR = "vendor:"

Kind = Literal[
    "opening", "debit", "credit", "reversal", "transfer_sent", "transfer_settled", "transfer_failed"
]


@dataclass
class Account:
    name: str
    balance_cents: int = 0
    frozen: bool = False


@dataclass(frozen=True)
class Entry:
    """Money that was moved from one account to another."""

    id: str
    time: str
    kind: Kind
    giver: str
    taker: str
    amount_cents: int
    key: str
    payment: str
    reverses: str | None = None


class Books:
    """The bank's accounts and all their entries."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self.accounts = {name: Account(name) for name in (OUTSIDE, OPERATING, SUSPENSE)}
        self.entries: dict[str, Entry] = {}
        self.reversed_by: dict[str, str] = {}
        self.move("opening", OUTSIDE, OPERATING, OPENING_CENTS, "opening", "opening")

    def account(self, name: str) -> Account:
        """Return an account. A vendor's account is created at its first use."""
        if name.startswith(VENDOR) and name not in self.accounts:
            self.accounts[name] = Account(name)
        if name not in self.accounts:
            raise Refused(404, "account_unknown", f"there is no account {name}")
        return self.accounts[name]

    def move(
        self,
        kind: Kind,
        giver: str,
        taker: str,
        amount_cents: int,
        key: str,
        payment: str,
        reverses: str | None = None,
    ) -> Entry:
        """Move money and record it. A refusal changes nothing."""
        source, target = self.account(giver), self.account(taker)
        for account in (source, target):
            if account.frozen:
                raise Refused(403, "account_frozen", f"the account {account.name} is frozen")
        if source.balance_cents < amount_cents and giver != OUTSIDE:
            has = f"{giver} has {source.balance_cents} cents"
            raise Refused(409, "insufficient_funds", f"{has}, and {amount_cents} are asked for")
        source.balance_cents -= amount_cents
        target.balance_cents += amount_cents
        number, time = len(self.entries) + 1, self._now().isoformat()
        entry = Entry(
            f"{kind}-{number}", time, kind, giver, taker, amount_cents, key, payment, reverses
        )
        self.entries[entry.id] = entry
        return entry

    def find(self, kind: Kind, entry_id: str) -> Entry:
        entry = self.entries.get(entry_id)
        if entry is None or entry.kind != kind:
            raise Refused(404, f"{kind}_unknown", f"there is no {kind} {entry_id}")
        return entry

    def done_with(self, kind: Kind, key: str) -> Entry | None:
        """Return the entry with this key."""
        done = (each for each in self.entries.values() if (each.kind, each.key) == (kind, key))
        return next(done, None)

    def reverse(self, entry: Entry, key: str) -> Entry:
        """Move an entry's money back, once."""
        if by := self.reversed_by.get(entry.id):
            raise Refused(409, "already_reversed", f"{entry.id} was reversed by {by}")
        undo = self.move(
            "reversal", entry.taker, entry.giver, entry.amount_cents, key, entry.payment, entry.id
        )
        self.reversed_by[entry.id] = undo.id
        return undo

    def as_json(self, entry: Entry) -> dict[str, Any]:
        return {**asdict(entry), "reversed_by": self.reversed_by.get(entry.id)}

    def audit(self, state: str | None = None) -> dict[str, Any]:
        """Check that the ledger balances, and return the state of each payment."""
        payments = dict(self._payments())
        balances = {name: account.balance_cents for name, account in self.accounts.items()}
        return {
            "balanced": sum(balances.values()) == 0 and self._recounted() == +Counter(balances),
            "in_suspense_cents": balances[SUSPENSE],
            "entries": len(self.entries),
            "payments": {
                name: each for name, each in payments.items() if state in (None, each["state"])
            },
        }

    def _recounted(self) -> Counter[str]:
        """The balances above zero, summed from the entries."""
        counted: Counter[str] = Counter()
        for entry in self.entries.values():
            counted[entry.giver] -= entry.amount_cents
            counted[entry.taker] += entry.amount_cents
        return +counted

    def _payments(self) -> Iterator[tuple[str, dict[str, Any]]]:
        by_payment: dict[str, list[Entry]] = {}
        for entry in self.entries.values():
            if entry.kind != "opening":
                by_payment.setdefault(entry.payment, []).append(entry)
        for payment, entries in by_payment.items():
            yield payment, self._outcome(entries)

    def _outcome(self, entries: list[Entry]) -> dict[str, Any]:
        """`open`: money is in suspense; `undone`: all was moved back; `paid`: it was moved."""
        gained: Counter[str] = Counter()
        for entry in entries:
            gained[entry.giver] -= entry.amount_cents
            gained[entry.taker] += entry.amount_cents
        standing = Counter(e.kind for e in entries if e.id not in self.reversed_by)
        paid = sum(cents for name, cents in gained.items() if name.startswith(VENDOR))
        state = "open" if gained[SUSPENSE] else "paid" if any(gained.values()) else "undone"
        return {
            "state": state,
            "paid_cents": paid,
            "in_suspense_cents": gained[SUSPENSE],
            "debits": standing["debit"],
            "credits": standing["credit"],
        }
