"""The list of instances, as a person uses it."""

import re

import pytest
from playwright.async_api import Page, expect

from tests.durablehost.dashboard.conftest import Open
from tests.durablehost_process import Started

pytestmark = pytest.mark.asyncio(loop_scope="session")


def start(host: Started, orchestrator: str, *ids: str) -> None:
    for instance_id in ids:
        answer = host.manage("POST", f"/orchestrators/{orchestrator}/{instance_id}", {"n": 1})
        assert answer.status == 202


def rows(page: Page):
    return page.get_by_role("region", name="List of instances").locator("tbody tr")


async def test_filters_narrow_the_list_and_are_in_the_address(host: Started, at: Open) -> None:
    start(host, "quote", "narrow-1", "narrow-2")
    start(host, "reminder", "narrow-3")
    page = await at("#/instances")

    await page.get_by_label("Id begins with").fill("narrow-")
    await page.keyboard.press("Enter")
    await expect(rows(page)).to_have_count(3)
    await page.get_by_label("Function").select_option("quote")
    await expect(rows(page)).to_have_count(2)
    await page.get_by_role("button", name="Running").click()
    await expect(page).to_have_url(re.compile("name=quote&status=Running&prefix=narrow-"))

    shared = await page.context.new_page()
    await shared.goto(page.url)
    await expect(rows(shared)).to_have_count(2)


async def test_text_and_time_find_an_instance(host: Started, at: Open) -> None:
    host.manage("POST", "/orchestrators/quote/found-1", {"what": "a needle in the hay"})
    page = await at("#/instances?text=NEEDLE%20in")

    await expect(rows(page)).to_have_count(1)
    await expect(rows(page).locator(".id")).to_have_text("found-1")
    await page.get_by_label("until (UTC)").fill("2001-01-01T00:00")
    await page.keyboard.press("Enter")

    await expect(page.get_by_text("No instance fits these filters")).to_be_visible()


async def test_a_new_instance_appears_by_itself(host: Started, at: Open) -> None:
    page = await at("#/instances?prefix=live-")
    await expect(page.get_by_text("No instance fits these filters")).to_be_visible()

    start(host, "quote", "live-1")

    await expect(rows(page)).to_have_count(1)
    await expect(page.get_by_role("button", name="Running 1")).to_be_visible()


async def test_older_instances_are_on_the_next_page(host: Started, at: Open) -> None:
    start(host, "ship", *(f"paged-{number:03}" for number in range(101)))
    page = await at("#/instances?prefix=paged-")
    await expect(rows(page)).to_have_count(100)
    await expect(rows(page).first).to_contain_text("paged-100")

    await page.get_by_role("link", name="Older").click()

    await expect(rows(page)).to_have_count(1)
    await expect(rows(page)).to_contain_text("paged-000")


async def test_actions_change_all_that_was_chosen(host: Started, at: Open) -> None:
    start(host, "quote", "many-1", "many-2", "many-3")
    page = await at("#/instances?prefix=many-")

    async def act(action: str, status: str) -> None:
        await page.get_by_label("Choose all").check()
        await page.get_by_role("button", name=action, exact=True).click()
        await expect(page.get_by_role("status")).to_have_text(f"{action}: 3 instances.")
        await expect(rows(page).filter(has_text=status)).to_have_count(3)

    await expect(rows(page).filter(has_text="Running")).to_have_count(3)
    await act("Suspend", "Suspended")
    await act("Resume", "Running")
    await act("Terminate", "Terminated")
    await page.get_by_label("Choose many-1").check()
    await page.get_by_role("button", name="Purge").press("Enter")
    await expect(rows(page)).to_have_count(2)
    await expect(page.get_by_role("button", name="Purge")).to_be_focused()
    await expect(page.get_by_role("button", name="Purge")).to_be_disabled()
    await page.get_by_label("Choose many-2").check()
    await page.get_by_role("button", name="Restart").click()
    await expect(page.get_by_role("status")).to_have_text("Restart: 1 instance.")


async def test_a_refusal_is_shown_with_the_message_of_the_host(host: Started, at: Open) -> None:
    start(host, "quote", "kept-1")
    page = await at("#/instances?prefix=kept-")

    await page.get_by_label("Choose kept-1").check()
    await page.get_by_role("button", name="Resume").click()

    said = page.get_by_role("status")
    await expect(said).to_contain_text("1 of 1 refused. kept-1: Cannot resume orchestration")
