"""A purge of many instances does not hold up other requests."""

import asyncio
from pathlib import Path

import azure.durable_functions as df
import pytest
from aiohttp.test_utils import TestClient, TestServer

from durablehost.hub import client
from durablehost.settings import Settings
from durablehost.store import SqliteBackend
from durablehost.web.app import RPC, rpc_app
from durablehost.web.management import Management
from tests.durablehost.engine.working import working
from tests.durablehost.store.storing import ended, start, take

INSTANCES = [f"a:{number:03}" for number in range(400)]


@pytest.fixture
def hub(tmp_path: Path) -> Path:
    """A hub of instances that have ended."""
    backend = SqliteBackend(tmp_path / "hub.db")
    for instance_id in INSTANCES:
        start(backend, instance_id)
    backend.flush()
    for _ in INSTANCES:
        work = take(backend)
        backend.commit_orchestration(work, ended(work))
    backend.close()
    return tmp_path / "hub.db"


async def test_statuses_are_answered_between_two_parts_of_a_purge(
    hub: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "_PURGED_AT_ONCE", 10)
    settings = Settings()
    async with working(df.DFApp(), hub) as work:
        management = Management(work.client, work.engine.saved, "Hub", "Storage", "")
        async with TestClient(TestServer(rpc_app(settings, management))) as caller:

            async def status_of(instance_id: str) -> int:
                async with caller.get(f"{RPC}/instances/{instance_id}") as answer:
                    return answer.status

            async def purge() -> int:
                since = {"createdTimeFrom": "2000-01-01T00:00:00Z"}
                async with caller.delete(f"{RPC}/instances", params=since) as answer:
                    return int((await answer.json())["instancesDeleted"])

            purging = asyncio.create_task(purge())
            seen = []
            while not purging.done():
                seen.append((await status_of(INSTANCES[0]), await status_of(INSTANCES[-1])))

            assert await purging == len(INSTANCES)
    # The first one was gone, and the last one was still there afterwards.
    assert (404, 200) in seen


async def test_a_part_of_a_purge_is_short_however_large_the_instances_are(
    hub: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "_PURGE_SECONDS", 0.0)
    async with working(df.DFApp(), hub) as work:
        since = work.client.status(INSTANCES[0]).created

        assert work.client.purge_by(since, None, frozenset()) == 1
