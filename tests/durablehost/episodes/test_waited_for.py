"""What an instance waits for, whichever host wrote its history."""

import json
import uuid

import azure.durable_functions as df

from durablehost.calling.invoker import Invoker
from durablehost.dashboard.stepping import replayed
from durablehost.episodes.scheduled import SendRequest
from durablehost.hub.history import to_text
from tests.durablehost.episodes.stepping import START, Context, Episodes, Flow

INVOKER = Invoker(threads=1, own_loop=False)


def flow(context: Context) -> Flow:
    first = context.call_entity(df.EntityId("counter", "a"), "get")
    second = context.call_entity(df.EntityId("counter", "b"), "get")
    yield context.task_all([first, second, context.wait_for_external_event("Go")])


def test_entities_are_told_from_events_in_a_history_of_another_host() -> None:
    episodes = Episodes(flow)
    decision = episodes.begin()
    text = json.dumps([*map(to_text, episodes.past)])
    for request in decision.scheduled:
        assert isinstance(request, SendRequest)
        text = text.replace(request.request_id, str(uuid.uuid4()))
    foreign = [json.loads(event) for event in json.loads(text)]

    shown = replayed(episodes.table, INVOKER.orchestrate, decision.instance, foreign, START)

    assert shown["awaits"] == ["Go"]
    assert shown["waits"] == "the event 'Go', the entity '@counter@a', the entity '@counter@b'"
