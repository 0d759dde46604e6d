"""With the longest names that callers may send, every instance and entity has an id that fits."""

import re
from datetime import timedelta
from itertools import product
from string import ascii_uppercase
from typing import Any

from activities import limits
from durablehost.testing import ManualHub
from tests.outside import Sandbox

NAME = "n" * limits.ID_PART_CHARS.most
INVOICE = {"vendor": NAME, "number": NAME, "order": "PO-1001", "amount_cents": 500}
EVENT = {"event": NAME, "vendor": NAME, "amount_cents": 5}
CURRENCIES = ["".join(letters) for letters in product(ascii_uppercase, repeat=3)]

WORK: list[tuple[str, dict[str, Any]]] = [
    ("/api/invoices", INVOICE),
    ("/api/deliveries", INVOICE),
    ("/api/payments", {"vendor": NAME, "number": NAME, "amount_cents": 500}),
    (
        "/api/approvals",
        {"vendor": NAME, "number": NAME, "amount_cents": 500, "requested_by": "ada@example.com"},
    ),
    ("/api/settlements", {"transfer": NAME}),
    ("/api/tax-checks", {"vat_id": "DE" + "1" * 13, "day": "2025-12-31"}),
    ("/api/rates", {"date": "2025-12-31", "currencies": CURRENCIES[: limits.CURRENCIES.most]}),
    ("/api/totals", EVENT),
    ("/api/rankings", {"name": NAME}),
    ("/api/month-ends", {"month": "2025-12"}),
    (f"/api/counters/{NAME}", {"amount": 1}),
    (f"/api/numbers/{NAME[1:]}x", {"document": NAME}),
    ("/api/sweeps", {}),
]


async def test_every_id_has_at_most_100_printable_characters(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    posting = {"kind": "invoice", "vendor": NAME, "number": "1", "amount_cents": 5}
    headers = {"Idempotency-Key": "before"}
    await sandbox.send("POST", "/postings", posting | {"day": "2025-12-05"}, headers)

    for path, body in WORK:
        answer = await hub.request("POST", path, json=body)
        assert answer.status in (200, 202), f"{path}: {answer.text}"
    await hub.advance(timedelta(minutes=5))

    found = [instance.id for instance in hub.instances()]
    kinds = {instance_id.split(":")[0] for instance_id in found if instance_id[0] != "@"}
    assert len(kinds) >= 11
    assert len([one for one in found if one.startswith("rates:")]) == limits.CURRENCIES.most + 1
    assert [one for one in found if one.startswith("month-end:") and one.endswith(NAME)]
    assert [one for one in found if not re.fullmatch("[!-~]{1,100}", one)] == []
