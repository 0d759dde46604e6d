"""An event meets the same shard again, and every shard that holds one is read."""

from hypothesis import given
from hypothesis import strategies as st

from blueprints.aggregator_sharding import (
    PAGES,
    Page,
    Registration,
    first_entry,
    is_split_over,
    mark_of,
    new_page,
    page_of,
    register,
    shard_of,
)

DAYS = [f"2026-01-{number:02}" for number in range(1, 29)]


def registered(page: Page, shards: int, since: str) -> Page:
    return register(page, Registration(key="acme", shards=shards, since=since))[0]


def test_where_an_event_goes_is_the_same_in_every_process() -> None:
    """Of another hash, repeated events would meet other shards, and keys would lie elsewhere."""
    entry = first_entry(8)

    assert [shard_of(entry, f"e-{n}", DAYS[0]) for n in range(5)] == [7, 3, 6, 6, 7]
    assert (page_of("acme"), mark_of("e-1")) == ("7", "b94f523196aaacd8")


def test_keys_are_spread_over_all_pages() -> None:
    assert {page_of(f"v-{number}") for number in range(300)} == {str(n) for n in range(PAGES)}


@given(st.lists(st.tuples(st.integers(1, 8), st.integers(0, 20)), min_size=1, max_size=12))
def test_whatever_the_settings_become_the_past_stays_where_it_is(
    changes: list[tuple[int, int]],
) -> None:
    """Each change holds from three days after its own day on; events are dated tomorrow at most."""
    page = new_page()
    met: dict[str, int] = {}
    for shards, today in sorted(changes, key=lambda change: change[1]):
        if not (entry := page["entries"].get("acme")) or not is_split_over(entry, shards):
            page = registered(page, shards, DAYS[today + 3])
        entry = page["entries"]["acme"]
        for day in DAYS[: today + 2]:
            shard = shard_of(entry, "e-1", day)
            assert met.setdefault(day, shard) == shard
            assert shard < entry["most"]


def test_settings_that_change_to_and_fro_add_one_split_a_day() -> None:
    page = registered(new_page(), 4, DAYS[0])
    for number in range(20):
        page = registered(page, 1 + number % 2, DAYS[3])

    entry = page["entries"]["acme"]
    assert [split["shards"] for split in entry["splits"]] == [4, 2]
    assert entry["most"] == 4
