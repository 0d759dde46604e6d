"""Where functions run: threads, loops, and what becomes of both at the end."""

import asyncio
import gc
import json
import logging
import threading
import weakref
from datetime import timedelta
from typing import Any

import pytest

from durablehost.calling import loop_thread
from durablehost.calling.invoker import Invoker
from durablehost.calling.threads import DaemonPool
from durablehost.errors import FunctionFailed, FunctionTimedOut
from tests.durablehost.calling.declared import activity


async def where(x: Any) -> list[Any]:
    return [threading.current_thread().name, id(asyncio.get_running_loop())]


async def test_async_functions_share_one_loop_in_a_separate_thread() -> None:
    invoker = Invoker(own_loop=True)

    first = json.loads(await invoker.activity(activity(where), "null", "i"))
    second = json.loads(await invoker.activity(activity(where), "null", "i"))
    await invoker.close()

    assert first == second
    assert first[0] != threading.current_thread().name
    assert first[1] != id(asyncio.get_running_loop())


async def test_async_functions_run_on_the_loop_of_the_caller_without_own_loop() -> None:
    invoker = Invoker(own_loop=False)

    name, loop = json.loads(await invoker.activity(activity(where), "null", "i"))
    await invoker.close()

    assert (name, loop) == (threading.current_thread().name, id(asyncio.get_running_loop()))


async def test_an_async_function_that_blocks_does_not_stop_the_host() -> None:
    invoker = Invoker(own_loop=True)
    release = threading.Event()

    async def blocks(x: Any) -> bool:
        return release.wait(10)

    calling = asyncio.create_task(invoker.activity(activity(blocks), "null", "i"))
    await asyncio.sleep(0)
    release.set()

    assert await calling == "true"
    await invoker.close()


async def test_a_task_of_the_app_that_exits_does_not_end_the_loop_of_the_others() -> None:
    invoker = Invoker(own_loop=True)

    async def exits() -> None:
        raise SystemExit(1)

    async def starts_a_task(x: Any) -> None:
        started = asyncio.create_task(exits())
        with pytest.raises(SystemExit):
            await started

    await invoker.activity(activity(starts_a_task), "null", "i")

    assert json.loads(await invoker.activity(activity(where), "null", "i"))
    await invoker.close()


async def test_as_many_sync_functions_run_at_once_as_there_are_threads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PYTHON_THREADPOOL_THREAD_COUNT", "3")
    invoker = Invoker(own_loop=False)
    together = threading.Barrier(3)
    function = activity(lambda x: together.wait(10) >= 0)

    calls = [invoker.activity(function, "null", "i") for _ in range(6)]

    assert await asyncio.gather(*calls) == ["true"] * 6
    await invoker.close()


async def test_sync_functions_wait_for_a_free_thread() -> None:
    invoker = Invoker(threads=1, own_loop=False)
    running: list[int] = []

    def alone(x: Any) -> int:
        running.append(x)
        seen = len(running)
        running.remove(x)
        return seen

    function = activity(alone)
    calls = [invoker.activity(function, str(n), "i") for n in range(20)]

    assert await asyncio.gather(*calls) == ["1"] * 20
    await invoker.close()


@pytest.mark.parametrize("junk", ["0", "-1", "many"])
async def test_an_invalid_thread_count_is_reported_and_ignored(
    junk: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("PYTHON_THREADPOOL_THREAD_COUNT", junk)
    with caplog.at_level(logging.WARNING):
        invoker = Invoker(own_loop=False)

    assert f"PYTHON_THREADPOOL_THREAD_COUNT={junk!r}" in caplog.text
    assert await invoker.activity(activity(lambda x: 1), "null", "i") == "1"
    await invoker.close()


@pytest.mark.parametrize("own_loop", [True, False])
async def test_closing_leaves_no_thread_behind(own_loop: bool) -> None:
    before = set(threading.enumerate())
    invoker = Invoker(own_loop=own_loop)
    await invoker.activity(activity(lambda x: x), "1", "i")
    await invoker.activity(activity(where), "1", "i")

    await invoker.close()

    assert set(threading.enumerate()) <= before


async def test_closing_cancels_async_functions_and_their_callers_hear_of_it() -> None:
    invoker = Invoker(own_loop=True)
    started, told = threading.Event(), threading.Event()

    async def waits(x: Any) -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            told.set()
            raise

    calling = asyncio.create_task(invoker.activity(activity(waits), "null", "i"))
    await asyncio.to_thread(started.wait, 10)
    await invoker.close()

    assert told.is_set()
    with pytest.raises(asyncio.CancelledError):
        await calling


async def test_closing_does_not_wait_for_a_sync_function_that_never_ends() -> None:
    invoker = Invoker(own_loop=True)
    started, release = threading.Event(), threading.Event()

    def blocks(x: Any) -> bool:
        started.set()
        return release.wait(60)

    calling = asyncio.create_task(invoker.activity(activity(blocks), "null", "i"))
    await asyncio.to_thread(started.wait, 10)
    await invoker.close()

    assert not calling.done()
    release.set()
    assert await calling == "true"


async def test_closing_drops_sync_functions_that_have_not_begun() -> None:
    invoker = Invoker(threads=1, own_loop=False)
    started, release = threading.Event(), threading.Event()

    def blocks(x: Any) -> bool:
        started.set()
        return release.wait(60)

    running = asyncio.create_task(invoker.activity(activity(blocks), "null", "i"))
    await asyncio.to_thread(started.wait, 10)
    waiting = asyncio.create_task(invoker.activity(activity(lambda x: x), "1", "i"))
    await asyncio.sleep(0)
    await invoker.close()
    release.set()

    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert await running == "true"


@pytest.mark.parametrize("own_loop", [True, False])
async def test_no_function_starts_once_closed(own_loop: bool) -> None:
    invoker = Invoker(own_loop=own_loop)
    await invoker.close()

    with pytest.raises(RuntimeError, match="durablehost is stopping"):
        await invoker.activity(activity(lambda x: x), "1", "i")


async def test_a_function_that_stops_the_loop_ends_no_other() -> None:
    invoker = Invoker(own_loop=True)

    async def stops(x: Any) -> str:
        asyncio.get_running_loop().stop()
        await asyncio.sleep(0)
        return "stopped"

    first = await invoker.activity(activity(stops), "null", "i")
    second = await invoker.activity(activity(where), "null", "i")
    await invoker.close()

    assert first == '"stopped"'
    assert json.loads(second)


async def test_functions_whose_tasks_the_app_cancels_fail() -> None:
    invoker = Invoker(own_loop=True)
    begun = threading.Event()

    async def waits(x: Any) -> None:
        begun.set()
        await asyncio.Event().wait()

    async def cancels_all(x: Any) -> None:
        for task in asyncio.all_tasks():
            task.cancel()
        await asyncio.sleep(0)

    waiting = asyncio.create_task(invoker.activity(activity(waits), "null", "i"))
    await asyncio.to_thread(begun.wait, 60)
    for cancelled in (invoker.activity(activity(cancels_all), "null", "i"), waiting):
        with pytest.raises(FunctionFailed, match="The app has cancelled the task") as failed:
            await cancelled
        assert failed.value.kind == "CancelledError"
    await invoker.close()


async def test_an_async_function_that_blocks_all_others_is_reported(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop_thread, "_LOOKED_AT_AFTER", 0.0)
    monkeypatch.setattr(loop_thread, "_ANSWERS_WITHIN", 0.2)
    invoker = Invoker(own_loop=True)
    release = threading.Event()

    async def blocks(x: Any) -> None:
        release.wait(60)

    class Releasing(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            release.set()

    handler = Releasing()
    loop_thread.log.addHandler(handler)
    calls = [invoker.activity(activity(function), "null", "i") for function in (blocks, where)]
    await asyncio.gather(*calls)
    loop_thread.log.removeHandler(handler)
    await invoker.close()

    [reported] = [one.getMessage() for one in caplog.records if one.name == loop_thread.log.name]
    assert "in blocks. As on Azure no other async function runs until it goes on." in reported


# Time-outs


SHORT = timedelta(seconds=0.2)


async def test_a_function_that_blocks_beyond_its_time_out_costs_no_other_its_thread() -> None:
    invoker = Invoker(threads=1, own_loop=True, limit=SHORT)
    release = threading.Event()

    def blocks(x: Any) -> None:
        release.wait(60)

    def answers(x: Any) -> str:
        return "answered"

    calls = [invoker.activity(activity(function), "null", "i") for function in (blocks, answers)]
    timed_out, answered = await asyncio.gather(*calls, return_exceptions=True)
    release.set()
    await invoker.close()

    assert isinstance(timed_out, FunctionTimedOut)
    assert str(timed_out) == "Timeout value of 00:00:00 was exceeded by function: Functions.act"
    assert timed_out.place.endswith("in blocks")
    # It waited for its thread for longer than it may run.
    assert answered == '"answered"'


async def test_a_loop_beyond_its_time_out_ends() -> None:
    invoker = Invoker(threads=1, own_loop=True, limit=SHORT)
    ended = threading.Event()

    def loops(x: Any) -> None:
        try:
            while True:
                pass
        finally:
            ended.set()

    with pytest.raises(FunctionTimedOut):
        await invoker.activity(activity(loops), "null", "i")
    has_ended = await asyncio.to_thread(ended.wait, 60)
    await invoker.close()

    assert has_ended


async def test_an_async_function_that_waits_beyond_its_time_out_is_cancelled() -> None:
    invoker = Invoker(own_loop=True, limit=SHORT)
    told = threading.Event()

    async def waits(x: Any) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            told.set()
            raise

    with pytest.raises(FunctionTimedOut):
        await invoker.activity(activity(waits), "null", "i")
    was_told = await asyncio.to_thread(told.wait, 60)
    await invoker.close()

    assert was_told


async def test_an_async_function_that_blocks_beyond_its_time_out_leaves_the_others_a_thread(
    caplog: pytest.LogCaptureFixture,
) -> None:
    invoker = Invoker(own_loop=True, limit=SHORT)
    release = threading.Event()

    async def blocks(x: Any) -> None:
        release.wait(60)

    with pytest.raises(FunctionTimedOut):
        await invoker.activity(activity(blocks), "null", "i")
    answered = False
    async with asyncio.timeout(60):
        while not answered:
            try:
                await invoker.activity(activity(where), "null", "i")
                answered = True
            except FunctionTimedOut:
                continue
    release.set()
    await invoker.close()

    assert "An async function blocks the thread of all async functions" in caplog.text
    assert "in blocks" in caplog.text


async def test_the_result_of_a_function_is_freed_without_a_garbage_collection() -> None:
    class Result:
        pass

    pool, results = DaemonPool(1), []

    def returns() -> Result:
        result = Result()
        results.append(weakref.ref(result))
        return result

    gc.disable()
    try:
        await pool.run(returns, limit=60)
        await pool.run(lambda: None)  # the thread has let go of the first call by now
        left = results[0]()
    finally:
        gc.enable()
        pool.close()

    assert left is None
