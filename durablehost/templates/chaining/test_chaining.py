INVOICE = {"number": "INV-1", "amount": 120}


async def test_each_step_receives_the_output_of_the_one_before(hub):
    instance = await hub.start("intake", INVOICE)

    assert await hub.result(instance) == {**INVOICE, "order": "PO-INV-1", "posted": True}


async def test_posting_is_retried_after_a_failure(hub):
    hub.fail_activity("post", ConnectionError("the ledger is closed"), on_call=1)

    instance = await hub.start("intake", INVOICE)

    assert (await hub.result(instance))["posted"]
    assert len(hub.calls("post")) == 2


async def test_an_invalid_request_starts_nothing(hub):
    answer = await hub.request("POST", "/api/invoices", json={"number": "INV-1"})

    assert answer.status == 400
    assert hub.instances() == []
