"""The audit of `make load` finds what is lost, doubled or stands still."""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.load.audit import Audit, Evidence, Sent, audit

INTAKE = {"name": "invoice_intake", "runtimeStatus": "Completed", "output": {"id": "posting-1"}}
PAYMENT = {"name": "invoice_payment", "runtimeStatus": "Completed", "output": {"outcome": "paid"}}
APPROVAL = {"name": "payment_approval", "runtimeStatus": "Running", "output": None}
PAID = {"state": "paid", "in_suspense_cents": 0, "debits": 1, "credits": 1}
POSTING = {
    "id": "posting-1",
    "kind": "invoice",
    "vendor": "acme",
    "number": "INV-1",
    "reversed": False,
}
SENT = Sent(["intake", "payment", "approval"], ["intake", "payment"], {"/total": {"events": 1}})


def audited(
    waits_for: str = "the event 'ApprovalDecided', the timer of 2026-01-02 03:04:05 (in 2 days)",
    instances: Mapping[str, Any] | None = None,
    events: int = 1,
    paid: Mapping[str, Any] | None = None,
    postings: tuple[dict[str, Any], ...] = (POSTING,),
) -> Audit:
    all_of_them = {"intake": INTAKE, "payment": PAYMENT, "approval": APPROVAL}
    evidence = Evidence(
        all_of_them if instances is None else instances,
        {"approval": waits_for, "payment": waits_for},
        {"/total": {"events": events}},
        {"balanced": True, "payments": {"payment": PAID if paid is None else paid}},
        postings,
    )
    return audit(evidence, SENT)


def test_what_is_as_it_should_be_passes_and_says_why_one_waits() -> None:
    found = audited()

    assert found.wrong == []
    assert found.ends == {"Completed": 2}
    assert found.waits == {"payment_approval waits for the event 'ApprovalDecided', a timer": 1}


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"waits_for": "the activity 'ask'"}, "approval stands still: it waits for the activity"),
        ({"waits_for": "nothing that can come"}, "approval stands still"),
        ({"instances": {"payment": PAYMENT, "approval": APPROVAL}}, "are gone: ['intake']"),
        (
            {
                "instances": {
                    "intake": INTAKE,
                    "approval": APPROVAL,
                    "payment": PAYMENT | {"runtimeStatus": "Running"},
                }
            },
            "payment had ended, and is Running",
        ),
        ({"events": 2}, "GET /total has shown {'events': 1}, and shows {'events': 2}"),
        ({"paid": PAID | {"debits": 2}}, "payment is paid, and the bank says"),
        ({"paid": PAID | {"in_suspense_cents": 5}}, "money of payment is in suspense"),
        ({"postings": (POSTING, POSTING | {"id": "posting-2"})}, "posted twice"),
        ({"postings": ()}, "intake has completed, and its posting is not in the books"),
    ],
)
def test_what_is_wrong_is_named(changed: Any, words: str) -> None:
    found = audited(**changed)

    assert len(found.wrong) == 1
    assert words in found.wrong[0]
