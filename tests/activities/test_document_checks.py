"""What a document is and what is doubtful in it is told from what was read, and from the books."""

import json
from typing import Any, get_args

import pytest

from activities.document_checks import (
    CHECKS,
    KINDS,
    Assessment,
    Check,
    check_invoice,
    classify_document,
)
from activities.documents import DocumentFields
from activities.invoices import Invoice
from blueprints.document_pipeline_reviews import Kind
from orchestration.failures import Failure
from tests.outside import Sandbox

INVOICE = Invoice(
    vendor="acme", number="INV-1", order="PO-1001", amount_cents=125_000, currency="EUR"
)
SURE = {"vendor": 0.8, "number": 0.9, "order": 1.0, "amount_cents": 0.8}


def assessed(
    confidence: dict[str, float] | None = None, kind: str = "invoice", **changes: Any
) -> tuple[str, dict[str, str]]:
    """The kind, and the code of each doubt."""
    fields = DocumentFields(kind=kind, **(INVOICE | changes))  # type: ignore[typeddict-item]
    found = classify_document(
        Assessment(fields=fields, confidence=SURE | (confidence or {}), sure_percent=80)
    )
    return found["kind"], {doubt["about"]: doubt["code"] for doubt in found["doubts"]}


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("invoice", "invoice"),
        ("INVOICE", "invoice"),
        ("Tax-Invoice", "invoice"),
        ("credit_note", "credit note"),
        ("Dunning  letter", "reminder"),
        ("statement", "statement"),
    ],
)
def test_a_kind_is_recognized_by_its_words(words: str, kind: str) -> None:
    assert assessed(kind=words) == (kind, {})


def test_an_unknown_kind_is_the_one_doubt() -> None:
    assert assessed({"number": 0.1}, kind="love letter") == ("", {"kind": "unknown"})


def test_the_needed_confidence_is_enough_and_less_is_a_doubt() -> None:
    assert assessed({"number": 0.8}) == ("invoice", {})
    assert assessed({"number": 0.79}) == ("invoice", {"number": "unsure"})


def test_a_malformed_field_is_doubted_once() -> None:
    assert assessed({"number": 0.1}, number="") == ("invoice", {"number": "malformed"})


def test_only_the_kind_of_other_documents_must_be_sure() -> None:
    assert assessed({"number": 0.1}, kind="reminder", number="") == ("reminder", {})
    assert assessed({"kind": 0.1}, kind="reminder") == ("reminder", {"kind": "unsure"})


def test_a_person_may_correct_a_document_to_every_kind_there_is() -> None:
    assert get_args(Kind) == KINDS


def test_the_confidence_that_the_setting_names_is_enough_whatever_it_is() -> None:
    for percent in range(1, 101):
        fields = DocumentFields(kind="invoice", **INVOICE)
        read = json.loads(f'{{"number": {percent / 100:.2f}}}')
        found = classify_document(Assessment(fields=fields, confidence=read, sure_percent=percent))
        assert found["doubts"] == []


async def found_by(check: str, **changes: Any) -> list[str]:
    invoice: Any = INVOICE | changes
    checked = await check_invoice(Check(check=check, invoice=invoice))
    return [doubt["code"] for doubt in checked["doubts"]]


@pytest.mark.parametrize("check", CHECKS)
async def test_no_check_finds_anything_in_what_is_in_order(sandbox: Sandbox, check: str) -> None:
    assert await found_by(check) == []


async def test_a_posting_that_was_reversed_does_not_stand_in_the_way(sandbox: Sandbox) -> None:
    posting = {"kind": "invoice", "vendor": "acme", "number": "INV-1", "amount_cents": 1}
    key = {"Idempotency-Key": "one"}
    posted = await sandbox.send("POST", "/postings", posting, key)
    assert await found_by("postings") == ["already_posted"]
    assert await found_by("postings", number="INV-2") == []

    other = {"Idempotency-Key": "two"}
    await sandbox.send("POST", f"/postings/{posted['id']}/reversal", {}, other)

    assert await found_by("postings") == []


async def test_an_outage_does_not_make_an_invoice_doubtful(sandbox: Sandbox) -> None:
    await sandbox.fault("orders", fail_next=1)

    with pytest.raises(Failure) as caught:
        await found_by("order")

    assert (caught.value.code, caught.value.retriable) == ("orders_unavailable", True)


async def test_a_missing_setting_does_not_make_an_invoice_doubtful(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ORDERS_URL")

    with pytest.raises(Failure, match="ORDERS_URL"):
        await found_by("order")
