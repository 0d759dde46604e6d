"""Whatever is sent to any route of the app, nothing breaks, starts or leaks."""

import re
from datetime import timedelta
from typing import NamedTuple

import pytest

from durablehost.app.functions import FunctionTable
from durablehost.testing import Answer, ManualHub, load_app
from tests.filing import Filed
from tests.outside import Sandbox
from tests.source import ROOT, patterns

# What a host, its SDK or Python would say, and nobody outside may read.
SECRETS = re.compile(
    r"code=|webhooks|taskHub|Traceback|StackTrace|File \\?\"|\.py\b|/site-packages|"
    r"System\.|Exception|pydantic|azure\."
)
PLACE = re.compile(r"\{[^}]*\}")

pytestmark = pytest.mark.usefixtures("secrets")

# Right as they are, without a parameter.
NEEDS_NOTHING = {"list_operations", "show_openapi", "show_retiring_versions"}


class Route(NamedTuple):
    """One method of one HTTP function."""

    function: str
    method: str
    path: str

    @property
    def filled(self) -> str:
        """With a name in each place that nothing has."""
        return PLACE.sub("nobody", self.path)


def routes() -> list[Route]:
    return [
        Route(function.name, method, f"/api/{function.trigger['route']}")
        for function in load_app(ROOT).functions
        if function.kind == "http"
        for method in function.trigger["methods"]
    ]


ROUTES = routes()
SENDING = [route for route in ROUTES if route.method == "POST"]
WITH_PLACES = [route for route in ROUTES if PLACE.search(route.path)]


def shown(route: Route) -> str:
    return route.function


def check_refused(answer: Answer, *statuses: int) -> None:
    """An answer that says no, as a problem or as the host does: with an empty 404."""
    assert answer.status in statuses, f"{answer.status} {answer.text}"
    assert not SECRETS.search(f"{answer.text} {answer.headers}"), answer.text
    if answer.status != 404 or answer.body:
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.json()["status"] == answer.status


BODIES = {
    "nothing": b"",
    "null": b"null",
    "a list": b"[]",
    "a number": b"3",
    "a text": b'"text"',
    "half of one": b'{"vendor": ',
    "no UTF-8": b"\xff\xfe",
    "UTF-16": '{"vendor": "acme"}'.encode("utf-16"),
    "an unknown field": b'{"colour": "red"}',
    "infinity": b'{"amount_cents": 1e999}',
    "a huge number": b'{"amount_cents": ' + b"9" * 5_000 + b"}",
    "half a character": b'{"vendor": "\\ud800", "comment": "\\ud800"}',
    "a zero byte": b'{"vendor": "\\u0000"}',
    "too deep": b"[" * 50_000,
    "too long": b"x" * 10_000_001,
    "a form": b"vendor=acme&amount_cents=5",
}


@pytest.mark.parametrize("route", SENDING, ids=shown)
async def test_an_invalid_body_is_refused_and_starts_nothing(
    hub: ManualHub, sandbox: Sandbox, route: Route
) -> None:
    for name, body in BODIES.items():
        for kind in ("application/json", "text/plain", "application/x-www-form-urlencoded"):
            headers = {"Content-Type": kind}
            answer = await hub.request("POST", route.filled, data=body, headers=headers)

            check_refused(answer, 400, 403, 404, 409, 413, 415, 422, 503)
        assert hub.instances() == [], name


async def test_the_key_of_links_is_one_of_every_function_that_takes_a_token(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    page = (ROOT / "docs" / "security.md").read_text("utf-8")
    [listed] = re.findall(r"for function in ([\w\s\\]*);", page)
    taking = set()
    for route in WITH_PLACES:
        answer = await hub.request(route.method, f"{route.filled}?token=lead.x.y", json={})
        if "token_invalid" in answer.text:
            taking.add(route.function)

    assert set(listed.replace("\\", " ").split()) == taking != set()


IDS = [
    "a%2Fb", "a%252Fb", "..", "..%2F..", "%00", "%0d%0aX:%20y", "%20", "%25", "%FF", "é",
    "%F0%9F%98%80", "%E2%80%AE", "a%3Fb", "a%23b", "a%5Cb", "a;b", "a,b", "a'b", "-", "_",
    "@counter@nobody", "nobody" * 1_000,
]  # fmt: skip


@pytest.mark.parametrize("route", WITH_PLACES, ids=shown)
async def test_an_impossible_id_is_refused_and_starts_nothing(
    hub: ManualHub, sandbox: Sandbox, route: Route
) -> None:
    body: dict[str, object] | None = None if route.method in ("GET", "DELETE") else {}
    for place in PLACE.findall(route.path):
        for name in IDS:
            path = PLACE.sub("nobody", route.path.replace(place, name))

            answer = await hub.request(route.method, path, json=body)

            check_refused(answer, 400, 403, 404, 413, 415, 422)
    assert hub.instances() == []


QUERIES = [
    "colour=red", "token=", "token=..", "token=a.b.c", "token=%E9", "token=lead.x.%00", "wait=-1",
    "wait=NaN", "wait=1e9", "top=0", "top=99999999999999999999", "from=0001-01-01T00:00:00%2B14:00",
    "to=9999-12-31T23:59:59-14:00", "after=%00", "status=Gone", "prefix=%40", "reason=%00",
    "reason=" + "x" * 501, "token=" + "x" * 5_000,
]  # fmt: skip


@pytest.mark.parametrize("route", ROUTES, ids=shown)
async def test_an_invalid_query_starts_nothing(
    hub: ManualHub, sandbox: Sandbox, route: Route
) -> None:
    body: list[object] | None = None if route.method in ("GET", "DELETE") else []
    for query in QUERIES:
        answer = await hub.request(route.method, f"{route.filled}?{query}", json=body)

        if route.function not in NEEDS_NOTHING or answer.status >= 400:
            check_refused(answer, 400, 403, 404, 415, 422, 503)
    assert hub.instances() == []


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "PUT", "PATCH", "TRACE"])
async def test_a_method_that_a_route_has_not_is_404(hub: ManualHub, method: str) -> None:
    for route in ROUTES:
        answer = await hub.request(method, route.filled)

        assert (answer.status, answer.body) == (404, b""), route


INVOICE = {"vendor": "acme", "number": "INV-1", "order": "PO-1001", "amount_cents": 12_500}
Work = dict[str, tuple[str, dict[str, object]]]
WORK: Work = {
    "chaining": ("invoices", INVOICE),
    "versioning": ("deliveries", INVOICE),
    "saga": ("payments", {"vendor": "acme", "number": "INV-1", "amount_cents": 12_500}),
    "human_approval": (
        "approvals",
        {"vendor": "acme", "number": "P-1", "amount_cents": 5, "requested_by": "a@example.com"},
    ),
    "monitor": ("settlements", {"transfer": "transfer-1", "within_hours": 3}),
    "eternal": ("sweeps", {"every_minutes": 360}),
    "sub_orchestrations": ("month-ends", {"month": "2026-10"}),
    "resilience": ("rates", {"date": "2025-12-31", "currencies": ["USD"]}),
    "durable_http": ("tax-checks", {"vat_id": "DE123456789", "day": "2025-12-31"}),
}
WORK_ON_BLOBS: Work = {
    "fan_out": ("batches", {"name": "2026-11"}),
    "async_http": ("reports", {"year": 2025}),
    "document_pipeline": ("documents", {"blob": "…"}),
}
NEEDS_NO_ACTIVITY = {"aggregator", "entity_counter", "operations"}


def raise_what_nobody_may_read(_: object = None) -> None:
    raise RuntimeError('File "/home/site/wwwroot/activities/bank.py", line 5: AccountKey=c2VjcmV0')


async def fail_and_look(
    hub: ManualHub, app: FunctionTable, path: str, body: dict[str, object]
) -> None:
    for function in app.functions:
        if function.kind == "activity":
            hub.replace_activity(function.durable_name, raise_what_nobody_may_read)

    started = await hub.request("POST", f"/api/{path}", json=body)
    await hub.advance(timedelta(days=3))

    assert started.status == 202, started.text
    assert hub.calls(), "no activity was called"
    id = started.json()["id"]
    for place in (f"operations/{id}", "operations", f"{path}/{id}", f"{path}/{id}/result"):
        answer = await hub.request("GET", f"/api/{place}")
        assert not SECRETS.search(answer.text), answer.text
        assert "AccountKey" not in answer.text


@pytest.mark.parametrize("pattern", WORK)
async def test_no_answer_shows_what_an_activity_raised(
    hub: ManualHub, durable_app: FunctionTable, sandbox: Sandbox, pattern: str
) -> None:
    path, body = WORK[pattern]

    await fail_and_look(hub, durable_app, path, body)


@pytest.mark.azurite
@pytest.mark.parametrize("pattern", WORK_ON_BLOBS)
async def test_no_answer_shows_what_an_activity_on_blobs_raised(
    hub: ManualHub, durable_app: FunctionTable, filed: Filed, pattern: str
) -> None:
    await filed.put({"invoice.pdf": b"%PDF-1.7"})
    path, body = WORK_ON_BLOBS[pattern]
    if "blob" in body:
        body = {"blob": f"{filed.prefix}invoice.pdf"}

    await fail_and_look(hub, durable_app, path, body)


def test_each_pattern_with_activities_is_seen_to_fail() -> None:
    assert WORK.keys() | WORK_ON_BLOBS.keys() | NEEDS_NO_ACTIVITY >= set(patterns())
