"""A look at a transfer tells how it stands, and changes nothing."""

import pytest

from activities.transfers import Look, look_at_transfer
from orchestration.failures import Failure
from tests.outside import Sandbox


async def sent(sandbox: Sandbox) -> str:
    order = {"giver": "operating", "taker": "vendor:acme", "amount_cents": 500, "payment": "PAY-1"}
    transfer = await sandbox.send("POST", "/bank/transfers", order, {"Idempotency-Key": "k"})
    return str(transfer["id"])


async def test_a_transfer_is_pending_however_often_it_is_looked_at(sandbox: Sandbox) -> None:
    transfer = await sent(sandbox)

    looks = [await look_at_transfer(Look(transfer=transfer)) for _ in range(3)]

    assert looks == [{"status": "pending", "reason": None}] * 3


async def test_a_transfer_that_failed_says_why(sandbox: Sandbox) -> None:
    await sandbox.put(
        "/bank/accounts/vendor:acme", settlement={"outcome": "failed", "after_seconds": 0}
    )
    transfer = await sent(sandbox)

    assert await look_at_transfer(Look(transfer=transfer)) == {
        "status": "failed",
        "reason": "rejected",
    }


@pytest.mark.parametrize("transfer", ["transfer-9", "..", "a/b", "?"])
async def test_an_unknown_transfer_is_not_worth_another_look(
    sandbox: Sandbox, transfer: str
) -> None:
    with pytest.raises(Failure) as caught:
        await look_at_transfer(Look(transfer=transfer))

    assert not caught.value.retriable
