"""Keeps durablehost busy for ten minutes: `python -m bench.soak [--minutes 10]`.

Prints a line a minute: what has ended, memory, and how long requests and instances took.
"""

import argparse
import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from bench import figures
from bench.sides import Durablehost, durablehost, timed

_PERCENTILES: Final = (50, 95, 99)
_PAUSE: Final = 0.05  # seconds between two pieces of work of one kind
_ASKED_FOR: Final = timedelta(seconds=30)  # an instance, from its start on, at most


class Soak:
    """The load, and what was measured since the last line."""

    def __init__(self, side: Durablehost) -> None:
        self._side = side
        self._ended = 0
        self._statuses: list[float] = []  # in ms, as the others
        self._chains: list[float] = []
        self._replies: list[float] = []

    async def run(self, minutes: float) -> list[float]:
        """Run the load. Returns the memory at the end of each minute."""
        memory = []
        until = time.perf_counter() + 60 * minutes
        async with asyncio.TaskGroup() as load:
            for work in (self._chain, self._long_chain, self._fan_out, self._reply, self._status):
                load.create_task(self._again(work, until))
            load.create_task(self._purge(until))
            while (left := until - time.perf_counter()) > 0:
                await asyncio.sleep(min(60.0, left))
                memory.append(self._side.memory_megabytes())
                print(self._line(memory[-1]), flush=True)
        return memory

    async def _again(self, work: Callable[[], Awaitable[None]], until: float) -> None:
        while time.perf_counter() < until:
            await work()
            await asyncio.sleep(_PAUSE)

    async def _purge(self, until: float) -> None:
        """Purge what has ended, each minute, so that the hub does not grow."""
        while time.perf_counter() < until:
            await asyncio.sleep(min(60.0, max(0.0, until - time.perf_counter())))
            # Others may still be asked for.
            await self._side.purge_ended(datetime.now(UTC) - _ASKED_FOR)

    async def _chain(self) -> None:
        self._chains.append(await figures.chain(self._side))
        self._ended += 1

    async def _long_chain(self) -> None:
        await self._side.run("count_up", {"n": 100}, look_every=0.05)
        self._ended += 1

    async def _fan_out(self) -> None:
        await self._side.run("fan_out", {"n": 100}, look_every=0.05)
        self._ended += 1

    async def _reply(self) -> None:
        self._replies.append(await figures.event_to_reply(self._side))
        self._ended += 1

    async def _status(self) -> None:
        query = "runtimeStatus=Running&top=10"
        self._statuses.append(1000 * await timed(lambda: self._side.list_instances(query)))

    def _line(self, memory: float) -> str:
        ended, self._ended = self._ended, 0
        statuses, self._statuses = self._statuses, []
        chains, self._chains = self._chains, []
        replies, self._replies = self._replies, []
        return (
            f"{ended:6,} instances | {memory:4.0f} MB | ms, p50 / p95 / p99:"
            f" a list {_spread(statuses)} | three in a row {_spread(chains)}"
            f" | event to reply {_spread(replies)}"
        )


def _spread(taken: list[float]) -> str:
    if len(taken) < 2:
        return "–"
    cuts = statistics.quantiles(taken, n=100)
    return " / ".join(figures.readable(cuts[percentile - 1]) for percentile in _PERCENTILES)


async def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    minutes = parser.parse_args().minutes
    async with durablehost() as side:
        memory = await Soak(side).run(minutes)
    print(f"Memory: {memory[0]:.0f} MB after the first minute, {memory[-1]:.0f} MB at the end.")


if __name__ == "__main__":
    asyncio.run(main())
