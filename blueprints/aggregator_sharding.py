"""Keys whose events are split over shards: which shard an event meets, and which shards there are.

An entity for each key remembers how many shards the key has, and since which day of events. So an
event that is repeated meets the shard that it met first, whatever the settings say by then. A
directory of pages lists the keys, because an orchestrator cannot list entities.
"""

from collections.abc import Generator
from hashlib import sha256
from typing import Any, Final, TypedDict

import azure.durable_functions as df

from activities import limits

DIRECTORY: Final = "vendor_directory"  # the entity whose keys are the pages of the directory
SPLITS: Final = "vendor_splits"  # the entity whose keys are the keys that are split
TOTAL: Final = "vendor_total"  # the entity whose keys are the shards
SHARDS_ASKED: Final = 100  # at once and in one generation, or those of one key more

# How many pages the directory has. With another number, keys would be looked for on other pages.
PAGES: Final = 16
MOST_KEYS: Final = limits.DIRECTORY_PAGE.most


class Split(TypedDict):
    """Over how many shards a key's events from a day on are split."""

    since: str
    shards: int


class Splits(TypedDict):
    """How a key is split, and the last day that was closed when the newest split was made.

    All `most` shards have to be read, because each one may hold events.
    """

    splits: list[Split]
    most: int
    closed_through: str


class SplitOrder(TypedDict):
    """How many shards a key is to have, the first day of new events, and the last closed day."""

    shards: int
    since: str
    closed_through: str


class Page(TypedDict):
    """A page of the directory: each key with the number of its shards, and the last closed day."""

    shards: dict[str, int]
    closed_through: str


class Registration(TypedDict):
    """A key, and how many shards it has at least."""

    key: str
    shards: int


class Listed(TypedDict):
    """Some keys of a page with their shards, in the order of the keys, and whether more follow."""

    shards: dict[str, int]
    more: bool


def directory_id(page: str) -> df.EntityId:
    return df.EntityId(DIRECTORY, page)


def splits_id(key: str) -> df.EntityId:
    return df.EntityId(SPLITS, key)


def shard_id(key: str, shard: int) -> df.EntityId:
    return df.EntityId(TOTAL, f"{key}:{shard}")


def page_of(key: str) -> str:
    return str(_number(key) % PAGES)


def new_page() -> Page:
    return Page(shards={}, closed_through="")


def register(page: Page, registration: Registration) -> tuple[Page, None]:
    """Add a key, or give it more shards."""
    key = registration["key"]
    shards = max(page["shards"].get(key, 0), registration["shards"])
    return {**page, "shards": {**page["shards"], key: shards}}, None


def close(page: Page, day: str) -> tuple[Page, Listed]:
    """Close a day; list the first keys. Keys that are registered later learn of the closing."""
    return {**page, "closed_through": max(page["closed_through"], day)}, list_after(page, "")[1]


def list_after(page: Page, after: str) -> tuple[Page, Listed]:
    """The keys that follow a key, until they have `SHARDS_ASKED` shards together."""
    following = sorted(key for key in page["shards"] if key > after)
    listed: dict[str, int] = {}
    while following[len(listed) :] and sum(listed.values()) < SHARDS_ASKED:
        key = following[len(listed)]
        listed[key] = page["shards"][key]
    return page, Listed(shards=listed, more=len(listed) < len(following))


def new_splits() -> Splits:
    return Splits(splits=[], most=0, closed_through="")


def split(splits: Splits, order: SplitOrder) -> tuple[Splits, None]:
    """Split a key over a number of shards: a new key at once, another for new events."""
    shards = order["shards"]
    if not splits["splits"]:
        return first_splits(shards, order["closed_through"]), None
    kept = [each for each in splits["splits"] if each["since"] < order["since"]]
    if kept[-1]["shards"] != shards:
        kept.append(Split(since=order["since"], shards=shards))
    most = max(splits["most"], shards)
    return Splits(splits=kept, most=most, closed_through=order["closed_through"]), None


def ask_shards(
    context: df.DurableOrchestrationContext,
    shards: dict[str, int],
    operation: str,
    data: object = None,
) -> Generator[Any, Any, dict[str, list[Any]]]:
    """Ask all shards of some keys at once; return the answers for each key."""
    asked = [(key, shard) for key, count in shards.items() for shard in range(count)]
    if not asked:
        return {}
    calls = [context.call_entity(shard_id(*each), operation, data) for each in asked]
    answers: dict[str, list[Any]] = {key: [] for key in shards}
    for (key, _), answer in zip(asked, (yield context.task_all(calls)), strict=True):
        answers[key].append(answer)
    return answers


def first_splits(shards: int, closed_through: str) -> Splits:
    first = Split(since="", shards=shards)
    return Splits(splits=[first], most=shards, closed_through=closed_through)


def newest_shards(splits: Splits) -> int:
    """Over how many shards the newest events of a key are split."""
    return splits["splits"][-1]["shards"]


def shard_of(splits: Splits, event: str, day: str) -> int:
    """The shard of an event; it depends on nothing that differs when it is repeated."""
    [*_, split] = [split for split in splits["splits"] if split["since"] <= day]
    return _number(event) % split["shards"]


def mark_of(event: str) -> str:
    """What is remembered of an event: 64 bits of its hash, as a state must not grow large."""
    return sha256(event.encode()).hexdigest()[:16]


def _number(text: str) -> int:
    """The same in every process, which `hash` is not."""
    return int(sha256(text.encode()).hexdigest()[16:], 16)
