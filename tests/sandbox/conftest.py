"""A sandbox of its own for each test, over real HTTP, with a clock moved by hand."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from sandbox.app import create_app

Client = TestClient[web.Request, web.Application]
Post = Callable[..., Awaitable[tuple[int, Any]]]


class Clock:
    def __init__(self) -> None:
        self.time = datetime(2026, 11, 2, 9, tzinfo=UTC)

    def now(self) -> datetime:
        return self.time

    def advance(self, **duration: float) -> None:
        self.time += timedelta(**duration)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def sandbox(clock: Clock) -> AsyncIterator[Client]:
    app = create_app(now=clock.now, settle_after=60)
    async with TestClient(TestServer(app)) as client:
        yield client


@pytest.fixture
def post(sandbox: Client) -> Post:
    """POST a body, with an idempotency key if given; the answer's status and JSON."""

    async def post(path: str, body: Any = None, key: str | None = None) -> tuple[int, Any]:
        headers = {"Idempotency-Key": key} if key is not None else {}
        async with sandbox.post(path, json=body or {}, headers=headers) as answer:
            return answer.status, await answer.json()

    return post


@pytest.fixture
def get(sandbox: Client) -> Post:
    async def get(path: str, **query: str) -> tuple[int, Any]:
        async with sandbox.get(path, params=query) as answer:
            return answer.status, await answer.json()

    return get


@pytest.fixture
def put(sandbox: Client) -> Post:
    async def put(path: str, body: Any) -> tuple[int, Any]:
        async with sandbox.put(path, json=body) as answer:
            return answer.status, await answer.json()

    return put
