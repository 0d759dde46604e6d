"""A transfer leaves at once and arrives later, or comes back."""

import pytest

from sandbox.books import OPENING_CENTS

TRANSFER = {"giver": "operating", "taker": "vendor:acme", "amount_cents": 700, "payment": "pay-1"}


@pytest.fixture
def status_of(get):
    async def status_of(transfer: str) -> str:
        return str((await get(f"/bank/transfers/{transfer}"))[1]["status"])

    return status_of


async def balances(get, *accounts: str) -> list[int]:
    return [(await get(f"/bank/accounts/{name}"))[1]["balance_cents"] for name in accounts]


async def test_a_transfer_is_pending_until_its_time_is_over(post, status_of, clock):
    status, transfer = await post("/bank/transfers", TRANSFER, "k1")
    assert (status, transfer["status"]) == (201, "pending")

    clock.advance(seconds=59)
    assert await status_of(transfer["id"]) == "pending"

    clock.advance(seconds=1)
    assert await status_of(transfer["id"]) == "settled"


async def test_money_of_a_pending_transfer_is_on_no_account(post, get, clock):
    await post("/bank/transfers", TRANSFER, "k1")
    accounts = ("operating", "suspense", "vendor:acme")
    assert await balances(get, *accounts) == [OPENING_CENTS - 700, 700, 0]

    clock.advance(minutes=1)

    assert await balances(get, *accounts) == [OPENING_CENTS - 700, 0, 700]


async def test_a_transfer_can_settle_after_a_number_of_looks(post, put, status_of):
    await put("/bank/accounts/vendor:acme", {"settlement": {"after_looks": 3}})
    _, transfer = await post("/bank/transfers", TRANSFER, "k1")

    seen = [await status_of(transfer["id"]) for _ in range(4)]

    assert seen == ["pending", "pending", "settled", "settled"]


async def test_a_failed_transfer_gives_the_money_back(post, put, get):
    failing = {"settlement": {"after_looks": 1, "outcome": "failed"}}
    await put("/bank/accounts/vendor:acme", failing)
    _, transfer = await post("/bank/transfers", TRANSFER, "k1")

    _, seen = await get(f"/bank/transfers/{transfer['id']}")

    assert (seen["status"], seen["reason"]) == ("failed", "rejected")
    assert await balances(get, "operating", "vendor:acme") == [OPENING_CENTS, 0]
    _, audit = await get("/bank/audit")
    assert audit["payments"]["pay-1"]["state"] == "undone"


async def test_a_transfer_to_a_frozen_account_fails_with_that_reason(post, put, get, clock):
    _, transfer = await post("/bank/transfers", TRANSFER, "k1")
    await put("/bank/accounts/vendor:acme", {"frozen": True})
    clock.advance(minutes=1)

    _, seen = await get(f"/bank/transfers/{transfer['id']}")

    assert (seen["status"], seen["reason"]) == ("failed", "account_frozen")
    assert await balances(get, "operating") == [OPENING_CENTS]


async def test_one_key_sends_one_transfer(post, get):
    first = await post("/bank/transfers", TRANSFER, "k1")

    assert await post("/bank/transfers", TRANSFER, "k1") == first
    assert await balances(get, "operating") == [OPENING_CENTS - 700]


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"amount_cents": OPENING_CENTS + 1}, 409, "insufficient_funds"),
        ({"taker": "operating"}, 400, "bad_request"),
        ({"giver": "outside"}, 400, "bad_request"),
        ({"taker": "petty-cash"}, 404, "account_unknown"),
    ],
)
async def test_a_transfer_that_cannot_be_moves_nothing(post, get, change, status, code):
    answered, answer = await post("/bank/transfers", TRANSFER | change, "k1")

    assert (answered, answer["code"]) == (status, code)
    assert await balances(get, "operating", "suspense") == [OPENING_CENTS, 0]


MOVE = {"amount_cents": 700, "payment": "pay-1"}


async def test_a_credit_settles_as_a_transfer_does_and_moves_no_more_money(
    post, get, status_of, clock
):
    await post("/bank/debits", MOVE | {"account": "operating"}, "k1")
    _, credit = await post("/bank/credits", MOVE | {"account": "vendor:acme"}, "k2")
    clock.advance(seconds=59)
    assert await status_of(credit["id"]) == "pending"

    clock.advance(seconds=1)

    assert await status_of(credit["id"]) == "settled"
    assert await balances(get, "operating", "vendor:acme") == [OPENING_CENTS - 700, 700]


async def test_a_credit_that_was_reversed_has_failed(post, get, status_of):
    await post("/bank/debits", MOVE | {"account": "operating"}, "k1")
    _, credit = await post("/bank/credits", MOVE | {"account": "vendor:acme"}, "k2")
    assert await status_of(credit["id"]) == "pending"

    await post(f"/bank/credits/{credit['id']}/reversal", {}, "k3")

    _, seen = await get(f"/bank/transfers/{credit['id']}")
    assert (seen["status"], seen["reason"]) == ("failed", "reversed")


async def test_a_debit_is_not_a_transfer(post, get):
    _, debit = await post("/bank/debits", MOVE | {"account": "operating"}, "k1")

    status, answer = await get(f"/bank/transfers/{debit['id']}")

    assert (status, answer["code"]) == (404, "transfer_unknown")
