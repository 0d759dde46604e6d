"""Each step of a payment is done once a key, and its undo leaves nothing of it."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from activities.payments import (
    PaymentOrder,
    check_not_paid_yet,
    credit_vendor,
    debit_account,
    reverse_credit,
    reverse_debit,
)
from activities.postings import post_payment, reverse_payment
from orchestration.failures import Failure
from tests.outside import Sandbox

Step = Callable[[PaymentOrder], Awaitable[Any]]
UNDOS = [(debit_account, reverse_debit), (credit_vendor, reverse_credit)]


def an_order(step: str, amount_cents: int = 12_500) -> PaymentOrder:
    return PaymentOrder(
        payment="payment:acme:1", vendor="acme", number="1", amount_cents=amount_cents, key=step
    )


async def balances(sandbox: Sandbox) -> list[int]:
    names = ("operating", "suspense", "vendor:acme")
    return [(await sandbox.get(f"/bank/accounts/{name}"))["balance_cents"] for name in names]


async def test_steps_that_run_twice_move_money_once(sandbox: Sandbox) -> None:
    for _ in range(2):
        await debit_account(an_order("debit"))
        await credit_vendor(an_order("credit"))

    assert await balances(sandbox) == [1_000_000_00 - 12_500, 0, 12_500]


@pytest.mark.parametrize("done", [0, 1, 2])
@pytest.mark.parametrize(("step", "undo"), UNDOS)
async def test_an_undo_that_runs_twice_reverses_the_step_once(
    sandbox: Sandbox, step: Step, undo: Step, done: int
) -> None:
    await debit_account(an_order("of another payment"))
    before = await balances(sandbox)
    for _ in range(done):
        await step(an_order("step"))

    await undo(an_order("step"))
    await undo(an_order("step"))

    assert await balances(sandbox) == before


async def test_a_step_that_the_bank_refuses_has_nothing_to_undo(sandbox: Sandbox) -> None:
    order = an_order("debit", amount_cents=1_000_000_01)
    with pytest.raises(Failure, match="insufficient_funds"):
        await debit_account(order)

    await reverse_debit(order)

    assert (await sandbox.get("/bank/audit"))["payments"] == {}


@pytest.mark.parametrize(("step", "undo"), [*UNDOS, (post_payment, reverse_payment)])
async def test_a_step_whose_request_arrives_after_its_undo_is_refused(
    sandbox: Sandbox, step: Step, undo: Step
) -> None:
    await debit_account(an_order("of another payment"))
    before = await balances(sandbox)
    await undo(an_order("step"))

    with pytest.raises(Failure, match="key_reversed"):
        await step(an_order("step"))

    assert await balances(sandbox) == before
    assert await sandbox.postings() == []


async def test_an_undo_is_refused_while_the_account_is_frozen(sandbox: Sandbox) -> None:
    await debit_account(an_order("debit"))
    await credit_vendor(an_order("credit"))
    await sandbox.put("/bank/accounts/vendor:acme", frozen=True)
    with pytest.raises(Failure, match="account_frozen"):
        await reverse_credit(an_order("credit"))
    await sandbox.put("/bank/accounts/vendor:acme", frozen=False)

    await reverse_credit(an_order("credit"))

    assert await balances(sandbox) == [1_000_000_00 - 12_500, 12_500, 0]


async def test_a_posting_is_made_once_and_reversed_once(sandbox: Sandbox) -> None:
    for _ in range(2):
        await post_payment(an_order("posting"))
    for _ in range(2):
        await reverse_payment(an_order("posting"))

    assert [posting["reversed"] for posting in await sandbox.postings()] == [True]


async def test_the_posting_of_another_payment_is_not_reversed(sandbox: Sandbox) -> None:
    await post_payment(an_order("of another payment"))

    await reverse_payment(an_order("posting"))

    assert [posting["reversed"] for posting in await sandbox.postings()] == [False]


async def test_a_payment_that_was_not_reversed_is_not_made_again(sandbox: Sandbox) -> None:
    await debit_account(an_order("debit"))

    with pytest.raises(Failure, match="paid_before"):
        await check_not_paid_yet(an_order("check"))


async def test_a_payment_that_was_reversed_may_be_made_again(sandbox: Sandbox) -> None:
    await debit_account(an_order("debit"))
    await reverse_debit(an_order("debit"))

    assert await check_not_paid_yet(an_order("check")) is None
