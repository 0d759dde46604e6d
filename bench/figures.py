"""Takes the figures, each over several runs."""

import asyncio
import contextlib
import itertools
import random
import sqlite3
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Final

from bench.sides import APP, ROOT, Durablehost, durablehost, timed
from durablehost.app.loading import load_app
from durablehost.engine.code_threads import CodeCall, CodeThreads
from durablehost.hub.backend import EntityWork
from durablehost.lint.linting import lint_folder
from durablehost.lint.options import Options as LintOptions
from durablehost.testing.manual_hub import ManualHub

FILE: Final = "on a file"
MEMORY: Final = "in memory"

_keys = itertools.count()


@dataclass
class Figure:
    """One row of the table."""

    shape: str
    unit: str
    goal: float | None = None  # for the best run on a file; a rate is to be at least as high
    recorded: str = "–"  # the real host over Azurite, from platform-facts
    runs: dict[str, list[float]] = field(default_factory=dict)  # by side
    paces: list[float] = field(default_factory=list)  # of the machine, beside the runs

    def add(self, side: str, value: float) -> None:
        self.runs.setdefault(side, []).append(value)

    @property
    def goal_here(self) -> float | None:
        """The goal at the pace of this machine, if it was measured: times grow, rates shrink."""
        if self.goal is None or not self.paces:
            return self.goal
        pace = statistics.median(self.paces)
        return self.goal / pace if self._is_rate else self.goal * pace

    @property
    def goal_shown(self) -> str:
        if self.goal_here is None:
            return ""
        return f"{'≥' if self._is_rate else '≤'} {readable(self.goal_here)}"

    @property
    def is_met(self) -> bool | None:
        """Whether the best run reaches the goal; None without a goal."""
        values = self.runs.get(FILE) or self.runs.get(MEMORY)
        if self.goal_here is None or values is None:
            return None
        return max(values) >= self.goal_here if self._is_rate else min(values) <= self.goal_here

    @property
    def _is_rate(self) -> bool:
        return self.unit == "/s"


async def chain(side: Durablehost) -> float:
    return 1000 * await timed(lambda: side.run("chain", {"n": 3}))


async def many_chains(side: Durablehost, n: int = 200, steps: int = 3) -> float:
    """Instances a second."""
    prefix = f"many-{next(_keys)}-"

    async def all_of_them() -> None:
        started = (side.start("chain", {"n": steps}, f"{prefix}{k}") for k in range(n))
        await asyncio.gather(*started)
        # Each request costs durablehost as much as a part of a chain, and a list of all even more.
        unfinished = f"instanceIdPrefix={prefix}&runtimeStatus=Pending,Running&top=1"
        while await side.list_instances(unfinished):
            await asyncio.sleep(0.02)

    rate = n / await timed(all_of_them)
    completed = f"instanceIdPrefix={prefix}&runtimeStatus=Completed&top=1000"
    assert len(await side.list_instances(completed)) == n
    return rate


def running(name: str, n: int) -> Callable[[Durablehost], Awaitable[float]]:
    """Seconds from the start of an orchestration to its end."""

    async def measure(side: Durablehost) -> float:
        return await timed(lambda: side.run(name, {"n": n}, look_every=0.01))

    return measure


def fan_out(n: int, name: str = "fan_out") -> Callable[[Durablehost], Awaitable[float]]:
    async def measure(side: Durablehost) -> float:
        return 1000 * await timed(lambda: side.run(name, {"n": n}, look_every=0.005))

    return measure


async def event_to_reply(side: Durablehost) -> float:
    instance = await side.start("reply", {})
    while (await side.status(instance))["runtimeStatus"] != "Running":
        await asyncio.sleep(0.001)

    async def ask() -> None:
        await side.raise_event(instance, "Asked", "hello")
        await side.ended(instance)

    return 1000 * await timed(ask)


def signals(entities: int, n: int = 1000) -> Callable[[Durablehost], Awaitable[float]]:
    """Signals a second, from one orchestrator, until all have been applied."""

    async def measure(side: Durablehost) -> float:
        asked = {"n": n, "entities": entities, "key": f"k{next(_keys)}"}

        async def send_all() -> None:
            assert await side.run("signal_many", asked) == n

        return n / await timed(send_all)

    return measure


async def status_p99(side: Durablehost) -> float:
    """The 99th percentile of a status request, in ms, while 1,000 activities fan out and in."""
    running = asyncio.create_task(side.run("fan_out", {"n": 1000}, look_every=0.02))
    watched = await side.start("reply", {})
    taken = []
    while not running.done():
        taken.append(1000 * await timed(lambda: side.status(watched)))
        await asyncio.sleep(0.001)
    await running
    return statistics.quantiles(taken, n=100)[98]


async def start_to_ready() -> float:
    """Seconds from the command to the line that says ready, this repository's app, a new hub."""

    async def start() -> None:
        async with durablehost(app=ROOT):
            pass

    return await timed(start)


async def ninety_days() -> float:
    """A test of an approval of 90 days in ms, from the hub to its end; the app is loaded before."""
    table = load_app(APP)

    async def approval() -> None:
        async with ManualHub(table) as hub:
            instance = await hub.start("approval")
            await hub.run_until_ended(instance)
            assert hub.output(instance) == "expired"
            assert hub.clock.now() >= hub.instance(instance).created + timedelta(days=90)

    return 1000 * await timed(approval)


async def hand_over(at_once: int, calls: int = 1000) -> float:
    """Microseconds that a call costs from the work loop to the thread of the app's code and back.

    So many calls are handed over together.
    """
    threads = CodeThreads(lambda: None, 1)

    async def all_of_them() -> None:
        for _ in range(calls // at_once):
            for _ in range(at_once):
                call = CodeCall(EntityWork("@e@k", None, [], ()), "entity e", lambda: _nothing)
                threads.start(call)
            ended = 0
            while ended < at_once:
                assert threads.wait(time.perf_counter() + 1)
                ended += len([*threads.ended()])

    taken = await timed(all_of_them)
    await threads.stop()
    return 1_000_000 * taken / calls


def _nothing() -> None:
    """Commits nothing."""


def lint_time() -> float:
    """The linter's time for the app of this repository in ms, without loading the app."""
    began = time.perf_counter()
    linted = lint_folder(ROOT, LintOptions(), loads=False)
    assert not linted.findings
    return 1000 * (time.perf_counter() - began)


async def with_100_000_ended(
    figure_list: Figure, figure_new: Figure, figure_purge: Figure, runs: int
) -> None:
    """A hub of 100,000 ended instances: a page of a list, a new instance, and a purge of all."""
    async with with_ended(100_000) as side:
        for _ in range(runs):
            query = f"instanceIdPrefix=made-{random.randrange(1, 10)}&runtimeStatus=Completed"
            found: list[object] = []

            async def page(query: str = query, found: list[object] = found) -> None:
                found += await side.list_instances(query)

            figure_list.add(FILE, 1000 * await timed(page))
            assert len(found) == 100, len(found)
            figure_new.add(FILE, await chain(side))
        figure_purge.add(FILE, await _longest_wait_in_purge(side))


async def _longest_wait_in_purge(side: Durablehost) -> float:
    """The longest status request in ms while all ended instances are purged."""
    watched = await side.start("reply", {})
    purging = asyncio.create_task(side.purge_ended())
    taken = []
    while not purging.done():
        taken.append(1000 * await timed(lambda: side.status(watched)))
        await asyncio.sleep(0.001)
    assert await purging > 100_000
    return max(taken)


@contextlib.asynccontextmanager
async def with_ended(instances: int) -> AsyncIterator[Durablehost]:
    """Run durablehost on a hub with so many ended instances."""
    with tempfile.TemporaryDirectory() as scratch:
        hub = Path(scratch, "hub.db")
        await fill(hub, instances)
        async with durablehost(hub) as side:
            yield side


async def fill(hub: Path, instances: int) -> None:
    """Make a hub with so many ended instances."""
    async with durablehost(hub) as side:
        await side.run("chain", {"n": 3})
    _multiply(hub, instances)


def _multiply(hub: Path, instances: int) -> None:
    """Copy the only instance of a hub many times."""
    with sqlite3.connect(hub) as connection:
        columns = (
            "name, version, execution_id, generation, status, input, output, custom_status,"
            " created, updated, parent"
        )
        connection.execute(
            f"WITH RECURSIVE counted(k) AS (SELECT 0 UNION ALL SELECT k + 1 FROM counted"
            f" WHERE k < ?) INSERT INTO instances (id, {columns})"
            f" SELECT 'made-' || k, {columns} FROM counted, instances",
            (instances - 1,),
        )
    connection.close()


async def memory_after(instances: int) -> float:
    """The peak memory of durablehost in MB over `instances` instances of three activities."""
    async with durablehost() as side:
        for _ in range(instances // 500):
            await many_chains(side, 500)
        return side.peak_megabytes()


async def memory_with_large_histories() -> float:
    """The peak memory in MB with 60 waiting instances of ten results of 1 MB each."""
    async with durablehost() as side:
        ids = [await side.start("holds", {}, f"holds-{number}") for number in range(60)]
        for instance_id in ids:
            while (await side.status(instance_id))["customStatus"] != "waits":
                await asyncio.sleep(0.01)
        return side.peak_megabytes()


def readable(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
