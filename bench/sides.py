"""Starts what is measured: durablehost as a process, durabletask in this process."""

import asyncio
import contextlib
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import aiohttp

APP = Path(__file__).parent / "app"
ROOT = Path(__file__).parents[1]
_READY = re.compile(rb"Ready at http://\S+:(\d+) in")
_HOOKS = "/runtime/webhooks/durabletask"
_KEY = "code=local-durable-key"


class Durablehost:
    """A durablehost process and its client."""

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        self._process = process
        self.origin = f"http://127.0.0.1:{port}"
        self._base = f"{self.origin}{_HOOKS}"
        self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=16))

    async def start(self, name: str, body: Any, instance_id: str = "") -> str:
        async with self._session.post(
            f"{self._base}/orchestrators/{name}/{instance_id}?{_KEY}", json=body
        ) as answer:
            started: dict[str, Any] = await answer.json()
            return str(started["id"])

    async def status(self, instance_id: str) -> dict[str, Any]:
        async with self._session.get(f"{self._base}/instances/{instance_id}?{_KEY}") as answer:
            status: dict[str, Any] = await answer.json()
            return status

    async def list_instances(self, query: str) -> list[dict[str, Any]]:
        async with self._session.get(f"{self._base}/instances?{query}&{_KEY}") as answer:
            found: list[dict[str, Any]] = await answer.json()
            return found

    async def purge_ended(self, created_before: datetime | None = None) -> int:
        """Purge the ended instances. Returns how many there were."""
        query = f"createdTimeFrom=2000-01-01T00:00:00Z&{_KEY}"
        if created_before is not None:
            query += f"&createdTimeTo={created_before:%Y-%m-%dT%H:%M:%SZ}"
        async with self._session.delete(f"{self._base}/instances?{query}") as answer:
            purged: dict[str, Any] = await answer.json()
            return int(purged["instancesDeleted"])

    async def raise_event(self, instance_id: str, name: str, value: Any) -> None:
        path = f"{self._base}/instances/{instance_id}/raiseEvent/{name}?{_KEY}"
        async with self._session.post(path, json=value) as answer:
            answer.raise_for_status()

    async def ended(self, instance_id: str, look_every: float = 0.001) -> Any:
        """Wait until an instance has ended. Returns its output."""
        while True:
            status = await self.status(instance_id)
            if status["runtimeStatus"] not in ("Pending", "Running"):
                assert status["runtimeStatus"] == "Completed", status
                return status["output"]
            await asyncio.sleep(look_every)

    async def run(self, name: str, body: Any, look_every: float = 0.001) -> Any:
        return await self.ended(await self.start(name, body), look_every)

    def memory_megabytes(self) -> float:
        """The resident memory of the process now (Linux)."""
        return self._megabytes("VmRSS")

    def peak_megabytes(self) -> float:
        """The most resident memory that the process has had (Linux)."""
        return self._megabytes("VmHWM")

    def _megabytes(self, name: str) -> float:
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        found = re.search(rf"{name}:\s+(\d+) kB", status)
        return int(found[1]) / 1024 if found else float("nan")

    async def close(self) -> None:
        await self._session.close()
        self._process.kill()
        await self._process.wait()


@contextlib.asynccontextmanager
async def durablehost(
    data: Path | str | None = None, app: Path = APP
) -> AsyncIterator[Durablehost]:
    """Run durablehost on this hub file, by default a new one."""
    with tempfile.TemporaryDirectory() as scratch:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "durablehost", "start", str(app)),
            *("--port", "0", "--data", str(data or Path(scratch, "hub.db"))),
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert process.stdout is not None
        ready = None
        while ready is None:
            line = await process.stdout.readline()
            assert line, "durablehost did not start"
            ready = _READY.match(line)
        side = Durablehost(process, int(ready[1]))
        try:
            yield side
        finally:
            await side.close()


async def timed(work: Callable[[], Awaitable[object]]) -> float:
    """Return how many seconds the coroutine takes."""
    began = time.perf_counter()
    await work()
    return time.perf_counter() - began
