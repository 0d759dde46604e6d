"""The ids of all instances, each built from what identifies its work.

Starting the same work twice is then one instance. Everything in an id is plain in a URL and on
the platform, which refuses `/ \\ # ?` and takes a leading `@` for an entity. An id has at most
100 characters, the limit of the Durable Task Scheduler; Azure Storage takes 256.
"""

import re
from collections.abc import Sequence
from hashlib import sha256
from typing import Annotated, Final

from pydantic import StringConstraints

from activities import limits

_PART: Final = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
_LONGEST_PART: Final = limits.ID_PART_CHARS.most
_WHOLE_PART: Final = 36  # characters; a UUID is not shortened

# A field of a request that becomes part of an id.
IdPart = Annotated[str, StringConstraints(pattern=_PART.pattern, max_length=_LONGEST_PART)]

_ID: Final = re.compile(rf"[A-Za-z0-9][A-Za-z0-9:._-]{{0,{limits.ID_CHARS.most - 1}}}")


def intake_id(vendor: str, number: str) -> str:
    """The intake of one invoice: numbers are a vendor's own."""
    return _joined("intake", vendor, number)


def delivery_id(vendor: str, number: str) -> str:
    """The intake of the invoice of one delivery."""
    return _joined("delivery", vendor, number)


def batch_id(name: str) -> str:
    """One batch of files, by the name that its caller gave it."""
    return _joined("batch", name)


def report_id(year: int, edition: str) -> str:
    """One edition of the report on a year."""
    return _joined("report", str(year), edition)


def approval_id(vendor: str, number: str) -> str:
    """The approval of the payment of one invoice."""
    return _joined("approval", vendor, number)


def document_id(digest: str) -> str:
    """One file, by the hash of what is in it: sent twice, under whatever name, it is one."""
    return _checked(f"document:{digest}")


def payment_id(vendor: str, number: str) -> str:
    """The payment of one invoice."""
    return _joined("payment", vendor, number)


def settlement_id(transfer: str) -> str:
    """The watch of one transfer."""
    return _joined("settlement", transfer)


def tax_check_id(vat_id: str, day: str) -> str:
    """What the tax office says of a VAT number on one day."""
    return _joined("tax-check", vat_id, day)


def month_end_id(month: str) -> str:
    """The close of one month."""
    return _joined("month-end", month)


def number_id(series: str, document: str) -> str:
    """The number of one document in a series."""
    return _joined("number", series, document)


def ranking_id(name: str) -> str:
    """One ranking of vendors, by the name that its caller gave it."""
    return _joined("ranking", name)


def rates_id(date: str, currencies: Sequence[str]) -> str:
    """The rates of some currencies on a day."""
    return _joined("rates", date, "-".join(currencies))


def sweep_id() -> str:
    """The sweep of the ledger: there is one."""
    return _joined("sweep", "ledger")


def poison_id(digest: str) -> str:
    """The event of one message that failed too often."""
    return _joined("poison", digest)


def termination_id(instance_id: str, created: str) -> str:
    """The termination of one run of an instance and of everything below it."""
    return _joined("termination", _hash_of(f"{instance_id} {created}", 32))


def child_id(parent_id: str, part: str) -> str:
    """A child of an instance: its parent's id, a colon and a part, so that it can be found.

    A part that cannot stand in the id, or makes it too long, is replaced by its hash.
    """
    whole = f"{parent_id}:{part}"
    if is_id_part(part) and is_instance_id(whole):
        return whole
    return _checked(f"{parent_id}:x-{_hash_of(part, 12)}")


def is_id_part(text: str) -> bool:
    """Whether a text, such as part of a route, can be part of an id."""
    return len(text) <= _LONGEST_PART and _PART.fullmatch(text) is not None


def is_instance_id(text: str) -> bool:
    """Whether an instance of this app may have this id: none is an entity's, or leaves a URL."""
    return _ID.fullmatch(text) is not None


def _joined(*parts: str) -> str:
    if any(":" in part for part in parts):
        raise ValueError(
            f"parts {parts!r} of an instance id: use letters, digits, '-', '_' and '.'"
        )
    return _checked(":".join(map(_shortened, parts)))


def _shortened(part: str) -> str:
    """A part as it is, or if it is long, its beginning and its hash.

    With two parts of this length and the longest name of an orchestrator, an id still has room for
    that of a child.
    """
    if len(part) <= _WHOLE_PART:
        return part
    return f"{part[: _WHOLE_PART - 17]}.{_hash_of(part, 16)}"


def _hash_of(part: str, digits: int) -> str:
    return sha256(part.encode()).hexdigest()[:digits]


def _checked(instance_id: str) -> str:
    if not is_instance_id(instance_id):
        raise ValueError(
            f"instance id {instance_id!r}: use letters, digits, '-', '_' and '.' in its parts, and "
            f"at most {limits.ID_CHARS.most} characters"
        )
    return instance_id
