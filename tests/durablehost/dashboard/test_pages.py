"""Functions, entities and problems; keys; what holds for every page."""

from pathlib import Path

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, expect

from tests.durablehost.dashboard.conftest import APP, Open
from tests.durablehost_process import Started, read_keys, running

in_browser = pytest.mark.asyncio(loop_scope="session")

API = "/admin/durablehost/dashboard/api"
PAGES = (
    "#/instances",
    "#/instance/shown-1",
    "#/instance/shown-1?view=sequence",
    "#/instance/shown-1?view=replay",
    "#/instance/shown-3?view=replay",
    "#/entities",
    "#/functions",
    "#/problems",
)


@pytest.fixture(scope="module")
def shown(host: Started) -> str:
    """A hub with something on each page."""
    host.manage("POST", "/orchestrators/lost/shown-2", {})
    host.manage("POST", "/entities/ledger/shown?op=add", "7")
    long = "an_orchestrator_with_a_name_that_fits_in_no_column_and_on_no_line_of_a_narrow_window"
    host.manage("POST", f"/orchestrators/{long}/shown-3", {})
    host.manage("POST", "/orchestrators/order/shown-1", {"id": "shown-1"})
    return host.base


@in_browser
async def test_functions_are_listed_called_and_started(shown: str, at: Open) -> None:
    page = await at("#/functions")
    left_out = page.get_by_role("region", name="Left out")
    await expect(left_out).to_contain_text("Write `input_name=")

    await page.get_by_text("start_order").click()
    await page.get_by_label("Body (JSON)").fill('{"id": "called-1"}')
    await page.get_by_role("button", name="Call").click()
    await expect(page.get_by_text("Status 202")).to_be_visible()
    await page.get_by_text("nightly").click()
    await page.get_by_role("button", name="Run now").click()
    await expect(page.get_by_text("It runs.")).to_be_visible()
    orchestrators = page.get_by_role("region", name="Orchestrators")
    quote = orchestrators.get_by_role("group").filter(has_text="quote")
    await quote.get_by_text("quote").click()
    await quote.get_by_label("Instance id, or none").fill("begun-1")
    await quote.get_by_role("button", name="Start").click()

    await expect(page.get_by_role("heading", name="quote", level=1)).to_be_visible()


@in_browser
async def test_an_entity_is_signalled_by_an_operation_that_its_code_names(
    shown: str, at: Open
) -> None:
    page = await at("#/entities")
    entity = page.get_by_role("region", name="ledger shown")
    await expect(entity.locator("pre")).to_have_text("7")
    await expect(entity.locator("datalist option").nth(1)).to_have_attribute("value", "reset")

    await entity.get_by_label("Operation").fill("add")
    await entity.get_by_label("Input (JSON)").fill("5")
    await entity.get_by_role("button", name="Signal").click()

    await expect(entity.locator("pre")).to_have_text("12")


@in_browser
async def test_problems_are_grouped_by_kind(shown: str, at: Open) -> None:
    page = await at("#/problems")

    section = page.get_by_role("region", name="unknown-function")

    await expect(section.get_by_role("link", name="shown-2")).to_be_visible()


@in_browser
@pytest.mark.parametrize(("scheme", "width"), [("light", 1200), ("dark", 360)])
async def test_every_page_is_accessible_in_both_themes_and_narrow(
    shown: str, browser: Browser, scheme: str, width: int
) -> None:
    context = await browser.new_context(
        viewport={"width": width, "height": 800},
        color_scheme=scheme,  # type: ignore[arg-type]  # one of the two that it names
    )
    page = await context.new_page()
    found = {}
    for place in PAGES:
        await page.goto(f"{shown}/{place}")
        await expect(page.locator("main h1")).to_be_visible()
        if "/shown-" in place:
            await expect(page.get_by_text("Waits for")).to_be_visible()
        results = await Axe().run(page)
        found[place] = [one["id"] for one in results.response["violations"]]
        is_wide = "document.documentElement.scrollWidth > innerWidth"
        assert not await page.evaluate(is_wide), place
    await context.close()
    assert found == {place: [] for place in PAGES}


@in_browser
async def test_the_keyboard_alone_opens_an_instance(shown: str, at: Open) -> None:
    page = await at("#/instances?prefix=shown-1")
    await expect(page.get_by_role("link", name="shown-1", exact=True)).to_be_visible()

    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")  # skip to the content
    for _ in range(40):
        await page.keyboard.press("Tab")
        if await page.evaluate("document.activeElement.textContent") == "shown-1":
            break
    await page.keyboard.press("Enter")

    await expect(page.get_by_role("heading", name="order", level=1)).to_be_visible()


@in_browser
async def test_the_theme_that_a_reader_chooses_is_kept(shown: str, at: Open) -> None:
    page = await at("#/problems")

    await page.get_by_role("button", name="Dark theme").click()
    await page.reload()

    await expect(page.locator("html")).to_have_attribute("data-theme", "dark")


@in_browser
async def test_the_clock_is_moved_to_the_next_timer(page: Page, tmp_path: Path) -> None:
    with running(APP, "--data", tmp_path / "hub.db", "--movable-clock") as host:
        host.manage("POST", "/orchestrators/reminder/in-three-days")
        await page.goto(f"{host.base}/#/clock")

        await page.get_by_role("button", name="Move to the next timer").click()

        await expect(page.get_by_text("No timer is open.")).to_be_visible()
        await page.goto(f"{host.base}/#/instance/in-three-days")
        await expect(page.locator("main p.id")).to_contain_text("Completed")
        await page.goto("about:blank")


@in_browser
async def test_the_dashboard_asks_for_the_master_key_if_keys_are_enforced(
    browser: Browser, tmp_path: Path
) -> None:
    with running(APP, "--data", ":memory:", "--auth", tmp_path / "keys.json") as host:
        assert host.ask("GET", f"{API}/instances").status == 401
        page = await (await browser.new_context()).new_page()
        await page.goto(host.base)
        await page.get_by_label("Master key").fill("wrong")
        await page.get_by_role("button", name="Open").click()
        await expect(page.get_by_role("alert")).to_have_text("This key does not fit.")

        await page.get_by_label("Master key").fill(read_keys(tmp_path / "keys.json")["MASTER_KEY"])
        await page.get_by_role("button", name="Open").click()

        await expect(page.get_by_text("No instance was started yet.")).to_be_visible()
        await page.context.close()


def test_other_sites_cannot_ask_and_scripts_of_others_cannot_run(host: Started) -> None:
    foreign = host.ask("GET", f"{API}/instances", headers={"Origin": "https://evil.example"})
    policy = host.ask("GET", "/").headers["Content-Security-Policy"]

    assert foreign.status == 403
    assert host.ask("POST", f"{API}/clock?seconds=1").status == 404
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy


def test_only_the_files_of_the_dashboard_are_served(host: Started) -> None:
    folder = "/admin/durablehost/dashboard/"
    ask = [host.ask("GET", folder + name).status for name in ("app.js", "vendor/htm.js", "")]
    refused = ["nothing.js", "../serving.py", "vendor/../app.js", "%2e%2e/serving.py", "api/none"]

    assert ask == [200, 200, 200]
    assert [host.ask("GET", folder + name).status for name in refused] == [404] * len(refused)


@pytest.mark.parametrize("view", ["instance", "replay"])
def test_an_answer_is_not_sent_again_when_only_another_instance_has_changed(
    host: Started, view: str
) -> None:
    host.run_to_its_end("ship", f"same-{view}")
    path = f"{API}/{view}?id=same-{view}"
    first = host.ask("GET", path)
    host.run_to_its_end("ship", f"other-{view}")

    again = host.ask("GET", path, headers={"If-None-Match": first.headers["ETag"]})
    host.manage("DELETE", f"/instances/same-{view}")
    changed = host.ask("GET", path, headers={"If-None-Match": again.headers["ETag"]})

    assert (again.status, again.body) == (304, b"")
    assert again.headers["ETag"] != first.headers["ETag"]
    assert (changed.status, changed.body) == (200, b"null")
