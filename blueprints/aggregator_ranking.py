"""Rankings that are made in parts and put together, in whatever order, to the same whole."""

from collections.abc import Sequence
from typing import TypedDict

from blueprints.aggregator_booking import Tally


class Line(Tally):
    """One vendor and what its events come to."""

    vendor: str


class Ranking(TypedDict):
    """The first so many, and how many more have just as much as the last of them."""

    lines: list[Line]
    tied_with_last: int


class RankedLine(Line):
    """A line and its place; those with the same amount share one, and the next is left out."""

    rank: int


class Ranked(TypedDict):
    """A ranking with places."""

    lines: list[RankedLine]
    tied_with_last: int


def merged(rankings: Sequence[Ranking], top: int) -> Ranking:
    """The ranking of all that these rankings are made of; names decide who of equals is named."""
    lines = sorted(
        (line for ranking in rankings for line in ranking["lines"]),
        key=lambda line: (-line["amount_cents"], line["vendor"]),
    )
    if not lines:
        return Ranking(lines=[], tied_with_last=0)
    least = lines[:top][-1]["amount_cents"]
    # What a part has left out has no more than the last that it named.
    tied = sum(line["amount_cents"] == least for line in lines[top:]) + sum(
        ranking["tied_with_last"]
        for ranking in rankings
        if ranking["lines"] and ranking["lines"][-1]["amount_cents"] == least
    )
    return Ranking(lines=lines[:top], tied_with_last=tied)


def with_ranks(ranking: Ranking) -> Ranked:
    lines: list[RankedLine] = []
    for place, line in enumerate(ranking["lines"], 1):
        is_tied = lines and lines[-1]["amount_cents"] == line["amount_cents"]
        lines.append(RankedLine(**line, rank=lines[-1]["rank"] if is_tied else place))
    return Ranked(lines=lines, tied_with_last=ranking["tied_with_last"])
