"""Apps for tests that start durablehost as a process: written to a folder of the test's own."""

import json
from pathlib import Path
from typing import Any

from tests.durablehost_process import Started

IMPORTS = """\
import os
import azure.durable_functions as df
import azure.functions as func
app = df.DFApp(http_auth_level=func.AuthLevel.FUNCTION)
"""

# A bit of everything.
SOUND = (
    IMPORTS
    + '''
@app.route(route="hello/{name}", methods=["GET"])
def hello(req: func.HttpRequest) -> str:
    return "Hello " + req.route_params["name"]


@app.route(route="length")
def length(req: func.HttpRequest) -> str:
    return str(len(req.get_body()))


@app.route(route="start/{name}", methods=["POST"])
@app.durable_client_input(client_name="client")
async def start(req: func.HttpRequest, client) -> func.HttpResponse:
    started = await client.start_new(req.route_params["name"], client_input=req.get_json())
    return client.create_check_status_response(req, started)


@app.route(route="result/{id}")
@app.durable_client_input(client_name="client")
async def result(req: func.HttpRequest, client) -> func.HttpResponse:
    return await client.wait_for_completion_or_create_check_status_response(
        req, req.route_params["id"], 60_000, 20
    )


@app.orchestration_trigger(context_name="context")
def chain(context):
    """Two activities in a row."""
    two = yield context.call_activity("double", 1)
    return (yield context.call_activity("double", two))


@app.orchestration_trigger(context_name="context")
def waiting(context):
    """Ends with the event `Go`, whose value it returns."""
    return (yield context.wait_for_external_event("Go"))


@app.orchestration_trigger(context_name="context")
def taking(context):
    """Returns nothing of its input, but reads it."""
    context.get_input()
    yield context.call_activity("double", 1)


@app.activity_trigger(input_name="number")
def double(number: int) -> int:
    return 2 * number


@app.entity_trigger(context_name="context")
def counter(context):
    """Counts its operations."""
    context.set_state(context.get_state(lambda: 0) + 1)
'''
)


def write_app(
    folder: Path,
    function_app: str = SOUND,
    host: dict[str, Any] | str | None = None,
    **others: str,
) -> Path:
    """An app of these texts; `others` are further modules. The folder."""
    folder.mkdir(parents=True, exist_ok=True)
    settings = {"version": "2.0"} if host is None else host
    text = settings if isinstance(settings, str) else json.dumps(settings)
    (folder / "host.json").write_text(text)
    (folder / "function_app.py").write_text(function_app)
    for name, content in others.items():
        (folder / f"{name}.py").write_text(content)
    return folder


def result_of(host: Started, instance_id: str) -> Any:
    """The output of an instance, once it has one."""
    answer = host.ask("GET", f"/api/result/{instance_id}")
    assert answer.status == 200, answer.text
    return host.manage("GET", f"/instances/{instance_id}").json()["output"]


def write_local_settings(folder: Path, **content: Any) -> None:
    """A local.settings.json with these sections."""
    text = json.dumps({"IsEncrypted": False, **content})
    (folder / "local.settings.json").write_text(text)
