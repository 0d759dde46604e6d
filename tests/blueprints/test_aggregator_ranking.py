"""A ranking in parts is the ranking of the whole, however it is cut."""

from hypothesis import given
from hypothesis import strategies as st

from blueprints.aggregator_ranking import Line, Ranking, merged, with_ranks

AMOUNTS = st.dictionaries(st.sampled_from("abcdefghijklmnop"), st.integers(-2, 3))


def lines(amounts: dict[str, int]) -> list[Line]:
    return [Line(vendor=name, events=1, amount_cents=n) for name, n in amounts.items()]


@given(AMOUNTS, st.integers(1, 6), st.data())
def test_parts_put_together_are_the_ranking_of_the_whole(
    amounts: dict[str, int], top: int, data: st.DataObject
) -> None:
    parts: list[list[Line]] = [[], [], []]
    for line in lines(amounts):
        parts[data.draw(st.integers(0, 2))].append(line)
    first, *others = [merged([Ranking(lines=part, tied_with_last=0)], top) for part in parts]

    put_together = merged([merged([first], top), merged(others, top)], top)

    ordered = sorted(amounts.items(), key=lambda item: (-item[1], item[0]))
    assert [line["vendor"] for line in put_together["lines"]] == [v for v, _ in ordered[:top]]
    left_out = [n for _, n in ordered[top:] if n == ordered[top - 1][1]]
    assert put_together["tied_with_last"] == len(left_out)


def test_equals_share_a_place_and_the_next_is_left_out() -> None:
    ranking = merged([Ranking(lines=lines({"a": 1, "b": 5, "c": 5}), tied_with_last=0)], 3)

    ranks = [(line["rank"], line["vendor"]) for line in with_ranks(ranking)["lines"]]

    assert ranks == [(1, "b"), (1, "c"), (3, "a")]
