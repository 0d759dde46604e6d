"""The replay view: today's code against the history."""

from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.durablehost.dashboard.conftest import APP
from tests.durablehost_process import running

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_each_step_shows_its_line_and_variables_and_a_change_is_found(
    page: Page, tmp_path: Path
) -> None:
    code = (APP / "function_app.py").read_text()
    app, hub = tmp_path / "app", tmp_path / "hub.db"
    app.mkdir()
    (app / "host.json").write_text('{"version": "2.0"}')
    (app / "function_app.py").write_text(code)
    with running(app, "--data", hub) as host:
        host.manage("POST", "/orchestrators/quote/replayed-1", {"id": 1})
        await page.goto(f"{host.base}/#/instance/replayed-1?view=replay")
        await expect(page.get_by_text("Today's code does what the history says.")).to_be_visible()
        await page.get_by_role("button", name="TaskCompleted price").click()
        step = page.get_by_role("region", name="Chosen step")
        await expect(step.get_by_role("row", name="price 42")).to_be_visible()
        line = code.splitlines().index(
            '    accepted = yield context.wait_for_external_event("Accepted")'
        )
        await expect(step).to_contain_text(f"function_app.py:{line + 1}")
        await page.goto("about:blank")

    (app / "function_app.py").write_text(
        code.replace(
            "    price = yield", '    yield context.call_activity("pack", 0)\n    price = yield'
        )
    )
    with running(app, "--data", hub) as host:
        await page.goto(f"{host.base}/#/instance/replayed-1?view=replay")
        await expect(page.get_by_text("is the first at which they differ")).to_be_visible()
        compared = page.get_by_role("region", name="Recorded and replayed")
        first = compared.locator("tr.failed")
        await expect(first).to_contain_text("activity 'price'")
        await expect(first).to_contain_text("activity 'pack'")
        await page.goto("about:blank")
