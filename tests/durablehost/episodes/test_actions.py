"""Each kind of action, and what it becomes."""

import json
from datetime import timedelta
from typing import Any

import azure.durable_functions as df
import pytest

from durablehost.episodes.scheduled import CallActivity, CallChild, CreateTimer, SendRequest
from tests.durablehost.episodes.stepping import (
    LATER,
    START,
    Context,
    Episodes,
    Flow,
    called,
    completed,
    ids,
    output,
    scripted,
)

ENTITY = df.EntityId("counter", "k")
RETRY = {"firstRetryIntervalInMilliseconds": 5000, "maxNumberOfAttempts": 3}
HTTP = {"method": "GET", "uri": "http://x/"}
TWO = [
    {"actionType": 0, "functionName": "act", "input": "1"},
    {"actionType": 6, "externalEventName": "go", "reason": "ExternalEvent"},
]


@pytest.mark.parametrize(
    ("action", "scheduled"),
    [
        (
            {"actionType": 0, "functionName": "act", "input": "1"},
            [CallActivity(0, "act", "1")],
        ),
        (
            {"actionType": 1, "functionName": "act", "input": "1", "retryOptions": RETRY},
            [CallActivity(0, "act", "1")],
        ),
        (
            {"actionType": 2, "functionName": "child", "input": "1", "instanceId": "c"},
            [CallChild(0, "child", "c", None, "1")],
        ),
        (
            {"actionType": 2, "functionName": "child", "input": "1", "version": "1.0"},
            [CallChild(0, "child", "x:0", "1.0", "1")],
        ),
        (
            {"actionType": 3, "functionName": "child", "input": "1", "retryOptions": RETRY},
            [CallChild(0, "child", "x:0", None, "1")],
        ),
        ({"actionType": 4, "input": "1"}, []),
        (
            {"actionType": 5, "fireAt": "2026-01-01T00:00:09.000000Z", "isCanceled": False},
            [CreateTimer(0, START + timedelta(seconds=9))],
        ),
        (
            {"actionType": 5, "fireAt": "2026-01-01T00:00:09.000000Z", "isCanceled": True},
            [CreateTimer(0, START + timedelta(seconds=9))],
        ),
        ({"actionType": 6, "externalEventName": "go", "reason": "ExternalEvent"}, []),
        (
            {"actionType": 8, "httpRequest": HTTP},
            [CallActivity(0, "BuiltIn::HttpActivity", json.dumps(HTTP))],
        ),
        ({"actionType": 11, "compoundActions": TWO}, [CallActivity(0, "act", "1")]),
        ({"actionType": 12, "compoundActions": TWO}, [CallActivity(0, "act", "1")]),
    ],
    ids=str,
)
def test_an_action_becomes_what_it_schedules(action: Any, scheduled: list[Any]) -> None:
    assert Episodes(call=scripted(action)).begin().scheduled == scheduled


@pytest.mark.parametrize(("kind", "signal"), [(7, False), (9, True)])
def test_a_call_and_a_signal_are_requests_to_an_entity(kind: int, signal: bool) -> None:
    action = {"actionType": kind, "instanceId": "@counter@k", "operation": "add", "input": "1"}

    [request] = Episodes(call=scripted(action)).begin().scheduled

    assert isinstance(request, SendRequest)
    assert (request.id, request.target, request.operation) == (0, "@counter@k", "add")
    assert (request.input, request.signal) == ("1", signal)


def test_ids_are_given_from_left_to_right_and_depth_first() -> None:
    def flow(context: Context) -> Flow:
        context.signal_entity(ENTITY, "add", 1)
        yield context.task_all(
            [
                context.call_activity("act", "a"),
                context.task_any([context.call_activity("act", "b"), context.create_timer(LATER)]),
                context.wait_for_external_event("no id of its own"),
                context.call_sub_orchestrator("child"),
            ]
        )

    decision = Episodes(flow).begin()

    assert ids(decision) == [0, 1, 2, 3, 4]
    assert [type(item).__name__ for item in decision.scheduled] == [
        "SendRequest",
        "CallActivity",
        "CallActivity",
        "CreateTimer",
        "CallChild",
    ]


def test_call_http_returns_the_first_response_even_if_it_is_a_202() -> None:
    def flow(context: Context) -> Flow:
        answer = yield context.call_http("POST", "http://x/", '{"a": 1}', is_raw_str=True)
        again = yield context.call_activity("act")
        return [answer["statusCode"], again]

    instance = Episodes(flow)
    [call] = instance.begin().scheduled
    assert isinstance(call, CallActivity)
    assert json.loads(call.input)["content"] == '{"a": 1}'

    accepted = {"statusCode": 202, "headers": {"Location": "http://x/status"}, "content": ""}
    assert called(instance.next(completed(0, accepted))) == [(1, "null")]
    assert output(instance.next(completed(1, "ok"))) == [202, "ok"]
