"""An event meets the same shard again, and every shard that holds one is read."""

from hypothesis import given
from hypothesis import strategies as st

from blueprints.aggregator_sharding import (
    PAGES,
    SHARDS_ASKED,
    Page,
    SplitOrder,
    Splits,
    first_splits,
    list_after,
    mark_of,
    new_splits,
    newest_shards,
    page_of,
    shard_of,
    split,
)

DAYS = [f"2026-01-{number:02}" for number in range(1, 29)]


def splitting(splits: Splits, shards: int, since: str) -> Splits:
    return split(splits, SplitOrder(shards=shards, since=since, closed_through=""))[0]


def test_where_an_event_goes_is_the_same_in_every_process() -> None:
    """Of another hash, repeated events would meet other shards, and keys would lie elsewhere."""
    splits = first_splits(8, "")

    assert [shard_of(splits, f"e-{n}", DAYS[0]) for n in range(5)] == [7, 3, 6, 6, 7]
    assert (page_of("acme"), mark_of("e-1")) == ("7", "b94f523196aaacd8")


def test_keys_are_spread_over_all_pages() -> None:
    assert {page_of(f"v-{number}") for number in range(300)} == {str(n) for n in range(PAGES)}


@given(st.lists(st.tuples(st.integers(1, 8), st.integers(0, 20)), min_size=1, max_size=12))
def test_whatever_the_settings_become_the_past_stays_where_it_is(
    changes: list[tuple[int, int]],
) -> None:
    """Each change holds from three days after its own day on; events are dated tomorrow at most."""
    splits = new_splits()
    met: dict[str, int] = {}
    for shards, today in sorted(changes, key=lambda change: change[1]):
        if not splits["splits"] or newest_shards(splits) != shards:
            splits = splitting(splits, shards, DAYS[today + 3])
        for day in DAYS[: today + 2]:
            shard = shard_of(splits, "e-1", day)
            assert met.setdefault(day, shard) == shard
            assert shard < splits["most"]


def test_settings_that_change_to_and_fro_add_one_split_a_day() -> None:
    splits = splitting(new_splits(), 4, DAYS[0])
    for number in range(20):
        splits = splitting(splits, 1 + number % 2, DAYS[3])

    assert [each["shards"] for each in splits["splits"]] == [4, 2]
    assert splits["most"] == 4


@given(st.dictionaries(st.text("abc", min_size=1, max_size=4), st.integers(1, 64), max_size=40))
def test_a_page_is_listed_in_parts_that_are_whole_together(shards: dict[str, int]) -> None:
    page = Page(shards=shards, closed_through="")
    seen: dict[str, int] = {}
    more = True
    while more:
        part = list_after(page, max(seen, default=""))[1]
        assert sum(part["shards"].values()) < SHARDS_ASKED + 64
        assert not part["more"] or sum(part["shards"].values()) >= SHARDS_ASKED
        seen |= part["shards"]
        more = part["more"]

    assert seen == shards
