"""Answers with a JSON body, and the 202 answer with links to the instance that was started."""

import json
import os
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote, urlsplit

import azure.functions as func
from opentelemetry import trace

OPERATIONS: Final = "/api/operations"
RETRY_AFTER_SECONDS: Final = 5


def json_answer(
    value: object, status: int = 200, headers: Mapping[str, str] | None = None
) -> func.HttpResponse:
    """Return a value as JSON. An object that is returned with 202 also says its trace."""
    if status == 202 and isinstance(value, Mapping):
        value = {**value, **trace_of_request()}
    return func.HttpResponse(
        json.dumps(value),
        status_code=status,
        headers=dict(headers or {}),
        mimetype="application/json",
    )


def accepted(
    req: func.HttpRequest,
    instance_id: str,
    status: int = 202,
    retry_after_seconds: int = RETRY_AFTER_SECONDS,
    **more: object,
) -> func.HttpResponse:
    """Return the answer to a start, with the links that clients of Durable Functions know.

    The links point at the app's own operations, because the host's URLs contain a key to every
    instance of the hub. They contain no key: a caller sends its `x-functions-key` header again.
    `more` is added to the body.
    """
    links = links_of(req, instance_id)
    headers = {"Location": links["statusQueryGetUri"]}
    if status == 202:
        headers["Retry-After"] = str(retry_after_seconds)
    return json_answer({**links, **more}, status, headers)


def trace_of_request() -> dict[str, str]:
    """The id of the trace, `operation_Id` in Application Insights; empty without telemetry.

    The worker has the host's trace if PYTHON_APPLICATIONINSIGHTS_ENABLE_TELEMETRY is true.
    """
    span = trace.get_current_span().get_span_context()
    return {"traceId": trace.format_trace_id(span.trace_id)} if span.is_valid else {}


def links_of(req: func.HttpRequest, instance_id: str) -> dict[str, str]:
    """The links of an instance; the caller replaces `{eventName}` and `{text}`."""
    here = operation_url(req, instance_id)
    return {
        "id": instance_id,
        "statusQueryGetUri": here,
        "sendEventPostUri": f"{here}/events/{{eventName}}",
        "terminatePostUri": f"{here}/cancel?reason={{text}}",
        "purgeHistoryDeleteUri": here,
        "restartPostUri": f"{here}/retry",
        "suspendPostUri": f"{here}/suspend?reason={{text}}",
        "resumePostUri": f"{here}/resume?reason={{text}}",
    }


def operation_url(req: func.HttpRequest, instance_id: str) -> str:
    return url_of(req, f"{OPERATIONS}/{quote(instance_id, safe=':')}")


def url_of(req: func.HttpRequest, path: str) -> str:
    """The URL of a path of this app, as the caller can reach it.

    It begins with the setting PUBLIC_URL. Without that setting it begins with the host of the
    request, which behind a gateway can be the backend's own name.
    """
    if address := os.environ.get("PUBLIC_URL"):
        return address.rstrip("/") + path
    asked = urlsplit(req.url)
    return f"{asked.scheme}://{asked.netloc}{path}"
