"""Prints one table: `python -m bench [--runs 5] [--only WORD]`. It takes some minutes."""

import argparse
import asyncio
import statistics
import sys
from typing import Final

from bench import dashboard, figures
from bench.durabletask_side import DurableTask, durabletask
from bench.figures import FILE, MEMORY, Figure
from bench.floor import Floor
from bench.growth import growth
from bench.shapes import SHAPES, Shape
from bench.sides import Durablehost, durablehost

FLOOR, PEER = "SDK's replay", "durabletask"
_COLUMNS: Final = (FILE, MEMORY, FLOOR, PEER)


async def main() -> None:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--runs", type=int, default=5, help="of each figure; default: 5")
    parser.add_argument("--only", default="", help="only figures whose name contains this")
    given = parser.parse_args()
    wanted = [shape for shape in SHAPES if given.only.lower() in shape.name]
    floor = Floor()
    async with durablehost() as on_file, durablehost(":memory:") as in_memory:
        with durabletask() as peer:
            sides = {FILE: on_file, MEMORY: in_memory}
            table = [await _compared(shape, sides, floor, peer, given.runs) for shape in wanted]
        if not given.only:
            _progress("growth")
            lines = await growth(on_file, floor, given.runs)
    if not given.only:
        table += await _alone(floor, given.runs)
    print(_as_text(table))
    if paces := [pace for figure in table for pace in figure.paces]:
        slower = f"{min(paces):.2f} to {max(paces):.2f} (median {statistics.median(paces):.2f})"
        print(f"\nThis machine is {slower} times as slow as the one that the goals are for.")
        print("Goals for durablehost's own work are scaled by the median pace beside each figure.")
    verdicts = {f"{figure.shape}, {figure.unit}": figure.is_met for figure in table}
    if not given.only:
        print("\nTen times the work takes, in the run with the median factor:")
        print("\n".join(f"  {line}" for line in lines))
        verdicts |= {line.work: line.is_met for line in lines}
    print(_verdict(verdicts))


async def _compared(
    shape: Shape, sides: dict[str, Durablehost], floor: Floor, peer: DurableTask, runs: int
) -> Figure:
    """Measure each side once in each round, so that changes of the machine's load affect all."""
    _progress(shape.name)
    figure = Figure(shape.name, shape.unit, shape.goal, shape.recorded)
    for side in sides.values():
        await shape.measure(side)  # warm
    if shape.peer and not shape.once:
        await asyncio.to_thread(shape.peer, peer)
    for run in range(runs):
        figure.paces.append(floor.pace())
        for name, side in sides.items():
            figure.add(name, await shape.measure(side))
        if shape.once and run:
            continue
        if shape.floor:
            figure.add(FLOOR, shape.floor(floor))
        if shape.peer:
            figure.add(PEER, await asyncio.to_thread(shape.peer, peer))
    return figure


async def _alone(floor: Floor, runs: int) -> list[Figure]:
    """Take the figures that need a separate durablehost process."""
    _progress("start to ready")
    ready = Figure("start to ready, this app", "s", 0.62, "6.5")
    for _ in range(runs):
        ready.paces.append(floor.pace())
        ready.add(FILE, await figures.start_to_ready())
    _progress("100,000 ended instances")
    page = Figure("a page of 100 of 100,000", "ms", 20)
    new = Figure("three in a row beside 100,000 ended", "ms")
    purge = Figure("longest status while these are purged", "ms", 50)
    await figures.with_100_000_ended(page, new, purge, runs)
    _progress("hand-over to the thread of the app's code")
    # The goal is a tenth of a 700th of a second, for the four episodes of three in a row. When 200
    # of these run at once, about eight calls are handed over together.
    alone = Figure("a call on the code's own thread costs", "µs")
    hand_over = Figure("the same, 8 calls at once", "µs", 35)
    for _ in range(runs):
        hand_over.paces.append(floor.pace())
        alone.add(MEMORY, await figures.hand_over(1))
        hand_over.add(MEMORY, await figures.hand_over(8))
    _progress("memory after 10,000 instances")
    memory = Figure("peak memory over 10,000 instances", "MB", 80, "551 idle")
    for _ in range(runs):
        memory.add(FILE, await figures.memory_after(10_000))
    _progress("memory with large histories")
    large = Figure("peak memory with 60 × 10 results of 1 MB", "MB", 300)
    for _ in range(runs):
        large.add(FILE, await figures.memory_with_large_histories())
    _progress("the linter")
    linter = Figure("lint this app's source", "ms", 2000)
    for _ in range(runs):
        linter.add(MEMORY, figures.lint_time())
    seen = await _dashboard(runs)
    # Last, because it applies the patches of the SDK to this process, which measures the pace.
    _progress("an approval of 90 days")
    approval = Figure("90 days of reminders, by ManualHub", "ms", 100)
    approval.paces.append(floor.pace())
    await figures.ninety_days()  # warm
    for _ in range(runs):
        approval.add(MEMORY, await figures.ninety_days())
    return [ready, page, new, purge, alone, hand_over, memory, large, linter, *seen, approval]


async def _dashboard(runs: int) -> list[Figure]:
    if not dashboard.browser():
        _progress("no browser is found, so the dashboard is left out")
        return []
    _progress("the dashboard")
    paint = Figure("dashboard: first paint", "ms", 500)
    filtering = Figure("dashboard: find one of 100,000 by its text", "ms", 1000)
    scrolling = Figure("dashboard: a frame while 10,000 events scroll", "ms", 34)
    await dashboard.measure(paint, filtering, scrolling, runs)
    return [paint, filtering, scrolling]


def _progress(what: str) -> None:
    print(f"… {what}", file=sys.stderr, flush=True)


def _verdict(verdicts: dict[str, bool | None]) -> str:
    missed = [what for what, is_met in verdicts.items() if is_met is False]
    goals = sum(is_met is not None for is_met in verdicts.values())
    if not missed:
        return f"\nAll {goals} goals are met."
    return f"\nNot met, {len(missed)} of {goals} goals: {'; '.join(missed)}"


def _as_text(table: list[Figure]) -> str:
    rows: list[tuple[str, ...]] = [
        ("minimum / median / maximum", "goal", "met", *_COLUMNS, "real host, recorded")
    ]
    rows += [
        (
            f"{figure.shape}, {figure.unit}",
            figure.goal_shown,
            {True: "yes", False: "no", None: ""}[figure.is_met],
            *(_spread(figure.runs.get(side, [])) for side in _COLUMNS),
            figure.recorded,
        )
        for figure in table
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    lines.insert(1, "-|-".join("-" * width for width in widths))
    return "\n".join(lines)


def _spread(values: list[float]) -> str:
    if not values:
        return ""
    spread = (min(values), statistics.median(values), max(values))
    return " / ".join(figures.readable(value) for value in spread)


if __name__ == "__main__":
    asyncio.run(main())
