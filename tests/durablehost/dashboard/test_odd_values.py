"""Long, large, deep and unusual values on the page of an instance."""

import pytest
from playwright.async_api import expect

from tests.durablehost.dashboard.conftest import Open
from tests.durablehost_process import Started

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_html_in_values_and_ids_is_text(host: Started, at: Open) -> None:
    script = "<img src=x onerror='document.title = 1'>"
    host.manage("POST", "/orchestrators/quote/%3Cb%3Eodd%26", {"note": script})
    page = await at("#/instance/%3Cb%3Eodd%26?view=replay")

    await expect(page.locator(".values")).to_contain_text(script)
    await expect(page.locator(".id")).to_contain_text("<b>odd&")
    await expect(page.get_by_role("region", name="Chosen step")).to_be_visible()
    assert await page.locator("main img, main b").count() == 0


async def test_numbers_keep_all_their_digits(host: Started, at: Open) -> None:
    number = 12345678901234567890123
    host.manage("POST", "/orchestrators/quote/digits-1", {"id": number, "price": 1.0})
    page = await at("#/instance/digits-1")

    await expect(page.locator(".values")).to_contain_text(f'"id": {number}')
    await page.get_by_role("button", name="Copy as pytest test").click()

    text = await page.get_by_label("Copy as pytest test").last.inner_text()
    assert f'hub.start("quote", {{"id": {number}, "price": 1.0}})' in text


async def test_a_long_value_is_shown_in_part_until_all_of_it_is_wanted(
    host: Started, at: Open
) -> None:
    host.manage("POST", "/orchestrators/quote/large-1", {"note": "x" * 30_000})
    page = await at("#/instance/large-1")
    box = page.locator(".values pre").first
    await expect(page.get_by_text("The first 20,000 of 30,")).to_be_visible()
    assert len(await box.inner_text()) == 20_000

    await page.get_by_role("button", name="Show all").click()

    await expect(box).to_contain_text("x" * 30_000)


async def test_the_tree_says_how_many_generations_it_leaves_out(host: Started, at: Open) -> None:
    start = "/orchestrators/generations/first?timeout=60&pollingInterval=0.05"
    host.manage("POST", start, {"left": 10})

    page = await at("#/instance/first")
    await expect(page.locator(".tree a")).to_have_count(9)
    await expect(page.locator(".tree")).to_contain_text("1 more")
    await page.locator(".tree a").last.click()

    await expect(page.get_by_text("The parent of")).to_be_visible()
    await expect(page.locator(".tree a")).to_have_count(7)


async def test_a_long_replay_is_shown_in_parts(host: Started, at: Open) -> None:
    start = "/orchestrators/long_way/parts-1?timeout=60&pollingInterval=0.05"
    host.manage("POST", start, {"n": 250})
    page = await at("#/instance/parts-1?view=replay")
    steps = page.get_by_label("Steps", exact=True)
    await expect(steps.get_by_role("listitem")).to_have_count(200)

    await page.get_by_role("button", name="Later").first.click()

    await expect(steps.get_by_role("button", name="TaskCompleted pack").first).to_be_visible()
    await expect(page.get_by_text("201 to 251 of 251")).to_be_visible()


async def test_an_id_that_does_not_exist_or_is_badly_written_is_said(at: Open) -> None:
    page = await at("#/instance/100%25")
    await expect(page.get_by_text("There is no such instance.")).to_be_visible()

    await at("#/instance/50%")

    await expect(page.get_by_role("heading", name="50%", exact=True)).to_be_visible()
    await expect(page.get_by_text("There is no such instance.")).to_be_visible()
