"""durablehost passes the SDK the same messages as the real host, as recorded on the wire.

`turns.jsonl` holds one invocation a line: what an orchestrator, entity or activity was handed
(`in`), and what the SDK handed back (`out`, or `error`).
"""

import json
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import azure.durable_functions as df
import pytest

from durablehost.app.functions import FunctionTable
from durablehost.app.loading import index_app
from durablehost.calling.invoker import Invoker
from durablehost.episodes.activity_ends import failed_activity
from durablehost.episodes.entity_batch import run_entity_batch
from durablehost.episodes.episode import run_episode
from durablehost.errors import FunctionFailed
from durablehost.hub import history
from durablehost.hub.backend import Decision, EntityWork, Instance, OrchestrationWork, Parent
from durablehost.hub.clock import ManualClock, SystemClock
from durablehost.hub.history import Event, compact
from tests.durablehost.episodes.stepping import ANY_VERSION, Episodes, call_of
from tests.durablehost.episodes.stepping import called as called_with

Recorded = dict[str, Any]

LABEL = "\n\n$OutOfProcData$:"

TURNS: list[Recorded] = [
    json.loads(line) for line in (Path(__file__).parent / "turns.jsonl").read_text().splitlines()
]
BY_INSTANCE: dict[str, list[Recorded]] = defaultdict(list)
BY_ENTITY: dict[str, list[Recorded]] = defaultdict(list)
ACTIVITIES: list[Recorded] = []
for turn in TURNS:
    if isinstance(turn["in"], str):
        ACTIVITIES.append(turn)
    elif "history" in turn["in"]:
        BY_INSTANCE[turn["in"]["instanceId"]].append(turn)
    else:
        BY_ENTITY["@{name}@{key}".format(**turn["in"]["self"])].append(turn)


def called(actions: list[Any]) -> set[tuple[str, str]]:
    """The functions that a recorded action list calls, and the kinds of their triggers."""
    found: set[tuple[str, str]] = set()
    for action in actions:
        found |= called(action.get("compoundActions", []))
        match action["actionType"]:
            case 0 | 1:
                found.add(("activity", action["functionName"]))
            case 2 | 3:
                found.add(("orchestration", action["functionName"]))
            case 7 | 9:
                found.add(("entity", action["instanceId"].split("@")[1]))
    return found


def recorded_app() -> FunctionTable:
    """An app with the functions that the recorded orchestrators call, if they existed."""
    app = df.DFApp()
    outs = [turn["out"] for turn in TURNS if "actions" in (turn["out"] or "")]
    everything = {name for out in outs for name in called(out["actions"][0])}
    for kind, name in sorted(everything - {("activity", "nobody")}):
        if kind == "activity":
            app.function_name(name)(app.activity_trigger(input_name="x")(lambda x: None))
        elif kind == "entity":
            app.function_name(name)(
                app.entity_trigger(context_name="context")(lambda context: None)
            )
        else:
            trigger = app.orchestration_trigger(context_name="context")
            app.function_name(name)(trigger(lambda context: None))
    return index_app(app)


APP = recorded_app()


def cut(recorded: Recorded) -> tuple[list[Event], list[Event]]:
    """The history before the last episode began, and the events of that episode."""
    events: list[Event] = recorded["in"]["history"]
    starts = [
        index
        for index, event in enumerate(events)
        if event["EventType"] == history.ORCHESTRATOR_STARTED
    ]
    return events[: starts[-1]], events[starts[-1] :]


def work_of(recorded: Recorded) -> OrchestrationWork:
    body = recorded["in"]
    past, [_, *new] = cut(recorded)
    generation, parent_id = 0, body["parentInstanceId"]
    if not past and new[-1]["EventType"] == history.ORCHESTRATOR_COMPLETED:
        generation = 1
        new.pop()  # after continue_as_new the host writes it in the very episode
    started = body["history"][1]
    began = history.read_stamp(started["Timestamp"])
    instance = Instance(
        id=body["instanceId"],
        name=started["Name"],
        version=started["Version"],
        execution_id=started["OrchestrationInstance"]["ExecutionId"],
        generation=generation,
        status="Running",
        input=compact(body["input"]),
        output=None,
        custom_status=None,
        created=began,
        updated=began,
        parent=Parent(parent_id, "", 0, "", None) if parent_id else None,
    )
    return OrchestrationWork(instance, past, [*map(history.to_text, past)], new, ())


def to_the_microsecond(value: Any) -> Any:
    """The same JSON with durablehost's form of times. The real host writes a seventh digit."""
    if isinstance(value, dict):
        return {
            key: history.stamp(history.read_stamp(inner))
            if key in ("Timestamp", "FireAt")
            else to_the_microsecond(inner)
            for key, inner in value.items()
        }
    return [to_the_microsecond(inner) for inner in value] if isinstance(value, list) else value


def shape(events: list[Event]) -> list[str]:
    """The events as text, key by key, without values that differ between runs."""
    return [
        json.dumps(without_chance(to_the_microsecond(history.without_digest(event))))
        for event in events
    ]


def without_chance(event: Event) -> Event:
    bare = {**event, "Timestamp": ""}
    if event["EventType"] == history.EVENT_SENT:
        message = json.loads(event["Input"])
        message.update(id="", Timestamp="", Predecessor="", requestTime="")
        bare["Input"] = message
    return bare


def raised_by_sdk(recorded: Recorded) -> str:
    """The words the SDK raised. Its state went under where they were cut at `{details}`: with an
    error nothing new is called, so the actions are those of the turn before."""
    words: str = recorded["error"].removeprefix("Exception: ")
    if LABEL in words:
        return words
    turns = BY_INSTANCE[recorded["in"]["instanceId"]]
    actions = turns[turns.index(recorded) - 1]["out"]["actions"]
    state = {"isDone": False, "schemaVersion": 2, "actions": actions, "error": words}
    return f"{words}{LABEL}{json.dumps(state)}"


def replay(recorded: Recorded) -> tuple[Decision, str]:
    """Run the recorded episode. Returns the decision and the SDK's input."""
    handed = []

    def orchestrate(body: str) -> str:
        handed.append(body)
        if recorded["error"] is not None:
            raise Exception(raised_by_sdk(recorded))
        return json.dumps(recorded["out"])

    [start, *_] = cut(recorded)[1]
    clock = ManualClock(history.read_stamp(start["Timestamp"]))
    decision = run_episode(work_of(recorded), orchestrate, APP, clock, ANY_VERSION)
    [body] = handed
    return decision, body


def without_own_moment(body: Any) -> str:
    """The JSON for an orchestrator. The host can end it with a later time."""
    told = to_the_microsecond(body)
    told.pop("sourceInstanceId", None)  # of later extensions than the recorded one
    if told["history"][-1]["EventType"] == history.ORCHESTRATOR_COMPLETED:
        told["history"][-1]["Timestamp"] = ""
    return json.dumps(told)


ORCHESTRATOR_TURNS = [
    pytest.param(recorded, id=f"{instance_id}-{number}")
    for instance_id, turns in BY_INSTANCE.items()
    for number, recorded in enumerate(turns)
]
ENDS = [
    pytest.param(turns[-1], id=instance_id)
    for instance_id, turns in BY_INSTANCE.items()
    if instance_id not in ("unknown_activity-1", "parent_waits-1")
]
FOLLOWED = [
    pytest.param(recorded, following, id=f"{instance_id}-{number}")
    for instance_id, turns in BY_INSTANCE.items()
    for number, (recorded, following) in enumerate(pairwise(turns))
]


def test_all_the_recorded_turns_are_here() -> None:
    assert len(ORCHESTRATOR_TURNS) == 109
    assert sum(map(len, BY_ENTITY.values())) == 16
    assert len(ACTIVITIES) == 50


def recorded_timers() -> Iterator[tuple[datetime, datetime, datetime]]:
    """For each timer: its time, when it was scheduled, and when its episode began."""
    for turns in BY_INSTANCE.values():
        created: dict[int, Recorded] = {}
        began = {}
        for event in turns[-1]["in"]["history"]:
            if event["EventType"] == history.ORCHESTRATOR_STARTED:
                began = event
            elif event["EventType"] == history.TIMER_CREATED:
                created[event["EventId"]] = event
            elif event["EventType"] == history.TIMER_FIRED:
                stamps = event["FireAt"], created[event["TimerId"]]["Timestamp"], began["Timestamp"]
                fire_at, scheduled, fired = map(history.read_stamp, stamps)
                yield fire_at, scheduled, fired


def test_the_real_host_fires_timers_early_and_durablehost_at_most_half_a_second_before_it() -> None:
    timers = list(recorded_timers())
    late = [
        (fired - SystemClock().due(fire_at, scheduled)).total_seconds()
        for fire_at, scheduled, fired in timers
    ]

    assert len(timers) > 5
    assert all(fired < fire_at for fire_at, scheduled, fired in timers if scheduled < fire_at)
    assert all(0 <= seconds < 0.5 for seconds in late)


@pytest.mark.parametrize("recorded", ORCHESTRATOR_TURNS)
def test_an_orchestrator_is_handed_the_recorded_json(recorded: Recorded) -> None:
    _, body = replay(recorded)

    assert without_own_moment(json.loads(body)) == without_own_moment(recorded["in"])


@pytest.mark.parametrize(("recorded", "following"), FOLLOWED)
def test_each_episode_leaves_the_history_that_the_next_recorded_one_had(
    recorded: Recorded, following: Recorded
) -> None:
    past, _ = cut(recorded)
    found, [_, *new] = cut(following)

    decision, _ = replay(recorded)

    if found:
        assert decision.instance.status == "Running"
        assert json.dumps(found[: len(past)]) == json.dumps(past)
        assert shape(decision.events) == shape(found[len(past) :])
    else:
        assert decision.new_generation
        assert decision.instance.input == new[0]["Input"]


@pytest.mark.parametrize("recorded", ENDS)
def test_the_last_recorded_episode_ends_the_instance_with_the_words_of_the_sdk(
    recorded: Recorded,
) -> None:
    decision, _ = replay(recorded)

    output = json.loads(decision.instance.output or "")
    if recorded["error"] is None:
        assert (decision.instance.status, output) == ("Completed", recorded["out"].get("output"))
    else:
        name = recorded["function"]
        words = raised_by_sdk(recorded).partition(LABEL)[0]
        assert (decision.instance.status, output) == (
            "Failed",
            f"Orchestrator function '{name}' failed: {words}",
        )


def test_a_terminated_instance_ends_with_the_reason() -> None:
    decision, _ = replay(BY_INSTANCE["parent_waits-1"][-1])

    assert (decision.instance.status, decision.instance.output) == ("Terminated", '"stop"')


def test_an_unknown_activity_leaves_nothing_but_its_episode_in_the_history() -> None:
    [recorded] = BY_INSTANCE["unknown_activity-1"]

    decision, _ = replay(recorded)

    assert decision.instance.status == "Running"
    assert [event["EventType"] for event in decision.events] == [
        history.ORCHESTRATOR_STARTED,
        history.EXECUTION_STARTED,
        history.ORCHESTRATOR_COMPLETED,
    ]


def operated(entity_id: str) -> Iterator[tuple[Recorded, str, list[Event]]]:
    """For each batch: the recording, the JSON for the entity, and the answers."""
    clock = ManualClock(datetime(2026, 11, 21, tzinfo=UTC))
    instance = None
    for recorded in BY_ENTITY[entity_id]:
        handed: list[str] = []
        answer = json.dumps(recorded["out"])
        requests = [request_of(operation) for operation in recorded["in"]["batch"]]
        work = EntityWork(entity_id, instance, requests, ())

        decision = run_entity_batch(work, partial(answer_to, handed, answer), clock)

        instance = decision.instance
        [body] = handed
        yield recorded, body, [message.event for message in decision.messages]


def answer_to(handed: list[str], answer: str, body: str) -> str:
    handed.append(body)
    return answer


def request_of(operation: Recorded) -> Recorded:
    return {
        "op": operation["name"],
        "signal": operation["isSignal"],
        "input": operation["input"],
        "id": operation["id"],
        "parent": "caller",
        "parentExecution": "execution",
    }


@pytest.mark.parametrize("entity_id", BY_ENTITY)
def test_an_entity_is_handed_the_recorded_batches_one_after_the_other(entity_id: str) -> None:
    for recorded, body, answers in operated(entity_id):
        batch = recorded["in"]["batch"]
        assert body == json.dumps(recorded["in"])
        assert [answer["Name"] for answer in answers] == [
            operation["id"] for operation in batch if not operation["isSignal"]
        ]


ANSWERS = {
    event["Name"]: (instance_id, event)
    for instance_id, turns in BY_INSTANCE.items()
    for event in turns[-1]["in"]["history"]
    if event["EventType"] == history.EVENT_RAISED
}


def test_the_answers_of_an_entity_are_the_events_its_callers_got() -> None:
    compared = 0
    for entity_id in BY_ENTITY:
        key = entity_id.split("@")[2]
        for _, _, answers in operated(entity_id):
            for answer in answers:
                if answer["Name"] in ANSWERS:
                    caller, event = ANSWERS[answer["Name"]]
                    [got] = shape([{**event, "IsPlayed": False}])
                    # the recorder gave callers a plain name and left the entity its own
                    assert shape([answer]) == [got.replace(caller, key)]
                    compared += 1

    assert compared == 7


@pytest.mark.parametrize(
    "recorded", [pytest.param(a, id=f"{a['function']} {a['in']}") for a in ACTIVITIES]
)
async def test_an_activity_is_handed_the_recorded_input_and_gives_the_recorded_output(
    recorded: Recorded,
) -> None:
    value, seen = json.loads(recorded["in"]), []

    def play(x: Any) -> Any:
        seen.append(x)
        if recorded["error"] is not None:
            raise ValueError(recorded["error"].removeprefix("ValueError: "))
        return json.loads(recorded["out"])

    def caller(context: df.DurableOrchestrationContext) -> Any:
        return (yield context.call_activity(recorded["function"], value))

    app = df.DFApp()
    app.function_name(recorded["function"])(app.activity_trigger(input_name="x")(play))
    app.orchestration_trigger(context_name="context")(caller)
    table = index_app(app)
    instance = Episodes(call=call_of(table, "caller"))
    instance.table = table
    invoker = Invoker(threads=1, own_loop=False)
    function = table.activity(recorded["function"])
    assert function is not None

    [(_, handed)] = called_with(instance.begin())
    try:
        outcome = await invoker.activity(function, handed, "i")
    except FunctionFailed as failure:
        outcome = f"{failure.kind}: {failure.message}"
    finally:
        await invoker.close()

    assert handed == recorded["in"]
    assert seen == [value]
    assert outcome == (recorded["error"] or recorded["out"])


NOW = datetime(2026, 11, 21, tzinfo=UTC)
MADE = [
    history.orchestrator_started(NOW),
    history.orchestrator_completed(NOW),
    history.execution_started(
        NOW, instance_id="", execution_id="", name="", version=None, input_text=None
    ),
    history.execution_terminated(NOW, ""),
    history.task_scheduled(NOW, 0, ""),
    history.task_completed(NOW, 0, ""),
    history.task_failed(NOW, 0, "", ""),
    history.sub_orchestration_created(NOW, 0, "", None, ""),
    history.sub_orchestration_completed(NOW, 0, ""),
    history.sub_orchestration_failed(NOW, 0, "", ""),
    history.timer_created(NOW, 0, NOW),
    history.timer_fired(NOW, 0, NOW),
    history.event_sent(NOW, 0, "", "", ""),
    history.event_raised(NOW, "", ""),
]


@pytest.mark.parametrize("made", MADE, ids=lambda event: history.NAMES[event["EventType"]])
def test_an_event_has_the_recorded_keys_in_the_recorded_order(made: Event) -> None:
    recorded = {
        tuple(event)
        for turns in BY_INSTANCE.values()
        for event in turns[-1]["in"]["history"]
        if event["EventType"] == made["EventType"]
    }

    assert recorded == {tuple(made)}


def test_the_start_of_a_child_names_its_parent_as_recorded() -> None:
    [recorded] = [
        event
        for event in BY_INSTANCE["flaky_sub-1"][0]["in"]["history"]
        if event["EventType"] == history.EXECUTION_STARTED
    ]
    parent = recorded["ParentInstance"]
    caller = parent["OrchestrationInstance"]

    made = history.parent_instance(
        parent["Name"], caller["InstanceId"], caller["ExecutionId"], parent["TaskScheduleId"], None
    )

    assert json.dumps(made) == json.dumps(parent)


def test_the_failure_of_an_activity_has_the_recorded_words_and_details() -> None:
    recorded = next(
        event
        for event in BY_INSTANCE["retry_exhausts-1"][-1]["in"]["history"]
        if event["EventType"] == history.TASK_FAILED
    )
    failure = FunctionFailed("RuntimeError", "attempt 1 of retry_exhausts-1", "{stack}")

    made = failed_activity(0, "flaky", failure, ManualClock(NOW))

    # This turn was recorded on extension 3.14.1. Since 3.15.3 one space stands before the words.
    assert made["Reason"] == recorded["Reason"].replace("failed:  ", "failed: ")
    details = json.loads(recorded["Details"])
    details["Message"] = details["Message"].lstrip()
    details["InnerException"]["Source"] = "durablehost"  # the one word that is ours
    assert made["Details"] == compact(details)
