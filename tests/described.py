"""Every answer of the app in a test is compared with openapi.json."""

import json
import os
import re
from collections.abc import Iterator
from functools import cache
from typing import Any
from urllib.parse import unquote, urlsplit

from jsonschema import Draft202012Validator
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

from durablehost.testing import Answer
from tests.source import ROOT

DOCUMENT: dict[str, Any] = json.loads((ROOT / "openapi.json").read_text("utf-8"))
TRACE = "0af7651916cd43dd8448eb211c80319c"
# What the worker makes current before it calls a function, if there is telemetry.
SPAN = NonRecordingSpan(
    SpanContext(int(TRACE, 16), 0xB7AD6B7169203331, is_remote=True, trace_flags=TraceFlags(1))
)
SECRETS = {
    "DECISION_KEY": "planted-decision-key-0123456789abcdef",
    "DECISION_KEY_BEFORE": "planted-key-before-0123456789abcdef",
    "LINK_KEY": "planted-link-key",
    "TAX_TOKEN": "planted-tax-token",
}
PLACE = re.compile(r"\{\w+\}")


@cache
def _templates() -> list[tuple[re.Pattern[str], str]]:
    """Those without places first, as the longer one of two that fit is meant."""
    templates = sorted(DOCUMENT["paths"], key=lambda path: (len(PLACE.findall(path)), path))
    return [(re.compile(PLACE.sub("[^/]+", path), re.IGNORECASE), path) for path in templates]


def operation_of(method: str, url: str) -> dict[str, Any] | None:
    """What the document says of a request; None if it knows no such route."""
    path = unquote(urlsplit(url).path).rstrip("/")
    for template, name in _templates():
        operation: dict[str, Any] | None = DOCUMENT["paths"][name].get(method.lower())
        if operation and template.fullmatch(path):
            return operation
    return None


def validator(schema: dict[str, Any]) -> Draft202012Validator:
    """A validator for a part of the document, which may refer to its components."""
    return Draft202012Validator({**schema, "components": DOCUMENT["components"]})


@cache
def _validator(operation: str, status: str, kind: str) -> Draft202012Validator:
    [found] = [
        each
        for path in DOCUMENT["paths"].values()
        for each in path.values()
        if each["operationId"] == operation
    ]
    return validator(found["responses"][status]["content"][kind]["schema"])


def untraced(method: str, url: str, answer: Answer) -> Iterator[str]:
    """What an answer lacks if it has to say its trace: a 202, or a problem."""
    operation = operation_of(method, url)
    kind = answer.headers.get("Content-Type", "").partition(";")[0]
    speaks = kind == "application/problem+json" or (
        answer.status == 202 and kind == "application/json"
    )
    if operation and speaks and answer.json().get("traceId") != TRACE:
        yield f"{operation['operationId']} returned {answer.status} without its traceId"


def revealed(answer: Answer) -> Iterator[str]:
    """The settings whose secret is in an answer."""
    text = f"{answer.text} {answer.headers}"
    for name in SECRETS:
        if (secret := os.environ.get(name)) and secret in text:
            yield name


def undescribed(method: str, url: str, answer: Answer) -> Iterator[str]:
    """How an answer differs from the document."""
    operation = operation_of(method, url)
    if operation is None or (answer.status in (401, 404) and not answer.body):
        return  # the host has answered, or it is another app
    name, status = operation["operationId"], str(answer.status)
    described = operation["responses"].get(status)
    if described is None:
        yield f"{name} returned {status}, and openapi.json does not: {answer.text[:300]}"
        return
    kind = answer.headers.get("Content-Type", "").partition(";")[0]
    if "content" not in described:
        if answer.body:
            yield f"{name} returned {status} with a body, and openapi.json has none"
    elif kind == "text/html":
        return  # a decision page, for browsers that ask for it
    elif kind not in described["content"]:
        yield f"{name} returned {status} as {kind!r}, and openapi.json does not"
    elif kind.endswith("json"):
        for error in _validator(name, status, kind).iter_errors(answer.json()):
            yield f"{name} returned {status} with {error.json_path}: {error.message[:300]}"
