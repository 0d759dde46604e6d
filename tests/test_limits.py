"""One over each cap of a request is refused with its name and starts nothing; the cap is not."""

import itertools
import json
import string
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest

from activities import limits
from activities.limits import Limit
from durablehost.testing import Answer, ManualHub
from tests import approving
from tests.approving import LEAD, PAYMENT
from tests.outside import Sandbox

ALL = {name: value for name, value in vars(limits).items() if isinstance(value, Limit)}
OF_REQUESTS = {name for name, limit in ALL.items() if limit.over in ("413", "422")}

INVOICE = {"vendor": "acme", "number": "INV-1", "order": "PO-1001", "amount_cents": 12_500}
EVENT = {"event": "e-1", "vendor": "acme", "amount_cents": 500}
RUNNING = "/api/operations/settlement:t-1"


@dataclass(frozen=True)
class Case:
    """A request that has exactly so much of what a limit is about."""

    limit: str
    where: str  # the field, as the answer names it
    method: str
    path: str  # `{n}` is filled in
    body: Callable[[int], Any] | None = None
    fine: set[int] = field(default_factory=lambda: {200, 202})
    headers: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.limit}-{self.method}-{self.path.split('?')[0]}"

    async def send(self, hub: ManualHub, count: int, to: str = "") -> Answer:
        path = to or self.path.replace("{count}", str(count))
        if "{n}" in path:
            path = path.replace("{n}", text(count))
        value = self.body(count) if self.body else None
        if isinstance(value, bytes):
            return await hub.request(self.method, path, data=value, headers=self.headers)
        return await hub.request(self.method, path, json=value)


def text(length: int) -> str:
    """A name, and base64 as well: what leads to the next page has to be some."""
    return ("aWlp" * length)[:length]


def codes(count: int) -> list[str]:
    """So many codes of currencies, be they any or not."""
    letters = itertools.product(string.ascii_uppercase, repeat=3)
    return ["".join(each) for each in itertools.islice(letters, count)]


def padded(length: int) -> bytes:
    """A body of JSON of so many bytes."""
    return json.dumps(INVOICE).encode().ljust(length)


def inflating(length: int) -> bytes:
    """A PDF with a stream that inflates to so many bytes."""
    deflating = zlib.compressobj(1)
    whole, rest = divmod(length, 2**20)
    parts = [deflating.compress(bytes(2**20)) for _ in range(whole)]
    stream = b"".join([*parts, deflating.compress(bytes(rest)), deflating.flush()])
    return b"%PDF-1.7\n1 0 obj <</Filter /FlateDecode>>\nstream\n" + stream + b"\nendstream\n"


def post(path: str, limit: str, name: str, given: dict[str, Any] | None = None) -> Case:
    """A case whose field is a number."""
    return Case(limit, name, "POST", path, lambda n: {**(given or {}), name: n})


def post_text(path: str, limit: str, name: str, given: dict[str, Any] | None = None) -> Case:
    """A case whose field is a text of so many characters."""
    return Case(limit, name, "POST", path, lambda n: {**(given or {}), name: text(n)})


JSON = {"Content-Type": "application/json"}
PDF = {"Content-Type": "application/pdf"}
# Where the blob storage is missing, what passes the door is answered with 503.
STORED = {200, 202, 503}
TOKENS = {401, 403}  # a token that is not too long, and no token all the same
CASES = [
    Case("BODY_BYTES", "body", "POST", "/api/invoices", padded, headers=JSON),
    post_text("/api/invoices", "ID_PART_CHARS", "number", INVOICE),
    post_text("/api/payments", "ID_PART_CHARS", "vendor", {"number": "1", "amount_cents": 5}),
    post_text("/api/settlements", "ID_PART_CHARS", "transfer"),
    post("/api/invoices", "CENTS", "amount_cents", INVOICE),
    post("/api/deliveries", "CENTS", "amount_cents", INVOICE),
    Case(
        "CENTS",
        "amount_cents",
        "POST",
        "/api/payments",
        lambda n: {"vendor": "acme", "number": "1", "amount_cents": n},
        {409},  # it needs an approval
    ),
    post("/api/approvals", "CENTS", "amount_cents", PAYMENT),
    post("/api/totals", "CENTS", "amount_cents", EVENT),
    post("/api/counters/visits", "COUNT", "amount"),
    Case("YEAR", "year", "POST", "/api/reports", lambda n: {"year": n}, STORED),
    Case("REASON_CHARS", "reason", "POST", f"{RUNNING}/cancel?reason={{n}}"),
    Case("REASON_CHARS", "reason", "POST", f"{RUNNING}/suspend?reason={{n}}"),
    post_text("/api/approvals", "PURPOSE_CHARS", "purpose", PAYMENT),
    Case(
        "ADDRESS_CHARS",
        "requested_by",
        "POST",
        "/api/approvals",
        lambda n: PAYMENT | {"requested_by": f"{text(n - 9)}@mail.com"},
    ),
    post_text("(the link in the mail)", "COMMENT_CHARS", "comment", {"decision": "reject"}),
    Case(
        "TOKEN_CHARS",
        "token",
        "GET",
        "/api/approvals/x/decisions?token={n}",
        None,
        TOKENS,
    ),
    Case(
        "PREFIX_CHARS",
        "prefix",
        "POST",
        "/api/batches",
        lambda n: {"name": "b-1", "prefix": text(n)},
        STORED,
    ),
    Case("FILE_NAME_CHARS", "blob", "POST", "/api/documents", lambda n: {"blob": text(n)}, STORED),
    Case("ID_CHARS", "prefix", "GET", "/api/operations?prefix={n}"),
    Case("PAGE", "top", "GET", "/api/operations?top={count}"),
    Case("PAGE_TOKEN_CHARS", "after", "GET", "/api/operations?after={n}"),
    Case(
        "WAIT_SECONDS",
        "wait",
        "POST",
        "/api/reports?wait={count}",
        lambda _: {"year": 2025},
        STORED,
    ),
    post("/api/settlements", "WATCH_HOURS", "within_hours", {"transfer": "t-2"}),
    post("/api/month-ends", "TOLERANCE_CENTS", "tolerance_cents", {"month": "2026-01"}),
    post("/api/sweeps", "SWEEP_MINUTES", "every_minutes"),
    post(
        "/api/tax-checks",
        "TAX_MINUTES",
        "within_minutes",
        {"vat_id": "DE123456789", "day": "2026-01-01"},
    ),
    Case(
        "CURRENCIES",
        "currencies",
        "POST",
        "/api/rates",
        lambda n: {"date": "2026-01-01", "currencies": codes(n)},
    ),
    post("/api/rankings", "RANKED", "top", {"name": "r-1"}),
    Case(
        "SCAN_BYTES",
        "file",
        "POST",
        "/api/documents",
        lambda n: b"%PDF-".ljust(n),
        STORED,
        PDF,
    ),
    Case("INFLATED_BYTES", "file", "POST", "/api/documents", inflating, STORED, PDF),
]


@pytest.fixture
async def link(hub: ManualHub, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> str:
    """The link of a decision that is asked for, in an app without blob storage.

    Something runs as well, to be cancelled and suspended.
    """
    monkeypatch.delenv("AzureWebJobsStorage", raising=False)
    hub.replace_activity("look_at_transfer", lambda look: {"status": "pending", "reason": None})
    await hub.request("POST", "/api/settlements", json={"transfer": "t-1"})
    await approving.ask(hub, number="INV-0")
    return await approving.link(sandbox, LEAD)


@pytest.mark.parametrize("case", CASES, ids=str)
async def test_one_over_a_cap_is_refused_by_name_and_starts_nothing(
    hub: ManualHub, link: str, case: Case
) -> None:
    before = hub.instances()
    to = link if case.path.startswith("(") else ""

    answer = await case.send(hub, ALL[case.limit].most + 1, to)

    assert str(answer.status) == ALL[case.limit].over, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem = answer.json()
    named = [error["field"] for error in problem.get("errors", [])]
    assert named == [case.where] or f"the {case.where}" in problem["detail"]
    assert hub.instances() == before


@pytest.mark.parametrize("case", CASES, ids=str)
async def test_a_value_at_a_limit_is_accepted(hub: ManualHub, link: str, case: Case) -> None:
    to = link if case.path.startswith("(") else ""

    answer = await case.send(hub, ALL[case.limit].most, to)

    assert answer.status in case.fine, answer.text


def test_every_cap_of_a_request_is_sent_here() -> None:
    assert {case.limit for case in CASES} == OF_REQUESTS


# Settings


async def test_a_setting_over_its_cap_is_taken_as_the_cap(
    hub: ManualHub, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    over = str(limits.LANES.most + 1)
    monkeypatch.setenv("MONTH_END_LANES", over)
    monkeypatch.setenv("APPROVAL_EXPIRE_HOURS", str(limits.PATIENCE_HOURS.most + 1))

    await hub.request("POST", "/api/month-ends", json={"month": "2025-12"})
    await approving.ask(hub)

    close = (await hub.request("GET", "/api/operations/month-end:2025-12")).json()
    approval = (await hub.request("GET", approving.HERE)).json()
    expires = datetime.fromisoformat(approval["customStatus"]["expires"])
    assert close["input"]["settings"] == {"lanes": limits.LANES.most}
    assert expires - hub.clock.now() == timedelta(hours=limits.PATIENCE_HOURS.most)


async def test_no_setting_keeps_what_ended_for_longer_than_its_cap(
    hub: ManualHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RETENTION_DAYS", "9" * 9)
    old = await hub.start("invoice_intake", {}, instance_id="old")
    await hub.run_until_ended(old)

    await hub.advance(timedelta(days=limits.KEPT_DAYS.most))
    await hub.fire("purge_ended_instances")
    kept = [instance.id for instance in hub.instances()]
    await hub.advance(timedelta(days=1))
    await hub.fire("purge_ended_instances")

    assert kept == [old]
    assert hub.instances() == []
