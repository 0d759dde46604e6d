"""What a check of a recording finds and says, and what it leaves alone."""

import json
from collections.abc import Callable, Generator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import azure.durable_functions as df
import pytest

from durablehost.app.functions import FunctionTable
from durablehost.app.loading import table_of
from durablehost.errors import CannotStart
from durablehost.hub import history
from durablehost.replaying.checking import MOST_BOUNDARIES, boundaries_of, check
from durablehost.replaying.findings import lines_of
from durablehost.replaying.reconstructing import reconstruct
from durablehost.replaying.recording import (
    Recording,
    accepting,
    files_in,
    read,
    recording_of,
    write,
)
from durablehost.replaying.redacting import redact
from durablehost.replaying.taking import take
from durablehost.testing import ManualHub
from tests.durablehost.replaying.shown import as_shown

Orchestrator = Callable[[Any], Generator[Any, Any, Any]]
NOW = datetime(2026, 3, 1, tzinfo=UTC)
HERE = "tests/durablehost/replaying/test_checking.py"


class Order:
    """An object that the SDK stores with the name of its class."""

    @staticmethod
    def to_json(order: "Order") -> str:
        return "{}"

    @staticmethod
    def from_json(text: str) -> "Order":
        return Order()


def table_with(flow: Orchestrator) -> FunctionTable:
    app = df.DFApp()
    flow.__name__ = "flow"
    app.orchestration_trigger(context_name="context")(flow)

    @app.activity_trigger(input_name="value")
    def double(value):
        return value

    @app.activity_trigger(input_name="value")
    def triple(value):
        return value

    return table_of(app)


def as_it_was(context):
    person = context.get_input()
    yield context.call_activity("double", person)
    yield context.wait_for_external_event("Go")
    return person


def renamed(context):
    yield context.call_activity("triple", context.get_input())


async def recorded(
    flow: Orchestrator = as_it_was, value: Any = None, advance: timedelta | None = None
) -> Recording:
    async with ManualHub(table_with(flow), start=NOW) as hub:
        hub.allow_problems()
        instance = await hub.start("flow", value, instance_id="i-1")
        if advance:
            await hub.advance(advance)
        return take(table_with(flow), instance, hub.status(instance), hub.history(instance))


async def test_a_finding_names_all_that_a_person_needs() -> None:
    [finding] = check(table_with(renamed), await recorded())

    line = renamed.__code__.co_firstlineno + 1
    assert lines_of("i-1", finding) == [
        "fails: the host would end the instance as Failed",
        "  instance  i-1",
        "  event     step 0, scheduled at 2026-03-01T00:00:00.000000Z",
        "  recorded  activity 'double'",
        f"  now       activity 'triple' in this place ({HERE}:{line})",
        f"  remedy    {finding.remedy}",
        "  key       step 0",
    ]


async def test_code_that_raises_where_it_stood_is_found_with_its_line() -> None:
    def raises(context):
        yield context.call_activity("double", None)
        raise ValueError("no more")

    [finding] = check(table_with(raises), await recorded())

    line = raises.__code__.co_firstlineno + 2
    assert finding.verdict == "fails"
    assert finding.now == f"it raises ValueError: no more ({HERE}:{line})"


async def test_code_that_now_waits_for_ever_is_found() -> None:
    def misspelled(context):
        yield context.call_activity("double", None)
        yield context.call_activity("treble", None)

    [finding] = check(table_with(misspelled), await recorded())

    assert finding.verdict == "waits"
    assert finding.now == "it calls the activity 'treble', which the app does not have"


async def test_a_timer_that_was_moved_is_found() -> None:
    def for_days(days: int) -> Orchestrator:
        def flow(context):
            yield context.create_timer(context.current_utc_datetime + timedelta(days=days))

        return flow

    recording = await recorded(for_days(1))

    assert [each.key for each in check(table_with(for_days(2)), recording)] == ["step 0: value"]
    assert check(table_with(for_days(1)), recording) == []


async def test_a_removed_class_is_found() -> None:
    recording = await recorded()
    gone = json.dumps({"__class__": "Gone", "__module__": __name__, "__data__": "{}"})
    there = gone.replace("Gone", "Order")
    events = [event | {"Input": gone} if "Input" in event else event for event in recording.events]
    fine = [event | {"Input": there} if "Input" in event else event for event in recording.events]

    found = check(table_with(as_it_was), replace(recording, events=events, redacted=["x"]))
    found_fine = check(table_with(as_it_was), replace(recording, events=fine, redacted=["x"]))

    assert f"class {__name__}.Gone" in [each.key for each in found]
    assert f"class {__name__}.Order" not in [each.key for each in found_fine]


async def test_an_accepted_difference_is_not_reported_again(tmp_path) -> None:
    def more(context):
        yield context.call_activity("double", None)
        yield context.call_activity("triple", None)

    recording = await recorded()
    [finding] = check(table_with(more), recording)
    write(accepting(recording, [finding.key]), tmp_path / "flow.json")

    assert check(table_with(more), read(tmp_path / "flow.json")) == []


async def test_a_file_holds_the_whole_recording(tmp_path) -> None:
    recording = await recorded(value={"name": "Ada", "sums": [1, 2]})

    write(recording, tmp_path / "flow.json")

    assert read(tmp_path / "flow.json") == recording


async def test_a_redacted_recording_has_no_values_and_still_fits(tmp_path) -> None:
    recording = await recorded(value={"name": "Ada", "iban": "DE12", "sums": [1, 2]})

    write(redact(recording, ["name", "iban*"]), tmp_path / "flow.json")

    text = (tmp_path / "flow.json").read_text("utf-8")
    assert "Ada" not in text
    assert "DE12" not in text
    assert check(table_with(as_it_was), read(tmp_path / "flow.json")) == []
    assert check(table_with(renamed), read(tmp_path / "flow.json"))[0].verdict == "fails"


async def test_a_reconstructed_history_shows_renamed_calls_but_no_moved_timers() -> None:
    def timer_and_call(days: int, name: str) -> Orchestrator:
        def flow(context):
            pause = context.create_timer(context.current_utc_datetime + timedelta(days=days))
            yield context.task_any([pause, context.call_activity(name, None)])
            yield context.wait_for_external_event("Go")

        return flow

    shown = as_shown(await recorded(timer_and_call(1, "double")))
    unchanged = table_with(timer_and_call(1, "double"))

    def found(days: int, name: str) -> list[str]:
        changed = table_with(timer_and_call(days, name))
        return [each.verdict for each in check(changed, reconstruct(unchanged, shown))]

    assert found(1, "double") == []
    assert found(2, "double") == []
    assert found(1, "triple") == ["fails"]


def test_at_most_two_hundred_boundaries_are_replayed_and_always_the_last() -> None:
    start = history.execution_started(
        NOW, instance_id="i-1", execution_id="", name="flow", version=None, input_text=None
    )
    episode = [history.orchestrator_started(NOW), start, history.orchestrator_completed(NOW)]
    recording = recording_of("i-1", "Running", episode * (2 * MOST_BOUNDARIES + 1))

    boundaries = boundaries_of(recording)

    assert MOST_BOUNDARIES / 2 < len(boundaries) <= MOST_BOUNDARIES
    assert len(boundaries[-1]) == len(recording.events)


def test_a_folder_without_histories_cannot_be_replayed(tmp_path) -> None:
    with pytest.raises(CannotStart, match="`durablehost record` writes histories"):
        files_in([tmp_path / "histories"])


def test_a_file_that_is_not_a_recording_is_named(tmp_path) -> None:
    file = tmp_path / "notes.json"
    file.write_text("[]")

    with pytest.raises(CannotStart, match="notes.json is no recorded history"):
        read(file)
