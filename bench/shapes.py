"""The figures that are taken, and their targets."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from bench import figures
from bench.durabletask_side import DurableTask
from bench.floor import Floor
from bench.sides import Durablehost

Measure = Callable[[Durablehost], Awaitable[float]]


@dataclass(frozen=True)
class Shape:
    """A figure that both sides can measure."""

    name: str
    unit: str
    goal: float | None  # on a file
    recorded: str  # the real host over Azurite, from docs/platform.md
    measure: Measure
    floor: Callable[[Floor], float] | None = None
    peer: Callable[[DurableTask], float] | None = None
    once: bool = False  # the floor and the peer take long, and are measured once


def _taking(work: Callable[[], None]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


SHAPES: Final = (
    Shape(
        "three activities in a row",
        "ms",
        15,
        "318",
        figures.chain,
        lambda floor: 1000 * floor.seconds("chain", 3, 1)[0],
        lambda peer: 1000 * _taking(lambda: peer.run("chain", 3)),
    ),
    Shape(
        "the same, 200 at once",
        "/s",
        700,
        "7.6",
        figures.many_chains,
        lambda floor: 1 / floor.seconds("chain", 3, 1)[0],
        lambda peer: 200 / _taking(lambda: peer.run_many("chain", 3, 200)),
    ),
    Shape(
        "a chain of 1,000",
        "s",
        0.8,
        "–",
        figures.running("chain", 1000),
        lambda floor: floor.seconds("chain", 1000, 1)[0],
        lambda peer: _taking(lambda: peer.run("chain", 1000)),
        once=True,
    ),
    Shape(
        "400 entity calls in a row",
        "s",
        0.3,
        "–",
        figures.running("count_up", 400),
        lambda floor: floor.seconds("count_up", 400, 1)[0],
        lambda peer: _taking(lambda: peer.run("count_up", 400)),
        once=True,
    ),
    Shape(
        "fan-out of 100",
        "ms",
        80,
        "1,170",
        figures.fan_out(100),
        lambda floor: 1000 * floor.seconds("fan_out", 100, 100)[0],
        lambda peer: 1000 * _taking(lambda: peer.run("fan_out", 100)),
    ),
    Shape(
        "fan-out of 1,000",
        "ms",
        99,
        "28,700",
        figures.fan_out(1000),
        lambda floor: 1000 * floor.seconds("fan_out", 1000, 1000)[0],
        lambda peer: 1000 * _taking(lambda: peer.run("fan_out", 1000)),
    ),
    Shape(
        "1,000 in shards of 100",
        "ms",
        None,
        "–",
        figures.fan_out(1000, "sharded_fan_out"),
    ),
    Shape(
        "10,000 in shards of 100",
        "ms",
        None,
        "–",
        figures.fan_out(10_000, "sharded_fan_out"),
    ),
    Shape("event to reply", "ms", 10, "–", figures.event_to_reply),
    Shape("1,000 signals to one entity", "/s", 1_000, "–", figures.signals(1)),
    Shape("1,000 signals to 100 entities", "/s", 3_000, "–", figures.signals(100)),
    Shape("status in a fan-out of 1,000, p99", "ms", 50, "–", figures.status_p99),
)
