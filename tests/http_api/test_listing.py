"""Lists come in pages and by what was asked for; a query that is not right is not ignored."""

from datetime import timedelta
from urllib.parse import quote

import pytest

from durablehost.app.functions import FunctionTable
from durablehost.testing import ManualHub
from orchestration.failures import Failure

INVOICE = {"vendor": "acme", "order": "PO-1001", "amount_cents": 12_500}


@pytest.fixture
def steps(hub: ManualHub) -> None:
    """Activities that reach nobody."""
    hub.replace_activity("match_order", lambda invoice: invoice)
    hub.replace_activity("post_invoice", lambda order: {"id": "posting-1", "amount_cents": 1})


async def start(hub: ManualHub, number: str) -> str:
    answer = await hub.request("POST", "/api/invoices", json=INVOICE | {"number": number})
    started: str = answer.json()["id"]
    return started


async def listed(hub: ManualHub, query: str = "") -> tuple[list[str], str | None]:
    answer = await hub.request("GET", f"/api/operations{query}")
    assert answer.status == 200, answer.text
    body = answer.json()
    return [operation["instanceId"] for operation in body["operations"]], body["next"]


async def test_pages_lead_from_the_first_to_the_last(hub: ManualHub, steps: None) -> None:
    started = sorted([await start(hub, f"INV-{number}") for number in range(7)])

    seen: list[str] = []
    page, after = await listed(hub, "?top=3")
    while after:
        seen += page
        page, after = await listed(hub, f"?top=3&after={after}")

    assert seen + page == started


async def test_the_token_of_the_next_page_needs_no_escaping_in_a_url(
    hub: ManualHub, steps: None
) -> None:
    for number in ("INV-1", "INV-2"):
        await start(hub, number)

    _, after = await listed(hub, "?top=1")

    assert after
    assert quote(after, safe="") == after


async def test_a_list_is_by_status(hub: ManualHub, steps: None) -> None:
    hub.fail_activity("validate_invoice", Failure("currency_unknown", "no such currency"))
    bad, good = await start(hub, "INV-1"), await start(hub, "INV-2")

    assert await listed(hub, "?status=Failed") == ([bad], None)
    assert await listed(hub, "?status=Failed,Completed") == ([bad, good], None)
    assert await listed(hub, "?status=Running") == ([], None)


async def test_a_list_is_by_prefix(hub: ManualHub, steps: None) -> None:
    await start(hub, "A-1")
    second = await start(hub, "B-1")

    assert await listed(hub, "?prefix=intake:acme:B") == ([second], None)


async def test_a_list_is_by_time_of_start(hub: ManualHub, steps: None) -> None:
    early = await start(hub, "INV-1")
    await hub.advance(timedelta(hours=2))
    late = await start(hub, "INV-2")
    between = (hub.clock.now() - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")

    assert await listed(hub, f"?to={between}") == ([early], None)
    assert await listed(hub, f"?from={between}") == ([late], None)
    assert await listed(hub, "?to=0001-01-01T00:00:00Z") == ([], None)
    assert await listed(hub, "?from=9999-12-31T23:59:59%2B01:00") == ([], None)


@pytest.mark.parametrize(
    "query",
    [
        "status=Bogus",
        "from=yesterday",
        "from=2026-01-01T00:00:00",
        "from=0001-01-01T00:00:00%2B01:00",
        "to=9999-12-31T23:59:59-01:00",
        "top=0",
        "top=101",
        "top=many",
        "prefix=%40counter",
        "after=%0d%0ax",
        "after=DQp4",  # a line's end, as what leads to the next page is coded
        "after=no-token",
        "after=a",
        "stauts=Failed",
    ],
)
async def test_a_query_that_is_not_right_is_refused_and_not_ignored(
    hub: ManualHub, query: str
) -> None:
    answer = await hub.request("GET", f"/api/operations?{query}")

    assert (answer.status, answer.json()["code"]) == (422, "invalid_query")
    assert len(answer.json()["errors"]) == 1


@pytest.mark.parametrize("query", ["code=a-key&clientId=me", "CODE=a-key&ClientID=me"])
async def test_the_key_of_the_caller_is_not_part_of_the_query(hub: ManualHub, query: str) -> None:
    assert await listed(hub, f"?{query}") == ([], None)


def test_a_function_that_lists_has_the_same_binding_as_one_that_takes_the_sdks_client(
    durable_app: FunctionTable,
) -> None:
    bindings = {
        function.name: [{**binding, "name": ""} for binding in function.client_bindings]
        for function in durable_app.functions
    }

    assert bindings["list_operations"] == bindings["show_operation"]
