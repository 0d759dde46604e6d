"""Builds the OpenAPI document from the routes of the app and the models of its bodies."""

import json
import re
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final, NamedTuple

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import JsonSchemaMode

from api_description.answers import Problem
from api_description.routes import ROUTES, Codes, Content, Described

PATTERNS: Final = Path(__file__).parents[1] / "docs" / "patterns"
PLACE: Final = re.compile(r"\{(\w+)\}")
# One request of a .http file: method, path, headers, and a JSON body on one line.
_REQUEST: Final = re.compile(r"^POST \{\{host\}\}(/[^\s?]*).*\n(?:\S+: .*\n)*\n(\{.*\})$", re.M)
_NO_HUB: Final = "hub_unavailable"
_RETRY_AFTER: Final = {
    "Location": {"description": "Where the status is.", "schema": {"type": "string"}},
    "Retry-After": {
        "description": "In how many seconds to look again.",
        "schema": {"type": "integer"},
    },
}


class Route(NamedTuple):
    """One method of one HTTP function; the summary is the docstring of the function."""

    function: str
    method: str
    path: str
    summary: str


def openapi(routes: Iterable[Route]) -> dict[str, Any]:
    """The document. Raises KeyError for a function that `ROUTES` does not describe."""
    schemas, references = _schemas()
    paths: dict[str, dict[str, Any]] = {}
    for route in sorted(routes, key=lambda each: (each.path, each.method)):
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, references)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Accounts payable",
            "version": "1",
            "description": "Work is started by POST, answered with 202, and followed below "
            "/api/operations. Send the function key with each request.",
        },
        "security": [{"functionKey": []}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "functionKey": {"type": "apiKey", "in": "header", "name": "x-functions-key"}
            },
        },
    }


def _schemas() -> tuple[dict[str, Any], Mapping[type[BaseModel], dict[str, Any]]]:
    """The schemas of all bodies by their names, and what refers to the schema of a model."""
    models: dict[type[BaseModel], None] = {Problem: None}
    for described in ROUTES.values():
        bodies = [described.body, *described.answers.values()]
        models |= {each: None for each in bodies if isinstance(each, type)}
    mode: JsonSchemaMode = "validation"
    inputs = [(model, mode, TypeAdapter(model)) for model in models]
    template = "#/components/schemas/{model}"
    made, definitions = TypeAdapter.json_schemas(inputs, ref_template=template)
    references = {key: schema for (key, _), schema in made.items()}
    return _tidy(definitions["$defs"]), references


def _tidy(schema: Any) -> Any:
    """A schema without titles, which repeat names, and without null where a field may be absent."""
    if isinstance(schema, list):
        return [_tidy(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    noise = {"title"} if isinstance(schema.get("title"), str) else set()
    if schema.get("default", "") is None:
        noise.add("default")
    return {name: _tidy(value) for name, value in schema.items() if name not in noise}


def _operation(
    route: Route, references: Mapping[type[BaseModel], dict[str, Any]]
) -> dict[str, Any]:
    described = ROUTES[route.function]
    summary, _, more = route.summary.partition("\n")
    operation: dict[str, Any] = {"operationId": route.function, "summary": summary.strip()}
    if more.strip():
        operation["description"] = " ".join(more.split())
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in PLACE.findall(route.path)
    ]
    if described.query:
        parameters += _query_parameters(described.query)
    if parameters:
        operation["parameters"] = parameters
    if content := _request_content(route, described, references):
        operation["requestBody"] = {"required": True, "content": content}
    operation["responses"] = {
        **{
            str(status): _answer(status, content, references)
            for status, content in described.answers.items()
        },
        **{
            str(status): _problem(status, codes, references)
            for status, codes in sorted(_codes_of(described).items())
        },
        "401": {"description": "Without a valid function key. The body is empty."},
    }
    operation["responses"] = dict(sorted(operation["responses"].items()))
    return operation


def _codes_of(described: Described) -> Codes:
    """The problem codes of a function by status, with those that come from its body and query."""
    codes: Codes = {503: (_NO_HUB,)}
    added: list[Codes] = [described.problems]
    if described.body or described.body_is_any_json:
        added.append({400: ("no_json",), 413: ("body_too_large",)})
    if described.body:
        added.append({422: ("invalid_body",)})
    if described.query:
        added.append({422: ("invalid_query",)})
    for each in added:
        for status, more in each.items():
            codes[status] = tuple(sorted({*codes.get(status, ()), *more}))
    return codes


def _request_content(
    route: Route, described: Described, references: Mapping[type[BaseModel], dict[str, Any]]
) -> dict[str, Any]:
    content: dict[str, Any] = {}
    if described.body:
        content["application/json"] = {"schema": references[described.body]}
        if shown := _examples().get(route.path):
            content["application/json"]["examples"] = {
                f"{number}": {"value": value} for number, value in enumerate(shown, 1)
            }
    if described.body_is_any_json:
        content["application/json"] = {"schema": {}}
    for media_type in described.body_types:
        content[media_type] = {"schema": {"type": "string", "format": "binary"}}
    return content


def _answer(
    status: int, content: Content, references: Mapping[type[BaseModel], dict[str, Any]]
) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": HTTPStatus(status).phrase}
    if isinstance(content, str):
        answer["content"] = {content: {"schema": {}}}
    elif content is not None:
        answer["content"] = {"application/json": {"schema": references[content]}}
    if status == 202:
        answer["headers"] = _RETRY_AFTER
    return answer


def _problem(
    status: int, codes: tuple[str, ...], references: Mapping[type[BaseModel], dict[str, Any]]
) -> dict[str, Any]:
    narrowed = {
        "allOf": [
            references[Problem],
            {"properties": {"status": {"const": status}, "code": {"enum": list(codes)}}},
        ]
    }
    return {
        "description": ", ".join(codes),
        "content": {"application/problem+json": {"schema": narrowed}},
    }


def _query_parameters(query: type[BaseModel]) -> list[dict[str, Any]]:
    schema = query.model_json_schema(ref_template="#/components/schemas/{model}")
    required = schema.get("required", [])
    return [
        {
            "name": name,
            "in": "query",
            "required": name in required,
            "schema": _tidy(of),
            **({"style": "form", "explode": False} if of.get("type") == "array" else {}),
        }
        for name, of in schema["properties"].items()
    ]


def _examples() -> dict[str, list[Any]]:
    """The JSON bodies in the .http files of the docs, by their paths; those with variables not."""
    found: dict[str, list[Any]] = {}
    for file in sorted(PATTERNS.glob("*.http")):
        for path, body in _REQUEST.findall(file.read_text("utf-8")):
            value = json.loads(body)
            if "{{" not in body and value not in found.setdefault(path, []):
                found[path].append(value)
    return found
