"""Requests made up from openapi.json: nothing breaks or leaks, and what is refused starts nothing.

The fixture `hub` compares every answer with the document, and looks for secrets of the settings.
"""

import json
import re
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from durablehost.testing import ManualHub
from tests.described import DOCUMENT, validator
from tests.outside import Sandbox

OPERATIONS = {
    operation["operationId"]: (method.upper(), path, operation)
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
}
# Their bodies are files, and their storage is Azurite: test_every_route.py sends them requests.
WITH_STORAGE = {"start_document_intake", "start_invoice_batch", "start_yearly_report"}

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=5,
)
NAMES = st.sampled_from(["nobody", "acme", "USD", "ecb", "invoice", "GoodsArrived"]) | st.text(
    min_size=1, max_size=12
).filter(lambda name: name.strip(". /") and "/" not in name)


def body_schema(operation: dict[str, Any]) -> dict[str, Any] | None:
    content = operation.get("requestBody", {}).get("content", {})
    schema: dict[str, Any] | None = content.get("application/json", {}).get("schema")
    return schema


def from_schema(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values that a schema of openapi.json allows."""
    match schema:
        case {"$ref": str(name)}:
            return from_schema(DOCUMENT["components"]["schemas"][name.rpartition("/")[2]])
        case {"anyOf": list(choices)}:
            return st.one_of([from_schema(each) for each in choices])
        case {"enum": list(values)}:
            return st.sampled_from(values)
        case {"type": "object"}:
            fields = {name: from_schema(each) for name, each in schema["properties"].items()}
            needed = {name: fields.pop(name) for name in schema.get("required", [])}
            return st.fixed_dictionaries(needed, optional=fields)
        case {"type": "array"}:
            return st.lists(from_schema(schema["items"]), min_size=schema.get("minItems", 0))
        case {"type": "string", "format": "date"}:
            return st.dates().map(str)
        case {"type": "string", "pattern": str(pattern)}:
            most = schema.get("maxLength", 1_000)
            return st.from_regex(pattern, fullmatch=True).filter(lambda text: len(text) <= most)
        case {"type": "string"}:
            return st.text(max_size=min(schema.get("maxLength", 20), 20))
        case {"type": "integer"}:
            least = schema.get("minimum", schema.get("exclusiveMinimum", -1) + 1)
            return st.integers(least, schema["maximum"])
        case {"type": "null"}:
            return st.none()
        case _:
            return JSON


def bodies(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Some that the document allows, some with one field replaced, and any JSON."""
    right = from_schema(schema)

    def replaced(body: Any, value: Any, number: int) -> Any:
        if not isinstance(body, dict) or not body:
            return value
        return {**body, sorted(body)[number % len(body)]: value}

    return right | st.builds(replaced, right, JSON, st.integers(0, 5)) | JSON


class MadeUp(NamedTuple):
    """A request that Hypothesis has made up."""

    url: str
    body: Any


def made_up(name: str) -> list[MadeUp]:
    """Requests for one operation, the same ones in each run."""
    _, path, operation = OPERATIONS[name]
    schema = body_schema(operation)
    found: list[MadeUp] = []

    @settings(
        max_examples=12,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],  # on a machine that does much else
    )
    @given(data=st.data())
    def collect(data: st.DataObject) -> None:
        query = {
            each["name"]: data.draw(st.text(max_size=8) | st.integers().map(str))
            for each in operation.get("parameters", [])
            if each["in"] == "query" and data.draw(st.booleans())
        }
        url = re.sub(r"\{\w+\}", lambda _: quote(data.draw(NAMES), safe=""), path)
        body = data.draw(bodies(schema)) if schema is not None else None
        found.append(MadeUp(f"{url}?{urlencode(query)}", body))

    collect()
    return found


@pytest.mark.parametrize("name", sorted(OPERATIONS.keys() - WITH_STORAGE))
async def test_generated_requests_cause_no_500_leak_no_secret_and_start_nothing_if_refused(
    hub: ManualHub, sandbox: Sandbox, secrets: None, name: str
) -> None:
    method, _, operation = OPERATIONS[name]
    schema = body_schema(operation)
    for url, body in made_up(name):
        before = [each.id for each in hub.instances()]

        answer = await hub.request(
            method,
            url,
            data=json.dumps(body) if schema is not None else None,
            headers={"Content-Type": "application/json"},
        )

        assert answer.status < 500, f"{url} {body!r}: {answer.text}"
        assert not re.search("Traceback|site-packages", f"{answer.text} {answer.headers}")
        if answer.status >= 400:
            assert [each.id for each in hub.instances()] == before, f"{url} {body!r}"
        elif schema is not None:
            assert validator(schema).is_valid(body), f"openapi.json forbids {body!r}"
