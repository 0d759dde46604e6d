"""The dashboard in a browser: its first paint, a filter, and a long history."""

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

from playwright.async_api import Page, async_playwright

from bench.figures import Figure, fill
from bench.sides import durablehost, timed

_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_FIRST_PAINT = "performance.getEntriesByName('first-contentful-paint')[0].startTime"
_SCROLL = """async () => {
    const region = document.querySelector(".history");
    const began = performance.now();
    let frames = 0;
    while (region.scrollTop + region.clientHeight < region.scrollHeight - 1 && frames < 200) {
        region.scrollTop += region.scrollHeight / 100;
        await new Promise(requestAnimationFrame);
        frames += 1;
    }
    return (performance.now() - began) / frames;
}"""


def browser() -> str:
    """The path of a browser; empty if none is found."""
    named = os.environ.get("CHROMIUM")
    return named or next(filter(None, map(shutil.which, _BROWSERS)), "")


async def measure(paint: Figure, filtering: Figure, scrolling: Figure, runs: int) -> None:
    """Measure in a hub of 100,000 ended instances, and one with a history of 10,000 events."""
    with tempfile.TemporaryDirectory() as scratch:
        hub = Path(scratch, "hub.db")
        await fill(hub, 100_000)
        with sqlite3.connect(hub) as connection:
            connection.execute("UPDATE instances SET custom_status = 7654321 WHERE id = 'made-5'")
        connection.close()
        async with durablehost(hub) as side, async_playwright() as playwright:
            await side.start("fan_out", {"n": 5000}, "long")
            await side.ended("long", look_every=0.05)
            launched = await playwright.chromium.launch(
                executable_path=browser(), args=["--no-sandbox"]
            )
            for _ in range(runs):
                page = await launched.new_page()
                await page.goto(side.origin)
                await page.locator("tbody tr").nth(99).wait_for()
                paint.add("on a file", await page.evaluate(_FIRST_PAINT))
                filtering.add("on a file", 1000 * await timed(_filtered(page)))
                await page.goto(f"{side.origin}/#/instance/long")
                await page.locator(".history tbody tr").nth(20).wait_for()
                scrolling.add("on a file", await page.evaluate(_SCROLL))
                await page.close()
            await launched.close()


def _filtered(page: Page) -> Callable[[], Awaitable[None]]:
    async def work() -> None:
        await page.get_by_label("Contains").fill("7654321")
        await page.keyboard.press("Enter")
        await page.locator("tbody tr").nth(1).wait_for(state="detached")
        await page.get_by_role("link", name="made-5", exact=True).wait_for()

    return work
