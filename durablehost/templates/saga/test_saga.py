PAYMENT = {"payer": "us", "payee": "acme", "amount": 120}


def steps(hub):
    return [call.name for call in hub.calls()]


async def test_a_payment_takes_every_step(hub):
    payment = await hub.start("payment", PAYMENT)

    assert await hub.result(payment) == {"state": "paid"}
    assert steps(hub) == ["debit", "credit", "notify"]


async def test_a_failed_step_undoes_the_steps_in_reverse(hub):
    payment = await hub.start("payment", {**PAYMENT, "payee": "nobody"})

    assert await hub.result(payment) == {"state": "undone"}
    assert steps(hub) == ["debit", "credit", "credit", "credit", "undo_credit", "undo_debit"]


async def test_an_undo_is_retried_until_it_succeeds(hub):
    for attempt in range(1, 6):
        hub.fail_activity("undo_debit", ConnectionError("the bank is down"), on_call=attempt)

    payment = await hub.start("payment", {**PAYMENT, "payee": "nobody"})

    assert await hub.result(payment) == {"state": "undone"}
    assert steps(hub).count("undo_debit") == 6
