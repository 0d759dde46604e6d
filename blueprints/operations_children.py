"""Children: what an instance started below itself, listed, looked at and ended together.

GET /api/operations/{id}/children?status=&top=&after= lists the tree below an operation in pages,
each instance with its parent. A child is found by its id, which `child_id` makes of its parent's.
"""

import asyncio
from collections.abc import Callable, Generator, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, TypedDict

import azure.durable_functions as df
import azure.functions as func

from blueprints.operations_cancelling import end_below
from http_api.answers import json_answer
from http_api.bodies import read_query
from http_api.instances import Instance, look_for
from http_api.listing import Listing, ListingClient, Paging
from http_api.operations import known_operation
from http_api.problems import answers_problems
from orchestration.deadlines import sleep
from orchestration.retrying import Retry, call_with_retry
from orchestration.settling import settle

FIRST_LOOK: Final = timedelta(seconds=5)
LONGEST_LOOK: Final = timedelta(minutes=2)
ASKED: Final = 7  # times, within two minutes; what runs then is terminated
_PAUSES: Final = Retry(longest_pause=timedelta(seconds=30), jitter=0)

bp = df.Blueprint()


class Looking(TypedDict):
    """The ids of instances to look at."""

    ids: list[str]


class Ending(TypedDict):
    """Whose children are to end, why, and whether they are terminated."""

    parent: str
    reason: str
    terminate: bool


@bp.route(route="operations/{id}/children", methods=["GET"])
@bp.generic_input_binding(arg_name="starter", type="durableClient")
@answers_problems
async def list_operation_children(req: func.HttpRequest, starter: str) -> func.HttpResponse:
    """List a page of what is below an operation, in order of ids: each before its own children."""
    client = ListingClient(starter)
    operation = await known_operation(req, client)
    below = {
        **read_query(req, Paging).model_dump(),
        "prefix": f"{operation.id}:",
        "created_from": await _began(client, operation),
    }
    listing = Listing.model_validate({}).model_copy(update=below)
    page = await client.list_page(listing)
    children = [child.as_operation() for child in page.instances]
    return json_answer({"children": children, "next": page.next})


@bp.activity_trigger(input_name="looking")
@bp.durable_client_input(client_name="client")
async def look_at_children(looking: Looking, client: df.DurableOrchestrationClient) -> list[Any]:
    """Return the custom status of each; None of one that is unknown. Only looks."""
    looks = (client.get_status(instance_id) for instance_id in looking["ids"])
    return [status.custom_status if status else None for status in await asyncio.gather(*looks)]


@bp.activity_trigger(input_name="ending")
@bp.generic_input_binding(arg_name="starter", type="durableClient")
async def end_children(ending: Ending, starter: str) -> int:
    """Ask all that goes on below an instance to end; return how many did. Asking twice is once."""
    client, by_force = ListingClient(starter), ending["terminate"]
    return await end_below(client, ending["parent"], ending["reason"], by_force=by_force)


def end_all_children(
    context: df.DurableOrchestrationContext, reason: str, tasks: Iterable[Any] = ()
) -> Generator[Any, Any, None]:
    """End what goes on below this instance, at whatever depth; return once nothing does.

    It asks again and again: the host's list lacks what is started at this moment, which may be
    the children that this instance waits for as `tasks`. What does not end by itself, as it is
    suspended or stuck, is terminated in the end.
    """
    children, times = list(tasks), 0
    while True:
        ending = Ending(parent=context.instance_id, reason=reason, terminate=times >= ASKED)
        asked: int = yield from call_with_retry(context, end_children, ending)
        if not asked and all(child.is_completed for child in children):
            return
        times += 1
        yield from sleep(context, _PAUSES.pause(min(times, 10), 0))


def watch_children(
    context: df.DurableOrchestrationContext,
    children: Mapping[str, Any],
    word: Any,
    show: Callable[[list[Any]], None],
) -> Generator[Any, Any, None]:
    """Wait until all children, tasks by their ids, have ended, or until the word comes to stop.

    Every now and then `show` is given the custom status of each, None of one that has none.
    """
    timer: Any = None
    pause = FIRST_LOOK
    while (going := _going(children)) and not word.is_completed:
        timer = timer or context.create_timer(context.current_utc_datetime + pause)
        yield context.task_any([*going, word, timer])
        if timer.is_completed:
            timer, pause = None, min(2 * pause, LONGEST_LOOK)
            look = context.call_activity(look_at_children, Looking(ids=list(children)))
            [seen] = yield from settle(context, [look])
            show(seen.value or [None for _ in children])
    if timer is not None:
        timer.cancel()


def _going(children: Mapping[str, Any]) -> list[Any]:
    return [task for task in children.values() if not task.is_completed]


async def _began(client: df.DurableOrchestrationClient, operation: Instance) -> datetime | None:
    """When the tree began that an operation is part of; what is older is of an earlier run."""
    began, above = operation.created, operation.id.rpartition(":")[0]
    while above and (parent := await look_for(client, above)):
        began, above = parent.created, above.rpartition(":")[0]
    return began
