"""A blob function with an Event Grid source runs for each event, five times where it fails."""

import asyncio

import azure.durable_functions as df
import azure.functions as func
import pytest

from durablehost.triggers import Triggers
from tests.durablehost.triggers.containers import Container
from tests.durablehost.triggers.triggering import KeptInMemory, Seen, said, triggers_of

pytestmark = pytest.mark.azurite


def app_of(container: Container, seen: Seen, fails: int = 0) -> df.DFApp:
    """An app that notes the blobs of which it hears, and fails at the first so many."""
    app = df.DFApp()
    left = [None] * fails

    @app.blob_trigger(
        arg_name="blob",
        path=f"{container.name}/{{name}}",
        connection="Storage",
        source=func.BlobSource.EVENT_GRID,
    )
    async def on_blob(blob: func.InputStream) -> None:
        seen.note(blob)
        if left:
            left.pop()
            raise ValueError("not today")

    return app


def report(triggers: Triggers, container: Container, *names: str) -> None:
    """Say that these blobs were created, as Event Grid does."""
    triggers.blobs_created("Host.Functions.on_blob", [(container.name, name) for name in names])


async def test_a_blob_that_an_event_names_arrives_as_by_polling(container: Container) -> None:
    seen = Seen()
    await container.upload("sub/ü.bin", b"text", metadata={"who": "me"})

    async with triggers_of(app_of(container, seen), container.environ) as triggers:
        report(triggers, container, "sub/ü.bin")
        blob = await seen.next()

    assert (blob.name, blob.length, blob.read()) == (f"{container.name}/sub/ü.bin", 4, b"text")
    assert blob.metadata == {"who": "me"}


async def test_only_events_run_the_function_and_one_that_comes_twice_runs_it_twice(
    container: Container,
) -> None:
    seen = Seen()
    for name in ("unreported", "a", "last"):
        await container.upload(name)

    async with triggers_of(app_of(container, seen), container.environ) as triggers:
        report(triggers, container, "a", "gone", "a")
        blobs = await seen.take(2)
        report(triggers, container, "last")
        last = await seen.next()

    names = [blob.name.split("/")[1] for blob in [*blobs, last]]
    assert names == ["a", "a", "last"]
    assert seen.is_empty


async def test_a_blob_that_fails_five_times_is_named_in_the_poison_queue(
    container: Container, caplog: pytest.LogCaptureFixture
) -> None:
    state, seen = KeptInMemory(), Seen()
    await container.upload("bad")
    await container.upload("good")

    app = app_of(container, seen, fails=5)
    async with triggers_of(app, container.environ, state=state) as triggers:
        report(triggers, container, "bad")
        await seen.take(5)
        report(triggers, container, "good")
        good = await seen.next()

    assert good.name == f"{container.name}/good"
    assert [blob["BlobName"] for blob in await container.put_by()] == ["bad"]
    assert any("was tried 5 times" in text for text in said(caplog))
    assert seen.is_empty


async def test_an_event_whose_run_was_cut_off_runs_the_function_after_a_restart(
    container: Container,
) -> None:
    state, seen = KeptInMemory(), Seen()
    await container.upload("a")
    app = df.DFApp()

    @app.blob_trigger(
        arg_name="blob", path="any", connection="Storage", source=func.BlobSource.EVENT_GRID
    )
    async def on_blob(blob: func.InputStream) -> None:
        seen.note("begun")
        await asyncio.Event().wait()

    async with triggers_of(app, container.environ, state=state) as triggers:
        report(triggers, container, "a")
        await seen.next()
    async with triggers_of(app_of(container, seen), container.environ, state=state):
        blob = await seen.next()
    async with triggers_of(app_of(container, seen), container.environ, state=state):
        pass

    assert blob.name == f"{container.name}/a"
    assert seen.is_empty


async def test_an_event_for_a_function_that_takes_none_is_named_in_the_log(
    container: Container, caplog: pytest.LogCaptureFixture
) -> None:
    async with triggers_of(app_of(container, Seen()), container.environ) as triggers:
        triggers.blobs_created("on_blob", [(container.name, "a")])

    [text] = said(caplog)
    assert text.startswith("Event Grid names the function 'on_blob'")
    assert text.endswith("has to be one of: Host.Functions.on_blob")
