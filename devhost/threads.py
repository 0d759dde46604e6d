"""Threads for the app's functions; none of them keeps the process alive."""

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor, Future
from queue import Empty, SimpleQueue
from typing import Any, ParamSpec, TypeVar

log = logging.getLogger(__name__)

T = TypeVar("T")
P = ParamSpec("P")
_Item = tuple[Future[Any], Callable[[], Any]]


class DaemonPool(Executor):
    """Runs blocking functions side by side.

    The standard library's pool makes the process wait at its end for every function that still
    runs: after Ctrl-C, an activity that sleeps a minute would cost a minute.
    """

    def __init__(self, threads: int) -> None:
        self._most = threads
        self._items: SimpleQueue[_Item | None] = SimpleQueue()
        self._idle = threading.Semaphore(0)
        self._threads: list[threading.Thread] = []
        self._is_closed = False

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run `fn` on the next free thread; RuntimeError once the pool is closed."""
        if self._is_closed:
            raise RuntimeError("devhost is stopping: no function is started any more")
        future: Future[T] = Future()
        self._items.put((future, lambda: fn(*args, **kwargs)))
        if not self._idle.acquire(blocking=False) and len(self._threads) < self._most:
            name = f"functions-{len(self._threads)}"
            thread = threading.Thread(target=self._work, name=name, daemon=True)
            self._threads.append(thread)
            thread.start()
        return future

    def _work(self) -> None:
        while (item := self._items.get()) is not None:
            future, call = item
            if future.set_running_or_notify_cancel():
                try:
                    result = call()
                except BaseException as error:  # it belongs to whoever waits, not to this thread
                    future.set_exception(error)
                else:
                    future.set_result(result)
            del item, future, call
            self._idle.release()

    def close(self, seconds: float) -> None:
        """Drop what has not begun; wait so long, at most, for what runs."""
        self._is_closed = True
        with contextlib.suppress(Empty):
            while (item := self._items.get_nowait()) is not None:
                item[0].cancel()
        for _ in self._threads:
            self._items.put(None)
        deadline = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))


class LoopThread:
    """An event loop in a thread of its own, on which the app's async functions run."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._is_closed = False
        self._thread = threading.Thread(target=self._run, name="async-functions", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        while not self._is_closed:
            try:
                self._loop.run_forever()
            except (SystemExit, KeyboardInterrupt) as error:
                # Raised in a task the app made itself; the other functions go on.
                log.error("a task of the app raised %s", type(error).__name__)
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()

    async def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run it there and wait here; cancelling the one cancels the other."""
        if self._is_closed:
            coroutine.close()
            raise RuntimeError("devhost is stopping: no function is started any more")
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(coroutine, self._loop))

    def close(self, seconds: float, last: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Cancel what runs, run `last`, end the loop; wait so long, at most."""
        if self._is_closed:
            return
        ending = asyncio.run_coroutine_threadsafe(self._cancel_all(last), self._loop)
        ending.add_done_callback(lambda _: self._stop())
        self._thread.join(seconds)
        self._is_closed = True

    def _stop(self) -> None:
        self._is_closed = True
        self._loop.stop()

    async def _cancel_all(self, last: Callable[[], Coroutine[Any, Any, None]]) -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await last()
