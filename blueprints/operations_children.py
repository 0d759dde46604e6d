"""Children: list everything that an operation started, directly or through its children.

GET /api/operations/{id}/children?status=&top=&after= returns the tree below an operation in pages,
each instance with its parent. The id of a child begins with the id of its parent: see `child_id`.
"""

from datetime import datetime

import azure.durable_functions as df
import azure.functions as func

from http_api.answers import json_answer
from http_api.bodies import read_query
from http_api.instances import Instance, look_for
from http_api.listing import Listing, ListingClient, Paging
from http_api.operations import known_operation
from http_api.problems import answers_problems

bp = df.Blueprint()


@bp.route(route="operations/{id}/children", methods=["GET"])
@bp.generic_input_binding(arg_name="starter", type="durableClient")
@answers_problems
async def list_operation_children(req: func.HttpRequest, starter: str) -> func.HttpResponse:
    """List a page of the tree in the order of ids: each instance before its children."""
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


async def _began(client: df.DurableOrchestrationClient, operation: Instance) -> datetime | None:
    """When the root of the tree was started. Older instances belong to an earlier run."""
    began, above = operation.created, operation.id.rpartition(":")[0]
    while above and (parent := await look_for(client, above)):
        began, above = parent.created, above.rpartition(":")[0]
    return began
