"""Keys whose events are split over shards: which shard an event meets, and which shards there are.

A directory of pages remembers how many shards each key has, and since which day of events. So an
event that is repeated meets the shard that it met first, whatever the settings say by then.
"""

from hashlib import sha256
from typing import Any, Final, TypedDict

import azure.durable_functions as df

from orchestration import limits
from orchestration.steps import Steps

DIRECTORY: Final = "vendor_directory"  # the entity whose keys are its pages
TOTAL: Final = "vendor_total"  # the entity whose keys are the shards
AT_ONCE: Final = 50  # shards that are asked at once, for each page of the directory

# How many pages the directory has. With another number, keys would be looked for on other pages.
PAGES: Final = 16
MOST_KEYS: Final = limits.DIRECTORY_PAGE.most


class Split(TypedDict):
    """Over how many shards a key's events from a day on are split."""

    since: str
    shards: int


class Entry(TypedDict):
    """What the directory has of a key; `most` shards have to be read, as each may hold events."""

    splits: list[Split]
    most: int


class Page(TypedDict):
    """What the directory has on one page: its keys, and the last day that was closed for them."""

    entries: dict[str, Entry]
    closed_through: str


class Registration(TypedDict):
    """A key, how many shards it is to have, and the first day for which no event is there yet."""

    key: str
    shards: int
    since: str


def directory_id(page: str) -> df.EntityId:
    return df.EntityId(DIRECTORY, page)


def shard_id(key: str, shard: int) -> df.EntityId:
    return df.EntityId(TOTAL, f"{key}:{shard}")


def page_of(key: str) -> str:
    return str(_number(key) % PAGES)


def new_page() -> Page:
    return Page(entries={}, closed_through="")


def register(page: Page, registration: Registration) -> tuple[Page, None]:
    """Add a key, or give it another number of shards for the events of days to come."""
    key, shards, since = registration["key"], registration["shards"], registration["since"]
    entry = page["entries"].get(key) or first_entry(shards)
    splits = [split for split in entry["splits"] if split["since"] < since]
    if splits[-1]["shards"] != shards:
        splits.append(Split(since=since, shards=shards))
    after = Entry(splits=splits, most=max(entry["most"], shards))
    return {**page, "entries": {**page["entries"], key: after}}, None


def read(page: Page, _: object) -> tuple[Page, dict[str, Entry]]:
    """All keys of the page."""
    return page, page["entries"]


def close(page: Page, day: str) -> tuple[Page, dict[str, Entry]]:
    """All keys for whose shards a day is to be closed; those to come are told that it is."""
    return {**page, "closed_through": max(page["closed_through"], day)}, page["entries"]


def ask_shards(
    context: df.DurableOrchestrationContext, page: str, operation: str, data: object = None
) -> Steps[dict[str, list[Any]]]:
    """Ask a page, then all shards of its keys, so many at once; return the answers for each key."""
    entries: dict[str, Entry] = yield context.call_entity(directory_id(page), operation, data)
    shards = [(key, shard) for key, entry in entries.items() for shard in range(entry["most"])]
    answers: dict[str, list[Any]] = {key: [] for key in entries}
    for first in range(0, len(shards), AT_ONCE):
        wave = shards[first : first + AT_ONCE]
        calls = [context.call_entity(shard_id(*shard), operation, data) for shard in wave]
        for (key, _), answer in zip(wave, (yield context.task_all(calls)), strict=True):
            answers[key].append(answer)
    return answers


def first_entry(shards: int) -> Entry:
    return Entry(splits=[Split(since="", shards=shards)], most=shards)


def is_split_over(entry: Entry, shards: int) -> bool:
    """Whether the newest events of a key are split over so many shards."""
    return entry["splits"][-1]["shards"] == shards


def shard_of(entry: Entry, event: str, day: str) -> int:
    """The shard of an event; it depends on nothing that differs when it is repeated."""
    [*_, split] = [split for split in entry["splits"] if split["since"] <= day]
    return _number(event) % split["shards"]


def mark_of(event: str) -> str:
    """What is remembered of an event: 64 bits of its hash, as a state must not grow large."""
    return sha256(event.encode()).hexdigest()[:16]


def _number(text: str) -> int:
    """The same in every process, which `hash` is not."""
    return int(sha256(text.encode()).hexdigest()[16:], 16)
