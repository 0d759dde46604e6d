"""The reader says what stands in a document and how sure it is, or why it cannot."""

from io import BytesIO

import pytest

from sandbox.app import MAX_BODY
from sandbox.documents import write_invoice


@pytest.fixture
def read(sandbox):
    async def read(content: bytes | BytesIO):
        async with sandbox.post("/reader/documents", data=content) as answer:
            return answer.status, await answer.json()

    return read


async def test_an_invoice_is_read_field_by_field(read):
    status, document = await read(write_invoice("acme", "INV-1", 125_005, order="PO-1001"))

    assert status == 200
    values = {name: field["value"] for name, field in document["fields"].items()}
    assert values == {
        "vendor": "acme",
        "number": "INV-1",
        "amount_cents": 125_005,
        "order": "PO-1001",
    }


async def test_the_confidence_of_a_document_is_that_of_its_least_legible_field(read):
    _, document = await read(write_invoice("acme", "INV-1 ?0.61", 100))

    assert document["fields"]["number"] == {"value": "INV-1", "confidence": 0.61}
    assert document["confidence"] == 0.61


async def test_the_same_file_is_read_the_same(read):
    invoice = write_invoice("acme", "INV-1", 100)

    assert await read(invoice) == await read(invoice)
    assert (await read(invoice))[1]["id"] != (await read(invoice + b"\n"))[1]["id"]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "not_a_document"),
        (b"PK\x03\x04", "not_a_document"),
        (b"%PDF-1.7\n\xff\xfe", "unreadable"),
        (b"%PDF-1.7\nvendor: acme\nnumber: 1\n", "unreadable"),
        (b"%PDF-1.7\nvendor:\nnumber: 1\namount: 1.00\n", "unreadable"),
        (b"%PDF-1.7\nvendor: acme\nnumber: 1\namount: much\n", "unreadable"),
    ],
)
async def test_what_cannot_be_read_is_422_with_a_code(read, content, code):
    status, answer = await read(content)

    assert (status, answer["code"]) == (422, code)


async def test_a_file_over_the_limit_is_413(read):
    status, answer = await read(BytesIO(b"%PDF-" + b"x" * MAX_BODY))

    assert (status, answer["code"]) == (413, "request_entity_too_large")
