"""The links in answers lead to where callers reach the app."""

import pytest

from durablehost.testing import ManualHub

INVOICE = {"vendor": "acme", "number": "INV-1", "order": "PO-1001", "amount_cents": 12_500}
BACKEND = {"Host": "backend.internal:8080"}


async def links_of_a_start(hub: ManualHub) -> set[str]:
    """What all links of a started operation begin with, `Location` included."""
    hub.replace_activity("match_order", lambda invoice: invoice)
    hub.replace_activity("post_invoice", lambda order: {"id": "posting-1", "amount_cents": 1})
    answer = await hub.request("POST", "/api/invoices", json=INVOICE, headers=BACKEND)
    links: dict[str, str] = answer.json()
    instance_id = links.pop("id")
    del links["runtimeStatus"], links["traceId"]
    return {link.split(instance_id)[0] for link in [answer.headers["Location"], *links.values()]}


@pytest.mark.parametrize(
    "public_url", ["https://pay.example.com/v1", "https://pay.example.com/v1/"]
)
async def test_links_begin_with_the_public_url_whatever_host_the_gateway_calls(
    hub: ManualHub, monkeypatch: pytest.MonkeyPatch, public_url: str
) -> None:
    monkeypatch.setenv("PUBLIC_URL", public_url)

    assert await links_of_a_start(hub) == {"https://pay.example.com/v1/api/operations/"}


async def test_links_begin_with_the_host_of_the_request_without_a_public_url(
    hub: ManualHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PUBLIC_URL", raising=False)

    assert await links_of_a_start(hub) == {"http://backend.internal:8080/api/operations/"}


async def test_the_link_to_what_is_no_operation_begins_with_the_public_url_too(
    hub: ManualHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PUBLIC_URL", "https://pay.example.com")

    counter = await hub.request("POST", "/api/counters/c", json={"amount": 1}, headers=BACKEND)

    assert counter.headers["Location"] == "https://pay.example.com/api/counters/c"
    assert counter.json()["statusQueryGetUri"] == "https://pay.example.com/api/counters/c"
