"""Queue outputs, blob outputs and blob inputs: what is sent, written and read for a call."""

import json
import logging
import re
import socket
import typing
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import azure.durable_functions as df
import azure.functions as func
import pytest

from durablehost.app.functions import Function
from durablehost.calling.invoker import Invoker
from durablehost.calling.storage_bindings import storage_bindings
from durablehost.calling.storage_on_demand import StorageOnDemand
from durablehost.errors import FunctionFailed
from durablehost.testing.memory_storage import MemoryStorage
from durablehost.triggers.storage_values import queue_message
from tests.durablehost.calling.declared import only

REQUEST = func.HttpRequest("POST", "/", route_params={"id": "7"}, body=b"")


@pytest.fixture
def storage() -> MemoryStorage:
    return MemoryStorage()


@pytest.fixture
async def invoker(storage: MemoryStorage) -> AsyncIterator[Invoker]:
    invoker = Invoker(threads=1, own_loop=False, storage=storage)
    yield invoker
    await invoker.close()


def sets(value: Any, annotation: Any = func.Out[str], queue_name: str = "made") -> Function:
    """An HTTP function that gives its queue output this value."""
    app = df.DFApp()

    def put(req: func.HttpRequest, msg: func.Out[str]) -> str:
        msg.set(value)
        return "done"

    put.__annotations__["msg"] = annotation
    declared = app.route(route="r/{id}")(put)
    app.queue_output(arg_name="msg", queue_name=queue_name, connection="")(declared)
    return only(app)


def writes(value: Any, annotation: Any = func.Out[str], path: str = "made/{id}.txt") -> Function:
    """An HTTP function that gives its blob output this value."""
    app = df.DFApp()

    def put(req: func.HttpRequest, blob: func.Out[str]) -> str:
        blob.set(value)
        return "done"

    put.__annotations__["blob"] = annotation
    app.blob_output(arg_name="blob", path=path, connection="")(app.route(route="r/{id}")(put))
    return only(app)


def reads(annotation: Any, seen: list[Any], **binding: Any) -> Function:
    """An HTTP function that notes its blob input."""
    app = df.DFApp()

    def get(req: func.HttpRequest, blob: str) -> str:
        seen.append(blob)
        return "done"

    if annotation is None:
        del get.__annotations__["blob"]
    else:
        get.__annotations__["blob"] = annotation
    declared = app.route(route="r/{id}")(get)
    app.blob_input(arg_name="blob", path="made/{id}.txt", connection="", **binding)(declared)
    return only(app)


# Queue outputs


@pytest.mark.parametrize(
    ("value", "annotation", "sent"),
    [
        ("text ü", func.Out[str], ["text ü"]),
        (b"bytes", func.Out[bytes], ["bytes"]),
        (["a", "b"], func.Out[typing.List[str]], ["a", "b"]),  # noqa: UP006 # what the worker takes
        (["a", "b"], func.Out[str], ["a", "b"]),
        ({"a": 1}, func.Out[str], ['{"a": 1}']),
        (7, func.Out[str], ["7"]),
        (
            func.QueueMessage(body="m"),
            func.Out[func.QueueMessage],
            ['{"id": null, "body": "m"}'],
        ),
        (None, func.Out[str], []),
    ],
)
async def test_the_value_of_a_queue_output_is_sent(
    invoker: Invoker, storage: MemoryStorage, value: Any, annotation: Any, sent: list[str]
) -> None:
    await invoker.http(sets(value, annotation), REQUEST, "")

    assert storage.messages.get("made", []) == sent


async def test_a_value_that_cannot_become_a_message_fails_with_the_message_of_the_worker(
    invoker: Invoker,
) -> None:
    with pytest.raises(FunctionFailed, match="unable to encode outgoing TypedData") as failed:
        await invoker.http(sets(object(), func.Out[func.QueueMessage]), REQUEST, "")

    assert failed.value.kind == "TypeError"


async def test_nothing_is_sent_for_a_function_that_raises_afterwards(
    invoker: Invoker, storage: MemoryStorage
) -> None:
    app = df.DFApp()

    def put(req: func.HttpRequest, msg: func.Out[str]) -> str:
        msg.set("too early")
        raise ValueError("after setting")

    declared = app.route(route="r")(put)
    app.queue_output(arg_name="msg", queue_name="made", connection="")(declared)

    with pytest.raises(FunctionFailed, match="after setting"):
        await invoker.http(only(app), REQUEST, "")

    assert storage.messages == {}


async def test_a_returned_value_is_sent(invoker: Invoker, storage: MemoryStorage) -> None:
    app = df.DFApp()

    def pass_on(msg: func.QueueMessage) -> str:
        return msg.get_body().decode() + " returned"

    declared = app.queue_trigger(arg_name="msg", queue_name="q", connection="")(pass_on)
    app.queue_output(arg_name="$return", queue_name="made", connection="")(declared)

    await invoker.trigger(only(app), func.QueueMessage(body="it"), "")

    assert storage.messages == {"made": ["it returned"]}


async def test_an_activity_sends_and_returns(invoker: Invoker, storage: MemoryStorage) -> None:
    app = df.DFApp()

    async def act(x: dict, msg: func.Out[str]) -> str:  # type: ignore[type-arg] # the worker's rule
        msg.set("from an activity")
        return "done"

    declared = app.activity_trigger(input_name="x")(act)
    app.queue_output(arg_name="msg", queue_name="for-{data.to}-{instanceId}", connection="")(
        declared
    )

    result = await invoker.activity(only(app), '{"to": "ada"}', "i-1")

    assert result == '"done"'
    assert storage.messages == {"for-ada-i-1": ["from an activity"]}


# Names of queues and paths of blobs


@pytest.mark.parametrize(
    ("template", "queue"),
    [
        ("q-{id}", "q-7"),
        ("q-{ID}", "q-7"),
        ("q-{who}-{Query.who}", "q-ada-ada"),
        ("q-{Headers.x-who}", "q-grace"),
        ("q-{size}-{box.colour}", "q-3-red"),
        ("q-%QUEUE_OF_TEST%", "q-set"),
        ("Q-{sys.methodName}", "q-put"),
    ],
)
async def test_a_queue_name_takes_values_from_the_request_and_the_settings(
    invoker: Invoker,
    storage: MemoryStorage,
    monkeypatch: pytest.MonkeyPatch,
    template: str,
    queue: str,
) -> None:
    monkeypatch.setenv("QUEUE_OF_TEST", "set")
    request = func.HttpRequest(
        "POST",
        "/",
        route_params={"id": "7"},
        params={"who": "ada", "code": "secret"},
        headers={"x-who": "grace"},
        body=json.dumps({"size": 3, "id": "body", "box": {"colour": "red"}}).encode(),
    )

    await invoker.http(sets("text", queue_name=template), request, "")

    assert storage.messages == {queue: ["text"]}


async def test_a_path_may_hold_a_new_guid_and_the_time(
    invoker: Invoker, storage: MemoryStorage
) -> None:
    path = "made/{rand-guid}/{DateTime}/{datetime:yyyy-MM}/{{id}}"

    await invoker.http(writes("text", path=path), REQUEST, "")

    [written] = storage.blobs
    guid, time, month = "[0-9a-f-]{36}", r"\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ", r"\d{4}-\d\d"
    assert re.fullmatch(rf"made/{guid}/{time}/{month}/\{{id\}}", written)


async def test_a_name_without_a_value_fails_the_call_with_the_message_of_the_host(
    invoker: Invoker,
) -> None:
    with pytest.raises(FunctionFailed, match="No value for named parameter 'nobody'"):
        await invoker.http(sets("text", queue_name="q-{nobody}"), REQUEST, "")


async def test_a_path_takes_values_from_a_message(invoker: Invoker, storage: MemoryStorage) -> None:
    app = df.DFApp()

    def keep(msg: func.QueueMessage, whole: func.Out[str], part: func.Out[str]) -> None:
        whole.set("whole")
        part.set("part")

    declared = app.queue_trigger(arg_name="msg", queue_name="q", connection="")(keep)
    declared = app.blob_output(arg_name="whole", path="c/{queueTrigger}", connection="")(declared)
    app.blob_output(arg_name="part", path="c/{name}", connection="")(declared)

    await invoker.trigger(only(app), queue_message(b'{"name": "ada"}'), "")

    assert storage.blobs == {'c/{"name": "ada"}': b"whole", "c/ada": b"part"}


async def test_a_path_takes_the_parts_of_the_name_of_a_blob(
    invoker: Invoker, storage: MemoryStorage
) -> None:
    app = df.DFApp()

    def shrink(blob: func.InputStream, small: func.Out[bytes]) -> None:
        small.set(blob.read()[:2])

    declared = app.blob_trigger(arg_name="blob", path="large/{name}.{ext}", connection="")(shrink)
    app.blob_output(arg_name="small", path="small/{ext}/{name}", connection="")(declared)

    blob = func.blob.InputStream(data=b"12345", name="large/cat.png")
    await invoker.trigger(only(app), blob, "")

    assert storage.blobs == {"small/png/cat": b"12"}


# Blobs


@pytest.mark.parametrize(
    ("value", "annotation", "written"),
    [
        ("text ü", func.Out[str], "text ü".encode()),
        (b"\x00\xff", func.Out[bytes], b"\x00\xff"),
        ({"a": [1]}, func.Out[str], b'{"a": [1]}'),
        (["a"], func.Out[str], b'["a"]'),
        (func.blob.InputStream(data=b"stream"), func.Out[func.InputStream], b"stream"),
    ],
)
async def test_the_value_of_a_blob_output_is_written(
    invoker: Invoker, storage: MemoryStorage, value: Any, annotation: Any, written: bytes
) -> None:
    await invoker.http(writes(value, annotation), REQUEST, "")

    assert storage.blobs == {"made/7.txt": written}


@pytest.mark.parametrize("annotation", [str, bytes])
async def test_a_blob_input_annotated_str_or_bytes_is_text(
    invoker: Invoker, storage: MemoryStorage, annotation: type
) -> None:
    seen: list[Any] = []
    storage.blobs["made/7.txt"] = "text ü"

    await invoker.http(reads(annotation, seen), REQUEST, "")

    assert seen == ["text ü"]


async def test_a_blob_input_of_binary_data_is_bytes(
    invoker: Invoker, storage: MemoryStorage
) -> None:
    seen: list[Any] = []
    storage.blobs["made/7.txt"] = b"\xff"

    await invoker.http(reads(bytes, seen, data_type=func.DataType.BINARY), REQUEST, "")

    assert seen == [b"\xff"]


@pytest.mark.parametrize("annotation", [func.InputStream, None])
async def test_an_unannotated_blob_input_is_a_stream_without_name_and_length(
    invoker: Invoker, storage: MemoryStorage, annotation: Any
) -> None:
    seen: list[Any] = []
    storage.blobs["made/7.txt"] = b"stream"

    await invoker.http(reads(annotation, seen), REQUEST, "")

    [stream] = seen
    assert (stream.name, stream.length, stream.read()) == (None, None, b"stream")


@pytest.mark.parametrize("annotation", [str, bytes, func.InputStream, None])
async def test_an_absent_blob_is_none(invoker: Invoker, annotation: Any) -> None:
    seen: list[Any] = []

    await invoker.http(reads(annotation, seen), REQUEST, "")

    assert seen == [None]


# Without a storage


@pytest.fixture
def no_storage() -> Mapping[str, str]:
    """Settings whose storage does not answer."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    url = f"http://127.0.0.1:{port}/devstoreaccount1"
    account = "AccountName=devstoreaccount1;AccountKey=a2V5"
    return {"AzureWebJobsStorage": f"{account};BlobEndpoint={url};QueueEndpoint={url}"}


@pytest.fixture
async def unreachable(no_storage: Mapping[str, str]) -> AsyncIterator[StorageOnDemand]:
    storage = StorageOnDemand(no_storage, encode_messages=True)
    yield storage
    await storage.close()


@pytest.mark.parametrize("declare", [sets, writes])
async def test_a_call_whose_output_has_no_storage_fails_and_says_so(
    unreachable: StorageOnDemand, declare: Callable[[str], Function]
) -> None:
    invoker = Invoker(threads=1, own_loop=False, storage=unreachable)

    with pytest.raises(FunctionFailed, match="does not answer.*Start Azurite"):
        await invoker.http(declare("text"), REQUEST, "")
    await invoker.close()


async def test_a_function_whose_input_has_no_storage_is_not_called(
    unreachable: StorageOnDemand,
) -> None:
    invoker = Invoker(threads=1, own_loop=False, storage=unreachable)
    seen: list[Any] = []

    with pytest.raises(FunctionFailed, match="cannot read an input of get: the storage at http"):
        await invoker.http(reads(str, seen), REQUEST, "")
    await invoker.close()

    assert seen == []


async def test_a_connection_without_a_setting_is_named() -> None:
    storage = StorageOnDemand({}, encode_messages=True)
    invoker = Invoker(threads=1, own_loop=False, storage=storage)

    with pytest.raises(FunctionFailed, match="there is no setting AzureWebJobsStorage"):
        await invoker.http(sets("text"), REQUEST, "")
    await invoker.close()


async def test_at_start_the_bindings_without_a_storage_are_named(
    unreachable: StorageOnDemand, caplog: pytest.LogCaptureFixture
) -> None:
    bindings = [*storage_bindings(sets("x"), "OUT"), *storage_bindings(writes("x"), "OUT")]

    with caplog.at_level(logging.ERROR):
        await unreachable.check(bindings)

    queues, blobs = (record.getMessage() for record in caplog.records)
    assert queues.startswith("The queue bindings msg of put do not work: the storage at http")
    assert blobs.startswith("The blob bindings blob of put do not work: the storage at http")
