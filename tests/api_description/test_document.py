"""openapi.json is what the code says, and is valid."""

import json
import subprocess
import sys

from jsonschema import Draft202012Validator

from durablehost.app.functions import FunctionTable
from tests.described import DOCUMENT, validator
from tests.source import ROOT

OPERATIONS = [
    (path, method, operation)
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
]


def test_the_document_is_what_the_routes_and_models_say() -> None:
    command = [sys.executable, "-m", "api_description", "--check"]
    checked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert checked.returncode == 0, checked.stderr


def test_each_route_of_the_app_is_described_and_no_other(durable_app: FunctionTable) -> None:
    served = {
        (f"/api/{function.trigger['route']}", method.lower(), function.name)
        for function in durable_app.functions
        if function.kind == "http"
        for method in function.trigger["methods"]
    }

    assert {(path, method, each["operationId"]) for path, method, each in OPERATIONS} == served


def test_every_schema_is_a_schema_and_every_example_fits_its_own() -> None:
    for schema in DOCUMENT["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
    shown = 0
    for _, _, operation in OPERATIONS:
        content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
        for example in content.get("examples", {}).values():
            validator(content["schema"]).validate(example["value"])
            shown += 1

    assert shown >= 15


def test_every_problem_code_is_one_that_the_app_writes() -> None:
    folders = ("activities", "blueprints", "http_api", "orchestration")
    source = "".join(
        path.read_text("utf-8") for folder in folders for path in (ROOT / folder).glob("*.py")
    )
    codes = {
        code
        for _, _, operation in OPERATIONS
        for answer in operation["responses"].values()
        for code in answer["description"].split(", ")
        if "application/problem+json" in answer.get("content", {})
    }
    computed = {"invalid_body", "invalid_query"}  # f"invalid_{what}"

    assert len(codes) > 30
    assert {code for code in codes - computed if f'"{code}"' not in source} == set()


def test_the_document_refers_only_to_what_it_has() -> None:
    text = json.dumps(DOCUMENT)
    referred = {part.split('"')[0] for part in text.split('"#/components/schemas/')[1:]}

    assert referred <= DOCUMENT["components"]["schemas"].keys()
