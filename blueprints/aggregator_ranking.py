"""The first vendors by what their events come to: rankings made in parts, put together to a whole.

POST /api/rankings starts one ranking a name: 202; 200 once it has ended.
"""

from collections.abc import Generator, Sequence
from typing import Any, Final, TypedDict, cast

import azure.durable_functions as df
import azure.functions as func
from pydantic import Field

from activities import limits
from activities.ids import IdPart, child_id, ranking_id
from blueprints.aggregator_booking import Tally, summed
from blueprints.aggregator_sharding import PAGES, Listed, ask_shards, directory_id
from http_api.bodies import Body, read_body
from http_api.problems import answers_problems
from http_api.starting import start_once
from orchestration.cancel_rules import on_cancel

bp = df.Blueprint()


class RankingBody(Body):
    """How many vendors to name; a ranking is as of when it was asked for, under its name."""

    name: IdPart
    top: int = Field(10, ge=1, le=limits.RANKED.most)


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


class RankingOrder(TypedDict):
    """How many vendors of a page of the directory to name, and the ranking of those before one."""

    page: str
    top: int
    after: str
    so_far: Ranking


@bp.route(route="rankings", methods=["POST"])
@bp.durable_client_input(client_name="client")
@answers_problems
async def start_vendor_ranking(
    req: func.HttpRequest, client: df.DurableOrchestrationClient
) -> func.HttpResponse:
    """Start the ranking in the body, once a name."""
    asked = read_body(req, RankingBody)
    work = asked.model_dump(mode="json")
    return await start_once(req, client, "vendor_ranking", ranking_id(asked.name), work)


@bp.orchestration_trigger(context_name="context", input_type=dict)
@on_cancel("terminate", starts_children=True)
def vendor_ranking(context: df.DurableOrchestrationContext) -> Generator[Any, Any, Ranked]:
    """Rank the vendors of each page of the directory, side by side; merge what they found."""
    top = cast(dict[str, int], context.get_input())["top"]
    context.set_custom_status({"step": "ranking", "done": 0, "of": PAGES})
    orders = {
        f"page-{page}": RankingOrder(page=str(page), top=top, after="", so_far=_NOTHING)
        for page in range(PAGES)
    }
    # Each run has children of its own: those of a run that was terminated may still be running.
    run = context.new_uuid()[:8]
    pages = [
        context.call_sub_orchestrator(
            ranking_page,
            order,
            instance_id=child_id(context.instance_id, f"{name}-{run}"),
            expected_type=dict,
        )
        for name, order in orders.items()
    ]
    rankings: list[Ranking] = yield context.task_all(pages)
    context.set_custom_status({"step": "ranked", "done": PAGES, "of": PAGES})
    return with_ranks(merged(rankings, top))


@bp.orchestration_trigger(context_name="context", input_type=dict)
@on_cancel("terminate")
def ranking_page(context: df.DurableOrchestrationContext) -> Generator[Any, Any, Ranking | None]:
    """Rank the next vendors of one page of the directory, and continue as new with the rest."""
    order = cast(RankingOrder, context.get_input())
    listed: Listed = yield context.call_entity(
        directory_id(order["page"]), "list_after", order["after"]
    )
    shards = yield from ask_shards(context, listed["shards"], "read")
    lines = [Line(vendor=vendor, **summed(tallies)) for vendor, tallies in shards.items()]
    ranking = merged([order["so_far"], Ranking(lines=lines, tied_with_last=0)], order["top"])
    if not listed["more"]:
        return ranking
    context.continue_as_new({**order, "after": max(listed["shards"]), "so_far": ranking})
    return None


def merged(rankings: Sequence[Ranking], top: int) -> Ranking:
    """The ranking of all that these rankings are made of; names decide who of equals is named."""
    lines = sorted(
        (line for ranking in rankings for line in ranking["lines"]),
        key=lambda line: (-line["amount_cents"], line["vendor"]),
    )
    if not lines:
        return _NOTHING
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


_NOTHING: Final = Ranking(lines=[], tied_with_last=0)
