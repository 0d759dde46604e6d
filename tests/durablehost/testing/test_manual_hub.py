"""ManualHub: an app in this process, in memory, whose clock and work are in a test's hands."""

import asyncio
import gc
import threading
import warnings
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import azure.durable_functions as df
import azure.functions as func
import pytest

from durablehost.errors import FunctionFailed
from durablehost.hub import history
from durablehost.testing import Crashed, ManualHub, Stuck
from tests.durablehost.refused_rows import refuse

START = datetime(2026, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)

app = df.DFApp()
done: list[str] = []


@app.orchestration_trigger(context_name="context")
def waits(context):
    """Waits a day for 'Go', and tells what it got."""
    context.set_custom_status("waiting")
    event = context.wait_for_external_event("Go")
    timer = context.create_timer(context.current_utc_datetime + DAY)
    winner = yield context.task_any([event, timer])
    if winner is timer:
        context.set_custom_status("late")
        yield context.create_timer(context.current_utc_datetime + DAY)
        return "late"
    timer.cancel()
    return event.result


@app.orchestration_trigger(context_name="context")
def doubles(context):
    """Doubles its input twice, with up to three attempts each."""
    retry = df.RetryOptions(60_000, 3)
    once = yield context.call_activity_with_retry("double", retry, context.get_input())
    return (yield context.call_activity_with_retry("double", retry, once))


@app.activity_trigger(input_name="number")
def double(number):
    done.append("double")
    return number * 2


@app.orchestration_trigger(context_name="context")
def asks(context):
    return (yield context.call_activity("state_of", context.instance_id))


@app.activity_trigger(input_name="instance")
@app.durable_client_input(client_name="client")
async def state_of(instance, client):
    return (await client.get_status(instance)).runtime_status.name


@app.orchestration_trigger(context_name="context")
def lost(context):
    yield context.call_activity("duoble", 1)


@app.orchestration_trigger(context_name="context")
def spins(context):
    context.continue_as_new(None)
    if False:
        yield


@app.entity_trigger(context_name="context")
def total(context):
    context.set_state(context.get_state(lambda: 0) + context.get_input())


@app.route(route="doubles/{number}", methods=["POST"])
@app.durable_client_input(client_name="client")
async def start(req, client):
    started = await client.start_new("doubles", client_input=int(req.route_params["number"]))
    return client.create_check_status_response(req, started)


@app.timer_trigger(arg_name="timer", schedule="0 0 6 * * *")
@app.durable_client_input(client_name="client")
async def every_morning(timer, client):
    if timer.past_due:
        raise ValueError("too late")
    await client.start_new("waits", instance_id="morning")


APP_OF_A_FOLDER = """
import os
import azure.durable_functions as df

app = df.DFApp()


@app.orchestration_trigger(context_name="context")
def versioned(context):
    return context.version
    yield


@app.route(route="here")
def here(req):
    return str(os.environ.get("ONLY_HERE"))
"""


def new_hub(**options: Any) -> ManualHub:
    return ManualHub(app, start=START, **options)


async def test_a_folder_is_run_with_its_host_json(tmp_path: Path) -> None:
    (tmp_path / "function_app.py").write_text(APP_OF_A_FOLDER)
    (tmp_path / "host.json").write_text(
        '{"version": "2.0", "extensions": {"http": {"routePrefix": "v1"},'
        ' "durableTask": {"defaultVersion": "2.0"}}}'
    )
    (tmp_path / "local.settings.json").write_text('{"Values": {"ONLY_HERE": "1"}}')
    async with ManualHub(tmp_path) as hub:
        assert hub.output(await hub.start("versioned")) == "2.0"
        assert (await hub.request("GET", "/v1/here")).text == "None"


async def test_a_hub_leaves_no_thread_behind() -> None:
    before = set(threading.enumerate())
    async with new_hub() as hub:
        await hub.start("doubles", 3)
        assert (await hub.request("POST", "/api/doubles/2")).status == 202
    assert set(threading.enumerate()) <= before


# Time


async def test_time_stands_still_until_a_test_moves_it() -> None:
    async with new_hub() as hub:
        waiting = await hub.start("waits")
        await hub.advance(DAY - timedelta(seconds=2))
        assert (hub.status(waiting), hub.custom_status(waiting)) == ("Running", "waiting")

        await hub.advance(timedelta(seconds=2))

        assert (hub.status(waiting), hub.custom_status(waiting)) == ("Running", "late")
        assert hub.clock.now() == START + DAY


async def test_advancing_lets_everything_happen_that_comes_due_meanwhile() -> None:
    async with new_hub() as hub:
        hub.stop_timers()
        waiting = await hub.start("waits")
        await hub.advance(30 * DAY)

        assert hub.output(waiting) == "late"
        assert hub.instance(waiting).updated == START + 2 * DAY
        assert hub.clock.now() == START + 30 * DAY


async def test_running_until_ended_jumps_from_timer_to_timer() -> None:
    async with new_hub() as hub:
        waiting = await hub.start("waits")
        ended = await hub.run_until_ended(waiting)

        assert ended.status == "Completed"
        assert hub.clock.now() == START + 2 * DAY


async def test_running_until_a_custom_status_stops_where_it_is_set() -> None:
    async with new_hub() as hub:
        waiting = await hub.start("waits")
        await hub.run_until_custom_status(waiting, "late")

        assert hub.status(waiting) == "Running"
        assert hub.clock.now() == START + DAY


async def test_an_event_can_come_in_a_while() -> None:
    async with new_hub() as hub:
        waiting = await hub.start("waits")
        await hub.raise_event(waiting, "Go", "yes", after=timedelta(hours=3))
        assert hub.status(waiting) == "Running"
        await hub.run_until_ended(waiting)

        assert hub.output(waiting) == '"yes"'
        assert hub.clock.now() == START + timedelta(hours=3)


@pytest.mark.parametrize(("as_http", "got"), [(True, {"a": 1}), (False, '{"a": 1}')])
async def test_an_event_arrives_in_the_form_of_its_sender(as_http: bool, got: object) -> None:
    async with new_hub() as hub:
        waiting = await hub.start("waits")
        await hub.raise_event(waiting, "Go", {"a": 1}, as_http=as_http)

        assert hub.output(waiting) == got


# What cannot come


async def test_waiting_for_something_that_cannot_happen_says_why() -> None:
    async with new_hub() as hub:
        hub.allow_problems("unknown-function")
        instance_id = await hub.start("lost")

        words = "(?s)nothing that runs could change it.*nothing that can come.*'duoble'"
        with pytest.raises(Stuck, match=words):
            await hub.run_until_ended(instance_id)


async def test_two_waits_at_the_same_time_see_what_the_other_still_runs() -> None:
    called, answered = asyncio.Event(), asyncio.Event()

    async def double_on_demand(number: int) -> int:
        called.set()
        await answered.wait()
        return number * 2

    async def answer() -> None:
        await called.wait()
        answered.set()

    async with new_hub() as hub:
        hub.replace_activity("double", double_on_demand)
        hub.fail_activity("double", ValueError("not now"), times=2)
        first, second = await hub.start("doubles", 2), await hub.start("doubles", 3)

        await asyncio.gather(hub.run_until_ended(first), hub.run_until_ended(second), answer())

        assert (hub.output(first), hub.output(second)) == (8, 12)


async def test_waiting_no_longer_than_asked_says_so() -> None:
    async with new_hub() as hub:
        waiting = await hub.start("waits")
        words = "(?s)within 1:00:00.*waits for the event 'Go', the timer of 2026-03-02 00:00:00"
        with pytest.raises(Stuck, match=words):
            await hub.run_until_ended(waiting, within=timedelta(hours=1))


async def test_an_app_that_never_becomes_idle_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("durablehost.testing.manual_work._SPIN", 100)
    async with new_hub() as hub:
        with pytest.raises(Stuck, match="still busy after 100 rounds"):
            await hub.start("spins")


async def test_a_name_that_the_app_does_not_have_is_said_at_once() -> None:
    async with new_hub() as hub:
        with pytest.raises(LookupError, match="no orchestrator 'wait'; it has: .*waits"):
            await hub.start("wait")
        with pytest.raises(LookupError, match="no activity 'duoble'; it has: double"):
            hub.replace_activity("duoble", str)
        with pytest.raises(LookupError, match="no function 'start' with a timer"):
            await hub.fire("start")


# Activities


async def test_an_activity_runs_as_it_is_unless_replaced() -> None:
    done.clear()
    async with new_hub() as hub:
        assert hub.output(await hub.start("doubles", 3)) == 12
        assert done == ["double", "double"]

        hub.replace_activity("double", lambda number: number + 1)

        assert hub.output(await hub.start(doubles, 3)) == 5
        assert done == ["double", "double"]
        assert [call.input for call in hub.calls("double")] == [3, 6, 3, 4]


async def test_an_activity_with_a_client_speaks_to_this_hub() -> None:
    async with new_hub() as hub:
        assert hub.output(await hub.start("asks")) == "Running"


async def test_a_replacement_may_be_async_and_may_raise() -> None:
    async def refuses(number: int) -> int:
        raise ValueError(f"no {number}")

    async with new_hub() as hub:
        hub.replace_activity("double", refuses)
        failed = await hub.start("doubles", 3)
        await hub.run_until_ended(failed)

        assert hub.status(failed) == "Failed"
        assert "ValueError: no 3" in hub.output(failed)
        assert [call.at - START for call in hub.calls()] == [
            timedelta(minutes=minute) for minute in range(3)
        ]


async def test_the_call_that_is_to_fail_fails_and_no_other() -> None:
    async with new_hub() as hub:
        hub.fail_activity("double", ConnectionError("down"), on_call=2)
        doubled = await hub.start("doubles", 3)
        assert hub.status(doubled) == "Running"
        await hub.run_until_ended(doubled)

        assert hub.output(doubled) == 12
        assert hub.clock.now() == START + timedelta(minutes=1)


async def test_a_slow_activity_does_what_it_does_at_the_end_of_its_time() -> None:
    done.clear()
    async with new_hub() as hub:
        hub.slow_activity("double", timedelta(hours=1))
        doubled = await hub.start("doubles", 3)
        await hub.advance(timedelta(minutes=59))
        before = list(done)

        await hub.run_until_ended(doubled)

        assert (before, done) == ([], ["double", "double"])
        assert hub.output(doubled) == 12
        assert hub.clock.now() == START + timedelta(hours=2)


async def test_a_crash_loses_a_slow_activity_that_is_under_way_and_begins_it_again() -> None:
    done.clear()
    async with new_hub() as hub:
        hub.slow_activity("double", timedelta(hours=1))
        doubled = await hub.start("doubles", 3)
        await hub.advance(timedelta(minutes=30))

        hub.crash()
        await hub.run_until_ended(doubled)

        assert done == ["double", "double"]
        assert hub.clock.now() == START + timedelta(hours=2, minutes=30)


# The public door


async def test_requests_go_to_the_routes_of_the_app_and_of_the_host() -> None:
    async with new_hub() as hub:
        answer = await hub.request("POST", "/api/doubles/2")
        assert answer.status == 202
        instance_id = answer.json()["id"]

        path = f"/runtime/webhooks/durabletask/instances/{instance_id}"
        assert (await hub.request("GET", path)).json()["output"] == 8


async def test_requests_that_are_sent_at_the_same_time_open_one_endpoint() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ResourceWarning)
        async with ManualHub(app) as hub:
            await asyncio.gather(*(hub.request("GET", "/api/here") for _ in range(5)))
        del hub
        gc.collect()  # a socket that nobody closed warns

    assert [str(each.message) for each in caught if each.category is ResourceWarning] == []


async def test_a_body_of_megabytes_reaches_the_app_without_a_warning() -> None:
    async with new_hub() as hub:
        answer = await hub.request("POST", "/api/doubles/2", data=bytes(3 * 2**20))

        assert answer.status == 202


async def test_a_timer_function_is_fired_by_hand() -> None:
    async with new_hub() as hub:
        await hub.fire("every_morning")
        assert hub.status("morning") == "Running"

        with pytest.raises(FunctionFailed):
            await hub.fire("every_morning", "no timer request")


def app_with_a_timer_by_setting(fired: list[Any]) -> df.DFApp:
    app = df.DFApp()

    @app.timer_trigger(arg_name="timer", schedule="%MORNING%")
    def in_the_morning(timer: func.TimerRequest) -> None:
        fired.append(timer)

    return app


async def test_the_schedule_of_a_timer_function_may_be_a_setting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MORNING", "0 0 6 * * *")
    fired: list[Any] = []
    async with ManualHub(app_with_a_timer_by_setting(fired)) as hub:
        await hub.fire("in_the_morning")

    assert len(fired) == 1


async def test_firing_a_function_whose_setting_is_missing_names_the_setting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("MORNING", raising=False)
    async with ManualHub(app_with_a_timer_by_setting([])) as hub:
        with pytest.raises(LookupError, match="'%MORNING%' does not resolve to a value"):
            await hub.fire("in_the_morning")


async def test_entities_are_signalled_and_seen() -> None:
    async with new_hub() as hub:
        await hub.signal("total", "a", "add", 2)
        await hub.signal("total", "a", "add", 3)

        assert hub.entity_state("total", "a") == 5


async def test_instances_are_steered_and_listed() -> None:
    async with new_hub() as hub:
        await hub.start("waits", instance_id="w:1")
        await hub.start("waits", instance_id="w:2")
        await hub.start("waits", instance_id="x")
        await hub.suspend("w:1", "a pause")
        await hub.terminate("w:2", "enough")
        assert [(i.id, i.status) for i in hub.instances("w:")] == [
            ("w:1", "Suspended"),
            ("w:2", "Terminated"),
        ]

        await hub.resume("w:1")
        await hub.raise_event("w:1", "Go", "yes")
        assert hub.output("w:1") == '"yes"'
        assert history.EXECUTION_COMPLETED in [e["EventType"] for e in hub.history("w:1")]


# Crashes


async def test_a_crash_loses_the_commit_it_came_at_and_nothing_before() -> None:
    done.clear()
    async with new_hub() as hub:
        hub.crash_after(2)  # the first schedules the activity, the second has its result
        with pytest.raises(Crashed):
            await hub.start("doubles", 3, instance_id="d")
        assert done == ["double"]
        hub.crash()
        await hub.run_until_ended("d")

        assert hub.output("d") == 12
        assert done == ["double"] * 3  # it ran again: at least once, as on Azure


async def test_an_activity_that_a_test_stops_waiting_for_runs_again() -> None:
    begun = asyncio.Event()
    calls = 0

    async def never_ends_at_first(number: int) -> int:
        nonlocal calls
        calls += 1
        begun.set()
        if calls == 1:
            await asyncio.Event().wait()
        return number * 2

    async with new_hub() as hub:
        hub.replace_activity("double", never_ends_at_first)
        start = asyncio.create_task(hub.start("doubles", 3, instance_id="d"))
        await begun.wait()
        start.cancel()
        with pytest.raises(asyncio.CancelledError):
            await start

        assert await hub.result("d") == 12
        assert calls == 3


async def test_a_crash_loses_the_results_of_activities_that_run_elsewhere() -> None:
    begun, may_end = asyncio.Event(), asyncio.Event()
    calls = 0

    async def ends_later(number: int) -> int:
        nonlocal calls
        calls += 1
        begun.set()
        await may_end.wait()
        return number * calls

    async with new_hub() as hub:
        hub.replace_activity("double", ends_later)
        start = asyncio.create_task(hub.start("doubles", 3, instance_id="d"))
        await begun.wait()
        hub.crash()
        may_end.set()
        await start

        assert await hub.result("d") == 3 * 2 * 3  # the result of the first call is lost
        ends = [each for each in hub.history("d") if each["EventType"] == history.TASK_COMPLETED]
        assert len(ends) == 2


async def test_a_hub_in_a_file_goes_on_from_it(tmp_path: Path) -> None:
    data = tmp_path / "hub.db"
    async with new_hub(data=data) as hub:
        await hub.start("waits", instance_id="w")
    async with new_hub(data=data) as hub:
        await hub.raise_event("w", "Go", 1)
        assert hub.output("w") == "1"


@pytest.mark.parametrize("kind", [SystemExit, KeyError, GeneratorExit, BaseException])
async def test_what_an_entity_function_raises_fails_one_operation_and_nothing_else(
    kind: type[BaseException],
) -> None:
    app = df.DFApp()

    @app.entity_trigger(context_name="context")
    def counter(context):
        if context.get_input() == "stop":
            raise kind("words")
        context.set_state(context.get_input())
        context.set_result("set")

    @app.orchestration_trigger(context_name="context")
    def sets(context):
        entity = df.EntityId("counter", "x")
        calls = [context.call_entity(entity, "set", value) for value in ("a", "stop", "b")]
        yield context.task_any(calls)
        yield context.create_timer(context.current_utc_datetime + timedelta(seconds=5))
        return [str(call.result) for call in calls]

    async with ManualHub(app) as hub:
        hub.allow_problems("entity-failed")
        answers = await hub.result(await hub.start("sets"))

        assert hub.entity_state("counter", "x") == "b"
    assert answers[0] == answers[2] == "set"
    assert "words" in answers[1]


@pytest.mark.parametrize("what", ["state", "result"])
async def test_a_value_that_is_not_json_fails_one_operation_and_all_calls_are_answered(
    what: str,
) -> None:
    app = df.DFApp()

    @app.entity_trigger(context_name="context")
    def counter(context):
        value = context.get_input()
        poison = {1} if value == "poison" else value
        context.set_state(poison if what == "state" else value)
        context.set_result(poison if what == "result" else value)

    @app.orchestration_trigger(context_name="context")
    def sets(context):
        entity = df.EntityId("counter", "x")
        calls = [context.call_entity(entity, "set", value) for value in ("a", "b", "poison")]
        yield context.task_any(calls)  # they are sent together, and answered one by one
        yield context.create_timer(context.current_utc_datetime + timedelta(seconds=5))
        return [str(call.result) for call in calls]

    async with ManualHub(app) as hub:
        hub.allow_problems("entity-failed")
        first, second, failed = await hub.result(await hub.start("sets"))
        [problem] = hub.problems()

        assert hub.entity_state("counter", "x") == "b"
    assert (first, second) == ("a", "b")
    assert "does not expose a `to_json` function" in failed
    assert (problem.kind, problem.instance_id) == ("entity-failed", "@counter@x")


async def test_a_decision_that_cannot_be_saved_sets_its_instance_aside_and_no_other(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    app = df.DFApp()

    @app.orchestration_trigger(context_name="context")
    def good(context):
        return "done"

    @app.orchestration_trigger(context_name="context")
    def bad(context):
        yield context.call_sub_orchestrator("good", None, "child")

    async with ManualHub(app, data=tmp_path / "hub.db") as hub:
        refuse(tmp_path / "hub.db", "instances", "NEW.id = 'child'")
        hub.allow_problems("durablehost-failed")
        set_aside = await hub.start("bad")
        ended = await hub.start("good")

        assert (hub.status(set_aside), hub.status(ended)) == ("Pending", "Completed")
    assert (
        f"{set_aside}: durablehost itself failed at this instance and sets it aside" in caplog.text
    )
