"""`durablehost show` opens hubs, histories and deployed apps, and changes nothing."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.durablehost.dashboard.conftest import APP
from tests.durablehost_process import launched, running
from tests.refusing import Refused

in_browser = pytest.mark.asyncio(loop_scope="session")


@contextmanager
def showing(what: Path | str) -> Iterator[str]:
    """The address at which something is shown."""
    with launched("show", str(what), "--app", str(APP), "--port", "0") as (_, output):
        yield output.wait_for(r"Ready at (\S+), ")[1]


@in_browser
async def test_a_hub_file_a_history_and_a_deployed_app_are_shown(
    page: Page, tmp_path: Path
) -> None:
    hub = tmp_path / "hub.db"
    with running(APP, "--data", hub) as host:
        host.manage("POST", "/orchestrators/order/shown-1", {"id": "shown-1"})
        host.run_to_its_end("ship", "shown-2")
        with showing(host.base) as address:
            await look(page, address, "Complete")
        status = host.manage("GET", "/instances/shown-2?showHistory=true&showHistoryOutput=true")
        (tmp_path / "history.json").write_text(status.text)
        with showing(tmp_path / "history.json") as address:
            await look(page, address, "Complete")
    with showing(hub) as address:
        await look(page, address, "Complete")
        await page.goto(f"{address}/#/instance/shown-1")
        await expect(page.get_by_role("button", name="Copy as curl")).to_be_visible()
        await expect(page.get_by_role("button", name="Terminate")).to_have_count(0)
        await page.goto("about:blank")


async def look(page: Page, address: str, status: str) -> None:
    """The list has the instance, and its page replays it."""
    await page.goto(f"{address}/#/instances")
    await page.get_by_role("link", name="shown-2").click()
    await expect(page.locator("main p.id .status")).to_contain_text(status)
    await expect(page.get_by_role("region", name="History")).to_contain_text("packed box")
    await page.get_by_role("link", name="Replay").click()
    await expect(page.get_by_text("Today's code does what the history says.")).to_be_visible()
    await page.goto("about:blank")


def test_what_cannot_be_shown_is_refused(refused: Refused, tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text(json.dumps({"a": 1}))

    missing = refused("show", str(tmp_path / "none.db"), "--port", "0")
    other = refused("show", str(tmp_path / "other.json"), "--port", "0")

    assert "none.db cannot be read" in missing
    assert "other.json is no" in other
