"""What ten times the work costs: a longer history, more instances, a larger hub or payload."""

import asyncio
import statistics
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from bench import figures
from bench.floor import Floor
from bench.sides import Durablehost, timed

Measured = Callable[[int], Awaitable[float]]


@dataclass(frozen=True)
class Growth:
    """How much longer ten times as much takes."""

    work: str
    seconds: tuple[float, float]
    goal: float | None = None  # for the factor
    of_sdk: float | None = None  # the factor of the SDK's own replay

    @property
    def factor(self) -> float:
        little, much = self.seconds
        return much / little

    @property
    def is_met(self) -> bool | None:
        """Whether the factor reaches the goal; None without a goal."""
        return None if self.goal is None else self.factor <= self.goal

    def __str__(self) -> str:
        little, much = self.seconds
        goal = f", goal ≤ × {self.goal:g}" if self.goal else ""
        share = f"; the SDK's replay alone × {self.of_sdk:.1f}" if self.of_sdk else ""
        return f"{self.work}: {little:.3g} s → {much:.3g} s, × {self.factor:.1f}{goal}{share}"


async def growth(side: Durablehost, floor: Floor, runs: int) -> list[Growth]:
    """The table."""

    async def chain(n: int) -> float:
        return await timed(lambda: side.run("chain", {"n": n}, look_every=0.005))

    async def calls(n: int) -> float:
        return await timed(lambda: side.run("count_up", {"n": n}, look_every=0.005))

    async def fan(n: int) -> float:
        return await timed(lambda: side.run("fan_out", {"n": n}, look_every=0.005))

    async def shards(n: int) -> float:
        return await timed(lambda: side.run("sharded_fan_out", {"n": n}, look_every=0.01))

    async def instances(n: int) -> float:
        return n / await figures.many_chains(side, n)

    async def payload(kilobytes: int) -> float:
        return await timed(lambda: side.run("pass_on", {"kilobytes": kilobytes}))

    async def of_sdk_chain(n: int) -> float:
        return await asyncio.to_thread(lambda: floor.seconds("chain", n, 1)[0])

    async def of_sdk_fan(n: int) -> float:
        return await asyncio.to_thread(lambda: floor.seconds("fan_out", n, n)[0])

    sdk_chain, sdk_fan = [
        much / little
        for little, much in (await _taken(of_sdk_chain, 20, 1), await _taken(of_sdk_fan, 100, 1))
    ]
    return [
        Growth("chain of 20 → 200", await _taken(chain, 20, runs), of_sdk=sdk_chain),
        Growth("chain of 200 → 2,000", await _taken(chain, 200, runs), goal=13),
        Growth("40 → 400 entity calls in a row", await _taken(calls, 40, runs)),
        Growth("fan-out of 100 → 1,000", await _taken(fan, 100, runs), of_sdk=sdk_fan),
        Growth("1,000 → 10,000 activities in shards of 100", await _taken(shards, 1000, runs), 11),
        Growth("100 → 1,000 instances at once", await _taken(instances, 100, runs)),
        Growth("ten results of 10 → 100 KB", await _taken(payload, 10, runs)),
        Growth("three in a row in a hub of 10,000 → 100,000", await _in_hubs(runs)),
    ]


async def _taken(measure: Measured, n: int, runs: int) -> tuple[float, float]:
    """The times for n and for ten times n, of the run with the median factor.

    What is short is measured five times before and five times after what is long. A shared
    processor slows down and recovers within seconds: so both see the same.
    """
    await measure(n)
    pairs = []
    for _ in range(runs):
        little = [await measure(n) for _ in range(5)]
        much = await measure(10 * n)
        little += [await measure(n) for _ in range(5)]
        pairs.append((statistics.mean(little), much))
    return sorted(pairs, key=lambda pair: pair[1] / pair[0])[len(pairs) // 2]


async def _in_hubs(runs: int) -> tuple[float, float]:
    """The medians in two hubs with that many ended instances, measured alternately."""
    async with figures.with_ended(10_000) as small, figures.with_ended(100_000) as large:
        pairs = [(await figures.chain(small), await figures.chain(large)) for _ in range(10 * runs)]
    little, much = zip(*pairs, strict=True)
    return statistics.median(little) / 1000, statistics.median(much) / 1000
