"""Map-reduce: the vendors with the largest totals.

POST /api/rankings starts the ranking of a name. Returns 202, and 200 once it has ended. One child
for each page of the directory ranks the vendors of the page (map); the parent merges the rankings
of the pages (reduce).
"""

from collections.abc import Generator
from typing import Any, TypedDict, cast

import azure.durable_functions as df
import azure.functions as func
from pydantic import Field

from activities import limits
from activities.ids import IdPart, child_id, ranking_id
from blueprints.aggregator import SHARDS, Tally, shards_of, summed
from blueprints.aggregator_directory import PAGES, Listed, page_id
from http_api.bodies import Body, read_body
from http_api.problems import answers_problems
from http_api.starting import start_once
from orchestration.cancel_rules import on_cancel

bp = df.Blueprint()


class RankingBody(Body):
    """The name of a ranking, and how many vendors it lists."""

    name: IdPart
    top: int = Field(10, ge=1, le=limits.RANKED.most)


class Line(Tally):
    """A vendor and its total."""

    vendor: str


class RankedLine(Line):
    """A line and its place."""

    rank: int


class Ranking(TypedDict):
    """The vendors with the largest totals, the largest first."""

    lines: list[RankedLine]


class PageOrder(TypedDict):
    """A page to rank: what was found so far, of the vendors up to `after`."""

    page: int
    top: int
    after: str
    lines: list[Line]


@bp.route(route="rankings", methods=["POST"])
@bp.durable_client_input(client_name="client")
@answers_problems
async def start_vendor_ranking(
    req: func.HttpRequest, client: df.DurableOrchestrationClient
) -> func.HttpResponse:
    """Start the ranking in the body, once for each name."""
    body = read_body(req, RankingBody)
    work = body.model_dump(mode="json")
    return await start_once(req, client, "vendor_ranking", ranking_id(body.name), work)


@bp.orchestration_trigger(context_name="context", input_type=dict)
@on_cancel("terminate", starts_children=True)
def vendor_ranking(context: df.DurableOrchestrationContext) -> Generator[Any, Any, Ranking]:
    """Rank the vendors of all pages at the same time, and merge the rankings."""
    top = cast(dict[str, int], context.get_input())["top"]
    context.set_custom_status({"step": "ranking", "done": 0, "of": PAGES})
    # Each run has children of its own: those of a run that was terminated may still be running.
    run = context.new_uuid()[:8]
    pages = [
        context.call_sub_orchestrator(
            ranking_page,
            PageOrder(page=page, top=top, after="", lines=[]),
            instance_id=child_id(context.instance_id, f"page-{page}-{run}"),
            expected_type=list,
        )
        for page in range(PAGES)
    ]
    rankings: list[list[Line]] = yield context.task_all(pages)
    context.set_custom_status({"step": "ranked", "done": PAGES, "of": PAGES})
    lines = largest([line for ranking in rankings for line in ranking], top)
    return Ranking(lines=[RankedLine(**line, rank=rank) for rank, line in enumerate(lines, 1)])


@bp.orchestration_trigger(context_name="context", input_type=dict)
@on_cancel("terminate")
def ranking_page(context: df.DurableOrchestrationContext) -> Generator[Any, Any, list[Line] | None]:
    """Rank the next vendors of a page, and continue as new with the rest of the page."""
    order = cast(PageOrder, context.get_input())
    listed: Listed = yield context.call_entity(page_id(order["page"]), "list_after", order["after"])
    lines = order["lines"]
    if listed["vendors"]:  # task_all([]) returns None
        reads = [
            context.call_entity(shard, "read")
            for vendor in listed["vendors"]
            for shard in shards_of(vendor)
        ]
        tallies: list[Tally] = yield context.task_all(reads)
        for number, vendor in enumerate(listed["vendors"]):
            total = summed(tallies[number * SHARDS : (number + 1) * SHARDS])
            lines.append(Line(vendor=vendor, **total))
    lines = largest(lines, order["top"])
    if not listed["more"]:
        return lines
    context.continue_as_new({**order, "after": listed["vendors"][-1], "lines": lines})
    return None


def largest(lines: list[Line], top: int) -> list[Line]:
    """Return the lines with the largest amounts. Equal amounts are in the order of the names."""
    return sorted(lines, key=lambda line: (-line["amount_cents"], line["vendor"]))[:top]
