"""The test hub in blocking form."""

import inspect
from datetime import timedelta

import azure.durable_functions as df
import pytest

from durablehost.testing import ManualHub, Stuck, SyncHub

app = df.DFApp()

# What a hub has for `async with` and for pytest, and what only the blocking form needs.
OF_ONE_FORM = {"disconnect", "shut", "run"}


@app.orchestration_trigger(context_name="context", input_type=int)
def doubles(context):
    yield context.create_timer(context.current_utc_datetime + timedelta(days=1))
    return (yield context.call_activity("double", context.get_input()))


@app.activity_trigger(input_name="number")
async def double(number):
    return number * 2


@app.entity_trigger(context_name="context")
def total(context):
    context.set_state(context.get_state(lambda: 0) + context.get_input())
    context.set_result(context.get_state())


@app.orchestration_trigger(context_name="context")
def waits(context):
    return (yield context.wait_for_external_event("Go"))


@app.route(route="doubles/{number}")
@app.durable_client_input(client_name="client")
async def start(req, client):
    started = await client.start_new("doubles", client_input=int(req.route_params["number"]))
    return client.create_check_status_response(req, started)


@pytest.fixture
def durable_app() -> df.DFApp:
    return app


def test_a_test_that_is_not_a_coroutine_runs_instances_to_their_ends(sync_hub: SyncHub) -> None:
    began = sync_hub.clock.now()
    doubled = sync_hub.start("doubles", 21)
    assert sync_hub.status(doubled) == "Running"

    assert sync_hub.result(doubled) == 42
    assert sync_hub.clock.now() - began == timedelta(days=1)


def test_requests_events_entities_and_time_have_a_blocking_form(sync_hub: SyncHub) -> None:
    started = sync_hub.request("GET", "/api/doubles/2").json()["id"]
    sync_hub.advance(timedelta(days=1))
    sync_hub.raise_event(sync_hub.start("waits", instance_id="w"), "Go", 1, as_http=True)
    sync_hub.signal("total", "a", "add", 2)

    assert sync_hub.output(started) == 4
    assert sync_hub.output("w") == 1
    assert sync_hub.call_entity("total", "a", "add", 3) == 5
    with pytest.raises(Stuck):
        sync_hub.result(sync_hub.start("waits"))


def test_without_the_fixture_it_is_a_context_manager() -> None:
    with SyncHub(app) as hub:
        assert hub.result(hub.start("doubles", 1)) == 2


async def test_in_a_coroutine_it_says_what_to_use_instead(sync_hub: SyncHub) -> None:
    with pytest.raises(RuntimeError, match="cannot be used in a coroutine"):
        sync_hub.start("doubles", 1)


def test_both_forms_have_the_same_methods_with_the_same_parameters() -> None:
    forms = [
        {
            name: [
                (parameter.name, parameter.kind, parameter.default)
                for parameter in inspect.signature(method).parameters.values()
            ]
            for name, method in inspect.getmembers(form, inspect.isfunction)
            if not name.startswith("_") and name not in OF_ONE_FORM
        }
        for form in (ManualHub, SyncHub)
    ]

    assert forms[0] == forms[1]
    assert inspect.signature(ManualHub).parameters == inspect.signature(SyncHub).parameters
