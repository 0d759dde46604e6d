"""Threads for the app's sync functions. They do not keep the process alive."""

import asyncio
import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any, Final, TypeVar

from durablehost.calling.interrupting import Interrupted, interrupt, where_is

T = TypeVar("T")

_MOMENT: Final = 0.001  # seconds: a short function takes less
_LOOK_EVERY: Final = 1.0  # seconds, whether a call has begun


class _Returns:
    """Passes the results of calls to an event loop, which wakes once for several results."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._ended: deque[tuple[asyncio.Future[Any], Callable[..., Any], tuple[Any, ...]]] = (
            deque()
        )
        self._is_woken = False

    def tell(
        self, waiting: asyncio.Future[Any], settle: Callable[..., Any], *outcome: object
    ) -> None:
        """Pass a result on. May be called in any thread."""
        self._ended.append((waiting, settle, outcome))
        if not self._is_woken:
            self._is_woken = True
            with contextlib.suppress(RuntimeError):  # the loop has ended: nobody waits any more
                self.loop.call_soon_threadsafe(self._settle)

    def _settle(self) -> None:
        self._is_woken = False  # first, because a result may arrive from here on
        while self._ended:
            waiting, settle, outcome = self._ended.popleft()
            if not waiting.done():
                settle(*outcome)


class RanTooLong(Exception):
    """A function ran for longer than allowed. The message is the line of the app."""


@dataclass(eq=False, slots=True)
class _Item:
    """A call and its caller."""

    call: Callable[[], Any]
    waiting: asyncio.Future[Any]
    returns: _Returns
    timer: asyncio.TimerHandle | None = None  # for its time-out
    thread_id: int = 0
    began: float = 0.0
    ended: bool = False

    def run(self) -> None:
        if self.waiting.cancelled():
            return
        self.thread_id, self.began = threading.get_ident(), time.perf_counter()
        try:
            result = self.call()
        except BaseException as error:  # the caller receives it
            self.returns.tell(self.waiting, self.waiting.set_exception, error)
        else:
            self.returns.tell(self.waiting, self.waiting.set_result, result)

    def drop(self) -> None:
        self.returns.tell(self.waiting, self.waiting.cancel)


def seconds_left(began: float, limit: float) -> float:
    """The seconds that a call may still run, or until it is checked again."""
    return limit - (time.perf_counter() - began) if began else min(limit, _LOOK_EVERY)


class DaemonPool:
    """Runs blocking functions in parallel.

    The standard library's pool makes the process wait at its end for every function that still
    runs: after Ctrl-C, an activity that sleeps a minute would cost a minute. It also wakes a thread
    for each call, which costs more than a short function. Here a thread takes one call after the
    other, and another one is woken when that takes longer than a moment.
    """

    def __init__(self, threads: int) -> None:
        self._most = threads
        self._wakeups: SimpleQueue[bool] = SimpleQueue()  # False ends the thread that gets it
        self._returns: _Returns | None = None
        self._helping: asyncio.TimerHandle | None = None
        self._is_closed = False
        self._lock = threading.Lock()  # for what follows
        self._items: deque[_Item] = deque()
        self._awake = 0  # threads that run calls
        self._last_began = 0.0  # when a thread has last taken a call
        self._threads: dict[int, threading.Thread] = {}
        self._lost: list[threading.Thread] = []  # held by calls that ran too long

    @property
    def lost(self) -> int:
        """How many threads are held by calls that ran too long."""
        return sum(thread.is_alive() for thread in self._lost)

    async def run(self, call: Callable[[], T], limit: float | None = None) -> T:
        """Run a function on the next free thread. Raises RuntimeError after the pool was closed.

        A call that runs for longer than `limit` seconds is given up with its thread, which another
        one replaces. Raises RanTooLong then.
        """
        if self._is_closed:
            raise RuntimeError("durablehost is stopping and starts no more functions")
        loop = asyncio.get_running_loop()
        if self._returns is None or self._returns.loop is not loop:
            self._returns, self._helping = _Returns(loop), None
        waiting: asyncio.Future[T] = loop.create_future()
        item = _Item(call, waiting, self._returns)
        with self._lock:
            self._items.append(item)
            if not self._awake or self._are_busy:
                self._wake_one()
            elif self._helping is None:
                self._helping = loop.call_later(_MOMENT, self._help)
        if limit is None:
            return await waiting
        item.timer = loop.call_later(limit, self._look_at, item, limit)
        try:
            return await waiting
        finally:
            item.timer.cancel()

    def _look_at(self, item: _Item, limit: float) -> None:
        if (left := seconds_left(item.began, limit)) > 0:
            item.timer = item.returns.loop.call_later(left, self._look_at, item, limit)
        elif not item.waiting.done() and (place := self._give_up(item)):
            item.waiting.set_exception(RanTooLong(place))

    # The threads

    @property
    def _are_busy(self) -> bool:
        """Whether no thread has taken a call for a moment."""
        return time.perf_counter() - self._last_began > _MOMENT

    def _wake_one(self) -> None:
        """Have another thread run calls, if there may be one more."""
        if self._awake >= self._most:
            return
        self._awake += 1
        if self._awake <= len(self._threads):
            self._wakeups.put(True)
            return
        thread = threading.Thread(target=self._work, name="functions", daemon=True)
        thread.start()
        assert thread.ident is not None
        self._threads[thread.ident] = thread

    def _help(self) -> None:
        """While calls wait: look every moment whether more threads are to run them."""
        self._helping = None
        with self._lock:
            if self._items and self._are_busy:
                for _ in range(min(len(self._items), max(1, self._awake))):
                    self._wake_one()
            if self._items and self._awake < self._most:
                self._helping = asyncio.get_running_loop().call_later(_MOMENT, self._help)

    def _work(self) -> None:
        with contextlib.suppress(Interrupted):  # it can arrive after the call has ended
            goes_on = True
            while goes_on:
                while (item := self._next()) is not None:
                    item.run()
                    with self._lock:
                        item.ended = True
                        if threading.current_thread() in self._lost:
                            return
                    del item  # otherwise an idle thread keeps the values of the last call alive
                goes_on = self._wakeups.get()

    def _next(self) -> _Item | None:
        with self._lock:
            if self._items:
                self._last_began = time.perf_counter()
                return self._items.popleft()
            self._awake -= 1
            return None

    def _give_up(self, item: _Item) -> str:
        """Replace the thread of a call. Returns the line it is at; empty if it has just ended."""
        place = where_is(item.thread_id)
        with self._lock:
            if item.ended:
                return ""
            self._lost.append(self._threads.pop(item.thread_id))
            interrupt(item.thread_id)
            self._awake -= 1
            if self._items:
                self._wake_one()
        return place

    def close(self) -> None:
        """Drop waiting calls and start no more. To be called in the thread of `run`."""
        self._is_closed = True
        with self._lock:
            while self._items:
                self._items.popleft().drop()
        for _ in self._threads:
            self._wakeups.put(False)

    def join(self, seconds: float) -> None:
        """Wait for running calls, at most for this time."""
        deadline = time.monotonic() + seconds
        for thread in tuple(self._threads.values()):
            thread.join(max(0.0, deadline - time.monotonic()))
