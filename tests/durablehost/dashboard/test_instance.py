"""The page of an instance, as a person uses it."""

import json
from typing import Any

import pytest
from playwright.async_api import Page, expect

from durablehost.testing import ManualHub, load_app
from tests.durablehost.dashboard.conftest import APP, Open
from tests.durablehost_process import Started

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.fixture(scope="module")
def order(host: Started) -> str:
    """An order that waits for its approval."""
    host.ask("POST", "/api/orders", '{"id": "order-1"}')
    return "order-1"


async def open_order(at: Open, order: str, view: str = "") -> Page:
    page = await at(f"#/instance/{order}{view}")
    await expect(page.get_by_text("Waits for the event 'Approved'.")).to_be_visible()
    return page


async def test_the_timeline_shows_retries_children_and_inputs(order: str, at: Open) -> None:
    page = await open_order(at, order)

    timeline = page.get_by_role("group", name="Timeline of")

    await expect(timeline).to_contain_text("pay · attempt 2")
    await expect(timeline).to_contain_text("@ledger@main add")
    await expect(timeline.locator(".bar.failed")).to_have_count(1)
    await timeline.get_by_text("ship").click()
    await expect(page.get_by_role("heading", name="ship", level=1)).to_be_visible()
    await page.get_by_role("link", name=order, exact=True).click()
    await expect(page.get_by_role("heading", name="order", level=1)).to_be_visible()


async def test_a_long_gap_is_compressed_and_marked(host: Started, at: Open) -> None:
    host.manage("POST", "/orchestrators/order/gap-1", {"id": "gap-1"})
    page = await at("#/instance/gap-1")

    # The second call of the bank comes a second after the first.
    gap = page.locator(".timeline .gap")

    await expect(gap).to_have_count(1)
    width = float((await gap.locator("rect").get_attribute("width") or "").rstrip("%"))
    assert 0 < width < 95


async def test_the_history_shows_inputs_and_results(order: str, at: Open) -> None:
    page = await open_order(at, order)
    history = page.get_by_role("region", name="History")

    await page.get_by_label("Filter", exact=True).fill("pay")
    await expect(history.get_by_role("row", name='TaskScheduled pay ["order-1"')).to_have_count(2)
    await expect(history.get_by_role("row", name="the bank is closed")).to_have_count(1)
    await history.get_by_role("row", name="paid 42").get_by_role("button").click()

    details = page.get_by_role("region", name="Chosen event")
    await expect(details).to_contain_text('"paid 42"')


async def test_a_history_of_thousands_of_events_is_scrolled(host: Started, at: Open) -> None:
    host.manage(
        "POST", "/orchestrators/long_way/long-1?timeout=60&pollingInterval=0.05", {"n": 700}
    )
    page = await at("#/instance/long-1")
    await expect(page.get_by_text("1,402 events")).to_be_visible()
    history = page.get_by_role("region", name="History")

    await history.evaluate("region => { region.scrollTop = region.scrollHeight; }")

    await expect(history.get_by_text("ExecutionCompleted")).to_be_visible()
    assert await history.locator("tbody tr").count() < 60


async def test_the_sequence_diagram_can_be_copied_as_mermaid(order: str, at: Open) -> None:
    page = await open_order(at, order, "?view=sequence")

    await page.get_by_role("button", name="Copy as Mermaid").click()

    text = await page.get_by_label("Copy as Mermaid").last.inner_text()
    lines = [line.strip() for line in text.splitlines()]
    assert lines[0] == "sequenceDiagram"
    assert "participant p1 as price" in lines
    assert "p2--xp0: fails" in lines
    assert "p0->>p3: calls × 3" in lines


async def test_an_awaited_event_is_offered_and_ends_the_instance(host: Started, at: Open) -> None:
    host.manage("POST", "/orchestrators/quote/event-1", {"id": 1})
    page = await at("#/instance/event-1")
    await expect(page.get_by_text("Waits for the event 'Accepted'.")).to_be_visible()
    await expect(page.locator("datalist#awaited option")).to_have_attribute("value", "Accepted")

    await page.get_by_label("Data (JSON)").fill('{"by": "ada"}')
    await page.get_by_role("button", name="Raise event").click()

    await expect(page.locator("main p.id")).to_contain_text("Completed")
    await expect(page.locator("dl.values")).to_contain_text('"by": "ada"')


async def test_an_instance_is_suspended_resumed_terminated_restarted_and_purged(
    host: Started, at: Open
) -> None:
    host.manage("POST", "/orchestrators/quote/steered-1", {})
    page = await at("#/instance/steered-1")
    status = page.locator("main p.id .status")

    for button, shown in (
        ("Suspend", "Suspended"),
        ("Resume", "Running"),
        ("Terminate", "Terminated"),
    ):
        await page.get_by_role("button", name=button).click()
        await expect(status).to_have_text(shown)
    await page.get_by_role("button", name="Restart").click()
    await expect(status).to_have_text("Running")
    await page.go_back()
    await page.get_by_role("button", name="Purge").click()

    await expect(page.get_by_role("heading", name="Instances")).to_be_visible()
    assert host.manage("GET", "/instances/steered-1").status == 404


async def test_a_problem_is_shown_on_the_page(host: Started, at: Open) -> None:
    host.manage("POST", "/orchestrators/lost/lost-1", {})
    page = await at("#/instance/lost-1")

    problem = page.get_by_role("alert").filter(has_text="unknown-function")

    await expect(problem).to_contain_text("Did you mean 'price'?")


async def test_the_copied_request_starts_such_an_instance(order: str, at: Open) -> None:
    page = await open_order(at, order)

    await page.get_by_role("button", name="Copy as curl").click()

    text = await page.get_by_label("Copy as curl").last.inner_text()
    assert "/runtime/webhooks/durabletask/orchestrators/order'" in text
    assert "-H 'Content-Type: application/json' -d '" in text


async def copied_test_that_passes(page: Page, name: str) -> str:
    """Copy the instance of a page as a test, and run the test."""
    await page.get_by_role("button", name="Copy as pytest test").click()
    text: str = await page.get_by_label("Copy as pytest test").last.inner_text()
    scope: dict[str, Any] = {}
    exec(text, scope)
    async with ManualHub(load_app(APP)) as hub:
        await scope[name](hub)
    return text


@pytest.mark.parametrize("action", ["terminate", "suspend"])
async def test_the_copied_test_of_a_stopped_instance_passes(
    host: Started, at: Open, action: str
) -> None:
    name = f"stopped-{action}"
    host.manage("POST", f"/orchestrators/quote/{name}", {"id": name})
    host.manage("POST", f"/instances/{name}/{action}")
    page = await at(f"#/instance/{name}")
    await expect(page.locator("main p.id")).to_contain_text(action.title())

    text = await copied_test_that_passes(page, "test_quote")
    assert f"await hub.{action}(instance)" in text


async def test_the_copied_test_passes(
    host: Started, at: Open, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.manage("POST", "/orchestrators/order/copied-1", {"id": "copied-1"})
    page = await at("#/instance/copied-1")
    await page.get_by_label("Data (JSON)").fill('"yes"')
    await expect(page.get_by_text("Waits for the event 'Approved'.")).to_be_visible()
    await page.get_by_role("button", name="Raise event").click()
    await expect(page.locator("main p.id")).to_contain_text("Completed")

    text = await copied_test_that_passes(page, "test_order")
    assert "fail_activity" in text
    assert json.dumps("paid 42") in text
