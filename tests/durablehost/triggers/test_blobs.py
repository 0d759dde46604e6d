"""A blob function is given each new or changed blob, five times at most, and once is enough."""

import asyncio
import base64
import hashlib

import azure.durable_functions as df
import azure.functions as func
import pytest

from durablehost.app.loading import index_app
from durablehost.triggers import QueueOptions, TriggerOptions
from tests.durablehost.triggers.containers import Container
from tests.durablehost.triggers.triggering import (
    KeptInMemory,
    Seen,
    function_of,
    impatient,
    said,
    triggers_of,
)

pytestmark = pytest.mark.azurite


def app_of(
    container: Container, seen: Seen, blob_path: str = "/{name}", fails: int = 0
) -> df.DFApp:
    """An app that notes its blobs, and fails at the first so many."""
    app = df.DFApp()
    left = [None] * fails

    @app.blob_trigger(arg_name="blob", path=container.name + blob_path, connection="Storage")
    async def on_blob(blob: func.InputStream) -> None:
        seen.note(blob)
        if left:
            left.pop()
            raise ValueError("not today")

    return app


async def test_a_blob_arrives_with_all_that_the_storage_knows_of_it(container: Container) -> None:
    seen = Seen()
    content = bytes(range(256))
    await container.upload("sub/ü.bin", content, metadata={"who": "me"})

    async with triggers_of(app_of(container, seen), container.environ):
        blob = await seen.next()

    assert type(blob).__name__ == "InputStream"
    assert (blob.name, blob.length, blob.read()) == (f"{container.name}/sub/ü.bin", 256, content)
    assert blob.uri == f"{container.client.url}/sub/%C3%BC.bin"
    assert blob.metadata == {"who": "me"}


async def test_a_blob_s_properties_are_those_of_the_dotnet_sdk(container: Container) -> None:
    seen = Seen()
    await container.upload("a.txt", b"text", metadata={"who": "me"})

    async with triggers_of(app_of(container, seen), container.environ):
        properties = (await seen.next()).blob_properties

    assert len(properties) == 45
    assert properties["ContentLength"] == 4
    assert properties["ContentType"] == "application/octet-stream"
    assert base64.b64decode(properties["ContentHash"]) == hashlib.md5(b"text").digest()
    assert properties["Metadata"] == {"who": "me"}
    assert (properties["BlobType"], properties["LeaseState"], properties["LeaseStatus"]) == (
        0,
        0,
        1,
    )
    assert properties["LastModified"].endswith("+00:00")
    assert properties["CopyCompletedOn"] == "0001-01-01T00:00:00+00:00"
    assert properties["ETag"] == {}


async def test_only_blobs_that_the_path_takes_arrive_each_once(container: Container) -> None:
    seen = Seen()
    for name in ("a.csv", "sub/b.csv", "c.txt", "d"):
        await container.upload(name)

    app = app_of(container, seen, "/{name}.csv")
    async with triggers_of(app, container.environ, options=impatient()):
        blobs = await seen.take(2)
        await container.upload("last.csv")
        last = await seen.next()

    names = [blob.name.removeprefix(f"{container.name}/") for blob in [*blobs, last]]
    assert sorted(names[:2]) == ["a.csv", "sub/b.csv"]
    assert names[2] == "last.csv"
    assert seen.is_empty


async def test_a_restart_lists_only_new_and_changed_blobs(container: Container) -> None:
    state, seen = KeptInMemory(), Seen()
    for name in ("same", "changed"):
        await container.upload(name)
    async with triggers_of(app_of(container, seen), container.environ, state=state):
        await seen.take(2)
    await container.upload("changed", b"other")
    await container.upload("new")

    async with triggers_of(app_of(container, seen), container.environ, state=state):
        blobs = await seen.take(2)

    assert sorted((blob.name.split("/")[1], blob.read()) for blob in blobs) == [
        ("changed", b"other"),
        ("new", b"text"),
    ]
    assert seen.is_empty


async def test_a_blob_changed_while_its_function_runs_arrives_again(container: Container) -> None:
    seen, go_on = Seen(), asyncio.Event()
    app = df.DFApp()

    @app.blob_trigger(arg_name="blob", path=f"{container.name}/{{name}}", connection="Storage")
    async def on_blob(blob: func.InputStream) -> None:
        seen.note(blob.read())
        await go_on.wait()

    await container.upload("a", b"first")
    async with triggers_of(app, container.environ, options=impatient()):
        first = await seen.next()
        await container.upload("a", b"second")
        go_on.set()
        second = await seen.next()

    assert [first, second] == [b"first", b"second"]
    assert seen.is_empty


async def test_each_function_on_a_container_is_given_each_blob(container: Container) -> None:
    seen = Seen()
    app = app_of(container, seen)

    @app.blob_trigger(arg_name="blob", path=f"{container.name}/{{name}}.csv", connection="Storage")
    async def on_csv(blob: func.InputStream) -> None:
        seen.note("csv")

    await container.upload("a.csv")
    async with triggers_of(app, container.environ):
        notes = await seen.take(2)

    assert "csv" in notes
    assert f"{container.name}/a.csv" in [getattr(note, "name", None) for note in notes]


async def test_a_blob_that_fails_five_times_is_named_in_the_poison_queue(
    container: Container, caplog: pytest.LogCaptureFixture
) -> None:
    state, seen = KeptInMemory(), Seen()
    etag = await container.upload("sub/bad", b"poison")

    async with triggers_of(app_of(container, seen, fails=9), container.environ, state=state):
        tries = await seen.take(5)
    async with triggers_of(app_of(container, seen, fails=9), container.environ, state=state):
        await container.upload("good")
        after = await seen.next()

    assert [blob.read() for blob in tries] == [b"poison"] * 5
    assert after.name == f"{container.name}/good"
    assert (await container.put_by())[0] == {
        "Type": "BlobTrigger",
        "FunctionId": "Host.Functions.on_blob",
        "BlobType": "BlockBlob",
        "ContainerName": container.name,
        "BlobName": "sub/bad",
        "ETag": etag,
    }
    assert any("was tried 5 times" in text for text in said(caplog))


async def test_attempts_are_counted_across_a_restart(container: Container) -> None:
    state, seen = KeptInMemory(), Seen()
    await container.upload("bad")
    third = asyncio.Event()
    app = df.DFApp()

    @app.blob_trigger(arg_name="blob", path=container.name, connection="Storage")
    async def on_blob(blob: func.InputStream) -> None:
        seen.note(blob)
        if third.is_set():
            await asyncio.Event().wait()
        raise ValueError("not today")

    async with triggers_of(app, container.environ, state=state):
        await seen.take(2)
        third.set()
        await seen.next()
    async with triggers_of(app_of(container, seen, fails=9), container.environ, state=state):
        await seen.take(3)

    assert seen.is_empty
    assert [blob["BlobName"] for blob in await container.put_by()] == ["bad"]


async def test_the_poison_threshold_of_blobs_says_how_often_one_is_tried(
    container: Container,
) -> None:
    """The tries of queue messages make no difference."""
    seen = Seen()
    await container.upload("bad")
    options = TriggerOptions(QueueOptions(max_dequeue_count=10), max_blob_tries=2)

    app = app_of(container, seen, fails=9)
    async with triggers_of(app, container.environ, options=options):
        await seen.take(2)

    assert seen.is_empty
    assert [blob["BlobName"] for blob in await container.put_by()] == ["bad"]


async def test_a_blob_whose_second_attempt_succeeds_is_not_tried_again(
    container: Container,
) -> None:
    seen = Seen()
    await container.upload("stubborn")

    app = app_of(container, seen, fails=1)
    async with triggers_of(app, container.environ, options=impatient()):
        await seen.take(2)
        await container.upload("next")
        last = await seen.next()

    assert last.name == f"{container.name}/next"
    assert seen.is_empty


async def test_a_container_that_is_made_later_is_waited_for_in_silence(
    container: Container, caplog: pytest.LogCaptureFixture
) -> None:
    seen = Seen()
    await container.client.delete_container()

    async with triggers_of(app_of(container, seen), container.environ, options=impatient()):
        await container.client.create_container()
        await container.upload("a")
        blob = await seen.next()

    assert blob.read() == b"text"
    assert said(caplog) == []


async def test_no_more_blobs_are_worked_on_at_once_than_host_json_allows(
    container: Container,
) -> None:
    seen, go_on = Seen(), asyncio.Event()
    app = df.DFApp()

    @app.blob_trigger(arg_name="blob", path=container.name, connection="Storage")
    async def on_blob(blob: func.InputStream) -> None:
        seen.note("begun")
        await go_on.wait()
        seen.note("ended")

    for name in "abc":
        await container.upload(name)
    options = TriggerOptions(max_parallel_blobs=1)
    async with triggers_of(app, container.environ, options=options):
        first = await seen.next()
        go_on.set()
        rest = await seen.take(5)

    assert [first, *rest] == ["begun", "ended"] * 3


async def test_a_run_by_hand_is_given_the_blob_of_that_path_seen_or_not(
    container: Container,
) -> None:
    seen = Seen()
    await container.upload("a", b"by hand")
    app = app_of(container, seen, "/{name}.csv")

    async with triggers_of(app, container.environ) as triggers:
        await triggers.run_now(function_of(index_app(app), "on_blob"), f"{container.name}/a")
        blob = await seen.next()

    assert blob.read() == b"by hand"


async def test_a_run_by_hand_on_no_blob_says_what_to_give(
    container: Container, caplog: pytest.LogCaptureFixture
) -> None:
    app = app_of(container, Seen())

    async with triggers_of(app, container.environ) as triggers:
        function = function_of(index_app(app), "on_blob")
        await triggers.run_now(function, "")
        await triggers.run_now(function, f"{container.name}/absent")

    path, absent = said(caplog)
    assert path == "on_blob: '' is not the path of a blob. Give a path as input: container/name"
    assert absent.startswith(f"on_blob: blob {container.name}/absent: the storage answers 404")
