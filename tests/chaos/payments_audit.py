"""Checks that each payment is complete or undone completely, and that no money was made or lost."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sandbox.books import OPENING_CENTS, OPERATING, OUTSIDE

# where the bank, the books and the mail show what they hold
BOOKS: Final = ("/bank/audit", "/bank/ledger", "/postings", "/mail/messages")
HANDED_OVER: Final = "in the hands of a person"


@dataclass(frozen=True)
class Order:
    """A payment that was asked for."""

    vendor: str
    number: str
    amount_cents: int

    @property
    def id(self) -> str:
        return f"payment:{self.vendor}:{self.number}"


@dataclass
class Findings:
    """How the payments ended, and what is wrong, as texts."""

    ends: Counter[str] = field(default_factory=Counter)
    entries: int = 0
    reversals: int = 0
    replayed: int = 0  # repeated requests that were recognized as such
    paid_cents: int = 0
    standing_cents: int = 0  # taken, and in the hands of a person
    suspended_cents: int = 0  # of these, in suspense
    wrong: list[str] = field(default_factory=list)

    @property
    def undone(self) -> int:
        return sum(count for end, count in self.ends.items() if end.startswith("undone"))

    def show(self) -> None:
        for words in self.wrong:
            print(f"- {words}")
        rows = [*sorted(self.ends.items()), ("undone in all", self.undone)]
        rows += [("entries in the ledger", self.entries), ("of these reversals", self.reversals)]
        rows += [("repeated requests", self.replayed), ("cents paid", self.paid_cents)]
        rows += [("errors found", len(self.wrong))]
        for name, figure in rows:
            print(f"{name:<24}{figure:>12}")


def audit(
    orders: Sequence[Order], operations: dict[str, Any], books: dict[str, Any], replayed: int
) -> Findings:
    """Compare every payment, as its operation shows it, with bank, books and mails."""
    found = Findings(replayed=replayed)
    payments = books["/bank/audit"]["payments"]
    unknown = payments.keys() - {order.id for order in orders}
    found.wrong += [f"{payment} is known to the bank only" for payment in unknown]
    # A payment that failed can be asked for again, and may fail again: each time it is told.
    ends = [mail["key"].rpartition(":") for mail in books["/mail/messages"]["messages"]]
    keys = Counter(begin for begin, _, end in ends if end != "failed")
    for order in orders:
        operation, bank = operations[order.id], payments.get(order.id)
        posted = _posted(order, books["/postings"]["postings"])
        output = operation["output"]
        if operation["runtimeStatus"] == "Completed" and output["outcome"] == "paid":
            found.ends["paid"] += 1
            found.paid_cents += order.amount_cents
            wrong = _why_not_whole(order, bank, posted, output)
        elif operation["runtimeStatus"] == "Completed" and bank:
            found.ends[HANDED_OVER] += 1
            found.standing_cents += order.amount_cents
            found.suspended_cents += bank["in_suspense_cents"]
            wrong = _why_not_as_told(bank, posted, output)
        elif operation["runtimeStatus"] == "Failed":
            found.ends[f"undone: {output['code']}"] += 1
            wrong = _why_not_undone(bank, posted)
        else:
            found.ends[operation["runtimeStatus"]] += 1
            wrong = [f"has not ended: {operation}"]
        mails = sum(count for key, count in keys.items() if key.startswith(f"{order.id}:"))
        if mails > 1:
            wrong.append(f"was told of {mails} times")
        found.wrong += [f"{order.id} {words}" for words in wrong]
    _check_ledger(found, books)
    return found


def _posted(order: Order, postings: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The postings of a payment that were not reversed, without the one that blocked it."""
    return [
        posting
        for posting in postings
        if posting["key"].startswith(f"{order.id}:") and not posting["reversed"]
    ]


def _why_not_whole(
    order: Order, bank: dict[str, Any] | None, posted: list[dict[str, Any]], output: Any
) -> list[str]:
    whole = {
        "state": "paid",
        "paid_cents": order.amount_cents,
        "in_suspense_cents": 0,
        "debits": 1,
        "credits": 1,
    }
    wrong = [] if bank == whole else [f"is paid, and the bank says {bank}"]
    if [(one["id"], one["amount_cents"]) for one in posted] != [
        (output["posting"], order.amount_cents)
    ]:
        wrong.append(f"is paid, and the books hold {posted}")
    return wrong


def _why_not_as_told(bank: dict[str, Any], posted: list[dict[str, Any]], output: Any) -> list[str]:
    """Check that a person is asked to undo exactly what was not undone."""
    steps = output["not_undone"]
    done = {"debit": bank["debits"], "credit": bank["credits"], "posting": len(posted)}
    stands = [step for step, times in done.items() for _ in range(times)]
    wrong = [] if stands in (steps, steps[:-1]) else [f"has {stands}, and a person is told {steps}"]
    if not all(step in output["what_to_do"] for step in steps):
        wrong.append(f"has {steps} to undo, and says: {output['what_to_do']}")
    return wrong


def _why_not_undone(bank: dict[str, Any] | None, posted: list[dict[str, Any]]) -> list[str]:
    left = bank and (bank["state"] != "undone" or bank["debits"] or bank["credits"])
    wrong = [f"is undone, and the bank says {bank}"] if left else []
    if posted:
        wrong.append(f"is undone, and the books hold {posted}")
    return wrong


def _check_ledger(found: Findings, books: dict[str, Any]) -> None:
    bank, entries = books["/bank/audit"], books["/bank/ledger"]["entries"]
    found.entries = len(entries)
    found.reversals = sum(entry["kind"] == "reversal" for entry in entries)
    if not bank["balanced"] or bank["in_suspense_cents"] != found.suspended_cents:
        found.wrong.append(f"money was made or lost: {bank['in_suspense_cents']} in suspense")
    balances = Counter[str]()
    for account, words in _walked(entries, balances):
        if account != OUTSIDE:
            found.wrong.append(words)
    gone = found.paid_cents + found.standing_cents
    if balances[OPERATING] != OPENING_CENTS - gone:
        found.wrong.append(f"{gone} were paid, and {OPERATING} has {balances[OPERATING]}")


def _walked(entries: Sequence[dict[str, Any]], balances: Counter[str]) -> Iterator[tuple[str, str]]:
    """Find the accounts that were below zero at any moment."""
    for entry in entries:
        balances[entry["giver"]] -= entry["amount_cents"]
        balances[entry["taker"]] += entry["amount_cents"]
        if balances[entry["giver"]] < 0:
            yield entry["giver"], f"{entry['giver']} was below zero after {entry['id']}"
