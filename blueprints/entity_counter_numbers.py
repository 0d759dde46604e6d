"""Durable entity: document numbers without a gap.

POST /api/numbers/{series} draws the number of a document, such as an invoice. Returns 202, and 200
with the same number if the request is repeated. No two documents of a series get one number.

A lock around "read the last number, write the next one" would do the same in another language. The
Python SDK has no entity locks: the whole change is one operation of one entity instead.
"""

from collections.abc import Generator
from typing import Any, Final, TypedDict, cast

import azure.durable_functions as df
import azure.functions as func

from activities import limits
from activities.ids import IdPart, is_id_part, number_id
from http_api.bodies import Body, read_body
from http_api.problems import Problem, answers_problems
from http_api.starting import start_once
from orchestration.cancel_rules import on_cancel
from orchestration.failures import Failure

LAST: Final = limits.COUNT.most

bp = df.Blueprint()


class Series(TypedDict):
    """What a series of numbers holds: the number that was drawn last."""

    last: int


class DocumentBody(Body):
    """A document that needs a number."""

    document: IdPart


class NumberRequest(TypedDict):
    """A document, and the series that its number is drawn from."""

    series: str
    document: str


class Numbered(TypedDict):
    """A document and its number."""

    document: str
    number: int


@bp.route(route="numbers/{series}", methods=["POST"])
@bp.durable_client_input(client_name="client")
@answers_problems
async def start_document_number(
    req: func.HttpRequest, client: df.DurableOrchestrationClient
) -> func.HttpResponse:
    """Draw the number of the document in the body, once."""
    series, document = req.route_params["series"], read_body(req, DocumentBody).document
    if not is_id_part(series):
        detail = f"series {series[:64]!r} cannot exist: use letters, digits, '-', '_' and '.'"
        raise Problem(404, "unknown_series", detail)
    work = NumberRequest(series=series, document=document)
    instance_id = number_id(series, document)
    return await start_once(req, client, "document_number", instance_id, work)


@bp.orchestration_trigger(context_name="context", input_type=dict)
@on_cancel("refuse", left="a number that was drawn stays drawn, and no document has it")
def document_number(context: df.DurableOrchestrationContext) -> Generator[Any, Any, Numbered]:
    """Draw a number and return it. A step after the draw could fail, and would leave a gap."""
    request = cast(NumberRequest, context.get_input())
    context.set_custom_status({"step": "drawing", "done": 0, "of": 1})
    series_id = df.EntityId("number_series", request["series"])
    number: int = yield context.call_entity(series_id, "draw")
    context.set_custom_status({"step": "drawn", "done": 1, "of": 1})
    return Numbered(document=request["document"], number=number)


@bp.entity_trigger(context_name="context")
def number_series(context: df.DurableEntityContext) -> None:
    """Draw the next number. The host runs the operations of one series one at a time."""
    series = cast(Series, {**_new(), **context.get_state(_new, expected_type=dict)})
    match context.operation_name:
        case "draw" if series["last"] < LAST:
            series["last"] += 1
        case "draw":
            raise Failure("series_full", f"{LAST} was the last number: use another series")
        case unknown:
            raise Failure("unknown_operation", f"a series has no operation {str(unknown)[:64]!r}")
    context.set_state(series)
    context.set_result(series["last"])


def _new() -> Series:
    return Series(last=0)
