"""The outside world of the app's tests: the sandbox, served in this process, on the hub's clock."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from aiohttp.test_utils import TestServer as Server

from activities import outside, storage_account
from durablehost.testing import ManualHub
from sandbox.app import create_app
from tests.described import SECRETS

_PARTIES = ("bank", "reader", "mail", "tax", "rates", "centralbank", "orders", "postings")


class Sandbox:
    """What a test asks and tells the outside world."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def get(self, path: str) -> Any:
        return await self.send("GET", path)

    async def post(self, path: str, **body: Any) -> Any:
        return await self.send("POST", path, body)

    async def put(self, path: str, **body: Any) -> Any:
        return await self.send("PUT", path, body)

    async def fault(self, on: str, **how: Any) -> None:
        """Let something go wrong, such as `fault("orders", fail_next=2)`."""
        await self.post("/faults", on=on, **how)

    async def mend(self) -> None:
        await self.send("DELETE", "/faults")

    async def reset(self) -> None:
        await self.post("/reset")

    async def mails(self, to: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await self.get(f"/mail/messages?to={to}"))["messages"]
        return found

    async def postings(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await self.get("/postings"))["postings"]
        return found

    async def send(
        self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> Any:
        async with self._session.request(method, path, json=body, headers=headers) as answer:
            assert answer.status < 300, f"{method} {path}: {await answer.text()}"
            return await answer.json()


@pytest_asyncio.fixture
async def sandbox(hub: ManualHub, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Sandbox]:
    """The world as it was on its first day; the app's settings name its addresses."""
    monkeypatch.setenv("DECISION_KEY", "a-key-for-tests-that-is-long-enough")
    async with Server(create_app(now=hub.clock.now, settle_after=60)) as server:
        for party in _PARTIES:
            monkeypatch.setenv(f"{party.upper()}_URL", str(server.make_url(f"/{party}")))
        hub.let_http_through(str(server.make_url("/")))
        async with aiohttp.ClientSession(server.make_url("/")) as session:
            yield Sandbox(session)
        await outside.close()
        await storage_account.close()


@pytest.fixture
def secrets(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Secrets in all settings that have one. `hub` looks for them in every answer."""
    for setting, secret in SECRETS.items():
        monkeypatch.setenv(setting, secret)
