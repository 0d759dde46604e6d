"""Sample documents: write an invoice file, and read its fields.

After a first line `%PDF-1.7` each line is `field: value`. A `?` and a number behind the value
say how legible it is: `amount: 1250.00 ?0.6`.
"""

import re
from dataclasses import dataclass
from typing import Any

from sandbox.answers import Refused

MAGIC = b"%PDF-"
LEGIBLE = 0.98
REQUIRED = ("vendor", "number", "amount")
FIELDS = (*REQUIRED, "order", "currency", "date", "kind", "vat_id")
_LINE = re.compile(r"(\w+):\s*(.*?)\s*(?:\?(0(?:\.\d+)?|1(?:\.0+)?))?")
_AMOUNT = re.compile(r"(\d{1,10})\.(\d\d)")


@dataclass(frozen=True)
class Field:
    value: str | int
    confidence: float


def write_invoice(vendor: str, number: str, amount_cents: int, **others: str) -> bytes:
    """Return an invoice file. A value may end with its confidence, ` ?0.6`."""
    amount = f"{amount_cents // 100}.{amount_cents % 100:02}"
    fields = {"vendor": vendor, "number": number, "amount": amount, **others}
    lines = [f"{name}: {value}" for name, value in fields.items()]
    return "\n".join(["%PDF-1.7", *lines, ""]).encode()


def read_invoice(content: bytes) -> dict[str, Field]:
    """Return the fields of a file. Raises a refusal if it is not a document or has too few."""
    if not content.startswith(MAGIC):
        raise Refused(422, "not_a_document", "the file does not begin with %PDF-")
    try:
        lines = content.decode().splitlines()[1:]
    except UnicodeDecodeError:
        raise Refused(422, "unreadable", "the file holds no legible text") from None
    found = {m[1]: (m[2], float(m[3] or LEGIBLE)) for m in map(_LINE.fullmatch, lines) if m}
    missing = [name for name in REQUIRED if not found.get(name, ("",))[0]]
    if missing:
        raise Refused(422, "unreadable", f"the file does not say its {', '.join(missing)}")
    fields = {n: Field(v, confidence) for n, (v, confidence) in found.items() if n in FIELDS}
    fields["amount_cents"] = _cents(fields.pop("amount"))
    return fields


def misread(fields: dict[str, Field]) -> dict[str, Field]:
    """Return wrong fields: ten times the amount, with a low confidence."""
    return fields | {"amount_cents": Field(int(fields["amount_cents"].value) * 10, 0.55)}


def as_json(fields: dict[str, Field]) -> dict[str, Any]:
    return {
        "fields": {n: {"value": f.value, "confidence": f.confidence} for n, f in fields.items()},
        "confidence": min(field.confidence for field in fields.values()),
    }


def _cents(amount: Field) -> Field:
    match = _AMOUNT.fullmatch(str(amount.value))
    if match is None:
        raise Refused(422, "unreadable", f"the amount {amount.value} is no number like 12.50")
    return Field(int(match[1]) * 100 + int(match[2]), amount.confidence)
