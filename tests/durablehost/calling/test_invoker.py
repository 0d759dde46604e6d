"""Calling the app's functions: what they get, what becomes of what they return or raise."""

import asyncio
import json
import sys
import threading
from collections.abc import AsyncIterator
from typing import Any

import azure.durable_functions as df
import azure.functions as func
import pytest

from durablehost.calling.invoker import Invoker
from durablehost.errors import FunctionFailed
from tests.durablehost.calling.declared import activity, http, only, orchestrator

STAMP = {"EventId": -1, "IsPlayed": False, "Timestamp": "2026-01-01T00:00:00.0Z"}
TURN = json.dumps(
    {
        "history": [
            STAMP | {"EventType": 12},
            STAMP | {"EventType": 0, "Name": "work", "Version": None},
        ],
        "input": None,
        "instanceId": "i",
        "isReplaying": False,
        "parentInstanceId": None,
    }
)
REQUEST = func.HttpRequest("GET", "http://host/api/r", body=b"")


@pytest.fixture(params=[True, False], ids=["own loop", "caller's loop"])
async def invoker(request: pytest.FixtureRequest) -> AsyncIterator[Invoker]:
    invoker = Invoker(threads=2, own_loop=request.param)
    yield invoker
    await invoker.close()


class Point:
    """What an app sends as an object of its own."""

    def __init__(self, x: int) -> None:
        self.x = x

    @staticmethod
    def to_json(point: "Point") -> int:
        return point.x

    @staticmethod
    def from_json(x: int) -> "Point":
        return Point(x)


async def test_an_activity_gets_and_gives_any_json_value(invoker: Invoker) -> None:
    def echo(x: Any) -> Any:
        return x

    async def echo_async(x: Any) -> Any:
        return x

    for function in (activity(echo), activity(echo_async)):
        for text in ('"5"', "5", "null", "true", '{"a": [1.5, null]}', '""', "[]"):
            assert await invoker.activity(function, text, "i") == text


async def test_an_activity_sees_the_value_and_not_its_text(invoker: Invoker) -> None:
    def shown(x: Any) -> str:
        return repr(x)

    function = activity(shown)

    assert await invoker.activity(function, '"5"', "i") == "\"'5'\""
    assert await invoker.activity(function, "null", "i") == '"None"'
    assert await invoker.activity(function, "no json", "i") == "\"'no json'\""


async def test_objects_of_the_apps_own_classes_travel(invoker: Invoker) -> None:
    def moved(x: Point) -> Point:
        return Point(x.x + 1)

    given = json.dumps({"__class__": "Point", "__module__": __name__, "__data__": 1})
    result = await invoker.activity(activity(moved), given, "i")

    assert json.loads(result) == {"__class__": "Point", "__module__": __name__, "__data__": 2}


async def test_a_result_that_is_not_json_fails_with_the_message_of_the_worker(
    invoker: Invoker,
) -> None:
    with pytest.raises(FunctionFailed) as failed:
        await invoker.activity(activity(lambda x: {"set": {1}}), "null", "i")

    assert failed.value.kind == "ValueError"
    assert (
        failed.value.message == "activity trigger output must be json serializable ({'set': {1}})"
    )


async def test_an_exception_of_a_function_is_reported_with_its_own_stack(invoker: Invoker) -> None:
    def inner() -> None:
        raise LookupError("no such order")

    def fails(x: Any) -> None:
        inner()

    async def fails_async(x: Any) -> None:
        await asyncio.sleep(0)
        inner()

    for function in (fails, fails_async):
        with pytest.raises(FunctionFailed) as failed:
            await invoker.activity(activity(function), "null", "i")

        first, *_ = failed.value.stack.splitlines()
        assert (failed.value.kind, failed.value.message) == ("LookupError", "no such order")
        assert first.startswith(f'  File "{__file__}", line ')
        assert first.endswith(f", in {function.__name__}")
        assert failed.value.stack.count("  File ") == 2


@pytest.mark.parametrize(
    "error", [SystemExit(1), KeyboardInterrupt(), asyncio.CancelledError(), StopIteration()]
)
async def test_an_exception_that_would_end_the_host_is_a_failure_like_any_other(
    invoker: Invoker, error: BaseException
) -> None:
    def ends(x: Any) -> None:
        raise error

    async def ends_async(x: Any) -> None:
        ends(x)

    for function in (ends, ends_async):
        with pytest.raises(FunctionFailed):
            await invoker.activity(activity(function), "null", "i")


async def test_an_exception_that_cannot_be_shown_is_a_failure_all_the_same(
    invoker: Invoker,
) -> None:
    class Unspeakable(Exception):
        def __str__(self) -> str:
            raise ValueError

    def fails(x: Any) -> None:
        raise Unspeakable

    with pytest.raises(FunctionFailed, match="Could not serialize original exception message"):
        await invoker.activity(activity(fails), "null", "i")


async def test_cancelling_the_caller_cancels_an_async_function(invoker: Invoker) -> None:
    started, ended = threading.Event(), threading.Event()

    async def waits(x: Any) -> None:
        try:
            started.set()
            await asyncio.Event().wait()
        finally:
            ended.set()

    calling = asyncio.create_task(invoker.activity(activity(waits), "null", "i"))
    await asyncio.to_thread(started.wait, 10)
    calling.cancel()

    with pytest.raises(asyncio.CancelledError):
        await calling
    assert await asyncio.to_thread(ended.wait, 10)


async def test_a_function_gets_the_hosts_context_if_it_asks_for_it(invoker: Invoker) -> None:
    def told(x: Any, context: func.Context) -> list[Any]:
        local: Any = context.thread_local_storage
        is_local = local.invocation_id == context.invocation_id
        return [context.function_name, context.invocation_id, is_local]

    function = activity(told)
    name, first, is_local = json.loads(await invoker.activity(function, "1", "i"))
    second = json.loads(await invoker.activity(function, "1", "i"))[1]

    assert (name, is_local) == ("act", True)
    assert first != second


async def test_an_http_function_answers_with_a_response_or_a_text(invoker: Invoker) -> None:
    def text(req: func.HttpRequest) -> str:
        return f"{req.method} it"

    async def response(req: func.HttpRequest) -> func.HttpResponse:
        return func.HttpResponse(req.url, status_code=202)

    answer = await invoker.http(http(text), REQUEST, "")
    other = await invoker.http(http(response), REQUEST, "")

    assert (answer.status_code, answer.get_body()) == (200, b"GET it")
    assert (other.status_code, other.get_body()) == (202, b"http://host/api/r")


@pytest.mark.parametrize("value", [None, {"a": 1}, 5])
async def test_an_http_function_that_answers_with_anything_else_fails(
    invoker: Invoker, value: object
) -> None:
    with pytest.raises(FunctionFailed, match="^TypeError: unable to encode outgoing TypedData"):
        await invoker.http(http(lambda req: value), REQUEST, "")


async def test_an_orchestrator_is_given_its_history_and_gives_its_actions(
    invoker: Invoker,
) -> None:
    def pays(context: df.DurableOrchestrationContext) -> Any:
        yield context.call_activity("pay", 5)

    decision = json.loads(invoker.orchestrate(orchestrator(pays), TURN))

    assert decision["isDone"] is False
    assert decision["actions"][0][0]["functionName"] == "pay"


async def test_an_entity_is_given_its_operations_and_gives_its_state(invoker: Invoker) -> None:
    def counter(context: df.DurableEntityContext) -> None:
        context.set_state(context.get_state(lambda: 0) + context.get_input())

    app = df.DFApp()
    app.entity_trigger(context_name="context")(counter)
    operation = {"name": "add", "input": '"3"', "isSignal": True}
    body = {
        "self": {"name": "counter", "key": "k"},
        "exists": True,
        "state": "5",
        "batch": [operation],
    }

    outcome = json.loads(invoker.operate(only(app), json.dumps(body)))

    assert outcome["entityState"] == "8"


async def test_what_the_sdk_raises_in_a_turn_is_raised_unchanged(invoker: Invoker) -> None:
    with pytest.raises(json.JSONDecodeError):
        invoker.orchestrate(orchestrator(lambda context: None), "no json")


async def test_sys_exit_in_an_orchestrator_does_not_end_the_host(invoker: Invoker) -> None:
    with pytest.raises(FunctionFailed, match="SystemExit"):
        invoker.orchestrate(orchestrator(lambda context: sys.exit(3)), TURN)
