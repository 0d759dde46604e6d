"""A payment is made, and another undone, over HTTP, by processes of their own."""

from tests.processes import Site


def test_a_payment_sent_twice_is_made_once(api: Site, world: Site) -> None:
    payment = {"vendor": "acme", "number": "E2E-PAY", "amount_cents": 12_500}

    answers = [api.send("POST", "/api/payments", payment) for _ in range(2)]
    operation = api.ended(answers[0].json()["id"])

    entries = world.send("GET", "/bank/ledger?payment=payment:acme:E2E-PAY").json()["entries"]
    assert answers[0].status_code == 202
    assert operation["output"]["outcome"] == "paid"
    assert [entry["kind"] for entry in entries] == ["debit", "credit"]


def test_a_payment_that_cannot_be_credited_is_undone(api: Site, world: Site) -> None:
    assert world.send("PUT", "/bank/accounts/vendor:e2e-frozen", {"frozen": True}).ok
    payment = {"vendor": "e2e-frozen", "number": "1", "amount_cents": 12_500}

    started = api.send("POST", "/api/payments", payment)
    operation = api.ended(started.json()["id"])

    audit = world.send("GET", "/bank/audit").json()
    assert operation["output"]["code"] == "account_frozen"
    assert audit["payments"]["payment:e2e-frozen:1"]["state"] == "undone"
