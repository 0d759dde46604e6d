from datetime import timedelta

INVOICE = {"name": "scan.pdf", "text": "Invoice 17"}
UNCLEAR = {"name": "scan.pdf", "text": "Dear Sir or Madam"}


async def test_a_clear_document_is_stored_without_a_person(hub):
    document = await hub.start("document", INVOICE)

    assert await hub.result(document) == {"kind": "invoice", "stored": f"invoices/{document}"}
    assert hub.calls("ask_reviewer") == []


async def test_an_unclear_document_is_stored_as_the_reviewer_says(hub):
    document = await hub.start("document", UNCLEAR)

    path = f"/api/documents/{document}/review"
    answer = await hub.request("POST", path, json={"kind": "invoice"})

    assert answer.status == 202
    assert (await hub.result(document))["kind"] == "invoice"


async def test_a_document_nobody_reviews_is_rejected(hub):
    document = await hub.start("document", UNCLEAR)

    await hub.advance(timedelta(days=2))

    assert (await hub.result(document))["stored"] is None


async def test_a_document_that_has_ended_takes_no_review(hub):
    document = await hub.start("document", UNCLEAR)
    await hub.terminate(document)

    path = f"/api/documents/{document}/review"
    assert (await hub.request("POST", path, json={"kind": "letter"})).status == 404
