"""Keys whose events are split over shards: which shard an event meets, and which shards there are.

A directory of pages remembers how many shards each key has, and since which day of events. So an
event that is repeated meets the shard that it met first, whatever the settings say by then.
"""

from hashlib import sha256
from typing import Final, TypedDict

# How many pages the directory has. With another number, keys would be looked for on other pages.
PAGES: Final = 16


class Split(TypedDict):
    """Over how many shards a key's events from a day on are split."""

    since: str
    shards: int


class Entry(TypedDict):
    """What the directory has of a key; `most` shards have to be read, as each may hold events."""

    splits: list[Split]
    most: int


Page = dict[str, Entry]


class Registration(TypedDict):
    """A key, how many shards it is to have, and the first day for which no event is there yet."""

    key: str
    shards: int
    since: str


def page_of(key: str) -> str:
    return str(_number(key) % PAGES)


def new_page() -> Page:
    return {}


def register(page: Page, registration: Registration) -> tuple[Page, None]:
    """Add a key, or give it another number of shards for the events of days to come."""
    key, shards, since = registration["key"], registration["shards"], registration["since"]
    if key not in page:
        return {**page, key: first_entry(shards)}, None
    splits = [split for split in page[key]["splits"] if split["since"] < since]
    if splits[-1]["shards"] != shards:
        splits.append(Split(since=since, shards=shards))
    return {**page, key: Entry(splits=splits, most=max(page[key]["most"], shards))}, None


def read(page: Page, _: object) -> tuple[Page, Page]:
    return page, page


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
