"""The bank moves money once a key, never below zero, and its books always balance."""

import asyncio
import random
from typing import Any

import pytest

from sandbox.books import OPENING_CENTS

DEBIT = {"account": "operating", "amount_cents": 500, "payment": "pay-1"}
CREDIT = {"account": "vendor:acme", "amount_cents": 500, "payment": "pay-1"}


async def balance(get: Any, account: str) -> int:
    _, answer = await get(f"/bank/accounts/{account}")
    return int(answer["balance_cents"])


async def outcome(get: Any, payment: str = "pay-1") -> dict[str, Any]:
    _, audit = await get("/bank/audit")
    assert audit["balanced"]
    return dict(audit["payments"][payment])


async def test_a_debit_and_a_credit_bring_the_money_to_the_vendor(post, get):
    await post("/bank/debits", DEBIT, "k1")
    status, entry = await post("/bank/credits", CREDIT, "k2")

    assert status == 201
    assert (entry["giver"], entry["taker"], entry["amount_cents"]) == (
        "suspense",
        "vendor:acme",
        500,
    )
    assert await balance(get, "operating") == OPENING_CENTS - 500
    assert await balance(get, "vendor:acme") == 500
    assert await outcome(get) == {
        "state": "paid",
        "paid_cents": 500,
        "in_suspense_cents": 0,
        "debits": 1,
        "credits": 1,
    }


async def test_the_audit_can_be_of_the_payments_in_one_state(post, get):
    await post("/bank/debits", DEBIT, "k1")
    await post("/bank/debits", DEBIT | {"payment": "pay-2"}, "k2")
    await post("/bank/credits", CREDIT, "k3")

    assert set((await get("/bank/audit", state="open"))[1]["payments"]) == {"pay-2"}
    assert set((await get("/bank/audit", state="paid"))[1]["payments"]) == {"pay-1"}
    assert (await get("/bank/audit", state="open"))[1]["in_suspense_cents"] == 500


async def test_the_same_key_and_body_move_money_once_and_answer_alike(post, get):
    first = await post("/bank/debits", DEBIT, "k1")
    again = await post("/bank/debits", dict(reversed(DEBIT.items())), "k1")

    assert again == first
    assert await balance(get, "operating") == OPENING_CENTS - 500


async def test_a_repeated_answer_says_that_it_is_one(sandbox):
    headers = {"Idempotency-Key": "k1"}
    async with sandbox.post("/bank/debits", json=DEBIT, headers=headers) as first:
        assert "Idempotent-Replayed" not in first.headers

    async with sandbox.post("/bank/debits", json=DEBIT, headers=headers) as again:
        assert again.headers["Idempotent-Replayed"] == "true"


async def test_the_same_key_sent_at_once_moves_money_once(post, get):
    answers = await asyncio.gather(*(post("/bank/debits", DEBIT, "k1") for _ in range(20)))

    assert len({answer["id"] for _, answer in answers}) == 1
    assert await balance(get, "operating") == OPENING_CENTS - 500


@pytest.mark.parametrize(
    ("path", "body"),
    [("/bank/debits", DEBIT | {"amount_cents": 501}), ("/bank/credits", DEBIT)],
)
async def test_the_same_key_with_another_request_is_refused(post, get, path, body):
    await post("/bank/debits", DEBIT, "k1")

    status, answer = await post(path, body, "k1")

    assert (status, answer["code"]) == (422, "idempotency_key_reused")
    assert await balance(get, "operating") == OPENING_CENTS - 500


@pytest.mark.parametrize("key", [None, "", "k" * 256])
@pytest.mark.parametrize("path", ["/bank/debits", "/bank/credits"])
async def test_no_money_moves_without_a_key(post, get, path, key):
    status, answer = await post(path, DEBIT, key)

    assert (status, answer["code"]) == (400, "idempotency_key_missing")
    assert await balance(get, "operating") == OPENING_CENTS


async def test_an_account_never_goes_below_zero(post, get):
    status, answer = await post("/bank/debits", DEBIT | {"amount_cents": OPENING_CENTS + 1}, "k1")

    assert (status, answer["code"]) == (409, "insufficient_funds")
    assert await balance(get, "operating") == OPENING_CENTS


async def test_an_account_can_be_emptied(post, get):
    status, _ = await post("/bank/debits", DEBIT | {"amount_cents": OPENING_CENTS}, "k1")

    assert status == 201
    assert await balance(get, "operating") == 0


async def test_a_credit_cannot_give_what_was_not_debited(post):
    status, answer = await post("/bank/credits", CREDIT, "k1")

    assert (status, answer["code"]) == (409, "insufficient_funds")


async def test_a_refused_key_may_ask_again(post, put):
    too_much = DEBIT | {"amount_cents": OPENING_CENTS + 1}
    await post("/bank/debits", too_much, "k1")
    await put("/bank/accounts/operating", {"add_cents": 1})

    status, _ = await post("/bank/debits", too_much, "k1")

    assert status == 201


async def test_reversals_undo_a_payment_without_a_trace_of_money(post, get):
    _, debit = await post("/bank/debits", DEBIT, "k1")
    _, credit = await post("/bank/credits", CREDIT, "k2")

    await post(f"/bank/credits/{credit['id']}/reversal", key="k3")
    assert (await outcome(get))["state"] == "open"
    await post(f"/bank/debits/{debit['id']}/reversal", key="k4")

    assert await outcome(get) == {
        "state": "undone",
        "paid_cents": 0,
        "in_suspense_cents": 0,
        "debits": 0,
        "credits": 0,
    }
    assert await balance(get, "operating") == OPENING_CENTS


async def test_a_debit_is_reversed_once_whatever_the_key(post, get):
    _, debit = await post("/bank/debits", DEBIT, "k1")
    path = f"/bank/debits/{debit['id']}/reversal"

    first = await post(path, key="k2")
    assert await post(path, key="k2") == first
    status, answer = await post(path, key="k3")

    assert (status, answer["code"]) == (409, "already_reversed")
    assert await balance(get, "operating") == OPENING_CENTS
    assert (await get(f"/bank/debits/{debit['id']}"))[1]["reversed_by"] == first[1]["id"]


async def test_a_credit_whose_money_is_frozen_cannot_be_reversed(post, put, get):
    await post("/bank/debits", DEBIT, "k1")
    _, credit = await post("/bank/credits", CREDIT, "k2")
    await put("/bank/accounts/vendor:acme", {"frozen": True})

    status, answer = await post(f"/bank/credits/{credit['id']}/reversal", key="k3")

    assert (status, answer["code"]) == (403, "account_frozen")
    assert await balance(get, "vendor:acme") == 500


async def test_a_transfer_is_reversed_once_by_its_key(post, get):
    _, debit = await post("/bank/debits", DEBIT, "k1")

    first = await post("/bank/debits/reversal", {"key": "k1"})
    assert await post("/bank/debits/reversal", {"key": "k1"}) == first

    assert (first[0], first[1]["entry"]["id"]) == (200, debit["id"])
    assert await balance(get, "operating") == OPENING_CENTS
    assert (await outcome(get))["state"] == "undone"


async def test_a_transfer_that_was_reversed_before_is_never_made(post, get):
    nothing = await post("/bank/debits/reversal", {"key": "k1"})

    status, answer = await post("/bank/debits", DEBIT, "k1")

    assert nothing == (200, {"entry": None})
    assert (status, answer["code"]) == (409, "key_reversed")
    assert await balance(get, "operating") == OPENING_CENTS


async def test_a_credit_is_not_reversed_as_a_debit(post, get):
    await post("/bank/debits", DEBIT, "k1")
    await post("/bank/credits", CREDIT, "k2")

    assert await post("/bank/debits/reversal", {"key": "k2"}) == (200, {"entry": None})

    assert await balance(get, "vendor:acme") == 500


async def test_a_thawed_account_takes_money_again(post, put):
    await put("/bank/accounts/operating", {"frozen": True})
    assert (await post("/bank/debits", DEBIT, "k1"))[0] == 403

    await put("/bank/accounts/operating", {"frozen": False})

    assert (await post("/bank/debits", DEBIT, "k1"))[0] == 201


async def test_the_audit_shows_a_payment_debited_twice(post, get):
    await post("/bank/debits", DEBIT, "k1")
    await post("/bank/debits", DEBIT, "k2")

    seen = await outcome(get)

    assert (seen["debits"], seen["in_suspense_cents"]) == (2, 1000)


async def test_the_ledger_is_searched_by_payment_key_and_account(post, get):
    await post("/bank/debits", DEBIT, "k1")
    await post("/bank/debits", DEBIT | {"payment": "pay-2"}, "k2")
    await post("/bank/credits", CREDIT, "k3")

    async def keys(**wanted: str) -> list[str]:
        return [entry["key"] for entry in (await get("/bank/ledger", **wanted))[1]["entries"]]

    assert await keys(payment="pay-1") == ["k1", "k3"]
    assert await keys(key="k2") == ["k2"]
    assert await keys(account="vendor:acme") == ["k3"]
    assert await keys(account="suspense") == ["k1", "k2", "k3"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"amount_cents": 0}, "amount_cents"),
        ({"amount_cents": -5}, "amount_cents"),
        ({"amount_cents": "500"}, "amount_cents"),
        ({"amount_cents": 1.5}, "amount_cents"),
        ({"account": "no such/account"}, "account"),
        ({"account": "suspense"}, "account"),
        ({"account": "outside"}, "account"),
        ({"payment": ""}, "payment"),
        ({"tip": 5}, "tip"),
    ],
)
async def test_a_bad_field_is_named(post, change, says):
    status, answer = await post("/bank/debits", DEBIT | change, "k1")

    assert (status, answer["code"]) == (400, "bad_request")
    assert answer["message"].startswith(says)


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/bank/debits/debit-99", "debit_unknown"),
        ("/bank/credits/debit-2", "credit_unknown"),
        ("/bank/accounts/petty-cash", "account_unknown"),
        ("/bank/transfers/transfer-9", "transfer_unknown"),
    ],
)
async def test_an_unknown_account_or_entry_is_404(post, get, path, code):
    await post("/bank/debits", DEBIT, "k1")

    status, answer = await get(path)

    assert (status, answer["code"]) == (404, code)


async def test_no_order_of_requests_makes_or_loses_money(post, get):
    dice = random.Random(7)
    entries: list[str] = []
    for n in range(300):
        body = {"amount_cents": dice.randrange(1, 30_000_000), "payment": f"p-{dice.randrange(9)}"}
        if dice.random() < 0.4 and entries:
            path = f"/bank/{dice.choice(entries)}/reversal"
            await post(path, key=f"k{n}")
            continue
        kind, account = dice.choice([("debits", "operating"), ("credits", "vendor:acme")])
        status, answer = await post(f"/bank/{kind}", body | {"account": account}, f"k{n}")
        if status == 201:
            entries.append(f"{kind}/{answer['id']}")

    _, audit = await get("/bank/audit")

    assert len(entries) > 50
    assert audit["balanced"]
    assert audit["in_suspense_cents"] == await balance(get, "suspense")
    for account in ("operating", "suspense", "vendor:acme"):
        assert await balance(get, account) >= 0
