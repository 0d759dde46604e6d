"""An invoice is taken in and posted, over HTTP, by processes of their own."""

from tests.processes import Site


def test_an_invoice_sent_twice_is_posted_once(api: Site, world: Site) -> None:
    invoice = {"vendor": "acme", "number": "E2E-1", "order": "PO-1001", "amount_cents": 12_500}

    first = api.send("POST", "/api/invoices", invoice)
    second = api.send("POST", "/api/invoices", invoice)
    operation = api.ended(first.json()["id"])

    assert (first.status_code, second.json()["id"]) == (202, first.json()["id"])
    [posting] = world.send("GET", "/postings?number=E2E-1").json()["postings"]
    assert operation["output"] == {"id": posting["id"], "amount_cents": 12_500}
