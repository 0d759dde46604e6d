"""A history that was kept, replayed against code that is as it was, or has changed."""

from collections.abc import Callable, Generator
from datetime import UTC, datetime
from typing import Any

import azure.durable_functions as df
import pytest

from durablehost.hub import history
from durablehost.hub.history import Event
from durablehost.testing import ManualHub, replay

Orchestrator = Callable[[Any], Generator[Any, Any, Any]]
NOW = datetime(2026, 3, 1, tzinfo=UTC)
GO = history.event_raised(NOW, "Go", "1")


def app_with(flow: Orchestrator) -> df.DFApp:
    app = df.DFApp()
    flow.__name__ = "flow"
    app.orchestration_trigger(context_name="context")(flow)

    @app.activity_trigger(input_name="number")
    def double(number):
        return 2 * number

    @app.activity_trigger(input_name="number")
    def triple(number):
        return 3 * number

    return app


def as_it_was(context):
    doubled = yield context.call_activity("double", 2)
    yield context.wait_for_external_event("Go")
    return (yield context.call_activity("double", doubled))


async def kept(*events: str, of: Orchestrator = as_it_was) -> list[Event]:
    """The history of an instance after these events."""
    async with ManualHub(app_with(of), start=NOW) as hub:
        instance = await hub.start("flow")
        for event in events:
            await hub.raise_event(instance, event)
        return hub.history(instance)


async def test_unchanged_code_stops_where_the_history_ends() -> None:
    replayed = replay(app_with(as_it_was), await kept())

    assert (replayed.status, replayed.schedules, replayed.problems) == ("Running", [], [])


async def test_what_comes_next_is_what_the_code_does_next() -> None:
    replayed = replay(app_with(as_it_was), await kept(), GO)

    assert (replayed.schedules, replayed.problems) == (["activity 'double'"], [])


async def test_the_history_of_an_ended_instance_ends_again() -> None:
    replayed = replay(app_with(as_it_was), await kept("Go"))

    assert (replayed.status, replayed.output, replayed.problems) == ("Completed", 8, [])


async def test_code_that_does_something_else_fails_as_on_the_real_host() -> None:
    def changed(context):
        yield context.create_timer(context.current_utc_datetime)
        yield context.call_activity("double", 2)

    replayed = replay(app_with(changed), await kept())

    assert replayed.status == "Failed"
    assert replayed.output.startswith("Non-Deterministic workflow detected")
    assert "is activity 'double'; the code now has the timer for" in replayed.problems[0]


async def test_a_renamed_activity_fails_as_on_the_real_host() -> None:
    def changed(context):
        yield context.call_activity("triple", 2)
        yield context.wait_for_external_event("Go")

    replayed = replay(app_with(changed), await kept())

    assert replayed.status == "Failed"
    assert "is activity 'double'; the code now has activity 'triple' (" in replayed.problems[0]


async def test_what_was_added_where_it_stands_is_scheduled_at_once() -> None:
    def changed(context):
        yield context.call_activity("double", 2)
        yield context.call_activity("triple", 2)

    replayed = replay(app_with(changed), await kept())

    assert (replayed.schedules, replayed.problems) == (["activity 'triple'"], [])


async def test_a_child_is_replayed_as_a_child() -> None:
    def parent(context):
        if context.parent_instance_id is None:
            return (yield context.call_sub_orchestrator("flow", None, "child"))
        yield context.wait_for_external_event("Go")
        return context.parent_instance_id

    async with ManualHub(app_with(parent), start=NOW) as hub:
        parent_id = await hub.start("flow")
        events = hub.history("child")

    assert replay(app_with(parent), events, GO).output == parent_id


async def test_a_removed_orchestrator_is_reported() -> None:
    replayed = replay(df.DFApp(), await kept())

    assert replayed.status == "Failed"
    assert "'flow' doesn't exist" in replayed.problems[0]


def test_a_history_without_its_beginning_is_refused() -> None:
    with pytest.raises(ValueError, match="keep all that"):
        replay(app_with(as_it_was), [GO])
