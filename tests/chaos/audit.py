"""Checks that durablehost lost nothing and did nothing twice."""

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.chaos.book import OUTPUTS, STEPS, Asked, Book
from tests.chaos.load import LEDGERS, Client

Seen = dict[str, tuple[str, str]]  # how instances had ended when they were looked at: status, time


@dataclass
class Audit:
    """The figures of a sweep, and what is wrong, as texts."""

    lost: int = 0
    stuck: int = 0
    wrong: int = 0
    ended_twice: int = 0
    events_missing: int = 0
    events_doubled: int = 0
    operations_missing: int = 0
    operations_doubled: int = 0
    operations_out_of_order: int = 0
    activities_missing: int = 0
    left_in_hub: int = 0
    instances: int = 0
    events: int = 0
    operations: int = 0
    activities: int = 0
    activities_again: int = 0
    words: list[str] = field(default_factory=list)

    @property
    def misses(self) -> int:
        return (
            self.lost
            + self.stuck
            + self.wrong
            + self.ended_twice
            + self.events_missing
            + self.events_doubled
            + self.operations_missing
            + self.operations_doubled
            + self.operations_out_of_order
            + self.activities_missing
            + self.left_in_hub
        )


async def ended(client: Client) -> Seen:
    """The instances that have ended, with their outcome."""
    seen: Seen = {}
    for status in ("Completed", "Failed", "Terminated"):
        found = await client.list(f"runtimeStatus={status}")
        seen |= {one["instanceId"]: (status, one["lastUpdatedTime"]) for one in found}
    return seen


async def unfinished(client: Client) -> list[str]:
    """The ids of the instances that have not ended."""
    found = await client.list("runtimeStatus=Pending,Running,Suspended,ContinuedAsNew")
    return [one["instanceId"] for one in found if not one["instanceId"].startswith("@")]


async def audit(client: Client, book: Book, seen: Seen, effects: list[str]) -> Audit:
    """Check every instance and every entity; `effects` are the runs that activities recorded."""
    found = Audit()
    noted = Counter(effects)
    there = set()
    for asked in book.instances.values():
        shown = await _shown(client, asked.id)
        if shown is not None:
            there.add(asked.id)
            await _check_instance(found, asked, shown, noted)
            if asked.orchestrator == "family":
                await _check_children(found, client, asked, shown, noted)
        elif asked.answered:
            found.lost += 1
            found.words.append(f"{asked.id} was answered, and is not there")
    found.instances = len(there)
    for instance_id, (status, time) in seen.items():
        shown = await _shown(client, instance_id)
        if shown is None or (shown["runtimeStatus"], shown["lastUpdatedTime"]) != (status, time):
            found.ended_twice += 1
            found.words.append(f"{instance_id} had ended ({status}, {time}), and is now: {shown}")
    for number in range(LEDGERS):
        await _check_ledger(found, client, book, str(number), there)
    found.activities = len(noted)
    found.activities_again = noted.total() - len(noted)
    return found


async def _shown(client: Client, instance_id: str) -> Any:
    path = f"/instances/{instance_id}?showHistory=true&showHistoryOutput=true"
    answer = await client.ask(path)
    return None if answer.status == 404 else answer.value


async def _check_instance(found: Audit, asked: Asked, shown: Any, noted: Counter[str]) -> None:
    if not _check_end(found, asked.id, shown):
        return
    if asked.orchestrator in ("collector", "gatherer"):
        _check_events(found, asked, shown["output"])
    else:
        expected = (
            f"{asked.id}/1"
            if asked.orchestrator == "bookkeeper"
            else OUTPUTS[asked.orchestrator](asked.number)
        )
        if shown["output"] != expected:
            found.wrong += 1
            found.words.append(f"{asked.id} came to {shown['output']}, not to {expected}")
    _check_activities(found, asked.id, asked.orchestrator, asked.number, noted)


def _check_end(found: Audit, instance_id: str, shown: Any) -> bool:
    if shown["runtimeStatus"] in ("Pending", "Running"):
        found.stuck += 1
        found.words.append(f"{instance_id} is stuck: {json.dumps(shown)[:400]}")
        return False
    ends = [one for one in shown["historyEvents"] if one["EventType"] == "ExecutionCompleted"]
    if len(ends) != 1:
        found.ended_twice += 1
        found.words.append(f"{instance_id} has {len(ends)} ends in its history")
    if shown["runtimeStatus"] != "Completed":
        found.wrong += 1
        found.words.append(f"{instance_id} is {shown['runtimeStatus']}: {shown['output']}")
        return False
    return True


def _check_events(found: Audit, asked: Asked, numbers: Iterable[int]) -> None:
    came = Counter(numbers)
    found.events += came.total()
    for sent in asked.events:
        if sent.answered and not came[sent.value]:
            found.events_missing += 1
            found.words.append(f"{asked.id} never got the number {sent.value}")
    known = {sent.value for sent in asked.events}
    doubled = [number for number, times in came.items() if times > 1 or number not in known]
    found.events_doubled += len(doubled)
    found.words += [f"{asked.id} got the number {number} too often" for number in doubled]


def _check_activities(
    found: Audit, instance_id: str, orchestrator: str, number: int, noted: Counter[str]
) -> None:
    steps = STEPS[orchestrator](number) if orchestrator in STEPS else 0
    missing = [f"{instance_id}/{step}" for step in range(steps)]
    missing = [step for step in missing if not noted[step]]
    found.activities_missing += len(missing)
    found.words += [f"{step} never ran" for step in missing]


async def _check_children(
    found: Audit, client: Client, asked: Asked, shown: Any, noted: Counter[str]
) -> None:
    child = await _shown(client, f"{asked.id}:child")
    if shown["runtimeStatus"] != "Completed":
        return
    if child is None:
        found.lost += 1
        found.words.append(f"{asked.id}:child is not there, and its parent has ended")
    elif _check_end(found, f"{asked.id}:child", child):
        _check_activities(found, f"{asked.id}:child", "chain", asked.number, noted)


async def _check_ledger(
    found: Audit, client: Client, book: Book, ledger: str, there: set[str]
) -> None:
    answer = await client.ask(f"/entities/ledger/{ledger}")
    came = Counter(answer.value if answer.status == 200 else [])
    found.operations += came.total()
    bookkeepers = [one for one in book.instances.values() if one.ledger == ledger]
    of_instances = {
        f"{one.id}/{step}"
        for one in bookkeepers
        for step in range(3)
        if one.orchestrator == "bookkeeper" and one.id in there
    }
    signals = book.signals.get(ledger, [])
    due = of_instances | {sent.value for sent in signals if sent.answered}
    missing = due - set(came)
    known = of_instances | {sent.value for sent in signals}
    doubled = [entry for entry, times in came.items() if times > 1 or entry not in known]
    found.operations_missing += len(missing)
    found.operations_doubled += len(doubled)
    found.words += [f"ledger {ledger} never got {entry}" for entry in missing]
    found.words += [f"ledger {ledger} has {entry} too often" for entry in doubled]
    by_sender: dict[str, list[int]] = {}
    for entry in came:
        sender, _, number = entry.rpartition("/")
        by_sender.setdefault(sender, []).append(int(number))
    mixed = [sender for sender, numbers in by_sender.items() if numbers != sorted(numbers)]
    found.operations_out_of_order += len(mixed)
    found.words += [f"ledger {ledger} has {sender}'s out of order" for sender in mixed]


def check_file(found: Audit, hub: Path) -> None:
    """Check the contents of the hub file after all work has ended."""
    with closing(sqlite3.connect(hub)) as connection:
        whole = connection.execute("PRAGMA integrity_check").fetchone()[0]
        if whole != "ok":
            found.left_in_hub += 1
            found.words.append(f"SQLite says of the hub: {whole}")
        for table in ("messages", "activities"):
            (left,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
            found.left_in_hub += left
            if left:
                found.words.append(f"{left} {table} are left in the hub")
