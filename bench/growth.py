"""Measures how much longer ten times the work takes."""

import asyncio
import statistics
from collections.abc import Awaitable, Callable

from bench import figures
from bench.floor import Floor
from bench.sides import Durablehost, timed

Measured = Callable[[int], Awaitable[float]]


async def growth(side: Durablehost, floor: Floor, runs: int) -> list[str]:
    """Return a line for each workload: the factor, and the SDK's own factor."""

    async def chain(n: int) -> float:
        return await timed(lambda: side.run("chain", {"n": n}))

    async def fan(n: int) -> float:
        return await timed(lambda: side.run("fan_out", {"n": n}, look_every=0.005))

    async def shards(n: int) -> float:
        return await timed(lambda: side.run("sharded_fan_out", {"n": n}, look_every=0.01))

    async def instances(n: int) -> float:
        return n / await figures.many_chains(side, n)

    async def of_sdk_chain(n: int) -> float:
        return await asyncio.to_thread(lambda: floor.seconds("chain", n, 1)[0])

    async def of_sdk_fan(n: int) -> float:
        return await asyncio.to_thread(lambda: floor.seconds("fan_out", n, n)[0])

    return [
        await _line("chain of 20 → 200 (its history grows alike)", chain, 20, runs, of_sdk_chain),
        await _line("fan-out of 100 → 1,000", fan, 100, runs, of_sdk_fan),
        await _line("shards of 100: 1,000 → 10,000 activities", shards, 1000, runs),
        await _line("100 → 1,000 instances at once", instances, 100, runs),
    ]


async def _line(
    name: str, measure: Measured, n: int, runs: int, of_sdk: Measured | None = None
) -> str:
    factor = await _factor(measure, n, runs)
    share = f"; the SDK's replay alone × {await _factor(of_sdk, n, runs):.1f}" if of_sdk else ""
    return f"{name}: × {factor:.1f}{share}"


async def _factor(measure: Measured, n: int, runs: int) -> float:
    await measure(n)
    factors = []
    for _ in range(runs):
        little = await measure(n)
        factors.append(await measure(10 * n) / little)
    return statistics.median(factors)
