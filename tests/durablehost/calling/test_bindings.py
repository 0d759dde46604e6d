"""What functions of timers, queues and blobs are given, and what of bindings is not served."""

import logging
import re
from collections.abc import AsyncIterator, Callable
from typing import Any

import azure.durable_functions as df
import azure.functions as func
import pytest
from azure.functions.meta import Datum

from durablehost.app.functions import Function
from durablehost.app.signatures import converter_of
from durablehost.calling.invoker import Invoker
from durablehost.errors import FunctionFailed
from tests.durablehost.calling.declared import activity, only

TIMER = converter_of("timerTrigger").decode(
    Datum('{"IsPastDue": true, "Schedule": {"AdjustForDST": true}}', "json"), trigger_metadata={}
)
MESSAGE = func.QueueMessage(id="m-1", body="{}")


@pytest.fixture
async def invoker() -> AsyncIterator[Invoker]:
    invoker = Invoker(threads=1, own_loop=False)
    yield invoker
    await invoker.close()


def queue(function: Callable[..., Any]) -> Function:
    app = df.DFApp()
    app.queue_trigger(arg_name="msg", queue_name="q", connection="c")(function)
    return only(app)


async def test_a_function_is_given_what_its_trigger_has(invoker: Invoker) -> None:
    seen: list[Any] = []

    def takes(msg: func.QueueMessage) -> None:
        seen.append(msg)

    await invoker.trigger(queue(takes), MESSAGE, "")

    assert seen == [MESSAGE]


async def test_a_function_that_asks_for_text_or_bytes_is_given_the_body(invoker: Invoker) -> None:
    seen: list[Any] = []

    def text(msg: str) -> None:
        seen.append(msg)

    def content(msg: bytes) -> None:
        seen.append(msg)

    await invoker.trigger(queue(text), MESSAGE, "")
    await invoker.trigger(queue(content), MESSAGE, "")

    assert seen == ["{}", b"{}"]


async def test_a_timer_function_that_asks_for_text_is_given_json(invoker: Invoker) -> None:
    seen: list[str] = []
    app = df.DFApp()

    @app.timer_trigger(arg_name="timer", schedule="0 * * * * *")
    def tick(timer: str) -> None:
        seen.append(timer)

    await invoker.trigger(only(app), TIMER, "")

    assert seen == ['{"Schedule": {"AdjustForDST": true}, "ScheduleStatus": {}, "IsPastDue": true}']


async def test_a_trigger_function_that_returns_a_value_fails_with_the_message_of_the_worker(
    invoker: Invoker,
) -> None:
    def returns(msg: func.QueueMessage) -> int:
        return 5

    with pytest.raises(FunctionFailed) as failed:
        await invoker.trigger(queue(returns), MESSAGE, "")

    assert failed.value.kind == "RuntimeError"
    assert failed.value.message == (
        "function 'returns' without a $return bindingreturned a non-None value"
    )


async def test_a_value_that_is_set_on_an_unserved_output_binding_is_reported_as_lost(
    invoker: Invoker, caplog: pytest.LogCaptureFixture
) -> None:
    app = df.DFApp()

    def answers(req: func.HttpRequest, out: func.Out[str], other: func.Out[str]) -> str:
        out.set("message")
        return "done"

    declared = app.route(route="r")(answers)
    declared = app.table_output(arg_name="out", table_name="t", connection="c")(declared)
    app.table_output(arg_name="other", table_name="t", connection="c")(declared)

    with caplog.at_level(logging.WARNING):
        answer = await invoker.http(only(app), func.HttpRequest("GET", "/", body=b""), "")

    assert answer.get_body() == b"done"
    assert [record.getMessage() for record in caplog.records if "output binding" in record.msg] == [
        "answers set its output binding out, which durablehost does not serve: the value is lost"
    ]


async def test_a_returned_value_that_no_binding_delivers_is_said_to_be_lost(
    invoker: Invoker, caplog: pytest.LogCaptureFixture
) -> None:
    app = df.DFApp()

    def tick(timer: func.TimerRequest) -> str:
        return "a row"

    declared = app.timer_trigger(arg_name="timer", schedule="0 * * * * *")(tick)
    app.table_output(arg_name="$return", table_name="t", connection="c")(declared)

    await invoker.trigger(only(app), TIMER, "")

    assert "tick set its output binding $return, which durablehost does not serve" in caplog.text


async def test_a_trigger_that_the_sdk_has_no_converter_for_gives_its_text(
    invoker: Invoker,
) -> None:
    seen: list[str] = []
    app = df.DFApp()

    def tool(context: str) -> None:
        seen.append(context)

    app.generic_trigger(arg_name="context", type="mcpToolTrigger")(tool)
    await invoker.trigger(only(app), '{"arguments": {}}', "")

    assert seen == ['{"arguments": {}}']


async def test_the_trace_context_has_the_names_of_the_sdk_and_of_the_worker(
    invoker: Invoker,
) -> None:
    seen: list[Any] = []

    def answers(req: func.HttpRequest, context: func.Context) -> str:
        seen.append(context.trace_context)
        return "done"

    app = df.DFApp()
    app.route(route="r")(answers)
    headers = {"traceparent": "00-1-2-01", "tracestate": "a=b"}
    function = only(app)

    await invoker.http(function, func.HttpRequest("GET", "/", headers=headers, body=b""), "")
    await invoker.http(function, func.HttpRequest("GET", "/", body=b""), "")

    brought, new = seen
    assert (brought.trace_parent, brought.trace_state) == ("00-1-2-01", "a=b")
    assert (brought.Traceparent, brought.Tracestate, brought.Attributes) == ("00-1-2-01", "a=b", {})
    assert re.fullmatch("00-[0-9a-f]{32}-[0-9a-f]{16}-00", new.Traceparent)


async def test_a_response_can_be_set_on_a_separate_output_binding(invoker: Invoker) -> None:
    app = df.DFApp()

    def answers(req: func.HttpRequest, res: func.Out[func.HttpResponse]) -> None:
        res.set(func.HttpResponse("set", status_code=201))

    app.route(route="r", binding_arg_name="res")(answers)
    answer = await invoker.http(only(app), func.HttpRequest("GET", "/", body=b""), "")

    assert (answer.status_code, answer.get_body()) == (201, b"set")


async def test_a_function_with_an_input_binding_fails_and_says_which(invoker: Invoker) -> None:
    app = df.DFApp()

    def answers(req: func.HttpRequest, rows: str) -> str:
        return "never"

    declared = app.route(route="r")(answers)
    app.table_input(arg_name="rows", table_name="t", connection="c")(declared)

    with pytest.raises(FunctionFailed, match=r"does not read the input binding rows \(table\)"):
        await invoker.http(only(app), func.HttpRequest("GET", "/", body=b""), "")


@pytest.mark.parametrize(
    ("value", "result"),
    [
        (float("nan"), '"NaN"'),
        ([1e308 * 10, -1e308 * 10], '["Infinity","-Infinity"]'),
        ({"a": "\ud800", "b": "\ud83d\ude00"}, '{"a":"\ufffd","b":"\U0001f600"}'),
        ("NaN", '"NaN"'),
        (-0.0, "-0.0"),
        (2**70, str(2**70)),
    ],
)
async def test_the_result_of_an_activity_is_what_the_host_writes_again(
    invoker: Invoker, value: Any, result: str
) -> None:
    def act(x: str) -> Any:
        return value

    assert await invoker.activity(activity(act), '"x"', "i") == result


async def test_each_call_is_logged_in_the_words_of_the_host_among_the_debug_messages(
    invoker: Invoker, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[str] = []

    def works(msg: func.QueueMessage, context: func.Context) -> None:
        seen.append(context.invocation_id)

    def fails(x: str) -> None:
        raise ValueError("no")

    queued, called = queue(works), activity(fails)
    caplog.clear()
    with caplog.at_level(logging.DEBUG, "durablehost"):
        await invoker.trigger(queued, MESSAGE, "")
        with pytest.raises(FunctionFailed):
            await invoker.activity(called, '"x"', "i")

    said = [re.sub(r"\d+ms|Id=[-0-9a-f]{36}", "…", line) for line in caplog.messages]
    assert said == [
        "Executing 'Functions.works' (Reason='New queue message detected on 'q'.', …)",
        "Executed 'Functions.works' (Succeeded, …, Duration=…)",
        "Executing 'Functions.act' (Reason='(null)', …)",
        "Executed 'Functions.act' (Failed, …, Duration=…)",
    ]
    assert f"Id={seen[0]})" in caplog.messages[0]
