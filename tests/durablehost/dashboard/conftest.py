"""A browser, a durablehost for it to look at, and pages that may not complain."""

import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Final

import pytest
import pytest_asyncio
from playwright.async_api import Browser, ConsoleMessage, Page, async_playwright

from tests.durablehost_process import Started, running

APP: Final = Path(__file__).parent / "app"
_BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome")

Open = Callable[[str], Awaitable[Page]]


def _executable() -> str:
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, _BROWSERS)), "")
    if not found and os.environ.get("CI"):
        pytest.fail("CI has to test the dashboard: install Chromium", pytrace=False)
    if not found:
        pytest.skip("no browser: install Chromium, or name one in CHROMIUM")
    return found


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    executable = _executable()
    async with async_playwright() as playwright:
        # In a container Chromium runs as root, where its sandbox does not work.
        launched = await playwright.chromium.launch(
            executable_path=executable, args=["--no-sandbox", "--disable-gpu"]
        )
        yield launched
        await launched.close()


@pytest.fixture(scope="session")
def host() -> Iterator[Started]:
    """durablehost with the app of this folder."""
    with running(APP, "--data", ":memory:") as started:
        yield started


@pytest_asyncio.fixture(loop_scope="session")
async def page(browser: Browser) -> AsyncIterator[Page]:
    """A page in a browser window of its own. Whatever it complains of fails the test."""
    context = await browser.new_context(viewport={"width": 1200, "height": 900})
    opened = await context.new_page()
    opened.set_default_timeout(20_000)
    complaints: list[str] = []
    opened.on("pageerror", lambda error: complaints.append(str(error)))

    def listen(said: ConsoleMessage) -> None:
        # What the host refuses is shown on the page; the browser counts it as an error, too.
        is_refused = "/runtime/webhooks/" in said.location["url"]
        if said.type in ("error", "warning") and not is_refused:
            complaints.append(said.text)

    opened.on("console", listen)
    yield opened
    await context.close()
    assert complaints == []


@pytest.fixture
def at(page: Page, host: Started) -> Open:
    """Open a place in the dashboard of `host`, such as `#/functions`."""

    async def go(place: str) -> Page:
        await page.goto(f"{host.base}/{place}")
        return page

    return go
